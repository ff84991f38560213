//! `lastgood dict prune`.

use backup_core::prune::{GRACE, IncompletePlan, PruneOutcome};
use backup_core::store::Store;
use dictstore_backup::leftovers;
use dictstore_backup::retain::{self, RetainPlan};

use crate::args::dict::Prune;
use crate::args::retention::duration;
use crate::commands::dict::open;
use crate::confirm;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::dict::{Pruned, Pruning, prune_plan, pruned};
use crate::render::units::{bytes, counted};

pub(super) async fn run(arguments: &Prune, context: &Context) -> CliResult<Exit> {
    let policy = arguments.keep.policy()?;
    let grace = arguments.grace.as_ref().map_or(Ok(GRACE), |grace| duration("--grace", grace))?;
    let only_incomplete = policy.rules.is_empty() && arguments.incomplete;
    let store = open(&arguments.place, context).await?;
    let now = context.run.clock.now();
    let planned = async {
        let retained = match only_incomplete {
            true => None,
            false => Some(retain::plan(&*store, &policy, now).await?),
        };
        Ok((retained, leftovers::plan(&*store, now, grace).await?))
    };
    let (retained, left) = context.or_cancelled(planned).await?;
    for warning in retained.iter().flat_map(|plan| &plan.retention.warnings) {
        context.printer.warn(warning);
    }
    let pruning = Pruning::of(retained.as_ref(), &left);
    if arguments.dry_run.dry_run {
        let words = |pruning: &Pruning| format!("{}\nNothing was changed (dry run)", prune_plan(pruning));
        context.printer.result(&pruning, words)?;
        return Ok(Exit::Ok);
    }
    agreed(retained.as_ref(), &pruning, context).await?;
    // Not dropped half-way at a signal: each step is quick, and what is begun is better finished than found later.
    let mut report = Pruned::default();
    if let Some(plan) = &retained {
        report.add(&retain::apply(&*store, plan, &*context.run.clock, &*context.run.progress).await?);
    }
    report.add_incomplete(&cleared(&*store, &left, context).await?);
    context.printer.result(&report, pruned)?;
    if report.failures.is_empty() {
        return Ok(Exit::Ok);
    }
    let failed = counted(report.failures.len() as u64, "object", "objects");
    Err(CliError::Partial {
        what: format!("{failed} could not be deleted"),
        help: "the same command goes on with them; every kept backup is whole".to_owned(),
    })
}

async fn cleared(store: &dyn Store, left: &IncompletePlan, context: &Context) -> CliResult<PruneOutcome> {
    if left.is_empty() {
        return Ok(PruneOutcome::default());
    }
    Ok(leftovers::clear(store, left, &*context.run.progress).await?)
}

/// Deleting backups is asked about; what never became one goes without.
async fn agreed(plan: Option<&RetainPlan>, pruning: &Pruning, context: &Context) -> CliResult<()> {
    let deleted = plan.map_or(0, |plan| plan.removals.removals.len() as u64);
    if deleted == 0 || context.global.yes {
        return Ok(());
    }
    if confirm::somebody_is_there() {
        context.printer.stderr(&prune_plan(pruning));
    }
    let freed = bytes(plan.map_or(0, |plan| plan.removals.freed_bytes));
    let what = format!("this deletes {} and frees {freed}", counted(deleted, "backup", "backups"));
    confirm::go_on(&what, &context.run.cancel).await
}
