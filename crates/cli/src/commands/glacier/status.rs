//! `lastgood glacier status`.

use glacier_archive::watch::watch_once;

use crate::args::glacier::Seen;
use crate::commands::glacier::shared::Opened;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::glacier::standing;

pub(super) async fn run(arguments: &Seen, context: &Context) -> CliResult<Exit> {
    let opened = Opened::of(arguments, context).await?;
    let Opened { cold, state, backup, only, .. } = &opened;
    // What is heard is kept by `watch`, which has the lock; to be told, it need not be.
    let found = watch_once(&**cold, state, backup, only, opened.folder(), false, &context.run).await?;
    let now = context.run.clock.now();
    context.printer.result(&found, |found| standing(found, now))?;
    Ok(Exit::Ok)
}
