//! `lastgood app backup`.

use backup_core::manifest::Outcome;
use object_backup::{BackupOptions, BackupPlan, BackupReport, Types, backup, plan_backup};

use crate::args::app::Backup;
use crate::commands::app::asked::wanted;
use crate::commands::app::ends::source;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::app::{backup_plan, written};
use crate::render::published::Published;
use crate::render::units::counted;

pub(super) async fn run(arguments: &Backup, context: &Context) -> CliResult<Exit> {
    let from = source(&arguments.source, context)?;
    let options = options(arguments);
    if arguments.dry_run.dry_run {
        let store = context.open_to_plan(arguments.init).await?;
        let now = context.run.clock.now();
        let plan = context.or_cancelled(async { Ok(plan_backup(&*store, from.clone(), &options, now).await?) }).await?;
        let words = |plan: &BackupPlan| format!("{}\nNothing was changed (dry run)", backup_plan(plan));
        context.printer.result(&plan, words)?;
        // The plan is shown whatever stands against it; the end is the run's, which reads all records.
        let failed = Box::pin(object_backup::backup::rehearse(&*store, from, &options, &context.run)).await?;
        return exit_of(failed.len());
    }
    let store = context.open_to_write(arguments.init).await?;
    // Not dropped at a signal: it gives its upload up by itself.
    let report = Box::pin(backup(store, from, &options, &context.run)).await?;
    if let BackupReport::Written(done) = &report {
        if let Some(warning) = &done.warning {
            context.printer.warn(warning);
        }
        for failed in &done.failed {
            context.printer.warn(&format!("`{}` was left out: {}", failed.key, failed.what));
        }
    }
    let published = Published { location: context.location()?.to_string(), report };
    context.printer.result(&published, written)?;
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

fn options(arguments: &Backup) -> BackupOptions {
    BackupOptions {
        name: arguments.name.clone(),
        types: if arguments.types.is_empty() { Types::All } else { Types::Only(wanted(&arguments.types)) },
        allow_partial: arguments.allow_partial,
        allow_empty: arguments.allow_empty,
        max_shrink: arguments.max_shrink,
        min_age: arguments.min_age,
        tags: arguments.tag.clone(),
    }
}
