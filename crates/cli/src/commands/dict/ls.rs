//! `lastgood dict ls`.

use dictstore_backup::list::{self, Entry};

use crate::args::dict::Ls;
use crate::commands::dict::asked::open;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::dict::listing;

pub(super) async fn run(arguments: &Ls, context: &Context) -> CliResult<Exit> {
    let store = open(&arguments.place, context).await?;
    let mut entries = context.or_cancelled(async { Ok(list::list(&*store).await?) }).await?;
    let mut miss = None;
    if let Some(source) = &arguments.of.source {
        miss = list::miss(&entries, source);
        entries.retain(|entry| entry.is_of(source));
    }
    if entries.is_empty() {
        context.printer.note(&miss.map_or_else(
            || format!("no backups in {}", store.describe()),
            |miss| format!("{}; {}", miss.what, miss.there),
        ));
    }
    let listed: Vec<_> = entries.iter().map(Entry::listed).collect();
    let now = context.run.clock.now();
    context.printer.result(&listed, |listed| listing(listed, now))?;
    Ok(Exit::Ok)
}
