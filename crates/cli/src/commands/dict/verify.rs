//! `lastgood dict verify`.

use dictstore_backup::DictError;
use dictstore_backup::verify;

use crate::args::dict::Verify;
use crate::commands::dict::asked::open;
use crate::commands::dict::lock::{self, Kind};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::dict::verified;

pub(super) async fn run(arguments: &Verify, context: &Context) -> CliResult<Exit> {
    let _lock = lock::take(&arguments.lock, Kind::Shared, context).await?;
    let store = open(&arguments.place, context).await?;
    let source = arguments.of.source.as_deref();
    let report = verify::verify(&*store, source, &context.run).await?;
    context.printer.result(&report, verified)?;
    match report.broken().next() {
        None => Ok(Exit::Ok),
        Some(first) => {
            Err(DictError::Damaged { file: first.file.clone(), what: first.broken.clone().unwrap_or_default() }.into())
        }
    }
}
