//! What every `prune` does: show the plan, ask, and end with an error if objects could not be deleted.

use backup_core::prune::{PruneDecisions, PruneReport};

use crate::args::DryRun;
use crate::confirm;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::prune::{Name, PrunePlan, Pruned};
use crate::render::units::{bytes, counted};

/// Shows a dry run what `plan` would do; otherwise asks for confirmation. Whether to go on.
pub(super) async fn decide(plan: &PruneDecisions, name: Name, dry_run: DryRun, context: &Context) -> CliResult<bool> {
    for warning in &plan.retention.warnings {
        context.printer.warn(warning);
    }
    let shown = PrunePlan::of(plan, name);
    if dry_run.dry_run {
        context.printer.dry_run(&shown, PrunePlan::text)?;
        return Ok(false);
    }
    let removals = &plan.removals;
    let deleted = (removals.removals.len() as u64, removals.freed_bytes);
    confirm_deletion(deleted, ("backup", "backups"), || shown.text(), context).await?;
    Ok(true)
}

/// Shows what was done. Whoever calls has not been dropped half-way at a signal: each step is quick, and what is begun is
/// better finished than found later.
pub(super) fn end(report: &PruneReport, name: Name, context: &Context) -> CliResult<Exit> {
    context.printer.result(&Pruned::of(report, name), Pruned::text)?;
    exit_of(report.failures().count())
}

/// Deleting backups (`words`: one, several) is asked about, below the plan; what never became one goes without.
pub(super) async fn confirm_deletion(
    (deleted, freed_bytes): (u64, u64),
    words: (&str, &str),
    plan: impl FnOnce() -> String,
    context: &Context,
) -> CliResult<()> {
    if deleted == 0 || context.global.yes {
        return Ok(());
    }
    if confirm::is_interactive() {
        context.printer.stderr(&plan());
    }
    let what = format!("this deletes {} and frees {}", counted(deleted, words.0, words.1), bytes(freed_bytes));
    confirm::require_yes(&what, &context.run.cancel).await
}

/// How a run ends that could not delete `failures` objects.
pub(super) fn exit_of(failures: usize) -> CliResult<Exit> {
    if failures == 0 {
        return Ok(Exit::Ok);
    }
    let failed = counted(failures as u64, "object", "objects");
    Err(CliError::Partial {
        what: format!("{failed} could not be deleted"),
        help: "every kept backup is complete. Run the same command again to delete the rest".to_owned(),
    })
}
