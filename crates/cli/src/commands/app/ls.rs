//! `lastgood app ls`.

use std::collections::BTreeMap;

use object_backup::list::{self, Entry, Filter};

use crate::args::app::Ls;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::app::listing;

pub(super) async fn run(arguments: &Ls, context: &Context) -> CliResult<Exit> {
    let store = context.open().await?;
    let filter = Filter::default().named(arguments.name.clone()).of_source(arguments.of.source.clone());
    let filter = filter.tagged(arguments.tags.iter().cloned());
    let entries = context.or_cancelled(async { Ok(list::list(&*store, &filter).await?) }).await?;
    if entries.is_empty() {
        let miss = context.or_cancelled(async { Ok(list::miss(&*store, &filter).await?) }).await?;
        let tagged = if arguments.tags.is_empty() { "" } else { " with these tags" };
        context.printer.note(&miss.map_or_else(
            || format!("no backups of records{tagged} in {}", store.describe()),
            |miss| format!("{}; {}", miss.what, miss.there),
        ));
    }
    let now = context.run.clock.now();
    context.printer.result(&entries, |entries| listing(entries, now))?;
    warn_of_unknown_tags(&entries, context);
    Ok(Exit::Ok)
}

/// Warns, once for each name, of tags that were given later and cannot be read.
pub(super) fn warn_of_unknown_tags(backups: &[Entry], context: &Context) {
    let unknown = backups.iter().filter_map(|entry| Some((entry.key.name.as_deref()?, entry.tags_unknown.as_deref()?)));
    for (name, fault) in unknown.collect::<BTreeMap<&str, &str>>() {
        context
            .printer
            .warn(&format!("of backups named `{name}` only the tags they were made with are known: {fault}"));
    }
}
