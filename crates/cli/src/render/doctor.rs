//! Findings of `lastgood doctor` in words.

use backup_core::store::ListingOrder;
use lastgood_operator::findings::{Failure, Finding, Found, Remedy, Severity, Subject};
use pg_clone::inspect::IncrementalFacts;
use serde::Serialize;

use crate::error::CliError;
use crate::render::error::{help, sentence};
use crate::render::pg::recover_step;
use crate::render::remedy;
use crate::render::units::counted;

/// A finding as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    pub(crate) subject: Subject,
    pub(crate) state: Severity,
    pub(crate) what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) help: Option<String>,
}

/// All of a run.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Checks {
    pub(crate) checks: Vec<Check>,
}

impl From<Failure> for CliError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Core(error) => error.into(),
            Failure::Pg(error) => error.into(),
            // Whatever is added later has words of its own.
            other => Self::usage(other.to_string(), ""),
        }
    }
}

impl Check {
    /// What was found; a failure is shown by [`Check::failed`].
    pub(crate) fn of(finding: &Finding) -> Self {
        let help = finding.remedy().map(|remedy| remedy_words(&remedy));
        Self { subject: finding.subject, state: finding.severity(), what: words(&finding.found), help }
    }

    /// What failed, as everywhere else.
    pub(crate) fn failed(subject: Subject, error: &CliError) -> Self {
        Self { subject, state: Severity::Fail, what: sentence(error), help: help(error) }
    }

    /// What was not looked at, and is well.
    pub(crate) fn skipped(subject: Subject, what: &str) -> Self {
        Self { subject, state: Severity::Ok, what: what.to_owned(), help: None }
    }
}

impl Checks {
    pub(crate) fn failed(&self) -> usize {
        self.checks.iter().filter(|check| check.state == Severity::Fail).count()
    }

    /// Whether everything is as it should be.
    pub(crate) fn is_well(&self) -> bool {
        self.checks.iter().all(|check| check.state == Severity::Ok)
    }

    pub(crate) fn text(&self) -> String {
        let mut lines = Vec::new();
        for check in &self.checks {
            let state = match check.state {
                Severity::Ok => "ok",
                Severity::Warn => "warn",
                _ => "fail",
            };
            lines.push(format!("{state:4}  {}", check.what));
            lines.extend(check.help.iter().map(|help| format!("      help: {}", help.replace('\n', "\n            "))));
        }
        lines.join("\n")
    }
}

fn words(found: &Found) -> String {
    match found {
        Found::Reachable { location, format, listing: None } => {
            format!("`{location}` is reachable (format {format}) and supports conditional writes")
        }
        Found::Reachable { location, format, listing: Some(order) } => {
            format!("`{location}` is reachable (format {format}), supports conditional writes and {}", lists(*order))
        }
        Found::ReadOnly { location, failure } => {
            format!("`{location}` can be read and not written to, so that backups will fail: {failure}")
        }
        Found::Exposed(exposure) => format!("other users can read the location (mode {:04o})", exposure.mode),
        Found::Uploads { old: 0, age_min } => format!("no unfinished uploads older than {} h", age_min.as_hours()),
        Found::Uploads { old, age_min } => {
            format!("{} older than {} h", counted(*old, "unfinished upload", "unfinished uploads"), age_min.as_hours())
        }
        Found::UploadsUnknown { why } => {
            format!(
                "unfinished uploads of interrupted runs cannot be found: {why}; let a lifecycle rule of the bucket abort them"
            )
        }
        Found::Answers(facts) => {
            format!("connected to PostgreSQL {} on {} as `{}`", facts.version, facts.server, facts.role)
        }
        Found::CannotCreateDatabases { role } => {
            format!("`{role}` can dump but cannot restore: the role needs CREATEDB")
        }
        Found::Readable { role, database, tables } => {
            format!("`{role}` can read all of `{database}` ({} with rows)", counted(*tables, "table", "tables"))
        }
        Found::Unrestorable { database, problem } => {
            format!("a restore over `{database}` would fail: {}", problem.what)
        }
        Found::Incremental(facts) => incremental(facts),
        Found::Program(program) => format!("{}: {}", program.path, program.version),
        Found::Left(actions) if actions.is_empty() => "no leftovers of killed restores on the server".to_owned(),
        Found::Left(actions) => actions.iter().map(recover_step).collect::<Vec<_>>().join("; "),
        Found::Failed(failure) => failure.to_string(),
        other => format!("{other:?}"),
    }
}

/// Whether dumps read only what changed, and what it takes.
fn incremental(facts: &IncrementalFacts) -> String {
    let IncrementalFacts { role, summarizes, forbidden, may_checkpoint, in_recovery, .. } = facts;
    let all = "dumps read all rows, and store what is new";
    match () {
        () if !facts.supported => format!("{all}: only PostgreSQL 17 and newer tell what did not change"),
        () if !summarizes => format!(
            "{all}: `summarize_wal` is off. `ALTER SYSTEM SET summarize_wal = on; SELECT pg_reload_conf()` lets the second dump \
             after it read only what changed"
        ),
        () if !forbidden.is_empty() => format!(
            "{all}: `{role}` may not call {}. `GRANT EXECUTE ON FUNCTION … TO {role}` lets them read only what changed",
            forbidden.join(", ")
        ),
        () if *in_recovery => {
            "dumps read only what changed, once the primary has written a checkpoint after the snapshot".to_owned()
        }
        () if !may_checkpoint => format!(
            "dumps read only what changed, and wait for one of the server's checkpoints first: `GRANT pg_checkpoint TO {role}` \
             lets them ask for it"
        ),
        () => "dumps read only what changed since the one before".to_owned(),
    }
}

/// In which order a store lists, and what that means.
pub(crate) fn lists(order: ListingOrder) -> &'static str {
    match order {
        ListingOrder::ByKey => "lists by key",
        ListingOrder::ByFolder => {
            "lists folder by folder instead of by key: up to 200,000 objects below one prefix are sorted here"
        }
        _ => "lists in an order that only a newer version knows",
    }
}

fn remedy_words(remedy: &Remedy) -> String {
    match remedy {
        Remedy::Command(command) => command.clone(),
        Remedy::PruneLeftovers => "they cost money; run `lastgood pg prune --incomplete` to abort them".to_owned(),
        Remedy::GrantCreateDatabases { role } => {
            format!("a restore creates a temporary database; run `ALTER ROLE {role} CREATEDB`")
        }
        Remedy::Recover => "run `lastgood pg recover`; the next restore does it too".to_owned(),
        Remedy::Said(help) => remedy::words(help),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use backup_core::StoreError;

    use super::*;

    #[test]
    fn a_failure_is_counted_and_its_help_stands_below_it() {
        let error: CliError =
            StoreError::NoLocation { location: "x".into(), missing: "a".into(), help: "b\nc".into() }.into();
        let skipped = Check::skipped(Subject::Server, "no server was checked");
        let checks = Checks { checks: vec![Check::failed(Subject::Location, &error), skipped] };
        assert_eq!(checks.failed(), 1);
        let text = checks.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "fail  there is no a");
        assert_eq!(&lines[1..], ["      help: b", "            c", "ok    no server was checked"]);
    }
}
