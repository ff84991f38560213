//! `lastgood glacier ls`.

use glacier_archive::find::{list, miss};

use crate::args::glacier::Ls;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::glacier::listing;

pub(super) async fn run(arguments: &Ls, context: &Context) -> CliResult<Exit> {
    let store = context.open().await?;
    let backups = context.or_cancelled(async { Ok(list(&*store, arguments.name.as_deref()).await?) }).await?;
    if backups.is_empty() {
        let miss = match &arguments.name {
            Some(name) => context.or_cancelled(async { Ok(miss(&*store, name).await?) }).await?,
            None => None,
        };
        context.printer.note(&miss.map_or_else(
            || format!("no backups of archived files in {}", store.describe()),
            |miss| format!("{}; {}", miss.what, miss.there),
        ));
    }
    let now = context.run.clock.now();
    context.printer.result(&backups, |backups| listing(backups, now))?;
    Ok(Exit::Ok)
}
