//! Signals that ask to stop: everything begun is cleared away before the end.

use rustix::process::Signal;

use super::{all_is_well, all_keys, points, unpublished};
use crate::harness::failure::Within as _;
use crate::harness::{Output, RowResult, World};
use crate::{ensure, ensure_eq};

/// Mebibytes of rows, so that a signal meets work under way.
const BULK_MIB: u32 = 8;

/// SIGTERM and SIGINT as soon as each step of a dump and of a restore has begun.
pub(super) async fn every_step(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.add_bulk(&shop, BULK_MIB)?;
    let new = world.checksum(&shop)?;
    let dump = ["pg", "dump", &shop];
    let steps = world.lastgood(dump).env("LASTGOOD_PROGRESS", "json").ok().await?.steps();
    for (at, point) in points(&steps).iter().filter(|point| !point.contains('#')).enumerate() {
        dump_at(world, &dump, point, signal(at)).await.within(&format!("dump, signal at {point}"))?;
    }
    let key = world.dump(&shop).await?;
    let restore = ["pg", "restore", &key, "--confirm-database", &shop];
    let steps = world.lastgood(restore).env("LASTGOOD_PROGRESS", "json").ok().await?.steps();
    for (at, point) in points(&steps).iter().filter(|point| !point.contains('#')).enumerate() {
        world.set_version(&shop, 2)?;
        let old = world.checksum(&shop)?;
        let place = format!("restore, signal at {point}");
        let output = stopped_at(world, &restore, point, signal(at)).await.within(&place)?;
        let now = world.checksum(&shop).within(&place)?;
        match output.code() {
            Some(0) => ensure_eq!(now, new, "{place}: the database after a restore that was faster than the signal"),
            _ => ensure_eq!(now, old, "{place}: the database"),
        }
        ensure_eq!(world.leftovers()?, Vec::<String>::new(), "{place}: databases left behind");
        ensure_eq!(world.closed()?, Vec::<String>::new(), "{place}: databases that let nobody in");
    }
    all_is_well(world).await
}

/// Both signals in turn.
pub(super) fn signal(at: usize) -> Signal {
    if at.is_multiple_of(2) { Signal::TERM } else { Signal::INT }
}

async fn dump_at(world: &World, dump: &[&str], point: &str, signal: Signal) -> RowResult {
    let before = (all_keys(world).await?, world.place().picture().await?);
    let output = stopped_at(world, dump, point, signal).await?;
    ensure_eq!(world.place().unfinished().await?, 0, "unfinished uploads");
    ensure_eq!(unpublished(world).await?, Vec::<String>::new(), "folders without a manifest");
    if output.code() != Some(0) {
        ensure_eq!(all_keys(world).await?, before.0, "dumps");
        ensure_eq!(world.place().picture().await?, before.1, "the location");
    }
    Ok(())
}

/// Ends with the signal's code, unless the work was done before it arrived.
pub(super) async fn stopped_at(world: &World, args: &[&str], point: &str, signal: Signal) -> RowResult<Output> {
    let mut run = world.lastgood(args.iter().copied()).env("LASTGOOD_PROGRESS", "json").start()?;
    run.wait_for(&format!("\"name\":\"{point}\"")).await?;
    if !run.has_ended()? {
        let _ = run.signal(signal);
    }
    let output = run.finish().await?;
    let expected = if signal == Signal::TERM { 143 } else { 130 };
    ensure!(
        matches!(output.code(), Some(code) if code == expected || code == 0),
        "it should end with {expected}, and ended with {:?}, {:?}",
        output.code(),
        output.signal()
    );
    Ok(output)
}
