//! C5 to C8: objects and manifests that are no longer what was written.

use backup_core::units::exact_bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::craft::{self, created, place_of};
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// Exit code for what is not what was written.
const INTEGRITY: i32 = 13;

/// Exit code for what a newer version made.
const NEWER: i32 = 16;

/// A database with two dumps over the same objects; the database, the dumps, the objects.
async fn shared_objects(world: &World) -> RowResult<(String, [String; 2], Vec<String>)> {
    let shop = world.sample("shop")?;
    let key = world.dump(&shop).await?;
    let other = craft::plant(world, &key, Timestamp::now() + SignedDuration::from_millis(-1), |_| {}).await?;
    let manifest = craft::read(world, &key).await?;
    let parts = manifest["parts"].as_array().cloned().unwrap_or_default();
    let objects: Vec<String> = parts.iter().filter_map(|part| Some(part["key"].as_str()?.to_owned())).collect();
    ensure!(objects.len() >= 3, "a dump of schema, rows and large objects has {} objects", objects.len());
    Ok((shop, [key, other], objects))
}

/// C5.
pub(super) async fn flipped(world: &World) -> RowResult {
    let (_, dumps, objects) = shared_objects(world).await?;
    let mut with_offset = 0;
    for object in &objects {
        let original = world.place().read(object).await?;
        for at in [original.len() - 1, original.len() / 2] {
            let mut bytes = original.clone();
            bytes[at] ^= 1;
            world.place().write(object, &bytes).await?;
            with_offset += usize::from(named(world, &dumps, object, Some(at)).await.within(&format!("byte {at}"))?);
        }
        restore_refused(world, &dumps[0]).await.within(object)?;
        world.place().write(object, &original).await?;
    }
    ensure!(with_offset >= 4, "only {with_offset} of the flipped bytes were found with an offset");
    world.lastgood(["pg", "verify", &dumps[0], "--read", "all"]).ok().await?;
    Ok(())
}

/// C6. Already the sizes tell, so that nothing needs to be read.
pub(super) async fn resized(world: &World) -> RowResult {
    let (_, dumps, objects) = shared_objects(world).await?;
    for object in &objects {
        let original = world.place().read(object).await?;
        for bytes in [original[..original.len() - 1].to_vec(), [&original[..], b"\0"].concat()] {
            world.place().write(object, &bytes).await?;
            let place =
                format!("{} instead of {}", exact_bytes(bytes.len() as u64), exact_bytes(original.len() as u64));
            named(world, &dumps, object, None).await.within(&place)?;
            world.lastgood(["pg", "verify", &dumps[0]]).fails(INTEGRITY).await?.says(object)?;
            restore_refused(world, &dumps[0]).await.within(&place)?;
        }
        world.place().write(object, &original).await?;
    }
    world.lastgood(["pg", "verify", &dumps[0], "--read", "all"]).ok().await?;
    Ok(())
}

/// Verification names the object and both dumps; returns whether it says where in the object, which must then be right.
async fn named(world: &World, dumps: &[String; 2], object: &str, at: Option<usize>) -> RowResult<bool> {
    let output = world.lastgood(["pg", "verify", &dumps[0], "--read", "all", "--json"]).fails(INTEGRITY).await?;
    let report = output.json()?;
    let mut found = report["damage"].as_array().into_iter().flatten().filter(|damage| damage["object"] == *object);
    let Some(damage) = found.next() else { return Err(output.fault(&format!("it does not name `{object}`"))) };
    for dump in dumps {
        let named = damage["dumps"].as_array().is_some_and(|named| named.contains(&json!(dump)));
        ensure!(named, "`{dump}` needs `{object}` and is not named: {damage}");
    }
    let words = world.lastgood(["pg", "verify", &dumps[0], "--read", "all"]).fails(INTEGRITY).await?;
    words.says(object)?.says(&dumps[1])?;
    let (Some(at), Some(offset)) = (at, damage["offset"].as_u64()) else { return Ok(false) };
    let length = damage["length"].as_u64().unwrap_or_default();
    ensure!((offset..offset + length).contains(&(at as u64)), "byte {at} was flipped, and {damage} is named");
    Ok(true)
}

async fn restore_refused(world: &World, key: &str) -> RowResult {
    let (before, databases) = (created(world)?, world.databases()?);
    world.lastgood(["pg", "restore", key, "--into", &world.name("copy")]).fails(INTEGRITY).await?;
    ensure_eq!(created(world)?, before, "databases created for a damaged dump");
    ensure_eq!(world.databases()?, databases, "databases");
    Ok(())
}

/// A change of a manifest's stored text.
type Edit = fn(&str) -> String;

