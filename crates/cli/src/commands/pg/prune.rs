//! `lastgood pg prune`.

use backup_core::retention::RetentionError;
use pg_clone::PgError;
use pg_clone::stored::list::Filter;
use pg_clone::stored::prune::{self, PruneOptions, PrunePlan};

use crate::args::pg::Prune;
use crate::commands::pg::asked::named;
use crate::commands::prune::{confirm_deletion, exit_of};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::pg::{prune_plan, prune_report};

pub(super) async fn run(arguments: &Prune, context: &Context) -> CliResult<Exit> {
    let options = options(arguments, named(arguments.database.as_deref(), context)?)?;
    let store = context.open_to_change().await?;
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
    let deleted = (plan.deleted().count() as u64, plan.freed_bytes);
    confirm_deletion(deleted, ("dump", "dumps"), || prune_plan(&plan, now), context).await?;
    // Not dropped half-way at a signal: each step is quick, and what is begun is better finished than found later.
    let report = Box::pin(prune::apply(&*store, &plan, &context.run)).await?;
    context.printer.result(&report, prune_report)?;
    exit_of(report.failures.len())
}

fn options(arguments: &Prune, database: Option<String>) -> CliResult<PruneOptions> {
    let policy = arguments.keep.policy();
    let mut options = match (policy.rules.is_empty(), arguments.unfinished.incomplete) {
        (true, true) => PruneOptions::incomplete(),
        // Refused before the location is even looked for.
        (true, false) => return Err(PgError::from(RetentionError::NoRule).into()),
        (false, _) => PruneOptions::new(policy),
    };
    options.filter = Filter { database, config: arguments.config.clone(), cluster: arguments.of.cluster.clone() };
    options.include_legacy = arguments.include_legacy;
    options.grace = arguments.unfinished.grace();
    Ok(options)
}
