//! `lastgood app ls`.

use object_backup::list::{self, Filter};

use crate::args::app::Ls;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::app::listing;

pub(super) async fn run(arguments: &Ls, context: &Context) -> CliResult<Exit> {
    let store = context.open().await?;
    let filter = Filter::default().named(arguments.name.clone()).of_source(arguments.of.source.clone());
    let entries = context.or_cancelled(async { Ok(list::list(&*store, &filter).await?) }).await?;
    if entries.is_empty() {
        context.printer.note(&format!("no backups of records in {}", store.describe()));
    }
    let now = context.run.clock.now();
    context.printer.result(&entries, |entries| listing(entries, now))?;
    Ok(Exit::Ok)
}
