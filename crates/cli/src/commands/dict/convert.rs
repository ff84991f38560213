//! `lastgood dict convert`.

use std::path::Path;

use dictstore_backup::source::Cut;
use dictstore_backup::{Format, Semantics, file};
use serde::Serialize;

use crate::args::dict::Convert;
use crate::commands::dict::asked::warn;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::units::counted;

#[derive(Debug, Serialize)]
struct Report {
    file: String,
    format: Format,
    tables: u64,
    records: u64,
}

pub(super) fn run(arguments: &Convert, context: &Context) -> CliResult<Exit> {
    let (from, to) = (format(&arguments.from)?, format(&arguments.to)?);
    if !arguments.dry_run.dry_run {
        refuse_existing(&arguments.to, arguments.force)?;
    }
    let loaded = file::read(&arguments.from, from, Semantics::Exact, &context.run)?;
    warn(&loaded.notes, context);
    let snapshot = loaded.store.snapshot();
    let tables = snapshot.tables();
    let report = Report {
        file: arguments.to.display().to_string(),
        format: to,
        tables: tables.len() as u64,
        records: tables.iter().map(|table| table.records).sum(),
    };
    let words = |report: &Report, verb: &str| {
        let (records, tables) =
            (counted(report.records, "record", "records"), counted(report.tables, "table", "tables"));
        format!("{verb} {records} in {tables} to `{}` as {}", report.file, report.format)
    };
    if arguments.dry_run.dry_run {
        context.printer.dry_run(&report, |report| words(report, "Would write"))?;
        // The plan is shown whatever stands against it; the end is the run's.
        refuse_existing(&arguments.to, arguments.force)?;
        file::check_writable(&arguments.to)?;
        return Ok(Exit::Ok);
    }
    file::write(&arguments.to, &snapshot, to, &context.run)?;
    context.printer.done(&report, true, |report| words(report, "Wrote"))?;
    Ok(Exit::Ok)
}

/// A file that is there may be all that is left of a store, also the one that is read.
fn refuse_existing(path: &Path, force: bool) -> CliResult<()> {
    if force || !path.symlink_metadata().is_ok_and(|found| found.is_file()) {
        return Ok(());
    }
    Err(CliError::Confirm {
        what: format!("`{}` already exists; nothing was written", path.display()),
        help: "give another file, or replace this one with `--force`".to_owned(),
    })
}

fn format(path: &Path) -> CliResult<Format> {
    file::format_of(path).ok_or_else(|| {
        CliError::usage(
            format!("cannot tell the format of `{}`", path.display()),
            "use a name that ends in .json or .pickle",
        )
    })
}
