//! `lastgood app ls`.

use object_backup::list;

use crate::args::app::Ls;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::app::listing;

pub(super) async fn run(arguments: &Ls, context: &Context) -> CliResult<Exit> {
    let store = context.open().await?;
    let entries = context.or_cancelled(async { Ok(list::list(&*store, arguments.name.as_deref()).await?) }).await?;
    if entries.is_empty() {
        context.printer.note(&format!("there are no backups of records in {}", store.describe()));
    }
    let now = context.run.clock.now();
    context.printer.result(&entries, |entries| listing(entries, now))?;
    Ok(Exit::Ok)
}
