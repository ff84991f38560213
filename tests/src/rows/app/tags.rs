//! A-tags: tags that backups of records are given and lose after they were made.

use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

const BACKUP: [&str; 4] = ["app", "backup", "--source", "ndjson:records"];

/// A-tags.
pub(super) async fn come_and_go(world: &World) -> RowResult {
    std::fs::create_dir(world.folder().join("records"))?;
    std::fs::write(world.folder().join("records/User--users.json"), "{\"id\": \"1\"}\n")?;
    world.lastgood(BACKUP).args(["--tag", "made"]).ok().await?;
    world.lastgood(BACKUP).ok().await?;
    world.lastgood(BACKUP).ok().await?;
    // What `tag add` refuses, nothing is made with either, and the plan says so.
    for dry in [&["-n"][..], &[]] {
        world.lastgood(BACKUP).args(["--tag", ""]).args(dry.iter().copied()).fails(2).await?.says("a tag is empty")?;
    }
    let keys = listed(world, &[]).await?;

    world.lastgood(["app", "tag", "add", &keys[0], "env=prod", "-n"]).ok().await?.says("Nothing was changed")?;
    world.lastgood(["app", "tag", "add", &keys[0], "env=prod"]).ok().await?.says("Tagged `")?;
    world.lastgood(["app", "tag", "add", "latest", "\u{1b}]0;owned\u{7}\nevil"]).ok().await?.never_says("\u{1b}")?;
    world.lastgood(["app", "tag", "remove", &keys[0], "made"]).ok().await?;
    ensure_eq!(listed(world, &["--tag", "env"]).await?, keys[..1].to_vec(), "backups with `env`");
    ensure_eq!(listed(world, &["--tag", "made"]).await?.len(), 0, "backups with `made`");
    let table = world.lastgood(["app", "ls"]).ok().await?.says("env=prod")?.stdout;
    ensure_eq!(table.lines().count(), 4, "a header and a line a backup in {table:?}");
    ensure!(!table.contains('\u{1b}'), "the terminal was sent {table:?}");
    world.lastgood(["app", "show", &keys[0]]).ok().await?.says("env=prod")?.never_says("made")?;
    world.lastgood(["app", "tag", "ls"]).ok().await?.says("env=prod")?;
    world.lastgood(["app", "verify"]).ok().await?;

    world.lastgood(["app", "prune", "--keep-last", "1", "--keep-tag", "env", "--yes"]).ok().await?;
    ensure_eq!(listed(world, &[]).await?, vec![keys[0].clone(), keys[2].clone()], "what is kept");
    Ok(())
}

async fn listed(world: &World, filters: &[&str]) -> RowResult<Vec<String>> {
    let listed = world.lastgood(["app", "ls", "--json"]).args(filters.iter().copied()).ok().await?.json()?;
    let backups = listed.as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(backups.iter().map(|backup| backup["key"].as_str().unwrap_or_default().to_owned()).collect())
}
