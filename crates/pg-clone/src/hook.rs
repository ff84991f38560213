//! Hooks: commands and SQL files of the user that run at fixed points of a dump or a restore.
//!
//! Commands run under `/bin/sh -c`, because hooks are one-liners with pipes, `&&` and `$PGDATABASE`. lastgood adds nothing
//! to the command line; all information is in the environment. An SQL file is sent over lastgood's own connection as one
//! batch, which is one transaction unless the file has its own.

mod file;
mod output;
mod point;
mod run;
mod scene;
mod sql;
mod trial;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::adapters::hook_process;
use crate::error::{PgError, PgResult};
pub use crate::hook::point::Point;
pub(crate) use crate::hook::run::run_all;
pub use crate::hook::run::{HookFailure, HookReport};
pub(crate) use crate::hook::scene::Scene;
pub(crate) use crate::hook::trial::scratch_target;
pub use crate::hook::trial::{Trial, try_on_empty};
use crate::setters::setters;

/// Kills every hook that runs in this process, with all it started. For a process that is about to end without waiting
/// for its runs: hooks are in process groups of their own, and would go on.
pub fn kill_running() {
    hook_process::kill_running();
}

/// How long a hook may take unless somebody says otherwise: a migration of a large table takes minutes, and a hook that
/// hangs should still be found before the next night.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(60 * 60);

/// The preparation that the role of an RDS server needs before its first dump, as an SQL file for
/// [`Hooks::pre_dump`].
pub const RDS_PREP_SQL: &str = include_str!("../sql/rds-prep.sql");

/// Something of the user's to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    /// A command line for `/bin/sh -c`.
    Command(String),
    /// An SQL file, sent as one batch.
    Sql(PathBuf),
}

impl fmt::Display for Hook {
    /// As it is shown in plans, messages and reports.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(text) => f.write_str(text),
            Self::Sql(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The hooks of a dump or a restore, at each point in the order in which they run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hooks {
    /// Of a dump; see [`Point::PreDump`].
    pub pre_dump: Vec<Hook>,
    /// Of a restore; see [`Point::PostCreate`].
    pub post_create: Vec<Hook>,
    /// Of a restore; see [`Point::PreSwap`].
    pub pre_swap: Vec<Hook>,
    /// Of a restore; see [`Point::PostSwap`].
    pub post_swap: Vec<Hook>,
    /// How long each of them may take.
    pub timeout: Duration,
}

setters! {
    Hooks {
        plain pre_dump: Vec<Hook>,
        plain post_create: Vec<Hook>,
        plain pre_swap: Vec<Hook>,
        plain post_swap: Vec<Hook>,
        plain timeout: Duration,
    }
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            pre_dump: Vec::new(),
            post_create: Vec::new(),
            pre_swap: Vec::new(),
            post_swap: Vec::new(),
            timeout: TIMEOUT_DEFAULT,
        }
    }
}

/// The points of a dump.
pub const DUMP_POINTS: [Point; 1] = [Point::PreDump];

/// The points of a restore.
pub const RESTORE_POINTS: [Point; 3] = [Point::PostCreate, Point::PreSwap, Point::PostSwap];

/// A hook that will run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlannedHook {
    /// When.
    pub point: Point,
    /// What: a command line or a file.
    pub hook: String,
}

impl Hooks {
    /// The hooks of `point`.
    #[must_use]
    pub fn at(&self, point: Point) -> &[Hook] {
        match point {
            Point::PreDump => &self.pre_dump,
            Point::PostCreate => &self.post_create,
            Point::PreSwap => &self.pre_swap,
            Point::PostSwap => &self.post_swap,
        }
    }

    /// The same, to add to.
    pub fn at_mut(&mut self, point: Point) -> &mut Vec<Hook> {
        match point {
            Point::PreDump => &mut self.pre_dump,
            Point::PostCreate => &mut self.post_create,
            Point::PreSwap => &mut self.pre_swap,
            Point::PostSwap => &mut self.post_swap,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        DUMP_POINTS.iter().chain(&RESTORE_POINTS).all(|point| self.at(*point).is_empty())
    }

    /// What will run at `points`, in order.
    #[must_use]
    pub fn plan(&self, points: &[Point]) -> Vec<PlannedHook> {
        let of = |point: Point| self.at(point).iter().map(move |hook| PlannedHook { point, hook: hook.to_string() });
        points.iter().copied().flat_map(of).collect()
    }

    /// Refuses hooks that could not run, before anything else is done.
    pub(crate) fn check(&self, points: &[Point]) -> PgResult<()> {
        if self.timeout.is_zero() {
            return Err(PgError::Usage {
                what: "the time limit of hooks is 0".to_owned(),
                help: "use a time such as `30m` or `6h`".into(),
            });
        }
        for point in points {
            for hook in self.at(*point) {
                match hook {
                    Hook::Command(text) if text.trim().is_empty() || text.contains('\0') => {
                        return Err(PgError::Usage {
                            what: format!("a {point} hook is not a command line"),
                            help: "nothing was changed. Use a command such as `./migrate.sh`".into(),
                        });
                    }
                    Hook::Command(_) => {}
                    Hook::Sql(path) => drop(file::read(path)?),
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_names_the_hooks_in_the_order_of_the_points_and_of_each_list() {
        let hooks = Hooks {
            pre_dump: vec![Hook::Command("prepare".into())],
            pre_swap: vec![Hook::Sql("b.sql".into()), Hook::Command("a".into())],
            post_create: vec![Hook::Command("first".into())],
            ..Hooks::default()
        };
        let plan = hooks.plan(&RESTORE_POINTS);
        let words: Vec<String> = plan.iter().map(|planned| format!("{} {}", planned.point, planned.hook)).collect();
        assert_eq!(words, ["post-create first", "pre-swap b.sql", "pre-swap a"]);
        assert_eq!(hooks.plan(&DUMP_POINTS).len(), 1);
    }

    #[test]
    fn what_could_not_run_is_refused_at_once() {
        let refused = |hook: Hook| {
            let hooks = Hooks { pre_swap: vec![hook], ..Hooks::default() };
            assert!(hooks.check(&DUMP_POINTS).is_ok());
            hooks.check(&RESTORE_POINTS).unwrap_err().to_string()
        };
        assert_eq!(refused(Hook::Command("  ".into())), "a pre-swap hook is not a command line");
        assert!(refused(Hook::Sql("/nonexistent.sql".into())).contains("`/nonexistent.sql`"));
        assert!(Hooks { timeout: Duration::ZERO, ..Hooks::default() }.check(&[]).is_err());
    }
}
