//! `lastgood pg restore :LOCAL`: `:previous`, `:current`, or any database of the server in a live one's place.

use pg_clone::live::local::{LocalPlan, LocalRestore, LocalSource, Purpose};
use pg_clone::restore::RestoreOptions;
use pg_clone::{PgError, Server};

use crate::args::pg::Restore;
use crate::commands::pg::hooks;
use crate::confirm;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::pg::{local_plan, local_report, needs_confirmation};
use crate::render::remedy::Worded;

pub(super) async fn run(
    source: &LocalSource,
    arguments: &Restore,
    options: RestoreOptions,
    context: &Context,
) -> CliResult<Exit> {
    let (server, database) = context.server_of(&arguments.server.without_dbname(), None)?;
    let target = match &arguments.into {
        Some(target) => target.clone(),
        None => database.ok_or_else(|| {
            CliError::usage("no database to restore into", "give one with `--into`, or set PGDATABASE")
        })?,
    };
    if arguments.reversible {
        context
            .printer
            .note("--reversible applies only to dumps: restoring a local copy leaves the other copies as they are");
    }
    execute(&server, source, &target, Purpose::Restore, options, arguments.dry_run.dry_run, context).await
}

/// Plans, asks, and does it: a restore of a local database or a copy.
pub(super) async fn execute(
    server: &Server,
    source: &LocalSource,
    target: &str,
    purpose: Purpose,
    options: RestoreOptions,
    dry_run: bool,
    context: &Context,
) -> CliResult<Exit> {
    let confirmed = options.confirm.clone();
    let mut restore = LocalRestore::prepare(server, source, target, purpose, options, &context.run).await?;
    let mut plan = restore.plan().clone();
    hooks::redact(&mut plan.hooks, context);
    let now = context.run.clock.now();
    if dry_run {
        let needed = needs_confirmation(plan.replaces.is_some(), &plan.target, confirmed.as_deref());
        let words = |worded: &Worded<'_, LocalPlan>| {
            format!("{}{needed}\nNothing was changed (dry run)", local_plan(worded.0, now))
        };
        context.printer.result(&Worded(&plan, &plan.problems), words)?;
        // The plan is shown whatever stands against it; the end is the run's.
        restore.check().await?;
        return Ok(Exit::Ok);
    }
    if let Some(typed) = confirm(&plan, confirmed.as_deref(), context).await? {
        restore.confirm(typed);
    }
    let report = restore.run().await?;
    for warning in &report.warnings {
        context.printer.warn(warning);
    }
    context.printer.done(&report, report.hook_failure.is_none(), local_report)?;
    match report.hook_failure {
        Some(failure) => Err(PgError::from(failure).into()),
        None => Ok(Exit::Ok),
    }
}

/// A live database is replaced only if its name was typed. Beyond that somebody has to agree to the sessions of the
/// source being ended, of which a name he typed says nothing.
async fn confirm(plan: &LocalPlan, confirmed: Option<&str>, context: &Context) -> CliResult<Option<String>> {
    if !plan.problems.is_empty() {
        return Ok(None);
    }
    if plan.replaces.is_some() && confirmed.is_none() && confirm::is_interactive() {
        context.printer.stderr(&local_plan(plan, context.run.clock.now()));
        let typed = confirm::ask("Type the database name to continue:", &context.run.cancel).await?;
        if typed != plan.target {
            return Err(CliError::Confirm {
                what: format!("`{typed}` is not the name of the database that would be replaced"),
                help: format!("nothing was changed. Type `{}`, or choose another target", plan.target),
            });
        }
        return Ok(Some(typed));
    }
    if plan.replaces.is_some() && confirmed != Some(&*plan.target) {
        // The library words the refusal.
        return Ok(None);
    }
    if plan.source_sessions() == 0 || context.global.yes {
        return Ok(None);
    }
    let sessions = crate::render::units::counted(plan.source_sessions(), "session", "sessions");
    let what = format!(
        "this disconnects {sessions} from `{}`, and nobody can connect to it until it is copied",
        plan.source.name
    );
    confirm::require_yes(&what, &context.run.cancel).await?;
    Ok(None)
}
