//! Tags of backups, given and taken after the backup was made: what every kind of backup has in common.

use backup_core::tags::{InUse, Retag};

use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::tags::{retag_plan, retag_report, tags_in_use};

/// Changes tags as planned, or shows the plan. `ls` lists what there is.
pub(super) async fn retag(retag: Retag, dry_run: bool, ls: &str, context: &Context) -> CliResult<Exit> {
    if dry_run {
        context.printer.dry_run(retag.plan(), retag_plan)?;
        return Ok(Exit::Ok);
    }
    let report = retag.run().await?;
    context.printer.done(&report, !report.being_deleted, retag_report)?;
    if report.being_deleted {
        context.printer.warn(&format!(
            "a prune has begun to delete `{}`, and no tag keeps it any more; `{ls}` shows whether it is still there",
            report.key
        ));
    }
    Ok(Exit::Ok)
}

/// Lists tags; `many` is what backups are called here.
pub(super) fn list(found: &[InUse], many: &'static str, location: &str, context: &Context) -> CliResult<Exit> {
    if found.is_empty() {
        context.printer.note(&format!("nothing in {location} has a tag"));
    }
    let now = context.run.clock.now();
    context.printer.result(&found, |found| tags_in_use(found, many, now))?;
    Ok(Exit::Ok)
}
