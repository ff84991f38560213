//! Kills at times that no list of steps foresaw.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use rustix::process::Signal;

use super::{all_is_well, prune_incomplete};
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// Kills of each command.
const KILLS: u64 = 10;

/// Mebibytes of rows, so that a good share of the time is spent amid rows.
const BULK_MIB: u32 = 4;

/// P9.
pub(super) async fn kills(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.add_bulk(&shop, BULK_MIB)?;
    let new = world.checksum(&shop)?;
    let dump = ["pg", "dump", &shop];
    let dump_time = timed(world, &dump).await?;
    let key = world.dump(&shop).await?;
    let restore = ["pg", "restore", &key, "--confirm-database", &shop];
    let restore_time = timed(world, &restore).await?;
    for seed in 0..KILLS {
        let mut random = StdRng::seed_from_u64(seed);
        let place = format!("seed {seed}");
        let wait = dump_time.mul_f64(random.random_range(0.0..1.0));
        kill_after(world, &dump, wait).await.within(&place)?;
        ensure_eq!(world.checksum(&shop)?, new, "{place}: the database after a dump killed after {wait:?}");

        world.set_version(&shop, 2)?;
        let old = world.checksum(&shop)?;
        let wait = restore_time.mul_f64(random.random_range(0.0..1.0));
        let killed = kill_after(world, &restore, wait).await.within(&place)?;
        ensure!(world.databases()?.contains(&shop), "{place}: the database is lost, killed after {wait:?}");
        world.lastgood(["pg", "recover"]).ok().await.within(&place)?;
        let now = world.checksum(&shop)?;
        ensure!(now == old || now == new, "{place}: the database is neither old nor new, killed after {wait:?}");
        ensure!(killed || now == new, "{place}: the restore ended well and restored nothing");
        let place = format!("{place}, killed after {wait:?} and recovered");
        all_is_well(world).await.within(&place)?;
        world.lastgood(restore).ok().await.within(&place)?;
        ensure_eq!(world.checksum(&shop)?, new, "{place}: the database restored next");
    }
    prune_incomplete(world).await?;
    all_is_well(world).await
}

async fn timed(world: &World, args: &[&str]) -> RowResult<Duration> {
    Ok(world.lastgood(args.iter().copied()).ok().await?.elapsed)
}

/// Whether it was still running.
async fn kill_after(world: &World, args: &[&str], wait: Duration) -> RowResult<bool> {
    let mut run = world.lastgood(args.iter().copied()).start()?;
    tokio::time::sleep(wait).await;
    let running = !run.has_ended()?;
    if running {
        // It may end between the look and the signal.
        let _ = run.signal(Signal::KILL);
    }
    let output = run.finish().await?;
    ensure!(output.code() == Some(0) || output.signal().is_some(), "it ended by itself: {:?}", output.code());
    Ok(output.signal().is_some())
}
