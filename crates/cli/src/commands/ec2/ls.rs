//! `lastgood ec2 ls`.

use ec2_snapshots::list::{self, Request};

use crate::args::ec2::Ls;
use crate::commands::ec2::asked::{cloud, end, places, shows, tag};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::ec2::list::listing;
use crate::render::units::counted;

pub(super) async fn run(arguments: &Ls, context: &Context) -> CliResult<Exit> {
    let cloud = cloud(context).await?;
    let (_, regions) = places(&*cloud, &arguments.regions, context).await?;
    let request = Request { tag: tag(&arguments.tagged, context)?, any: arguments.any.any };
    let listed = context.run.or_cancelled(list::list(&*cloud, &regions, &request, &context.run)).await?;
    let now = context.run.clock.now();
    if shows(&listed.failures, listed.snapshots.len()) {
        context.printer.result(&listed, |listed| listing(&listed.snapshots, now))?;
    }
    if listed.left_out > 0 {
        let others = counted(listed.left_out, "snapshot of another tool is", "snapshots of other tools are");
        context.printer.note(&format!("{others} not listed; `--any` lists all"));
    }
    end(listed.failures, listed.snapshots.len(), context)
}
