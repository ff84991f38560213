//! `lastgood ec2 import`.

use backup_core::store::SharedStore;
use ec2_snapshots::blocks::{ImportOptions, Stored, import, imported_export, plan_import};
use ec2_snapshots::model::SnapshotId;
use jiff::SignedDuration;

use crate::args::ec2::blocks::Import;
use crate::commands::ec2::direct::{Place, at, places};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::ec2::blocks::{import_plan, imported};

pub(super) async fn run(arguments: &Import, context: &Context) -> CliResult<Exit> {
    let context = &at("--from", arguments.from.as_ref(), context)?;
    let store = context.open().await?;
    let stored = context.or_cancelled(async { Ok(Stored::named(&*store, &arguments.export).await?) }).await?;
    let places = places(&[&arguments.region], context).await?;
    let [place] = places.as_slice() else { return Ok(Exit::Failed) };
    let parent = arguments.parent.as_ref().map(|id| SnapshotId::new(&**id));
    let options = ImportOptions {
        parent: parent.clone(),
        encrypted: arguments.encrypted,
        kms_key: arguments.kms_key.clone(),
        description: arguments.description.clone(),
        timeout_minutes: minutes(arguments.timeout),
    };
    let planning = async {
        let parent = parents_export(&store, place, parent.as_ref(), context).await?;
        Ok(plan_import(&store, stored, parent, &options).await?)
    };
    let plan = context.or_cancelled(planning).await?;
    if arguments.dry_run.dry_run {
        context.printer.result(&plan, import_plan)?;
        return Ok(Exit::Ok);
    }
    let report = Box::pin(import(&*place.direct, &store, &plan, &context.run)).await?;
    context.printer.done(&report, true, |report| imported(report, &place.region))?;
    Ok(Exit::Ok)
}

/// The export that has the same blocks as a parent.
async fn parents_export(
    store: &SharedStore,
    place: &Place,
    parent: Option<&SnapshotId>,
    context: &Context,
) -> CliResult<Option<Stored>> {
    match parent {
        Some(parent) => Ok(Some(imported_export(&*place.ec2, &**store, parent, &context.run).await?)),
        None => Ok(None),
    }
}

/// Whole minutes; what is out of bounds stays so, and is refused with them.
fn minutes(timeout: SignedDuration) -> u32 {
    u32::try_from(timeout.as_secs() / 60).unwrap_or(u32::MAX)
}
