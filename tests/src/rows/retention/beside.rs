//! R7, R8: prunes beside dumps, and prunes that cannot delete everything.

use std::process::Command;
use std::time::Duration;

use futures::future::try_join_all;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::harness::failure::Within as _;
use crate::harness::{Failure, Output, Place, RowResult, World};
use crate::{ensure, ensure_eq};

/// Rounds on each kind of location. A thousand interleavings of single requests are a test of backup-core's own.
const ROUNDS: u64 = 10;

/// Dumps of a round.
const DUMPS: usize = 2;

/// Prunes of a round.
const PRUNES: usize = 3;

/// R7.
pub(super) async fn interleaved(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let begun = std::time::Instant::now();
    world.dump(&shop).await?;
    let dump_time = begun.elapsed();
    let (mut published, mut pruned) = (1, 0);
    for seed in 0..ROUNDS {
        let place = format!("seed {seed}");
        let (dumps, prunes) = round(world, &shop, seed, dump_time).await.within(&place)?;
        published += dumps;
        pruned += prunes;
        let kept = world.keys(&shop).await?;
        ensure!(!kept.is_empty(), "{place}: no dump is left");
        for key in &kept {
            world.lastgood(["pg", "verify", key, "--read", "all"]).ok().await.within(&place)?;
        }
    }
    ensure!(published > ROUNDS && pruned > 0, "{published} dumps were published and {pruned} pruned: too few to show");
    world.lastgood(["pg", "prune", "--keep-last", "1", "--grace", "0s", "--yes"]).ok().await?;
    ensure_eq!(world.keys(&shop).await?.len(), 1, "dumps after the last prune");
    Ok(())
}

/// Dumps and prunes that begin at random times; returns how many dumps were published and how many deleted.
async fn round(world: &World, shop: &str, seed: u64, dump_time: Duration) -> RowResult<(u64, u64)> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut runs = Vec::new();
    for run in 0..DUMPS + PRUNES {
        let wait = dump_time.mul_f64(random.random_range(0.0..1.0));
        let keep = random.random_range(1..=2u8).to_string();
        let mut command = world.lastgood(if run < DUMPS {
            vec!["pg", "dump", shop, "--json"]
        } else {
            vec!["pg", "prune", shop, "--keep-last", &keep, "--yes", "--json"]
        });
        // Without grace a prune takes a dump that is being written for one that was abandoned.
        if run >= DUMPS && random.random_bool(0.3) {
            command = command.arg("--grace").arg("0s");
        }
        runs.push(async move {
            tokio::time::sleep(wait).await;
            command.run().await
        });
    }
    let outputs = try_join_all(runs).await?;
    let graceless = outputs.iter().any(|output| output.line.contains("--grace"));
    let mut published = 0;
    for dump in &outputs[..DUMPS] {
        published += u64::from(dump_ended_well(dump, graceless)?);
    }
    let mut deleted = 0;
    for prune in &outputs[DUMPS..] {
        ensure_eq!(prune.code(), Some(0), "the exit code of `{}`:\n{}", prune.line, prune.stderr);
        deleted += prune.json()?["removed"].as_array().map_or(0, Vec::len) as u64;
    }
    Ok((published, deleted))
}

/// Whether it was published; only a prune without grace may stop it, and then it says so.
fn dump_ended_well(dump: &Output, graceless: bool) -> RowResult<bool> {
    if dump.code() == Some(0) {
        return Ok(true);
    }
    let says_why = ["prune on", "by a prune"].iter().any(|why| dump.stderr.contains(why));
    let stopped = dump.code() == Some(1) && says_why && !dump.stderr.contains("please report");
    ensure!(graceless && stopped, "{:?} from `{}`:\n{}", dump.code(), dump.line, dump.stderr);
    Ok(false)
}

/// An object that cannot be deleted: locked on S3, a mount point in a folder.
struct Stuck<'w> {
    world: &'w World,
    object: String,
}

impl<'w> Stuck<'w> {
    fn new(world: &'w World, object: &str) -> RowResult<Self> {
        match world.place() {
            Place::Folder(root) => {
                let path = root.join(object);
                let mount = Command::new("mount").arg("--bind").args([&path, &path]).output();
                let why = match mount {
                    Ok(output) if output.status.success() => None,
                    Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
                    Err(error) => Some(error.to_string()),
                };
                if let Some(why) = why {
                    return Err(Failure::Skipped(format!(
                        "a file cannot be made undeletable, which needs root: {why}"
                    )));
                }
            }
            Place::S3 { peer, prefix } => {
                ensure!(peer.lock(&format!("{prefix}/{object}"), true), "there is no `{object}` to lock");
            }
        }
        Ok(Self { world, object: object.to_owned() })
    }
}

impl Drop for Stuck<'_> {
    fn drop(&mut self) {
        match self.world.place() {
            Place::Folder(root) => {
                let _unmounted = Command::new("umount").arg(root.join(&self.object)).status();
            }
            Place::S3 { peer, prefix } => {
                let _unlocked = peer.lock(&format!("{prefix}/{}", self.object), false);
            }
        }
    }
}

/// R8.
pub(super) async fn undeletable(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let (old, middle) = (world.dump_full(&shop).await?, world.dump_full(&shop).await?);
    let newest = world.dump_full(&shop).await?;
    let parts: Vec<String> = world.place().keys_ending(".pack").await?;
    let part = parts.iter().find(|object| object.contains(&old)).cloned().unwrap_or_default();
    let stuck = Stuck::new(world, &part)?;
    let prune = ["pg", "prune", "--keep-last", "1", "--yes"];

    world.lastgood(prune).fails(3).await?.says(&part)?;
    ensure_eq!(world.keys(&shop).await?, vec![newest.clone()], "dumps while one object is stuck");
    let left = of_dumps(world, &[&old, &middle]).await?;
    ensure!(left.contains(&part), "the stuck object is gone: {left:?}");
    ensure!(!left.iter().any(|object| object.contains(&middle)), "other objects stay with the stuck one: {left:?}");
    let again = world.lastgood(prune).arg("--json").fails(3).await?;
    let failures = again.json()?["failures"].clone();
    ensure!(failures.get(&part).is_some(), "the second run does not list it: {failures}");

    drop(stuck);
    world.lastgood(prune).ok().await?;
    ensure_eq!(of_dumps(world, &[&old, &middle]).await?, Vec::<String>::new(), "objects left after the rerun");
    ensure_eq!(world.place().keys_ending("deleted.json").await?, Vec::<String>::new(), "tombstones after the rerun");
    world.lastgood(["pg", "verify", &newest, "--read", "all"]).ok().await?;
    Ok(())
}

async fn of_dumps(world: &World, dumps: &[&String]) -> RowResult<Vec<String>> {
    let keys = world.place().objects().await?.into_iter().map(|object| object.key);
    Ok(keys.filter(|key| dumps.iter().any(|dump| key.contains(&format!("{dump}/")))).collect())
}
