//! A1, A2, A4, A5, O5: there and back.

use super::{FIXTURES, USERS, keys, read, records};
use crate::harness::{Failure, RowResult, World};
use crate::{ensure, ensure_eq};

/// A1.
pub(super) async fn whole(world: &World) -> RowResult {
    records(world, "records", &[("User--users.json", USERS), ("orders.ndjson", "{\"id\": 7}")])?;
    let backup = ["app", "backup", "--source", "ndjson:records"];
    world.lastgood(backup).ok().await?.says("User--users  2 records")?.says("Published `backup/Backup_UTC_")?;
    let key = keys(world).await?.pop().ok_or_else(|| Failure::new("there is no backup"))?;
    world.lastgood(["app", "show", &key]).ok().await?.says("orders--orders  1 record")?.says("good")?;
    world.lastgood(["app", "verify"]).ok().await?.says(&format!("ok    {key}  3 records"))?;
    world.lastgood(["app", "cat", "latest", "User"]).ok().await?.says(USERS.trim_end())?;
    world.lastgood(["app", "restore", "--to", "ndjson:out", "-n"]).ok().await?.says("Nothing was changed")?;
    ensure!(!world.folder().join("out").exists(), "a dry run wrote");
    world.lastgood(["app", "restore", &key, "--to", "ndjson:out"]).ok().await?.says("User--users  2 records")?;
    ensure_eq!(read(world, "out/User--users.json")?.as_str(), USERS, "the records");
    world
        .lastgood(["app", "restore", "--to", "ndjson:out"])
        .fails(1)
        .await?
        .says("already exists; nothing was restored")?;
    world.lastgood(["app", "restore", "--to", "ndjson:some", "--type", "orders"]).ok().await?;
    ensure_eq!(std::fs::read_dir(world.folder().join("some"))?.count(), 1, "files of one type");
    world.lastgood(["app", "restore", "nothing", "--to", "ndjson:x"]).fails(1).await?.says("`lastgood app ls`")?;
    world.lastgood(["app", "backup", "--source", "records"]).fails(2).await?.says("sqlite:FILE")?;

    world.lastgood(backup).ok().await?;
    world.lastgood(backup).args(["--name", "other"]).ok().await?;
    world.lastgood(["app", "prune", "--yes"]).fails(14).await?.says("nothing was deleted")?;
    let before = world.place().picture().await?;
    for (filter, there) in [
        (&["othr"][..], "there are backups named `backup`, `other`"),
        (&["--source", "ndjson:/nowhere"], "there are backups of `ndjson:"),
    ] {
        let refused =
            world.lastgood(["app", "prune", "--keep-last", "1", "--yes"]).args(filter.iter().copied()).fails(2).await?;
        refused.says(there)?.says("nothing was deleted")?;
        world.lastgood(["app", "ls"]).args(filter.iter().copied()).ok().await?.says(there)?;
    }
    world.lastgood(["app", "prune", "--keep-last", "1", "-n"]).ok().await?.says("delete")?;
    ensure_eq!(world.place().picture().await?, before, "the location after a dry run");
    world.lastgood(["app", "prune", "--keep-last", "1", "--yes"]).ok().await?.says("Deleted 1 backup")?;
    let left = keys(world).await?;
    ensure!(left.len() == 2 && !left.contains(&key), "left are {left:?}");
    world.lastgood(["app", "verify"]).ok().await?;
    world.lastgood(["app", "restore", "--name", "other", "--to", "ndjson:other"]).ok().await?;
    Ok(())
}

