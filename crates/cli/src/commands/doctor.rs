//! `lastgood doctor`: checks everything that a dump and a restore need.

use std::path::Path;
use std::sync::Arc;

use backup_core::probe;
use backup_core::progress::{SharedProgress, Silent};
use backup_core::store::SharedStore;
use jiff::SignedDuration;
use pg_clone::inspect::ServerFacts;
use pg_clone::live::recover;
use pg_clone::{Server, inspect};
use serde::Serialize;

use crate::args::Doctor;
use crate::context::Context;
use crate::env;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::location::explained;
use crate::render::error::{help, sentence};
use crate::render::pg::recover_step;
use crate::render::units::counted;

/// An upload that still stores nothing after a day belongs to nobody any more: the longest runs take hours.
const UPLOAD_AGE_MAX: SignedDuration = SignedDuration::from_hours(24);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warn,
    Fail,
}

#[derive(Debug, Serialize)]
struct Check {
    state: State,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

#[derive(Debug, Default, Serialize)]
struct Findings {
    checks: Vec<Check>,
}

impl Findings {
    fn ok(&mut self, what: impl Into<String>) {
        self.checks.push(Check { state: State::Ok, what: what.into(), help: None });
    }

    fn warn(&mut self, what: impl Into<String>, help: impl Into<String>) {
        self.checks.push(Check { state: State::Warn, what: what.into(), help: Some(help.into()) });
    }

    /// The value, or a line about why there is none.
    fn take<T>(&mut self, result: CliResult<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.checks.push(Check { state: State::Fail, what: sentence(&error), help: help(&error) });
                None
            }
        }
    }

    fn text(&self) -> String {
        let mut lines = Vec::new();
        for check in &self.checks {
            let state = match check.state {
                State::Ok => "ok",
                State::Warn => "warn",
                State::Fail => "fail",
            };
            lines.push(format!("{state:4}  {}", check.what));
            lines.extend(check.help.iter().map(|help| format!("      help: {}", help.replace('\n', "\n            "))));
        }
        lines.join("\n")
    }
}

pub(super) async fn run(arguments: &Doctor, context: &Context) -> CliResult<Exit> {
    let mut findings = Findings::default();
    let checks = async {
        location(&mut findings, context).await;
        let said = arguments.database.is_some() || arguments.server.is_given();
        let named = said || env::names_a_server() || context.settings.layer().url.is_some();
        let bin_dir = arguments.tools.pg_bin.clone().or_else(|| context.settings.bin_dir());
        if named
            && let Some((server, database)) =
                findings.take(context.server_of(&arguments.server, arguments.database.as_deref()))
        {
            postgres(&mut findings, &server, database.as_deref(), bin_dir.as_deref()).await;
        } else if !named {
            findings.ok("no server checked: give a database, or set PGHOST or LASTGOOD_PG_URL");
        }
        Ok(())
    };
    context.or_cancelled(Box::pin(checks)).await?;
    // What servers and programs say is repeated here.
    context.printer.result(&findings, |findings| context.printer.redactor().redact(&findings.text()))?;
    let failed = findings.checks.iter().filter(|check| check.state == State::Fail).count();
    if failed > 0 {
        return Err(CliError::Unhealthy { failed, checks: findings.checks.len() });
    }
    Ok(Exit::Ok)
}

async fn location(findings: &mut Findings, context: &Context) {
    let Some(location) = findings.take(context.location()) else { return };
    let Some(store) =
        take_explained(findings, location.open_with(&context.access()).await.map_err(CliError::from), context).await
    else {
        return;
    };
    if let Some(exposure) = location.exposure() {
        findings.warn(format!("other users can read the location (mode {:04o})", exposure.mode), exposure.remedy());
    }
    // A proof that failed or was cut short is tried again, in the marker that is there anyway.
    let found = probe::require(&*store).await.map_err(CliError::from);
    let Some(marker) = take_explained(findings, found, context).await else { return };
    let format = marker.format;
    findings.ok(format!("`{}` is reachable (format {format}) and supports conditional writes", store.describe()));
    unfinished(findings, &store, context).await;
}

/// As [`Findings::take`], with what helps whoever named a location that is none.
async fn take_explained<T>(findings: &mut Findings, result: CliResult<T>, context: &Context) -> Option<T> {
    match result {
        Err(error) => findings.take(Err(Box::pin(explained(error, context)).await)),
        found => findings.take(found),
    }
}

async fn unfinished(findings: &mut Findings, store: &SharedStore, context: &Context) {
    let Some(uploads) = findings.take(store.unfinished("").await.map_err(CliError::from)) else { return };
    let now = context.run.clock.now();
    let old = uploads.iter().filter(|upload| now.duration_since(upload.started) > UPLOAD_AGE_MAX).count();
    if old == 0 {
        findings.ok("no unfinished uploads older than 24 h");
    } else {
        findings.warn(
            format!("{} older than 24 h", counted(old as u64, "unfinished upload", "unfinished uploads")),
            "they cost money; run `lastgood pg prune --incomplete` to abort them",
        );
    }
}

/// Whether the role may read what a dump reads, and do what a restore does. Whoever only dumps need not do the latter.
async fn rights(findings: &mut Findings, server: &Server, facts: &ServerFacts, database: Option<&str>) {
    let Some(database) = database else {
        if !facts.may_create_databases {
            findings.warn(
                format!("`{}` can dump but cannot restore: the role needs CREATEDB", facts.role),
                format!("a restore creates a temporary database; run `ALTER ROLE {} CREATEDB`", facts.role),
            );
        }
        return;
    };
    let readable = Box::pin(inspect::dumpable(server, database)).await;
    if let Some(tables) = findings.take(readable.map_err(CliError::from)) {
        let tables = counted(tables, "table", "tables");
        findings.ok(format!("`{}` can read all of `{database}` ({tables} with rows)", facts.role));
    }
    let against = Box::pin(inspect::restorable(server, database)).await;
    for problem in findings.take(against.map_err(CliError::from)).unwrap_or_default() {
        findings.warn(format!("a restore over `{database}` would fail: {}", problem.what), problem.help);
    }
}

async fn postgres(findings: &mut Findings, server: &Server, database: Option<&str>, bin_dir: Option<&Path>) {
    let asked = Box::pin(inspect::server(server, database)).await;
    let Some(facts) = findings.take(asked.map_err(CliError::from)) else { return };
    findings.ok(format!("connected to PostgreSQL {} on {} as `{}`", facts.version, facts.server, facts.role));
    rights(findings, server, &facts, database).await;
    for name in ["pg_dump", "pg_restore"] {
        let found = inspect::program(name, facts.major, bin_dir).await;
        if let Some(program) = findings.take(found.map_err(CliError::from)) {
            findings.ok(format!("{}: {}", program.path, program.version));
        }
    }
    // Its warnings speak of what was done, and nothing is.
    let silent: SharedProgress = Arc::new(Silent);
    let left = Box::pin(recover::plan(server, &silent)).await;
    if let Some(left) = findings.take(left.map_err(CliError::from)) {
        if left.actions.is_empty() {
            findings.ok("no leftovers of killed restores on the server");
        } else {
            findings.warn(
                left.actions.iter().map(recover_step).collect::<Vec<_>>().join("; "),
                "run `lastgood pg recover`; the next restore does it too",
            );
        }
    }
}
