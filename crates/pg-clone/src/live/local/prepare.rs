//! Finds the local database that is meant, and says what restoring or copying it would do; changes nothing.

use backup_core::failure::{Operation, Setting};
use backup_core::remedy;
use serde::Serialize;

use crate::adapters;
use crate::adapters::connection::Server;
use crate::error::{Obstacle, PgError, PgResult, Problem};
use crate::hook::{PlannedHook, Point};
use crate::live::local::copies::Copies;
use crate::live::local::list::{self, LocalDatabase, Role};
use crate::live::local::name::{CopyRole, LocalSource};
use crate::live::local::reserved::reserved_name;
use crate::live::recover;
use crate::live::silence;
use crate::live::state::Found;
use crate::options::RestoreOptions;
use crate::restore::{Replaced, name_problem, refuse_unconfirmed};
use crate::run::Run;
use crate::standing::Undertaking;

/// What a local database is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// It is to be in its target's place.
    Restore,
    /// A copy of it is to be there, and known as that.
    Copy,
}

/// How the target comes to hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Both exchange their names.
    Exchange,
    /// The source is copied by the server, and stays.
    Duplicate,
}

/// What restoring or copying a local database would do: what `--dry-run` prints.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct LocalPlan {
    /// What it is for.
    pub purpose: Purpose,
    /// How.
    pub way: Way,
    /// The database it comes from.
    pub source: LocalDatabase,
    /// The server, without secrets.
    pub server: String,
    /// The database it goes into.
    pub target: String,
    /// The live database of that name, if there is one.
    pub replaces: Option<Replaced>,
    /// Whether what is replaced stays as `:previous`.
    pub keeps_replaced: bool,
    /// What runs on the copy and after the switch, in order.
    pub hooks: Vec<PlannedHook>,
    /// What breaks because `force` was given, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub breaks: Vec<String>,
    /// What stands against it: empty when it can go on.
    pub problems: Vec<Problem>,
}

impl LocalPlan {
    /// The points whose hooks run. What comes back by its name was live before, as it is; a copy for somebody's tests is
    /// nothing that goes live.
    fn points(&self) -> &'static [Point] {
        match (self.purpose, self.way) {
            (Purpose::Copy, _) => &[],
            (Purpose::Restore, Way::Exchange) => &[Point::PostSwap],
            (Purpose::Restore, Way::Duplicate) => &[Point::PreSwap, Point::PostSwap],
        }
    }

    pub(crate) fn runs(&self, point: Point) -> bool {
        self.points().contains(&point)
    }

    pub(crate) fn refuse_problems(&self) -> PgResult<()> {
        match self.problems.first() {
            None => Ok(()),
            Some(problem) => Err(problem.against(&format!("`{}` cannot become `{}`", self.source.name, self.target))),
        }
    }

    pub(crate) fn refuse_unconfirmed(&self, options: &RestoreOptions) -> PgResult<()> {
        let refused = refuse_unconfirmed(&self.target, &self.server, self.replaces.as_ref(), options);
        refused.map_err(|error| match error {
            // The target of a copy is an argument and no option.
            PgError::Confirm { what, .. } if self.purpose == Purpose::Copy => PgError::Confirm {
                what,
                help: remedy![
                    "nothing was changed. Confirm with ",
                    Setting::Confirm.with(self.target.clone()),
                    ", or choose another target"
                ],
            },
            other => other,
        })
    }

    /// Sessions of a database in use that are ended because the server copies only what nobody uses. Nobody is asked about
    /// those of a copy that a restore made.
    #[must_use]
    pub fn source_sessions(&self) -> u64 {
        let in_use = matches!(self.source.role, Role::Live | Role::Copy);
        if self.way == Way::Duplicate && in_use { self.source.sessions } else { 0 }
    }
}

/// A restore or copy of a local database that is planned and not yet run. It owns what it was planned with, so that what
/// runs is what [`LocalRestore::plan`] shows.
#[derive(Debug)]
pub struct LocalRestore {
    pub(super) server: Server,
    pub(super) options: RestoreOptions,
    pub(super) run: Run,
    pub(super) plan: LocalPlan,
}

impl LocalRestore {
    /// Finds out what restoring `source` into `target`, or copying it there, would do.
    ///
    /// # Errors
    /// [`PgError::Usage`] if it is no local database's name, [`PgError::NoDatabase`] if there is none, connection errors.
    pub async fn prepare(
        server: &Server,
        source: &LocalSource,
        target: &str,
        purpose: Purpose,
        options: RestoreOptions,
        run: &Run,
    ) -> PgResult<Self> {
        options.check()?;
        refuse_carrying(&options)?;
        refuse_locale(&options)?;
        let looking = Box::pin(look(server, source, target, purpose, options.force, run));
        let mut plan = run.or_cancelled(looking).await?;
        plan.hooks = options.hooks.plan(plan.points());
        Ok(Self { server: server.clone(), options, run: run.clone(), plan })
    }

    /// What it would do.
    #[must_use]
    pub fn plan(&self) -> &LocalPlan {
        &self.plan
    }

    /// Confirms that the live database of this name may be replaced, as [`RestoreOptions::confirm`] does: for whoever is
    /// asked after the plan was shown.
    pub fn confirm(&mut self, database: impl Into<String>) {
        self.options.confirm = Some(database.into());
    }

