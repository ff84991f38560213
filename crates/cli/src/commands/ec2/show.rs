//! `lastgood ec2 show`.

use ec2_snapshots::list;

use crate::args::ec2::Show;
use crate::commands::ec2::asked::{cloud, places};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::ec2::list::shown;

pub(super) async fn run(arguments: &Show, context: &Context) -> CliResult<Exit> {
    let cloud = cloud(context).await?;
    let (_, regions) = places(&*cloud, &arguments.regions, context).await?;
    let looking = list::show(&*cloud, &regions, &arguments.name, &context.run);
    let found = context.run.or_cancelled(looking).await?;
    context.printer.result(&found, |found| shown(found))?;
    Ok(Exit::Ok)
}
