//! `lastgood glacier retrieve`.

use glacier_archive::retrieve::{Request, retrieve};

use crate::args::glacier::Retrieve;
use crate::commands::glacier::plan;
use crate::commands::glacier::shared::{Opened, limits, price_book};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::glacier::retrieved;
use crate::render::units::counted;

pub(super) async fn run(arguments: &Retrieve, context: &Context) -> CliResult<Exit> {
    if arguments.dry_run.dry_run {
        let last = "\nNothing was requested (dry run)";
        return plan::show(&arguments.seen, &arguments.limits, last, context).await;
    }
    let opened = Opened::locked(&arguments.seen, context).await?;
    let prices = price_book(&arguments.limits.prices, context)?;
    let Opened { cold, state, backup, only, .. } = &opened;
    let request =
        Request { backup, only, folder: opened.folder(), limits: limits(&arguments.limits, context), prices: &prices };
    let done = Box::pin(retrieve(&**cold, state, &request, &context.run)).await?;
    for failed in &done.asked.failed {
        context.printer.warn(&format!("`{}` was not requested: {}", failed.key, failed.what));
    }
    let now = context.run.clock.now();
    context.printer.done(&done, done.asked.failed.is_empty(), |done| retrieved(done, now))?;
    if done.asked.failed.is_empty() {
        return Ok(Exit::Ok);
    }
    Err(CliError::Partial {
        what: format!("{} could not be requested", counted(done.asked.failed.len() as u64, "archive", "archives")),
        help: "run the same command again: what was requested is not requested twice".to_owned(),
    })
}
