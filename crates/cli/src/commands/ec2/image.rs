//! `lastgood ec2 image`.

use ec2_snapshots::image::{self, Request};
use ec2_snapshots::{listing, regions};

use crate::args::ec2::Image;
use crate::commands::ec2::asked::cloud;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::ec2::image::{Made, made, planned};

pub(super) async fn run(arguments: &Image, context: &Context) -> CliResult<Exit> {
    let cloud = cloud(context).await?;
    let known = context.run.or_cancelled(listing::regions(&*cloud, &context.run)).await?;
    let ec2 = cloud.region(&regions::resolve(&arguments.region, &known)?);
    let request = Request {
        name: arguments.image_name.clone(),
        root_device: arguments.root_device.clone(),
        architecture: arguments.architecture.clone(),
    };
    let preparing = image::prepare(&*ec2, &arguments.name, &context.run);
    let snapshots = context.run.or_cancelled(preparing).await?;
    let plan = image::plan(&arguments.name, &snapshots, &request)?;
    if arguments.dry_run.dry_run {
        context.printer.dry_run(&plan, planned)?;
        return Ok(Exit::Ok);
    }
    let image = image::run(&*ec2, &plan, &context.run).await?;
    context.printer.done(&Made { image, plan }, true, made)?;
    Ok(Exit::Ok)
}
