//! `lastgood pg prune`.

use backup_core::retention::RetentionError;
use pg_clone::PgError;
use pg_clone::prune::{self, PruneOptions, PrunePlan};

use crate::args::pg::Prune;
use crate::args::retention::duration;
use crate::commands::pg::named;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::pg::{prune_plan, prune_report};
use crate::render::units::counted;
use crate::{confirm, render};

pub(super) async fn run(arguments: &Prune, context: &Context) -> CliResult<Exit> {
    let options = options(arguments, named(arguments.database.as_deref(), context)?)?;
    let store = context.open().await?;
    let now = context.run.clock.now();
    let plan = context.or_cancelled(async { Ok(Box::pin(prune::plan(&*store, &options, now)).await?) }).await?;
    for warning in &plan.warnings {
        context.printer.warn(warning);
    }
    if arguments.dry_run.dry_run {
        let words = |plan: &PrunePlan| format!("{}\nNothing was changed (dry run)", prune_plan(plan, now));
        context.printer.result(&plan, words)?;
        return Ok(Exit::Ok);
    }
    confirm(&plan, context).await?;
    // Not dropped half-way at a signal: each step is quick, and what is begun is better finished than found later.
    let report = Box::pin(prune::apply(&*store, &plan, &context.run)).await?;
    context.printer.result(&report, prune_report)?;
    if report.is_complete() {
        return Ok(Exit::Ok);
    }
    let failed = counted(report.failures.len() as u64, "object", "objects");
    Err(CliError::Partial {
        what: format!("{failed} could not be deleted"),
        help: "the same command goes on with them; every kept dump is whole".to_owned(),
    })
}

fn options(arguments: &Prune, database: Option<String>) -> CliResult<PruneOptions> {
    let policy = arguments.keep.policy()?;
    let mut options = match (policy.rules.is_empty(), arguments.incomplete) {
        (true, true) => PruneOptions::incomplete(),
        // Refused before the location is even looked for.
        (true, false) => return Err(PgError::from(RetentionError::NoRule).into()),
        (false, _) => PruneOptions::new(policy),
    };
    options.database = database;
    options.include_legacy = arguments.include_legacy;
    if let Some(grace) = &arguments.grace {
        options.grace = duration("--grace", grace)?;
    }
    Ok(options)
}

/// Deleting dumps is asked about; what never became one goes without.
async fn confirm(plan: &PrunePlan, context: &Context) -> CliResult<()> {
    let deleted = plan.deleted().count() as u64;
    if deleted == 0 || context.global.yes {
        return Ok(());
    }
    if confirm::somebody_is_there() {
        context.printer.stderr(&prune_plan(plan, context.run.clock.now()));
    }
    let freed = render::units::bytes(plan.freed_bytes);
    let what = format!("this deletes {} and frees {freed}", counted(deleted, "dump", "dumps"));
    confirm::go_on(&what, &context.run.cancel).await
}
