//! A database, whose restore reads ranges of objects, and a dictionary store in DictDB's own files.

use backup_core::key::Key;
use backup_core::store::{PutMode, PutOptions, StoreWrite as _};

use super::Scene;
use crate::ensure_eq;
use crate::harness::RowResult;
use crate::rows::dict::files_of;

pub(super) async fn there_and_back(scene: &Scene<'_>) -> RowResult {
    let world = scene.world;
    let shop = world.sample("shop")?;
    let (before, mut keys) = (world.checksum(&shop)?, Vec::new());
    for _ in 0..2 {
        let dumped = scene.run(&["pg", "dump", &shop, "--json"]).ok().await?.json_lines()?.pop().unwrap_or_default();
        keys.push(dumped["key"].as_str().unwrap_or_default().to_owned());
    }
    scene.run(&["pg", "verify", &keys[1], "--read", "all"]).ok().await?;
    let copy = world.name("copy");
    scene.run(&["pg", "restore", &keys[1], "--into", &copy]).ok().await?;
    ensure_eq!(world.checksum(&copy)?, before, "the restored database");
    world.drop_database(&copy)?;
    scene.run(&["pg", "prune", "--keep-last", "1", "--yes"]).ok().await?;
    let left = scene.run(&["pg", "ls", &shop]).ok().await?;
    left.says(&keys[1])?.never_says(&keys[0])?;

    let new = PutOptions::new(PutMode::Create);
    for (name, content) in files_of("chain")? {
        scene.store.put(&Key::new(name)?, content.into(), &new).await?;
    }
    let restore = |to| scene.run(&["dict", "restore", "--to", to]);
    restore("before.json").ok().await?.says("18 records in 7 tables")?;
    scene.run(&["dict", "compact"]).ok().await?.says("Compacted 2 files")?;
    scene.run(&["dict", "verify"]).ok().await?;
    scene.run(&["dict", "prune", "--keep-last", "1", "--yes"]).ok().await?.says("Deleted 0 backups")?;
    restore("after.json").ok().await?;
    let [before, after] = ["before.json", "after.json"].map(|file| std::fs::read(world.folder().join(file)));
    ensure_eq!(after?, before?, "the store after it was compacted");
    Ok(())
}
