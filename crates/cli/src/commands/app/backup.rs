//! `lastgood app backup`.

use backup_core::manifest::Outcome;
use object_backup::{Backup, BackupOptions, BackupReport, Types};

use crate::args::app;
use crate::commands::app::asked::wanted;
use crate::commands::app::ends::source;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::app::{backup_plan, written};
use crate::render::published::Published;
use crate::render::units::counted;

pub(super) async fn run(arguments: &app::Backup, context: &Context) -> CliResult<Exit> {
    let from = source(&arguments.source, context)?;
    let options = options(arguments);
    if arguments.dry_run.dry_run {
        let store = context.open_to_plan(arguments.init).await?;
        let backup = Backup::prepare(&store, from, &options, &context.run).await?;
        context.printer.dry_run(backup.plan(), backup_plan)?;
        // The plan is shown whatever stands against it; the end is the run's, which reads all records.
        let failed = backup.rehearse().await?;
        return exit_of(failed.len());
    }
    let store = context.open_to_write(arguments.init).await?;
    // Not dropped at a signal: it gives its upload up by itself.
    let report = Backup::prepare(&store, from, &options, &context.run).await?.run().await?;
    if let BackupReport::Written(done) = &report {
        if let Some(warning) = &done.warning {
            context.printer.warn(warning);
        }
        for failed in &done.failed {
            context.printer.warn(&format!("`{}` was left out: {}", failed.key, failed.what));
        }
    }
    let published = Published { location: context.location()?.to_string(), report };
    let is_well = !matches!(&published.report, BackupReport::Written(done) if !done.complete || done.warning.is_some());
    context.printer.done(&published, is_well, written)?;
    match &published.report {
        BackupReport::Written(done) if done.outcome == Outcome::Partial => exit_of(done.failed.len()),
        _ => Ok(Exit::Ok),
    }
}

/// How a run ends that left out `failed` types.
fn exit_of(failed: usize) -> CliResult<Exit> {
    if failed == 0 {
        return Ok(Exit::Ok);
    }
    Err(CliError::Partial {
        what: format!("{} could not be read", counted(failed as u64, "type", "types")),
        help: "the backup is partial: it can be restored, but does not count as the last good one".to_owned(),
    })
}

fn options(arguments: &app::Backup) -> BackupOptions {
    let types = if arguments.types.is_empty() { Types::All } else { Types::Only(wanted(&arguments.types)) };
    BackupOptions::new()
        .name(&arguments.name)
        .types(types)
        .allow_partial(arguments.allow_partial)
        .allow_empty(arguments.allow_empty)
        .max_shrink(arguments.max_shrink)
        .min_age(arguments.min_age)
        .tags(arguments.tag.iter().cloned())
}
