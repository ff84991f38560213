//! `lastgood ec2 export`.

use std::path::Path;

use ec2_snapshots::blocks::{ImageReport, Parent, Stored, export, plan_export, readable, refuse_existing, write_image};
use ec2_snapshots::model::SnapshotId;

use crate::args::ec2::blocks::Export;
use crate::commands::ec2::direct::{at, places};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::ec2::blocks::{Exported, export_plan, exported};

pub(super) async fn run(arguments: &Export, context: &Context) -> CliResult<Exit> {
    arguments.image.as_deref().map_or(Ok(()), refuse_existing)?;
    let context = &at("--to", arguments.to.as_ref(), context)?;
    let places = places(&[&arguments.region], context).await?;
    let [place] = places.as_slice() else { return Ok(Exit::Failed) };
    let is_dry = arguments.dry_run.dry_run;
    let store = match is_dry {
        true => context.open_to_plan(arguments.init).await?,
        false => context.open_to_write(arguments.init).await?,
    };
    let parent = match &arguments.parent {
        Some(id) => Parent::Of(SnapshotId::new(&**id)),
        None if arguments.no_parent => Parent::None,
        None => Parent::Newest,
    };
    let planning = async {
        let snapshot = readable(&*place.ec2, &SnapshotId::new(&*arguments.snapshot), &context.run).await?;
        Ok(plan_export(&*place.direct, &store, snapshot, &parent, &context.run).await?)
    };
    let plan = context.or_cancelled(planning).await?;
    if is_dry {
        context.printer.result(&plan, export_plan)?;
        return Ok(Exit::Ok);
    }
    // Not dropped at a signal: it stores what it has read by itself.
    let report = Box::pin(export(&*place.direct, &store, &plan, &context.run)).await?;
    let image = match &arguments.image {
        Some(path) => Some(Box::pin(image(&store, &plan.key, path, context)).await?),
        None => None,
    };
    let done = Exported { location: context.location()?.to_string(), report, image };
    context.printer.done(&done, true, exported)?;
    Ok(Exit::Ok)
}

async fn image(
    store: &backup_core::store::SharedStore,
    key: &ec2_snapshots::blocks::key::ExportKey,
    path: &Path,
    context: &Context,
) -> CliResult<ImageReport> {
    let stored = Stored::open(&**store, key).await?;
    Ok(write_image(store, &stored, path, &context.run).await?)
}
