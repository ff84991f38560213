//! `lastgood dict prune`.

use backup_core::prune::{IncompletePlan, PruneOutcome};
use backup_core::store::Store;
use dictstore_backup::leftovers;
use dictstore_backup::retain;

use crate::args::dict::Prune;
use crate::commands::dict::asked::at;
use crate::commands::prune::{confirm_deletion, exit_of};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::dict::{Pruned, Pruning, prune_plan, pruned};

pub(super) async fn run(arguments: &Prune, context: &Context) -> CliResult<Exit> {
    let policy = arguments.keep.policy();
    let grace = arguments.unfinished.grace();
    let only_incomplete = policy.rules.is_empty() && arguments.unfinished.incomplete;
    let store = at(&arguments.place, context)?.open_to_change().await?;
    let retained = match only_incomplete {
        true => None,
        false => Some(retain::plan(&*store, &policy, arguments.of.source.as_deref(), &context.run).await?),
    };
    let left = leftovers::plan(&*store, grace, &context.run).await?;
    for warning in retained.iter().flat_map(|plan| &plan.retention.warnings) {
        context.printer.warn(warning);
    }
    let pruning = Pruning::of(retained.as_ref(), &left);
    if arguments.dry_run.dry_run {
        let words = |pruning: &Pruning| format!("{}\nNothing was changed (dry run)", prune_plan(pruning));
        context.printer.result(&pruning, words)?;
        return Ok(Exit::Ok);
    }
    let deleted =
        retained.as_ref().map_or((0, 0), |plan| (plan.removals.removals.len() as u64, plan.removals.freed_bytes));
    confirm_deletion(deleted, ("backup", "backups"), || prune_plan(&pruning), context).await?;
    // Not dropped half-way at a signal: each step is quick, and what is begun is better finished than found later.
    let mut report = Pruned::default();
    if let Some(plan) = &retained {
        report.add(&retain::apply(&*store, plan, &context.run).await?);
    }
    report.add_incomplete(&cleared(&*store, &left, context).await?);
    context.printer.result(&report, pruned)?;
    exit_of(report.failures.len())
}

async fn cleared(store: &dyn Store, left: &IncompletePlan, context: &Context) -> CliResult<PruneOutcome> {
    if left.is_empty() {
        return Ok(PruneOutcome::default());
    }
    Ok(leftovers::clear(store, left, &context.run).await?)
}
