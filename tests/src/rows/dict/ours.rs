//! D8, D9: folders that our library wrote, and one of a newer version.

use serde_json::Value;

use super::{local, plant};
use crate::harness::{Failure, RowResult, World};
use crate::{ensure, ensure_eq};

/// Exit code of a newer format.
const NEWER: i32 = 16;

/// D8: every command on two chains of ours.
pub(super) async fn every_command(world: &World) -> RowResult {
    plant(world, "ours").await?;
    let listed = world.lastgood(["dict", "ls", "--json"]).ok().await?.json()?;
    let files = names(&listed);
    ensure_eq!(files.len(), 5, "the files");
    let good = listed.as_array().into_iter().flatten().filter(|entry| entry["state"] == "good").count();
    ensure_eq!(good, 5, "the good ones");
    let shown = world.lastgood(["dict", "show", &files[2], "--json"]).ok().await?.json()?;
    ensure_eq!(shown["chain"].as_array().map(Vec::len), Some(3), "the files of the third backup's chain");
    world.lastgood(["dict", "verify"]).ok().await?.says(&format!("`{}`", files[4]))?;

    // The same point, named in three ways and written in both formats.
    let restore = ["dict", "restore", "--to"];
    let at = ["by-time.json", "--at", "2026-11-21T03:01:30Z"];
    world.lastgood([&restore[..], &at].concat()).ok().await?;
    world.lastgood([&restore[..], &["by-name.pickle", "--up-to", &files[1]]].concat()).ok().await?;
    world.lastgood([&restore[..], &["by-number", "--sequence", "2", "--format", "pickle"]].concat()).ok().await?;
    let [name, number] = [std::fs::read(local(world, "by-name.pickle"))?, std::fs::read(local(world, "by-number"))?];
    ensure!(name == number, "two names of one point are two states");
    world.lastgood(["dict", "diff", "by-time.json", "by-name.pickle"]).ok().await?.says("No differences")?;
    world.lastgood(["dict", "diff", &files[1], "by-time.json"]).ok().await?.says("No differences")?;
    let found = world.lastgood(["dict", "diff", &files[0], &files[1], "--json"]).ok().await?.json()?;
    ensure!(found.to_string().contains("users"), "the table that the delta made is no difference: {found}");

    // Only the newest chain stays, whole.
    world.lastgood([&restore[..], &["before.json"]].concat()).ok().await?;
    let prune = ["dict", "prune", "--keep-last", "1"];
    let before = world.place().picture().await?;
    let wrong = world.lastgood(prune).args(["--yes", "--source", "nope"]).fails(2).await?;
    wrong.says("no backup is of the store `nope`")?.says("nothing was deleted")?;
    world.lastgood(["dict", "ls", "--source", "nope"]).ok().await?.says("there are backups of `")?;
    world.lastgood([&prune[..], &["-n"]].concat()).ok().await?.says(&files[0])?;
    ensure_eq!(world.place().picture().await?, before, "the location after a dry run");
    world.lastgood([&prune[..], &["--yes"]].concat()).ok().await?.says("Deleted 3 backups")?;
    let listed = world.lastgood(["dict", "ls", "--json"]).ok().await?.json()?;
    ensure_eq!(names(&listed), files[3..].to_vec(), "the files kept");
    world.lastgood(["dict", "compact", "--format", "pickle"]).ok().await?.says("Compacted 2 files")?;
    world.lastgood([&restore[..], &["after.json"]].concat()).ok().await?;
    let [before, after] = [std::fs::read(local(world, "before.json"))?, std::fs::read(local(world, "after.json"))?];
    ensure!(before == after, "prune and compact changed the newest state");
    Ok(())
}

/// D9: neither read nor written beside.
pub(super) async fn newer(world: &World) -> RowResult {
    plant(world, "ours").await?;
    let manifests = world.place().keys_ending(".manifest.json").await?;
    let last = manifests.last().ok_or_else(|| Failure::new("there is no manifest"))?;
    let text = String::from_utf8_lossy(&world.place().read(last).await?).replace("\"format\":1,", "\"format\":2,");
    ensure!(text.contains("\"format\":2,"), "the manifest has no format: {text}");
    world.place().write(last, text.as_bytes()).await?;
    let before = world.place().picture().await?;
    let commands: [&[&str]; 5] = [
        &["dict", "ls"],
        &["dict", "verify"],
        &["dict", "restore", "--to", "state.json"],
        &["dict", "compact"],
        &["dict", "prune", "--keep-last", "1", "--yes"],
    ];
    for command in commands {
        world.lastgood(command.iter().copied()).fails(NEWER).await?.says("newer")?;
    }
    ensure!(!local(world, "state.json").exists(), "a refused restore wrote a file");
    ensure_eq!(world.place().picture().await?, before, "the location");
    Ok(())
}

fn names(listed: &Value) -> Vec<String> {
    let entries = listed.as_array().into_iter().flatten();
    entries.filter_map(|entry| Some(entry["file"].as_str()?.to_owned())).collect()
}
