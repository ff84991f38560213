//! Dumps that are killed.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{all_is_well, all_keys, points, prune_incomplete, unpublished};
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// Mebibytes that need several parts of an upload.
const BULK_MIB: u32 = 24;

/// Makes a small dump have lists, so that it has every step.
const LISTS: (&str, &str) = ("LASTGOOD_LISTS_OVER", "0");

/// A loop over the steps.
pub(super) async fn every_step(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let live = world.checksum(&shop)?;
    // Another one has looked for what is stored already.
    world.dump(&shop).await?;
    let run = world.lastgood(["pg", "dump", &shop]).env("LASTGOOD_PROGRESS", "json").env(LISTS.0, LISTS.1);
    let run = run.ok().await?;
    let points = points(&run.steps());
    ensure!(points.len() >= 8, "a dump has only the steps {points:?}");
    for step in ["dump.reuse", "dump.lists", "dump.manifest"] {
        ensure!(points.iter().any(|point| point == step), "no step `{step}` in {points:?}");
    }
    for point in &points {
        killed_at(world, &shop, point).await.within(&format!("killed at {point}"))?;
        ensure_eq!(world.checksum(&shop)?, live, "the database");
    }
    // A second lap, in which nothing is cleared away in between: leftovers must not add up to a fault.
    for point in &points {
        let command = world.lastgood(["pg", "dump", &shop]).env("LASTGOOD_CRASH_AT", point).env(LISTS.0, LISTS.1);
        command.run().await?.expect_killed().within(&format!("second lap, killed at {point}"))?;
    }
    let key = world.dump(&shop).await?;
    world.set_version(&shop, 2)?;
    world.lastgood(["pg", "restore", &key, "--confirm-database", &shop]).ok().await?;
    ensure_eq!(world.checksum(&shop)?, live, "the database restored from the dump after all kills");
    // Without a word about age, what is young stays: another dump may be writing it.
    let left = unpublished(world).await?;
    ensure!(!left.is_empty(), "the kills left nothing, so that the row shows nothing");
    world.lastgood(["pg", "prune", "--incomplete"]).ok().await?;
    ensure_eq!(unpublished(world).await?, left, "folders without a manifest after a prune with grace");
    prune_incomplete(world).await?;
    all_is_well(world).await
}

async fn killed_at(world: &World, shop: &str, point: &str) -> RowResult {
    let before = all_keys(world).await?;
    let command = world.lastgood(["pg", "dump", shop]).env("LASTGOOD_CRASH_AT", point).env(LISTS.0, LISTS.1);
    command.run().await?.expect_killed()?;
    let after = all_keys(world).await?;
    let published = usize::from(point == "dump.published");
    ensure!(after.starts_with(&before), "a dump is gone: {after:?}");
    ensure_eq!(after.len() - before.len(), published, "dumps that the killed run published");
    all_is_well(world).await?;
    let locks = "SELECT count(*) FROM pg_locks WHERE relation = 'orders'::regclass AND pid <> pg_backend_pid()";
    let begun = Instant::now();
    while world.psql(shop, locks)? != "0" {
        ensure!(begun.elapsed() < Duration::from_secs(10), "the killed dump's locks stay");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    prune_incomplete(world).await?;
    world.dump(shop).await?;
    Ok(())
}

/// Killed at the very moment when an object is half there.
pub(super) async fn amid_upload(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.add_bulk(&shop, BULK_MIB)?;
    let good = world.dump(&shop).await?;
    if let Some(peer) = world.place().peer() {
        peer.latency(Duration::from_millis(20));
    }
    // What is half there when it is looked at may be whole when the signal arrives.
    let (mut rounds, mut kills) = (0, 0);
    while rounds < 3 {
        let before = world.place().unfinished().await?;
        let mut run = world.lastgood(["pg", "dump", &shop, "--full"]).start()?;
        while world.place().unfinished().await? == before {
            ensure!(!run.has_ended()?, "the dump ended, and no object was ever seen half there");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        run.signal(Signal::KILL)?;
        run.finish().await?.expect_killed()?;
        ensure_eq!(world.keys(&shop).await?, vec![good.clone()], "dumps after the kill");
        rounds += usize::from(world.place().unfinished().await? > before);
        kills += 1;
        ensure!(kills < 20, "only {rounds} of {kills} kills left something unfinished");
    }
    prune_incomplete(world).await?;
    world.dump(&shop).await?;
    all_is_well(world).await
}
