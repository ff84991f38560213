//! A disk without room: deleting must not need any.

use super::vault::{BACKUP, Service};
use crate::ensure_eq;
use crate::harness::{RowResult, SmallDisk, World};

/// Mebibytes of the small disk.
const DISK_MIB: u32 = 4;

/// What the rest of the disk is filled with, outside of the location.
const FILLER: &str = "filler";

/// The turn of a prune, too, is written down; and what this machine knows may be on a disk that is full.
pub(super) async fn pruned(world: &World) -> RowResult {
    let disk = SmallDisk::mount(&world.folder().join("location"), DISK_MIB)?;
    world.init().await?;
    let service = Service::start()?;
    let folder = world.folder().join("store");
    std::fs::create_dir_all(&folder)?;
    let filler = world.folder().join("location").join(FILLER);
    let prune = ["prune", "uploads", "--keep-last", "1", "--grace", "0s", "--yes"];
    for step in ["", "glacier.room", "prune.parts"] {
        for number in 0..3 {
            std::fs::write(folder.join(format!("{step}{number}")), b"content")?;
            service.glacier(world, &BACKUP).ok().await?;
        }
        disk.fill(FILLER)?;
        if !step.is_empty() {
            service.glacier(world, &prune).env("LASTGOOD_CRASH_AT", step).run().await?.expect_killed()?;
            std::fs::remove_file(&filler)?;
            disk.fill(FILLER)?;
        }
        service.glacier(world, &prune).ok().await?;
        std::fs::remove_file(&filler)?;
        let left = world.lastgood(["glacier", "ls", "uploads", "--json"]).ok().await?.json()?;
        ensure_eq!(left.as_array().map(Vec::len), Some(1), "backups after the prune");
        service.glacier(world, &["status", "uploads"]).ok().await?;
    }

    // The catalogue on the full disk.
    let state = world.folder().join("location").join("state");
    std::fs::create_dir_all(&state)?;
    let state = state.display().to_string();
    let list = ["glacier", "jobs", "uploads", "--state", &state];
    service.with(world.lastgood(list), world).ok().await?;
    disk.fill(FILLER)?;
    let told = service.with(world.lastgood(list), world).fails(1).await?;
    told.says("no room for the catalogue")?.says("--state")?;
    std::fs::remove_file(&filler)?;
    service.with(world.lastgood(list), world).ok().await?;
    drop(disk);
    Ok(())
}
