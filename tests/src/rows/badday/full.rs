//! Disks without room: what deletes must not need any.

use std::fs;

use super::dumped;
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, SmallDisk, World};
use crate::rows::kill::all_is_well;
use crate::{ensure, ensure_eq};

/// Mebibytes of the small disk; the sample fits several times.
const DISK_MIB: u32 = 8;

/// What the rest of the disk is filled with, outside of the location.
const FILLER: &str = "filler";

/// A location on a small disk of its own, below its root so that something else can fill it.
async fn small(world: &World) -> RowResult<SmallDisk> {
    let disk = SmallDisk::mount(&world.folder().join("location"), DISK_MIB)?;
    world.init().await?;
    Ok(disk)
}

const PRUNE: [&str; 7] = ["pg", "prune", "--keep-last", "1", "--grace", "0s", "--yes"];

/// B-full.
pub(super) async fn pruned(world: &World) -> RowResult {
    let disk = small(world).await?;
    let (shop, _) = dumped(world, "shop", 3).await?;
    for step in ["", "prune.room", "prune.unmarked", "prune.parts", "prune.parts#2"] {
        let result = on_a_full_disk(world, &disk, &shop, step).await;
        result.within(if step.is_empty() { "not killed" } else { step })?;
    }
    drop(disk);
    Ok(())
}

async fn on_a_full_disk(world: &World, disk: &SmallDisk, shop: &str, step: &str) -> RowResult {
    while world.keys(shop).await?.len() < 3 {
        world.dump_full(shop).await?;
    }
    let keys = world.keys(shop).await?;
    disk.fill(FILLER)?;
    // What somebody is told to do works, as it stands.
    let told = world.lastgood(["pg", "dump", shop, "--full"]).fails(1).await?;
    told.says("no space left")?.says("`lastgood pg prune")?;
    if !step.is_empty() {
        world.lastgood(PRUNE).env("LASTGOOD_CRASH_AT", step).run().await?.expect_killed()?;
        let left = world.keys(shop).await?;
        ensure!(left.contains(&keys[2]), "the newest is gone");
        for key in &left {
            world.lastgood(["pg", "verify", key, "--read", "all"]).ok().await?;
        }
        // Somebody else takes what was freed.
        fs::remove_file(world.folder().join("location").join(FILLER))?;
        disk.fill(FILLER)?;
    }
    world.lastgood(PRUNE).ok().await?;
    ensure_eq!(world.keys(shop).await?, keys[2..].to_vec(), "dumps after the prune");
    ensure_eq!(world.place().keys_ending("deleted.json").await?.len(), claims(world).await?, "tombstones");
    let gone = world.place().objects().await?.into_iter().filter(|object| object.key.ends_with(".pack"));
    ensure!(gone.into_iter().all(|object| object.key.contains(&keys[2])), "objects of deleted dumps are left");
    fs::remove_file(world.folder().join("location").join(FILLER))?;
    all_is_well(world).await?;
    world.dump_full(shop).await?;
    world.lastgood(PRUNE).ok().await?;
    Ok(())
}

/// Places of manifests that are claimed for a while, each with a tombstone beside it.
async fn claims(world: &World) -> RowResult<usize> {
    let mut claims = 0;
    for manifest in world.place().keys_ending("/manifest.json").await? {
        let text = world.place().read(&manifest).await?;
        claims += usize::from(String::from_utf8_lossy(&text).contains("abandoned_at"));
    }
    Ok(claims)
}

/// B-left.
pub(super) async fn leftovers(world: &World) -> RowResult {
    let disk = small(world).await?;
    let (shop, keys) = dumped(world, "shop", 1).await?;
    for _ in 0..2 {
        world
            .lastgood(["pg", "dump", &shop, "--full"])
            .env("LASTGOOD_CRASH_AT", "dump.manifest")
            .run()
            .await?
            .expect_killed()?;
    }
    disk.fill(FILLER)?;
    let prune = ["pg", "prune", "--incomplete", "--grace", "0s"];
    world.lastgood(prune).ok().await?;
    let packs = world.place().keys_ending(".pack").await?;
    ensure!(packs.iter().all(|key| key.contains(&keys[0])), "packs of the killed dumps are left: {packs:?}");
    fs::remove_file(world.folder().join("location").join(FILLER))?;
    world.lastgood(prune).ok().await?;
    all_is_well(world).await?;
    drop(disk);
    Ok(())
}

/// B-inodes.
pub(super) async fn inodes(world: &World) -> RowResult {
    let disk = small(world).await?;
    let (shop, keys) = dumped(world, "shop", 3).await?;
    disk.without_inodes()?;
    let told = world.lastgood(["pg", "dump", &shop, "--full"]).fails(1).await?;
    told.says("no inode left")?.says("`lastgood pg prune")?.never_says("no space left")?;
    world.lastgood(PRUNE).ok().await?.never_says("could not")?;
    ensure_eq!(world.keys(&shop).await?, keys[2..].to_vec(), "dumps after the prune");
    ensure_eq!(world.place().keys_ending("deleted.json").await?, Vec::<String>::new(), "tombstones");
    // There is room again, for as many files as were deleted.
    world.dump_full(&shop).await?;
    all_is_well(world).await?;
    drop(disk);
    Ok(())
}
