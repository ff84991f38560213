//! What every `prune` does: show the plan, ask, and end with an error if objects could not be deleted.

use backup_core::error::StoreError;
use backup_core::failure::{Failure as _, Remedy};
use backup_core::prune::{HeldBack, PruneDecisions, PruneReport};

use crate::args::DryRun;
use crate::confirm;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::prune::{Name, PrunePlan, Pruned};
use crate::render::remedy::words;
use crate::render::units::{bytes, counted};

/// Shows a dry run what `plan` would do; otherwise asks for confirmation. Whether to go on.
pub(super) async fn decide(plan: &PruneDecisions, name: Name, dry_run: DryRun, context: &Context) -> CliResult<bool> {
    for warning in &plan.retention.warnings {
        context.printer.warn(warning);
    }
    let shown = PrunePlan::of(plan, name);
    if dry_run.dry_run {
        context.printer.dry_run(&shown, PrunePlan::text)?;
        unless_held_back(&plan.held_back)?;
        return Ok(false);
    }
    let removals = &plan.removals;
    let deleted = (removals.removals.len() as u64, removals.freed_bytes);
    confirm_deletion(deleted, ("backup", "backups"), || shown.text(), context).await?;
    Ok(true)
}

/// Says that rules met no backup at all: before the first one that is no error, and the same line every night is one to look into.
pub(super) fn note_if_none(ruled: bool, plan: &PruneDecisions, location: &str, context: &Context) {
    if ruled && plan.retention.decisions.is_empty() {
        context.printer.note(&format!("there are no backups in {location}"));
    }
}

/// Shows what was done. Whoever calls has not been dropped half-way at a signal: each step is quick, and what is begun is
/// better finished than found later.
pub(super) fn end(report: &PruneReport, held_back: &[HeldBack], name: Name, context: &Context) -> CliResult<Exit> {
    context.printer.done(&Pruned::of(report, name), report.failures().next().is_none(), Pruned::text)?;
    let is_full = report.failures().any(|failure| failure.error.is_full());
    let denied = report.failures().find(|failure| matches!(*failure.error, StoreError::PermissionDenied { .. }));
    let denied = denied.and_then(|failure| failure.error.remedy());
    let exit = exit_of(report.failures().count(), is_full, denied.as_ref())?;
    unless_held_back(held_back)?;
    Ok(exit)
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

/// What ought to be gone and is not, because something beside it cannot be read, is told however much else was deleted.
pub(super) fn unless_held_back(held_back: &[HeldBack]) -> CliResult<()> {
    let Some(first) = held_back.first() else { return Ok(()) };
    let backups = held_back.iter().map(|held| held.backups).sum();
    let (one, several) = ("backup stays although no rule keeps it", "backups stay although no rule keeps them");
    let kept = counted(backups, one, several);
    let more = match held_back.len() - 1 {
        0 => String::new(),
        more => format!(", and neither can {}", counted(more as u64, "other", "others")),
    };
    Err(CliError::Partial {
        what: format!("{kept}: {}{more}", first.why),
        help: "every kept backup is complete. Let the user of this program read what the error names, or retrieve it from cold \
               storage; if it is lost for good, delete it. Then run the same command again"
            .to_owned(),
    })
}

/// How a run ends that could not delete `failures` objects.
pub(super) fn exit_of(failures: usize, is_full: bool, denied: Option<&Remedy>) -> CliResult<Exit> {
    if failures == 0 {
        return Ok(Exit::Ok);
    }
    let again = match (is_full, denied) {
        // The same command would meet the same full disk, or the same folder of another user.
        (true, _) => {
            "Free up a few KiB and a few inodes on its disk in another way, then run the same command again".to_owned()
        }
        (false, Some(denied)) => format!("What could not be deleted: {}", words(denied)),
        (false, None) => "Run the same command again to delete the rest".to_owned(),
    };
    Err(CliError::Partial {
        what: format!("{} could not be deleted", counted(failures as u64, "object", "objects")),
        help: format!("every kept backup is complete. {again}"),
    })
}
