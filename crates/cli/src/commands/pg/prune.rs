//! `lastgood pg prune`.

use backup_core::retention::RetentionError;
use pg_clone::PgError;
use pg_clone::stored::prune::{Prune, PruneOptions, PrunePlan};

use crate::args::pg;
use crate::commands::pg::asked::{filter, named};
use crate::commands::prune::{confirm_deletion, exit_of, unless_held_back};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::pg::{prune_plan, prune_report};

pub(super) async fn run(arguments: &pg::Prune, context: &Context) -> CliResult<Exit> {
    let options = options(arguments, named(arguments.database.as_deref(), context)?)?;
    let store = context.open_to_change().await?;
    let now = context.run.clock.now();
    let prune = Prune::prepare(&store, &options, &context.run).await?;
    let plan = prune.plan();
    for warning in &plan.warnings {
        context.printer.warn(warning);
    }
    if plan.dumps.is_empty() && plan.untouched.is_empty() && options.policy.is_some() {
        context.printer.note(&format!("there are no dumps in {}", store.describe()));
    }
    if arguments.dry_run.dry_run {
        let words = |plan: &PrunePlan| format!("{}\nNothing was changed (dry run)", prune_plan(plan, now));
        context.printer.result(plan, words)?;
        unless_held_back(&plan.held_back)?;
        return Ok(Exit::Ok);
    }
    let deleted = (plan.deleted().count() as u64, plan.freed_bytes);
    confirm_deletion(deleted, ("dump", "dumps"), || prune_plan(plan, now), context).await?;
    let held_back = plan.held_back.clone();
    let report = prune.run().await?;
    context.printer.done(&report, report.failures.is_empty(), prune_report)?;
    let exit = exit_of(report.failures.len(), report.is_full, report.denied.as_ref())?;
    unless_held_back(&held_back)?;
    Ok(exit)
}

fn options(arguments: &pg::Prune, database: Option<String>) -> CliResult<PruneOptions> {
    let policy = arguments.keep.policy();
    let mut options = match (policy.rules.is_empty(), arguments.unfinished.incomplete) {
        (true, true) => PruneOptions::incomplete(),
        // Refused before the location is even looked for.
        (true, false) => return Err(PgError::from(RetentionError::NoRule).into()),
        (false, _) => PruneOptions::new(policy),
    };
    options.filter = filter(database, arguments.config.as_ref(), &arguments.of);
    options.include_legacy = arguments.include_legacy;
    options.grace = arguments.unfinished.grace();
    Ok(options)
}
