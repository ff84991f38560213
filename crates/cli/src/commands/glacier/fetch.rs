//! `lastgood glacier fetch`.

use glacier_archive::GlacierError;
use glacier_archive::fetch::fetch;

use crate::args::glacier::Seen;
use crate::commands::glacier::shared::Opened;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::glacier::{fetched, missing};
use crate::render::units::counted;

pub(super) async fn run(arguments: &Seen, context: &Context) -> CliResult<Exit> {
    let opened = Opened::locked(arguments, context).await?;
    let Opened { store, cold, state, backup, only, .. } = &opened;
    let sides = (store, &**cold);
    let done = Box::pin(fetch(sides, state, backup, only, opened.folder(), &context.run)).await?;
    for failed in &done.failed {
        context.printer.warn(&format!("`{}` was not fetched: {}", failed.key, failed.what));
    }
    context.printer.result(&done, fetched)?;
    if !done.failed.is_empty() {
        return Err(CliError::Partial {
            what: format!("{} could not be fetched", counted(done.failed.len() as u64, "archive", "archives")),
            help: "run the same command again; `lastgood glacier status` shows what has to be retrieved again"
                .to_owned(),
        });
    }
    if done.is_complete() {
        return Ok(Exit::Ok);
    }
    let (what, help) = missing(&done.missing, done.expected, &done.key.to_string(), context.run.clock.now());
    Err(GlacierError::NotReady { what, help }.into())
}
