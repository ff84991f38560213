//! `lastgood glacier jobs`.

use glacier_archive::jobs::jobs;

use crate::args::glacier::Named;
use crate::commands::glacier::shared::Sides;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::archives;

pub(super) async fn run(arguments: &Named, context: &Context) -> CliResult<Exit> {
    let hot = context.open().await?;
    let sides = Sides::of(arguments, hot, false, context).await?;
    // What is heard is kept by `watch`, which has the lock.
    let found = jobs(&*sides.cold, &sides.state, &arguments.name, false, &context.run).await?;
    if found.is_empty() {
        context.printer.note(&format!("no retrievals of archives of `{}`", arguments.name));
    }
    let now = context.run.clock.now();
    context.printer.result(&found, |found| archives::jobs(found, now))?;
    Ok(Exit::Ok)
}
