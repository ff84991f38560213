//! `lastgood ec2 verify`.

use ec2_snapshots::blocks::{VerifyOptions, verify};
use ec2_snapshots::model::SnapshotId;

use crate::args::ec2::blocks::Verify;
use crate::commands::ec2::direct::places;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::ec2::blocks::compared;

pub(super) async fn run(arguments: &Verify, context: &Context) -> CliResult<Exit> {
    let replica_region = arguments.replica_region.as_ref().unwrap_or(&arguments.region);
    let places = places(&[&arguments.region, replica_region], context).await?;
    let [source, replica] = places.as_slice() else { return Ok(Exit::Failed) };
    // Other blocks each time, so that many small samples are one large one.
    let chosen = arguments.seed.unwrap_or_else(|| u64::try_from(context.run.clock.now().as_microsecond()).unwrap_or(1));
    let options = VerifyOptions {
        snapshot: SnapshotId::new(&*arguments.snapshot),
        replica: SnapshotId::new(&*arguments.against),
        sample: arguments.sample,
        seed: chosen,
    };
    let report = Box::pin(verify(&*source.direct, &*replica.direct, &options, &context.run)).await?;
    let is_well = report.clone().into_result().is_ok();
    context.printer.done(&report, is_well, compared)?;
    report.into_result()?;
    Ok(Exit::Ok)
}
