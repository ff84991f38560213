//! `lastgood app tag`.

use object_backup::list::{self, Filter};
use object_backup::tags::{self, Change};

use crate::args::app::tags::{Ls, Retag, Tag};
use crate::commands::app::asked::sought;
use crate::commands::app::ls::warn_of_unknown_tags;
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
    let sought = sought(&arguments.key, arguments.name.as_deref(), &arguments.of);
    let planned = tags::prepare(&store, sought, change, &context.run).await?;
    retag(planned, arguments.dry_run.dry_run, "lastgood app ls", context).await
}

async fn ls(arguments: &Ls, context: &Context) -> CliResult<Exit> {
    let store = context.open().await?;
    let filter = Filter::default().named(arguments.name.clone()).of_source(arguments.of.source.clone());
    let backups = context.or_cancelled(async { Ok(list::list(&*store, &filter).await?) }).await?;
    warn_of_unknown_tags(&backups, context);
    list_tags(&tags::of_backups(&backups), "BACKUPS", &store.describe(), context)
}