fn edited(text: &str, change: impl FnOnce(&mut Map<String, Value>)) -> String {
    let mut fields: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
    change(&mut fields);
    serde_json::to_string(&fields).unwrap_or_default()
}

/// Edits that leave the digest as it was.
const EDITS: [(&str, Edit); 8] = [
    ("another size", |text| {
        edited(text, |fields| {
            fields["parts"][0]["stored_bytes"] = json!(fields["parts"][0]["stored_bytes"].as_u64().map(|b| b + 1))
        })
    }),
    ("another digest of a part", |text| {
        edited(text, |fields| fields["parts"][0]["stored_sha256"] = json!("0".repeat(64)))
    }),
    ("an extra field", |text| edited(text, |fields| drop(fields.insert("comment".to_owned(), json!("hello"))))),
    ("an extra field deep inside", |text| edited(text, |fields| fields["parts"][0]["comment"] = json!("hello"))),
    // The parser would take the last of the two, which is the right one.
    ("a duplicate key", |text| text.replacen("{\"", "{\"sequence\":7,\"", 1)),
    ("a duplicate key deep inside", |text| text.replacen("\"parts\":[{", "\"parts\":[{\"stored_bytes\":1,", 1)),
    ("white space", |text| format!("{text}\n")),
    ("another digest of its own", |text| edited(text, |fields| fields["manifest_sha256"] = json!("0".repeat(64)))),
];

/// C7.
pub(super) async fn edited_manifest(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let key = world.dump(&shop).await?;
    let original = String::from_utf8_lossy(&world.place().read(&place_of(&key)).await?).into_owned();
    for (what, edit) in EDITS {
        let text = edit(&original);
        ensure!(text != original && text.len() > 500, "the edit `{what}` does nothing");
        world.place().write(&place_of(&key), text.as_bytes()).await?;
        for command in ["verify", "show"] {
            world.lastgood(["pg", command, &key]).fails(INTEGRITY).await.within(what)?.says(&place_of(&key))?;
        }
        restore_refused(world, &key).await.within(what)?;
        let listing = world.lastgood(["pg", "ls", "--json"]).ok().await?.json()?;
        ensure_eq!(listing[0]["state"], json!("damaged"), "the state in the listing with {what}");
    }
    world.place().write(&place_of(&key), original.as_bytes()).await?;
    craft::rewrite(world, &key, |fields| {
        fields.insert("of_a_later_minor_version".to_owned(), json!({"a": [1, 2]}));
        fields["parts"][0]["of_a_later_minor_version"] = json!("b");
        fields["detail"]["of_a_later_minor_version"] = json!(3);
    })
    .await?;
    let output = world.lastgood(["pg", "verify", &key, "--read", "all"]).ok().await;
    output.within("an unknown field of the same format")?;
    world.lastgood(["pg", "restore", &key, "--into", &world.name("copy")]).ok().await?;
    Ok(())
}

/// C8.
pub(super) async fn newer_format(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let key = world.dump(&shop).await?;
    let marker = world.place().read("lastgood.json").await?;
    craft::rewrite(world, &key, |fields| fields["format"] = json!(2)).await?;
    let (before, databases) = (world.place().picture().await?, created(world)?);
    let copy = world.name("copy");
    let refused: [&[&str]; 5] = [
        &["pg", "show", &key],
        &["pg", "verify", &key, "--read", "all"],
        &["pg", "restore", &key, "--into", &copy],
        &["pg", "restore", &key, "--confirm-database", &shop],
        &["pg", "prune", "--keep-last", "1", "--yes"],
    ];
    for command in refused {
        let output = world.lastgood(command.iter().copied()).fails(NEWER).await;
        output.within("a manifest of format 2")?.says("newer version wrote it")?;
    }
    world.lastgood(["pg", "ls"]).ok().await?.says("newer format")?;
    ensure_eq!(world.place().picture().await?, before, "the location");
    ensure_eq!(created(world)?, databases, "databases created");

    let newer = String::from_utf8_lossy(&marker).replacen("\"format\":1", "\"format\":2", 1);
    ensure!(newer.as_bytes() != marker, "the marker has no format to change");
    world.place().write("lastgood.json", newer.as_bytes()).await?;
    let before = world.place().picture().await?;
    for command in [&["init"][..], &["pg", "dump", &shop], &["pg", "ls"], &["pg", "restore", &shop, "--into", &copy]] {
        let output = world.lastgood(command.iter().copied()).fails(NEWER).await;
        output.within("a location of format 2")?.says("newer version wrote it")?;
    }
    ensure_eq!(world.place().picture().await?, before, "the location of a newer layout");
    Ok(())
}
