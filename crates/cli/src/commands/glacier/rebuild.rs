//! `lastgood glacier catalogue rebuild`.

use glacier_archive::rebuild::rebuild;

use crate::args::glacier::Rebuild;
use crate::commands::glacier::shared::open_state;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::glacier::rebuilt;
use crate::render::units::counted;

pub(super) async fn run(arguments: &Rebuild, context: &Context) -> CliResult<Exit> {
    let store = context.open().await?;
    let state = open_state(&arguments.kept, &arguments.name, &store, context)?.locked()?;
    let report = Box::pin(rebuild(&store, &state, &arguments.name, &context.run)).await?;
    for damaged in &report.damaged {
        context.printer.warn(damaged);
    }
    context.printer.result(&report, rebuilt)?;
    if report.damaged.is_empty() {
        return Ok(Exit::Ok);
    }
    Err(CliError::Partial {
        what: format!("{} could not be read", counted(report.damaged.len() as u64, "backup", "backups")),
        help: "the catalogue has what all others say".to_owned(),
    })
}
