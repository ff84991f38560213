//! `lastgood pg tag`.

use pg_clone::stored::list;
use pg_clone::stored::tags::{self, Change};

use crate::args::pg::tags::{Ls, Retag, Tag};
use crate::commands::pg::asked::{filter, named, wanted};
use crate::commands::pg::ls::warn_of_unknown_tags;
use crate::commands::tags::{list as list_tags, retag};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;

pub(super) async fn run(command: &Tag, context: &Context) -> CliResult<Exit> {
    match command {
        Tag::Add(of) => change(of, Change { add: of.tags.clone(), ..Change::default() }, context).await,
        Tag::Remove(of) => change(of, Change { remove: of.tags.clone(), ..Change::default() }, context).await,
        Tag::Ls(arguments) => ls(arguments, context).await,
    }
}

async fn change(arguments: &Retag, change: Change, context: &Context) -> CliResult<Exit> {
    let store = context.open_to_change().await?;
    // The one that is meant must not depend on which of them can be read just now.
    let wanted = wanted(&arguments.key, &arguments.of).allow_older(false);
    let planned = tags::prepare(&store, wanted, change, &context.run).await?;
    retag(planned, arguments.dry_run.dry_run, "lastgood pg ls", context).await
}

async fn ls(arguments: &Ls, context: &Context) -> CliResult<Exit> {
    let database = named(arguments.database.as_deref(), context)?;
    let store = context.open().await?;
    let filter = filter(database, None, &arguments.of);
    let dumps = context.or_cancelled(async { Ok(list::list(&*store, &filter).await?) }).await?;
    warn_of_unknown_tags(&dumps, context);
    list_tags(&tags::of_dumps(&dumps), "DUMPS", &store.describe(), context)
}
