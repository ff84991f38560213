//! Objects that somebody lists as parts of a backup that is about to be deleted, so that a prune deletes them.

use backup_core::key::Key;

use super::resealed::reseal;
use crate::harness::failure::Within as _;
use crate::harness::{Failure, RowResult, World};
use crate::{ensure, ensure_eq};

/// A pointer that names another database's dump is not followed.
pub(super) async fn pointed(world: &World) -> RowResult {
    let (shop, blog) = (world.sample("shop")?, world.sample("blog")?);
    let own = world.dump(&shop).await?;
    for _ in 0..2 {
        world.dump(&blog).await?;
    }
    let pointer = world.place().read(&format!("pg/{blog}/latest.json")).await?;
    world.place().write(&format!("pg/{shop}/latest.json"), &pointer).await?;
    world.lastgood(["pg", "show", &shop]).ok().await?.says(&own)?;
    let planned = world.lastgood(["pg", "restore", &shop, "--confirm-database", &shop, "-n"]).ok().await?;
    planned.says(&own)?.never_says(&format!("{blog}/"))?;
    let listed = world.lastgood(["pg", "ls", &shop, "--json"]).ok().await?.json()?;
    ensure_eq!(listed.as_array().map(Vec::len), Some(1), "dumps of the database");
    world.dump(&shop).await?;
    ensure_eq!(world.keys(&shop).await?.len(), 2, "dumps after another one");
    Ok(())
}

/// Whoever may write and not delete has others' backups deleted neither by a manifest nor by a tombstone.
pub(super) async fn of_others(world: &World) -> RowResult {
    let (shop, blog) = (world.sample("shop")?, world.sample("blog")?);
    let kept = world.dump(&blog).await?;
    let records = world.folder().join("records");
    std::fs::create_dir_all(&records)?;
    std::fs::write(records.join("users.json"), "{\"id\": \"1\"}\n")?;
    world.lastgood(["app", "backup", "--source", "ndjson:records"]).ok().await?;
    let (old, new) = (world.dump_full(&shop).await?, world.dump_full(&shop).await?);
    let of_others = |key: &str| key.starts_with("app/") || key.contains(&kept) || key == "lastgood.json";
    let objects: Vec<String> = world.place().objects().await?.into_iter().map(|object| object.key).collect();
    let wanted: Vec<String> = objects.into_iter().filter(|key| of_others(key)).collect();
    ensure!(wanted.len() > 4, "there is too little to be deleted: {wanted:?}");

    let mut keys = Vec::new();
    for key in &wanted {
        let key: Key = key.parse().map_err(|error| Failure::new(format!("{error}")))?;
        keys.push(key);
    }
    reseal(world, &old, |manifest| {
        let like = manifest.parts.clone();
        manifest.parts.extend(keys.into_iter().zip(like.iter().cycle()).map(|(key, part)| {
            let mut part = part.clone();
            part.key = key;
            part
        }));
    })
    .await?;
    // As an interrupted prune leaves one, of a dump that nobody made.
    let gone = format!("pg/{shop}/2020-01-02-03-04-05-000001.default.dump");
    let tombstone = serde_json::json!({
        "format": 1,
        "manifest": format!("{gone}/manifest.json"),
        "deleted_at": "2020-01-02T03:04:05Z",
        "writer": "evil/1",
        "parts": wanted,
    });
    world.place().write(&format!("{gone}/deleted.json"), tombstone.to_string().as_bytes()).await?;

    world.lastgood(["pg", "prune", "--keep-last", "1", "--grace", "0s", "--yes"]).ok().await?;
    ensure_eq!(world.keys(&shop).await?, vec![new], "dumps after the prune");
    let left: Vec<String> = world.place().objects().await?.into_iter().map(|object| object.key).collect();
    for key in &wanted {
        ensure!(left.contains(key), "`{key}` was deleted");
    }
    ensure!(!left.iter().any(|key| key.contains(&old)), "objects of the deleted dump are left");
    world.lastgood(["app", "verify"]).ok().await.within("the records")?;
    world.lastgood(["pg", "verify", &kept, "--read", "all"]).ok().await.within("the other database")?;
    Ok(())
}