/// A2.
pub(super) async fn of_gludb(world: &World) -> RowResult {
    let mut planted = Vec::new();
    for folder in ["plain", "prefix", "py27"] {
        for entry in std::fs::read_dir(format!("{FIXTURES}/{folder}"))? {
            let entry = entry?;
            let key = entry.file_name().to_string_lossy().into_owned();
            world.place().write(&key, &std::fs::read(entry.path())?).await?;
            planted.push(key);
        }
    }
    let before = world.place().picture().await?;
    planted.sort();
    ensure_eq!(keys(world).await?, planted, "the keys");
    world.lastgood(["app", "ls"]).ok().await?.says("written by gludb, unchecked")?;
    world.lastgood(["app", "verify"]).ok().await?;
    for (number, key) in planted.iter().enumerate() {
        world.lastgood(["app", "cat", key, "SimpleData"]).ok().await?.says("1180591620717411303424")?;
        let restored = world.lastgood(["app", "restore", key, "--to", &format!("ndjson:out{number}")]).ok().await?;
        restored.says("SimpleData--")?.says("3 records")?;
        world.lastgood(["app", "restore", key, "--to", &format!("sqlite:out{number}.db")]).ok().await?;
    }
    world.lastgood(["app", "restore", "--to", "ndjson:latest"]).fails(1).await?.says("no backup")?;
    ensure_eq!(world.place().picture().await?, before, "the location after reading");
    // What came out of SQLite goes back in and is the same.
    world.lastgood(["app", "backup", "--source", "sqlite:out0.db"]).ok().await?.says("5 records")?;
    world.lastgood(["app", "restore", "--to", "sqlite:again.db"]).ok().await?;
    world.lastgood(["app", "backup", "--source", "sqlite:again.db"]).ok().await?;
    let digests = digests(world).await?;
    ensure_eq!(digests.first(), digests.last(), "the tarballs of a database and of what was restored from it");
    Ok(())
}

/// Digests of the tarballs that have manifests, oldest first.
async fn digests(world: &World) -> RowResult<Vec<String>> {
    let mut digests = Vec::new();
    for key in world.place().keys_ending(".manifest.json").await? {
        let manifest: serde_json::Value = serde_json::from_slice(&world.place().read(&key).await?)?;
        digests.push(manifest["parts"][0]["stored_sha256"].to_string());
    }
    Ok(digests)
}

/// A4.
pub(super) async fn conflicts(world: &World) -> RowResult {
    records(world, "records", &[("users.json", USERS)])?;
    world.lastgood(["app", "backup", "--source", "ndjson:records"]).ok().await?;
    let into = ["app", "restore", "--to", "sqlite:app.db"];
    world.lastgood(into).ok().await?;
    let before = std::fs::read(world.folder().join("app.db"))?;
    world.lastgood(into).fails(1).await?.says("`users` already has a record `1`")?;
    ensure_eq!(std::fs::read(world.folder().join("app.db"))?, before, "the database after a conflict");
    world.lastgood(into).args(["--on-conflict", "skip"]).ok().await?.says("2 skipped")?;
    world.lastgood(into).args(["--on-conflict", "replace"]).ok().await?.says("2 replaced")?;
    world.lastgood(into).args(["--on-conflict", "maybe"]).fails(2).await?;
    let names: Vec<String> = std::fs::read_dir(world.folder())?
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| name.starts_with(".lastgood-restore"))
        .collect();
    ensure_eq!(names, Vec::<String>::new(), "files left behind");
    Ok(())
}

/// A5.
pub(super) async fn min_age(world: &World) -> RowResult {
    records(world, "records", &[("users.json", USERS)])?;
    let backup = ["app", "backup", "--source", "ndjson:records", "--min-age", "1h"];
    let made = world.place().picture().await?;
    world.lastgood(backup).args(["-n"]).ok().await?.says("the first backup named")?;
    ensure_eq!(world.place().picture().await?, made, "the location after a dry run");
    world.lastgood(backup).ok().await?.says("Published")?;
    let before = world.place().picture().await?;
    world.lastgood(backup).args(["-n"]).ok().await?.says("Would skip")?;
    let skipped = world.lastgood(backup).args(["--json"]).ok().await?.json()?;
    ensure_eq!(skipped["result"].as_str(), Some("skipped"), "the second run");
    ensure_eq!(world.place().picture().await?, before, "the location after it");
    world.lastgood(["app", "backup", "--source", "ndjson:records", "--min-age", "0s"]).ok().await?.says("Published")?;
    Ok(())
}

/// O5.
pub(super) async fn same(world: &World) -> RowResult {
    let many: String =
        (0..50_000).map(|n| format!("{{\"id\": {n}, \"text\": \"{:x}\"}}\n", n * 2_654_435_761_u64)).collect();
    records(world, "records", &[("many.json", &many), ("users.json", USERS)])?;
    world.lastgood(["app", "backup", "--source", "ndjson:records"]).ok().await?;
    world.lastgood(["app", "backup", "--source", "ndjson:records"]).ok().await?;
    let digests = digests(world).await?;
    ensure_eq!(digests.len(), 2, "backups");
    ensure_eq!(digests[0], digests[1], "the digests");
    Ok(())
}
