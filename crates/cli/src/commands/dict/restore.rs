//! `lastgood dict restore`.

use dictstore_backup::{DictResult, Restore, file};

use crate::args::dict;
use crate::commands::dict::asked::{open, options, warn};
use crate::commands::dict::lock::{self, Kind};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::dict::{Report, restore_plan, restored};

pub(super) async fn run(arguments: &dict::Restore, context: &Context) -> CliResult<Exit> {
    let options = options(&arguments.point, &arguments.of);
    let _lock = lock::take(&arguments.lock, Kind::Shared, context).await?;
    let store = open(&arguments.place, context).await?;
    if arguments.dry_run.dry_run {
        let restore = Restore::prepare(&store, &options, &context.run).await?;
        context.printer.dry_run(restore.plan(), restore_plan)?;
        // The plan is shown whatever stands against it; the end is the run's: all is read, and the file could be written.
        drop(restore.run().await?);
        refuse_existing(arguments)?;
        arguments.to.as_deref().map_or(Ok(()), file::check_writable)?;
        return Ok(Exit::Ok);
    }
    let Some(path) = arguments.to.clone() else {
        return Err(CliError::usage("no file to restore into", "give one with `--to FILE`"));
    };
    refuse_existing(arguments)?;
    let format = arguments.format.or_else(|| file::format_of(&path)).unwrap_or_default();
    file::check_writable(&path)?;
    let done = Restore::prepare(&store, &options, &context.run).await?.run().await?;
    for left_out in &done.plan.left_out {
        context.printer.warn(&format!("`{}` was left out: {}", left_out.file, left_out.why));
    }
    warn(&done.notes, context);
    let snapshot = done.store.snapshot();
    let heads = dictstore_backup::source::Cut::tables(&snapshot);
    let (target, run) = (path.clone(), context.run.clone());
    refuse_existing(arguments)?;
    write(move || file::write(&target, &snapshot, format, &run)).await?;
    let report = Report {
        file: path.display().to_string(),
        format,
        tables: heads.len() as u64,
        records: heads.iter().map(|table| table.records).sum(),
        plan: done.plan,
        notes: done.notes,
    };
    context.printer.result(&report, restored)?;
    Ok(Exit::Ok)
}

/// A file that is there may be all that is left of a store.
fn refuse_existing(arguments: &dict::Restore) -> CliResult<()> {
    let there = arguments.to.as_ref().filter(|path| !arguments.force && path.symlink_metadata().is_ok());
    there.map_or(Ok(()), |path| {
        Err(CliError::Confirm {
            what: format!("`{}` already exists; nothing was restored", path.display()),
            help: "give another file with `--to FILE`, or replace this one with `--force`".to_owned(),
        })
    })
}

async fn write(work: impl FnOnce() -> DictResult<()> + Send + 'static) -> CliResult<()> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => Ok(result?),
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}
