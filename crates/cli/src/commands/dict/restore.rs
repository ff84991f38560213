//! `lastgood dict restore`.

use std::path::Path;
use std::sync::Arc;

use dictstore_backup::{DictResult, Restore, file};

use crate::args::dict;
use crate::commands::dict::asked::{open, options, warn};
use crate::commands::dict::lock::{self, Kind};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::dict::{Report, restore_plan, restored};

/// What stands for standard output in the place of a file.
const STDOUT: &str = "-";

pub(super) async fn run(arguments: &dict::Restore, context: &Context) -> CliResult<Exit> {
    let options = options(&arguments.point, &arguments.of).allow_older(arguments.allow_older);
    let _lock = lock::take(&arguments.lock, Kind::Shared, context).await?;
    let store = open(&arguments.place, context).await?;
    let file = arguments.to.as_deref().filter(|path| *path != Path::new(STDOUT));
    if arguments.dry_run.dry_run {
        let restore = Restore::prepare(&store, &options, &context.run).await?;
        context.printer.dry_run(restore.plan(), restore_plan)?;
        // The plan is shown whatever stands against it; the end is the run's: all is read, and the file could be written.
        drop(restore.run().await?);
        refuse_existing(file, arguments.force)?;
        file.map_or(Ok(()), file::check_writable)?;
        return Ok(Exit::Ok);
    }
    let Some(path) = arguments.to.clone() else {
        return Err(CliError::usage("no file to restore into", "give one with `--to FILE`"));
    };
    refuse_existing(file, arguments.force)?;
    let format = arguments.format.or_else(|| file::format_of(&path)).unwrap_or_default();
    file.map_or(Ok(()), file::check_writable)?;
    let done = Restore::prepare(&store, &options, &context.run).await?.run().await?;
    for left_out in &done.plan.left_out {
        context.printer.warn(&format!("`{}` was left out: {}", left_out.file, left_out.why));
    }
    warn(&done.notes, context);
    let snapshot = done.store.snapshot();
    let heads = dictstore_backup::source::Cut::tables(&snapshot);
    refuse_existing(file, arguments.force)?;
    let report = Report {
        file: file.map_or_else(|| "standard output".to_owned(), |file| file.display().to_string()),
        format,
        tables: heads.len() as u64,
        records: heads.iter().map(|table| table.records).sum(),
        plan: done.plan,
        notes: done.notes,
    };
    let (name, run, printer) = (report.file.clone(), context.run.clone(), Arc::clone(&context.printer));
    if file.is_none() {
        // The data is what standard output is for then.
        write(move || file::write_to(&mut printer.exact(), &name, &snapshot, format, &run)).await?;
        context.printer.note(&restored(&report));
        return Ok(Exit::Ok);
    }
    write(move || file::write(&path, &snapshot, format, &run)).await?;
    context.printer.done(&report, true, restored)?;
    Ok(Exit::Ok)
}

/// A file that is there may be all that is left of a store.
fn refuse_existing(file: Option<&Path>, force: bool) -> CliResult<()> {
    let there = file.filter(|path| !force && path.symlink_metadata().is_ok_and(|found| found.is_file()));
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
