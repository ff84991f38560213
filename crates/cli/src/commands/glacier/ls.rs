//! `lastgood glacier ls`.

use glacier_archive::find::list;

use crate::args::glacier::Ls;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::glacier::listing;

pub(super) async fn run(arguments: &Ls, context: &Context) -> CliResult<Exit> {
    let store = context.open().await?;
    let backups = context.or_cancelled(async { Ok(list(&*store, arguments.name.as_deref()).await?) }).await?;
    if backups.is_empty() {
        context.printer.note(&format!("no backups of archived files in {}", store.describe()));
    }
    let now = context.run.clock.now();
    context.printer.result(&backups, |backups| listing(backups, now))?;
    Ok(Exit::Ok)
}
