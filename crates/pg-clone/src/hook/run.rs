//! Runs the hooks of one point in order, each with its environment, its time limit and its output.

use std::time::{Duration, Instant};

use backup_core::failure::Remedy;
use backup_core::progress::Event;
use backup_core::secret::{Redactor, Secret};
use serde::Serialize;

use crate::adapters::hook_process::{self, Ending};
use crate::adapters::pg_tools::{how_it_ended, last_lines};
use crate::error::{PgError, PgResult};
use crate::hook::output::{Output, Summary};
use crate::hook::scene::{Outcome, Scene};
use crate::hook::{Hook, Hooks, Point, file, sql};

/// Variables that a hook keeps and may print.
const INHERITED_SECRETS: [&str; 2] = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// What a hook did.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct HookReport {
    /// When it ran.
    pub point: Point,
    /// The command line or the SQL file.
    pub hook: String,
    /// Seconds it took.
    pub seconds: f64,
    /// Lines it printed.
    pub output_lines: u64,
    /// Bytes it printed.
    pub output_bytes: u64,
    /// The last lines, without secrets.
    pub said: Vec<String>,
}

impl HookReport {
    /// A hook that ran at `point` in no time and said nothing: every other field can be set.
    #[must_use]
    pub fn new(point: Point, hook: impl Into<String>) -> Self {
        Self { point, hook: hook.into(), seconds: 0.0, output_lines: 0, output_bytes: 0, said: Vec::new() }
    }
}

/// A hook that failed when nothing could be stopped by it any more.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct HookFailure {
    /// When it ran.
    pub point: Point,
    /// The command line or the SQL file.
    pub hook: String,
    /// How it ended.
    pub what: String,
    /// The last lines it printed, and what to do.
    pub help: Remedy,
}

impl HookFailure {
    /// Takes whatever stopped `hook` at `point` for a failure of its own.
    pub(crate) fn new(point: Point, hook: String, error: PgError) -> Self {
        let help = what_is_safe(point).into();
        match error {
            PgError::Hook { point, hook, how, help } => Self { point, hook, what: how, help },
            PgError::Interrupted => Self { point, hook, what: "was stopped: the run was interrupted".to_owned(), help },
            other => Self { point, hook, what: format!("could not be run: {other}"), help },
        }
    }
}

impl From<HookFailure> for PgError {
    fn from(failure: HookFailure) -> Self {
        let HookFailure { point, hook, what, help } = failure;
        Self::Hook { point, hook, how: what, help }
    }
}

/// Runs the hooks of `point`, each after the one before; what they did is added to `reports`. It must not be dropped when
/// the run is cancelled: it notices by itself, and lets a hook end.
///
/// # Errors
/// [`PgError::Hook`] for the first that fails, and the following do not run; [`PgError::Interrupted`].
pub(crate) async fn run_all(
    hooks: &Hooks,
    point: Point,
    scene: &Scene<'_>,
    reports: &mut Vec<HookReport>,
) -> PgResult<()> {
    for hook in hooks.at(point) {
        scene.run.stop_if_cancelled()?;
        let label = hook.to_string();
        scene.run.step(point.step(), &label);
        let begun = Instant::now();
        let (outcome, summary) = run_one(hook, point, scene, hooks.timeout).await?;
        let failed =
            |how: String| PgError::Hook { point, hook: label.clone(), how, help: help(point, &summary).into() };
        match outcome {
            Outcome::Done => {}
            Outcome::Failed(how) => return Err(failed(how)),
            Outcome::TimedOut => {
                return Err(failed(format!("took longer than {} and was stopped", words(hooks.timeout))));
            }
            Outcome::Cancelled => return Err(PgError::Interrupted),
        }
        tracing::info!(%point, hook = label, lines = summary.lines, "a hook ended well");
        reports.push(HookReport {
            point,
            hook: label,
            seconds: begun.elapsed().as_secs_f64(),
            output_lines: summary.lines,
            output_bytes: summary.bytes,
            said: summary.last,
        });
    }
    Ok(())
}

async fn run_one(hook: &Hook, point: Point, scene: &Scene<'_>, limit: Duration) -> PgResult<(Outcome, Summary)> {
    // Holds the file with the password for as long as the hook runs.
    let environment = scene.server.child_environment(scene.database)?;
    let progress = &scene.run.progress;
    let mut show = |line: &str| progress.event(Event::Output { from: point.name().to_owned(), line: line.to_owned() });
    let mut output = Output::new(redactor(environment.password()));
    let outcome = match hook {
        Hook::Command(line) => {
            let mut command = hook_process::shell(line);
            environment.apply_to_hook(&mut command);
            command.env("LASTGOOD_HOOK", point.name()).env("LASTGOOD_TARGET", scene.target);
            match scene.key {
                Some(key) => command.env("LASTGOOD_KEY", key),
                None => command.env_remove("LASTGOOD_KEY"),
            };
            let take = |bytes: &[u8]| output.take(bytes, &mut show);
            match hook_process::run(command, limit, &scene.run.cancel, take).await {
                Ok(Ending::Exited(status)) if status.success() => Outcome::Done,
                Ok(Ending::Exited(status)) => Outcome::Failed(how_it_ended(status)),
                Ok(Ending::TimedOut) => Outcome::TimedOut,
                Ok(Ending::Cancelled) => Outcome::Cancelled,
                Err(error) => Outcome::Failed(format!("could not be started: {error}")),
            }
        }
        Hook::Sql(path) => {
            let text = file::read(path)?;
            sql::run(&text, scene, limit, &mut |line| output.take(line.as_bytes(), &mut show)).await?
        }
    };
    Ok((outcome, output.finish(&mut show)))
}

/// Knows what a hook could print of what it was given.
fn redactor(password: Option<&Secret>) -> Redactor {
    let redactor = Redactor::of_this_process();
    let inherited = INHERITED_SECRETS.iter().filter_map(|name| std::env::var(name).ok()).map(Secret::new);
    password.cloned().into_iter().chain(inherited).for_each(|secret| redactor.register(&secret));
    redactor
}

fn help(point: Point, summary: &Summary) -> String {
    let safe = what_is_safe(point);
    if summary.last.is_empty() {
        format!("it printed nothing; {safe}")
    } else {
        format!("{}\n{safe}", last_lines(&summary.last.join("\n")))
    }
}

fn what_is_safe(point: Point) -> &'static str {
    match point {
        Point::PreDump => "nothing was dumped; what the hook did to the database stays",
        Point::PostCreate | Point::PreSwap => "nothing was swapped: the live database was not touched",
        Point::PostSwap => "the restore is complete and was not undone. Fix the hook and run it by hand",
    }
}

/// `90s`, `15m`, `2h`.
fn words(limit: Duration) -> String {
    match limit.as_secs() {
        0 => format!("{} ms", limit.as_millis()),
        seconds if seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_told_in_the_largest_unit_that_fits() {
        let told = [500, 1_500, 90_000, 900_000, 3_600_000].map(|ms| words(Duration::from_millis(ms)));
        assert_eq!(told, ["500 ms", "1 s", "90 s", "15 min", "1 h"]);
    }

    #[test]
    fn what_a_failure_says_is_whether_anything_was_switched() {
        let summary = Summary { lines: 9, bytes: 99, last: (1..10).map(|n| format!("line {n}")).collect() };
        let text = help(Point::PreSwap, &summary);
        assert!(text.starts_with("it said: line 2\n") && text.ends_with("the live database was not touched"), "{text}");
        assert!(help(Point::PostSwap, &Summary::default()).contains("was not undone"));
    }
}
