//! `lastgood glacier plan`.

use glacier_archive::retrieve::{Request, plan_retrieval};

use crate::args::glacier::{Limits, Plan, Seen};
use crate::commands::glacier::shared::{Opened, limits, price_book};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::glacier::retrieval_plan;

pub(super) async fn run(arguments: &Plan, context: &Context) -> CliResult<Exit> {
    show(&arguments.seen, &arguments.limits, "", context).await
}

/// Shows the plan, and what else is to be said.
pub(super) async fn show(seen: &Seen, allowed: &Limits, last: &str, context: &Context) -> CliResult<Exit> {
    let opened = Opened::of(seen, context).await?;
    let prices = price_book(&allowed.prices, context)?;
    let Opened { cold, state, backup, only, .. } = &opened;
    let request = Request { backup, only, folder: opened.folder(), limits: limits(allowed, context), prices: &prices };
    let plan = plan_retrieval(&**cold, state, &request, &context.run).await?;
    context.printer.result(&plan, |plan| format!("{}{last}", retrieval_plan(plan)))?;
    Ok(Exit::Ok)
}
