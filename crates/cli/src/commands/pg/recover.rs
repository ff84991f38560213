//! `lastgood pg recover`.

use std::sync::Arc;

use backup_core::progress::{SharedProgress, Silent};
use pg_clone::live::recover;

use crate::args::pg::Recover;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::pg::recover_report;

pub(super) async fn run(arguments: &Recover, context: &Context) -> CliResult<Exit> {
    let (server, _) = context.server_of(&arguments.server, arguments.database.as_deref())?;
    let dry_run = arguments.dry_run.dry_run;
    // Whoever waits for a server that does not answer can give up; what is begun afterwards is brought to its end.
    context.run.or_cancelled(async { server.connect_admin().await.map(drop) }).await?;
    let report = if dry_run {
        // Its warnings speak of what was done, and nothing is.
        let silent: SharedProgress = Arc::new(Silent);
        recover::plan(&server, &silent).await?
    } else {
        recover::recover(&server, &context.run.progress).await?
    };
    // A step that was taken is news; that none had to be is not.
    let is_well = !dry_run && report.actions.is_empty();
    context.printer.done(&report, is_well, |report| recover_report(report, dry_run))?;
    if dry_run {
        recover::check(&server, &report).await?;
    }
    Ok(Exit::Ok)
}
