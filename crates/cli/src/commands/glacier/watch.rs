//! `lastgood glacier watch`.

use glacier_archive::watch::{Sleep, watch_once, watch_until_ready};

use crate::args::glacier::Watch;
use crate::commands::glacier::shared::{Opened, unless_ready};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::glacier::summary;

pub(super) async fn run(arguments: &Watch, context: &Context) -> CliResult<Exit> {
    let opened = Opened::locked(&arguments.seen, context).await?;
    let Opened { cold, state, backup, only, .. } = &opened;
    let folder = opened.folder();
    let found = match arguments.until_ready {
        true => Box::pin(watch_until_ready(&**cold, state, backup, only, folder, &Sleep, &context.run)).await?,
        false => watch_once(&**cold, state, backup, only, folder, true, &context.run).await?,
    };
    let now = context.run.clock.now();
    context.printer.result(&found, |found| summary(found, now))?;
    unless_ready(&found, context)?;
    Ok(Exit::Ok)
}
