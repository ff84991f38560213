//! `lastgood glacier watch`.

use std::time::Duration;

use glacier_archive::watch::{Pause, Sleep, watch_once, watch_until_ready};

use crate::args::glacier::Watch;
use crate::commands::glacier::hearing::{ears, tell};
use crate::commands::glacier::shared::{Opened, unless_ready};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::glacier::summary;

pub(super) async fn run(arguments: &Watch, context: &Context) -> CliResult<Exit> {
    let opened = Opened::locked(&arguments.seen, context).await?;
    let vault = opened.backup.manifest.detail.vault.as_deref();
    let ears = ears(&arguments.told, vault, context).await?;
    let Opened { cold, state, backup, only, .. } = &opened;
    if let Some(ears) = &ears {
        tell(&Box::pin(ears.drain(state, Duration::ZERO, &context.run)).await?, context);
    }
    let folder = opened.folder();
    let found = match arguments.until_ready {
        true => {
            let pause: &dyn Pause = match &ears {
                Some(ears) => ears,
                None => &Sleep,
            };
            Box::pin(watch_until_ready(&**cold, state, backup, only, folder, pause, &context.run)).await?
        }
        false => watch_once(&**cold, state, backup, only, folder, true, &context.run).await?,
    };
    let now = context.run.clock.now();
    context.printer.result(&found, |found| summary(found, now))?;
    unless_ready(&found, context)?;
    Ok(Exit::Ok)
}
