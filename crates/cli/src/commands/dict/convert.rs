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
    let loaded = file::read(&arguments.from, from, Semantics::Exact, &context.run)?;
    warn(&loaded.notes, context);
    let snapshot = loaded.store.snapshot();
    file::write(&arguments.to, &snapshot, to, &context.run)?;
    let tables = snapshot.tables();
    let report = Report {
        file: arguments.to.display().to_string(),
        format: to,
        tables: tables.len() as u64,
        records: tables.iter().map(|table| table.records).sum(),
    };
    context.printer.done(&report, true, |report| {
        let (records, tables) =
            (counted(report.records, "record", "records"), counted(report.tables, "table", "tables"));
        format!("Wrote {records} in {tables} to `{}` as {}", report.file, report.format)
    })?;
    Ok(Exit::Ok)
}

fn format(path: &Path) -> CliResult<Format> {
    file::format_of(path).ok_or_else(|| {
        CliError::usage(
            format!("cannot tell the format of `{}`", path.display()),
            "use a name that ends in .json or .pickle",
        )
    })
}
