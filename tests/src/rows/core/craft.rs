//! Manifests changed or made up by a row, with a right digest unless the row wants a wrong one.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::ensure;
use crate::harness::{Failure, RowResult, World};

/// Field that holds the digest over all others.
const DIGEST_FIELD: &str = "manifest_sha256";

/// Where the manifest of the dump `key` is.
pub(in crate::rows) fn place_of(key: &str) -> String {
    format!("pg/{key}/manifest.json")
}

/// The manifest of the dump `key`.
pub(in crate::rows) async fn read(world: &World, key: &str) -> RowResult<Map<String, Value>> {
    let bytes = world.place().read(&place_of(key)).await?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// The canonical document with its digest: FORMAT.md, "Manifest".
pub(in crate::rows) fn sealed(mut fields: Map<String, Value>) -> RowResult<Vec<u8>> {
    fields.remove(DIGEST_FIELD);
    let digest = Sha256::digest(serde_json::to_vec(&fields)?);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    fields.insert(DIGEST_FIELD.to_owned(), digest.into());
    // serde_json's maps are sorted, so that this is the canonical form.
    Ok(serde_json::to_vec(&fields)?)
}

/// Changes the manifest of the dump `key` and gives it a right digest.
pub(in crate::rows) async fn rewrite(
    world: &World,
    key: &str,
    change: impl FnOnce(&mut Map<String, Value>),
) -> RowResult {
    let mut fields = read(world, key).await?;
    change(&mut fields);
    world.place().write(&place_of(key), &sealed(fields)?).await
}

/// The key of a dump of the same database and configuration as `like`, taken at `time`.
fn key_at(like: &str, time: Timestamp) -> RowResult<String> {
    let (database, name) = like.split_once('/').ok_or_else(|| Failure::new(format!("`{like}` is no key")))?;
    let config = name.split_once('.').map_or("default.dump", |(_, config)| config);
    let moment = time.strftime("%Y-%m-%d-%H-%M-%S");
    let micros = time.subsec_nanosecond() / 1_000;
    Ok(format!("{database}/{moment}-{micros:06}.{config}"))
}

/// Publishes one more manifest over the parts of the dump `like`, dated `time`; returns its key.
pub(in crate::rows) async fn plant(
    world: &World,
    like: &str,
    time: Timestamp,
    change: impl FnOnce(&mut Map<String, Value>),
) -> RowResult<String> {
    let mut fields = read(world, like).await?;
    fields.insert("id".to_owned(), uuid::Uuid::now_v7().to_string().into());
    fields.insert("created_at".to_owned(), time.to_string().into());
    fields.insert("started_at".to_owned(), time.to_string().into());
    change(&mut fields);
    let key = key_at(like, time)?;
    world.place().write(&place_of(&key), &sealed(fields)?).await?;
    Ok(key)
}

/// Makes the dump `key` one that was taken at `time`, all of its objects and the pointer included; returns its new key.
pub(in crate::rows) async fn move_to(world: &World, key: &str, time: Timestamp) -> RowResult<String> {
    let moved = key_at(key, time)?;
    let (from, to) = (format!("pg/{key}/"), format!("pg/{moved}/"));
    let mut fields = read(world, key).await?;
    fields.insert("created_at".to_owned(), time.to_string().into());
    fields.insert("started_at".to_owned(), time.to_string().into());
    for part in fields.get_mut("parts").and_then(Value::as_array_mut).into_iter().flatten() {
        let renamed = part["key"].as_str().unwrap_or_default().replacen(&from, &to, 1);
        part["key"] = renamed.into();
    }
    let pointer = json!({
        "format": 1, "manifest": place_of(&moved), "sequence": fields["sequence"], "created_at": time.to_string()
    });
    for object in world.place().objects().await?.into_iter().filter(|object| object.key.starts_with(&from)) {
        let bytes = world.place().read(&object.key).await?;
        world.place().remove(&object.key).await?;
        if object.key != place_of(key) {
            world.place().write(&object.key.replacen(&from, &to, 1), &bytes).await?;
        }
    }
    world.place().write(&place_of(&moved), &sealed(fields)?).await?;
    let database = key.split_once('/').map_or(key, |(database, _)| database);
    world.place().write(&format!("pg/{database}/latest.json"), &serde_json::to_vec(&pointer)?).await?;
    Ok(moved)
}

/// Folders of dumps without a manifest.
pub(in crate::rows) async fn unpublished(world: &World) -> RowResult<Vec<String>> {
    let keys: Vec<String> = world.place().objects().await?.into_iter().map(|object| object.key).collect();
    let folder = |key: &String| key.find(".dump/").map(|at| key[..at + ".dump/".len()].to_owned());
    let mut folders: Vec<String> = keys.iter().filter_map(folder).collect();
    folders.dedup();
    folders.retain(|folder| !keys.contains(&format!("{folder}manifest.json")));
    Ok(folders)
}

/// How many databases the server has ever been told to create; every server of these rows logs its DDL.
pub(in crate::rows) fn created(world: &World) -> RowResult<usize> {
    let log = world.cluster().log();
    ensure!(log.contains("statement: CREATE DATABASE"), "the server does not log what is created");
    Ok(log.matches("statement: CREATE DATABASE").count())
}