    /// Refuses what [`LocalRestore::run`] would refuse before it makes anything, but for what nobody has confirmed yet;
    /// changes nothing.
    ///
    /// # Errors
    /// As [`LocalRestore::run`].
    pub async fn check(&self) -> PgResult<()> {
        Box::pin(self.look()).await
    }

    async fn look(&self) -> PgResult<()> {
        let Self { server, options, run, plan } = self;
        plan.refuse_problems()?;
        if options.confirm.is_some() {
            plan.refuse_unconfirmed(options)?;
        }
        for name in [plan.target.as_str(), plan.source.lock_name()] {
            run.or_cancelled(silence::refuse_if_held(server, name)).await?;
        }
        Ok(())
    }
}

async fn look(
    server: &Server,
    source: &LocalSource,
    target: &str,
    purpose: Purpose,
    force: bool,
    run: &Run,
) -> PgResult<LocalPlan> {
    server.refuse_if_guarded(target)?;
    let admin = server.connect_admin_for(target).await?;
    let databases = list::among(&admin).await?;
    let found: Vec<Found> = databases.iter().map(|database| database.found.clone()).collect();
    let source_name = match source {
        LocalSource::Named(name) => name.clone(),
        LocalSource::Copy(role) => match the_copy(&found, target, *role) {
            Ok(copy) => copy.name,
            Err(error) => {
                recover::tell_doubts(&admin, target, &run.progress).await?;
                return Err(error);
            }
        },
    };
    server.refuse_to_disturb(&source_name)?;
    let source_is = |database: &&LocalDatabase| database.name == source_name;
    let database = databases.iter().find(source_is).cloned();
    let database =
        database.ok_or_else(|| PgError::NoDatabase { database: source_name.clone(), server: server.describe() })?;
    let replaces = databases.iter().find(|database| database.name == target);
    let exchange = *source == LocalSource::Copy(CopyRole::Previous) && purpose == Purpose::Restore;
    let mut plan = LocalPlan {
        purpose,
        way: if exchange { Way::Exchange } else { Way::Duplicate },
        server: server.describe(),
        target: target.to_owned(),
        keeps_replaced: exchange && replaces.is_some(),
        replaces: replaces.map(|live| Replaced { bytes: live.bytes.unwrap_or_default(), sessions: live.sessions }),
        hooks: Vec::new(),
        breaks: Vec::new(),
        problems: Vec::new(),
        source: database,
    };
    plan.problems.extend(name_problem(target));
    // What is live under such a name was named by somebody.
    let known = databases.iter().any(|database| database.name == target && database.role == Role::Live);
    plan.problems.extend(reserved_name(target, known));
    plan.problems.extend(problem(&plan));
    let standing = adapters::sql::standing::read(&admin, &[target, &plan.source.name]).await?;
    let undertaking = Undertaking { target, replaces: true, source: Some(&plan.source.name), force };
    plan.problems.extend(standing.problems(&plan.server, undertaking));
    plan.breaks = standing.breaks(undertaking);
    if purpose == Purpose::Copy {
        let of_target = |problem: &&mut Problem| {
            use Obstacle::{InvalidName, ReservedName, SystemDatabase};
            matches!(problem.obstacle, SystemDatabase | InvalidName | ReservedName)
        };
        plan.problems.iter_mut().filter(of_target).for_each(|problem| problem.help = "choose another target".into());
    }
    Ok(plan)
}

/// A local database is copied with its locale.
fn refuse_locale(options: &RestoreOptions) -> PgResult<()> {
    if options.locale.is_none() && options.locale_provider.is_none() {
        return Ok(());
    }
    Err(PgError::Usage {
        what: "a database of the server keeps its locale".to_owned(),
        help: remedy![
            "nothing was changed. Restore a dump, or omit ",
            Setting::Locale,
            " and ",
            Setting::LocaleProvider
        ],
    })
}

/// A local database is restored as it is: one that is kept to go back to must not change on the way.
fn refuse_carrying(options: &RestoreOptions) -> PgResult<()> {
    if options.carry_over.is_empty() {
        return Ok(());
    }
    Err(PgError::Usage {
        what: "no tables are carried over into a database of the server".to_owned(),
        help: remedy!["nothing was changed. Restore a dump, or omit ", Setting::CarryOver],
    })
}

/// The copy of `target` in that role.
pub(crate) fn the_copy(databases: &[Found], target: &str, role: CopyRole) -> PgResult<Found> {
    let copies = Copies::among(databases, target);
    let found = match role {
        CopyRole::Previous => copies.previous,
        CopyRole::Current => copies.current,
    };
    found.ok_or_else(|| PgError::NoCopy { database: target.to_owned(), copy: role.reference().to_owned() })
}

fn problem(plan: &LocalPlan) -> Option<Problem> {
    let source = &plan.source.name;
    if *source == plan.target {
        return Some(Problem {
            obstacle: Obstacle::NameTaken,
            what: "they are the same database".to_owned(),
            help: "choose another source or target".into(),
        });
    }
    (plan.source.role == Role::Temporary).then(|| Problem {
        obstacle: Obstacle::Unfinished,
        what: format!("`{source}` is being restored, or is a leftover of a killed run"),
        help: remedy!["wait for that run, or run ", Operation::Recover],
    })
}
