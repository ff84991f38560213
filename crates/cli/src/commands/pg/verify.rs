//! `lastgood pg verify`.

use pg_clone::stored::verify::{self, ReadAmount};

use crate::args::pg::Verify;
use crate::commands::pg::asked::wanted;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::pg::verify_report;

/// Objects read at once: enough to keep a distant store busy and two cores hashing.
const JOBS: usize = 4;

pub(super) async fn run(arguments: &Verify, context: &Context) -> CliResult<Exit> {
    let read = arguments.read.unwrap_or(ReadAmount::Structure);
    let store = context.open().await?;
    let report = verify::verify(&*store, wanted(&arguments.key, &arguments.of), read, JOBS, &context.run).await?;
    context.printer.result(&report, verify_report)?;
    report.into_result()?;
    Ok(Exit::Ok)
}
