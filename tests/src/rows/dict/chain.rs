//! D1, D2: which files make a state, and what becomes of them.

use serde_json::Value;

use super::{fixture, local, plant};
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// D1.
pub(super) async fn of_dictdb(world: &World) -> RowResult {
    plant(world, "chain").await?;
    let before = world.place().picture().await?;
    let listed = world.lastgood(["dict", "ls", "--json"]).ok().await?.json()?;
    let states: Vec<_> = listed.as_array().into_iter().flatten().filter_map(|entry| entry["state"].as_str()).collect();
    ensure_eq!(states, vec!["foreign"; 6], "the states");
    let shown = world.lastgood(["dict", "show", "dictdb_delta_1795230100_136215.json", "--json"]).ok().await?.json()?;
    ensure_eq!(shown["chain"].as_array().map(Vec::len), Some(3), "the files of the second delta's chain");
    world.lastgood(["dict", "verify"]).ok().await?.says("`dictdb_delta_1795230100_169261.json`")?;
    let plan = world.lastgood(["dict", "restore", "-n", "--json"]).ok().await?.json()?;
    ensure_eq!(plan["files"].as_array().map(Vec::len), Some(2), "the files of the plan");

    // The newest full and the delta after it: what DictDB itself holds at the end.
    world.lastgood(["dict", "restore", "--to", "state.json"]).ok().await?.says("18 records in 7 tables")?;
    let live = local(world, "live.json");
    std::fs::write(&live, fixture("full/full.json")?)?;
    world.lastgood(["dict", "diff", "state.json", "live.json"]).ok().await?.says("No differences")?;

    let first = "dictdb_backup_1795230100_113698.json";
    world.lastgood(["dict", "restore", "--to", "first.json", "--up-to", first]).ok().await?;
    ensure_eq!(std::fs::read(local(world, "first.json"))?, world.place().read(first).await?, "one full file");
    world.lastgood(["dict", "restore", "--to", "x.json", "--at", "2001-01-01T00:00:00Z"]).fails(1).await?;
    ensure!(!local(world, "x.json").exists(), "a restore of nothing wrote a file");
    ensure_eq!(world.place().picture().await?, before, "the location after reading");
    Ok(())
}

fn files(listed: &Value, state: &str) -> Vec<String> {
    let entries = listed.as_array().into_iter().flatten().filter(|entry| entry["state"].as_str() == Some(state));
    entries.filter_map(|entry| Some(entry["file"].as_str()?.to_owned())).collect()
}

/// D2.
pub(super) async fn compacted(world: &World) -> RowResult {
    plant(world, "chain").await?;
    world.lastgood(["dict", "restore", "--to", "before.json"]).ok().await?;
    world.lastgood(["dict", "compact", "-n"]).ok().await?.says("Nothing was changed")?;
    world.lastgood(["dict", "compact"]).ok().await?.says("Compacted 2 files")?;
    world.lastgood(["dict", "compact"]).ok().await?.says("Nothing to do")?;
    world.lastgood(["dict", "verify"]).ok().await?;
    let listed = world.lastgood(["dict", "ls", "--json"]).ok().await?.json()?;
    let ours = files(&listed, "good");
    ensure_eq!(ours.len(), 1, "published backups");
    ensure_eq!(files(&listed, "foreign").len(), 6, "files of DictDB, which stay");
    world.lastgood(["dict", "restore", "--to", "after.json"]).ok().await?;
    ensure_eq!(std::fs::read(local(world, "after.json"))?, std::fs::read(local(world, "before.json"))?, "the state");
    // The recipe of DictDB's own documentation: the last name of this pattern.
    let newest = world.place().objects().await?.into_iter().map(|object| object.key);
    let newest = newest.filter(|key| key.starts_with("dictdb_backup_") && key.ends_with(".json")).max();
    ensure_eq!(newest.as_ref(), ours.first(), "what DictDB would load");

    let before = world.place().picture().await?;
    world.lastgood(["dict", "prune", "--yes"]).fails(14).await?.says("nothing was deleted")?;
    world.lastgood(["dict", "prune", "--keep-last", "1", "-n"]).ok().await?.says("keep")?;
    world.lastgood(["dict", "prune", "--keep-last", "1", "--yes"]).ok().await?.says("Deleted 0 backups")?;
    ensure_eq!(world.place().picture().await?, before, "the location after prune");

    // What an interrupted run left goes, DictDB's own files stay.
    let left = "dictdb_delta_9999999999_000000.json";
    world.place().write(left, b"{").await?;
    world.lastgood(["dict", "prune", "--incomplete"]).ok().await?.says("Deleted 0 backups")?;
    ensure!(world.place().read(left).await.is_ok(), "a file that may still be being written is gone");
    let all = ["dict", "prune", "--incomplete", "--grace", "0s"];
    world.lastgood([&all[..], &["-n"]].concat()).ok().await?.says(left)?;
    world.lastgood(all).ok().await?.says("1 leftover")?;
    ensure!(world.place().read(left).await.is_err(), "what was never finished is still there");
    world.lastgood(["dict", "restore", "--force", "--to", "after.json"]).ok().await?;
    Ok(())
}
