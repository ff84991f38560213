//! C3, C4, C7, C8, C11 of records: publishing a manifest, and manifests that are no longer what was written.

use std::time::Duration;

use backup_testkit::faults::{Action, Rule};
use serde_json::{Map, Value, json};

use super::{USERS, keys, records};
use crate::harness::failure::Within as _;
use crate::harness::{Failure, RowResult, World};
use crate::rows::core::craft::sealed;
use crate::{ensure, ensure_eq};

const BACKUP: [&str; 4] = ["app", "backup", "--source", "ndjson:records"];

/// Exit code for what is not what was written.
const INTEGRITY: i32 = 13;

/// Exit code for what a newer version made.
const NEWER: i32 = 16;

fn manifest_of(key: &str) -> String {
    format!("app/{key}.manifest.json")
}

/// Backs records up; the key.
async fn backup(world: &World) -> RowResult<String> {
    let report = world.lastgood(BACKUP).args(["--json"]).ok().await?.json()?;
    report["key"].as_str().map(str::to_owned).ok_or_else(|| Failure::new(format!("no key in {report}")))
}

async fn fields(world: &World, key: &str) -> RowResult<Map<String, Value>> {
    Ok(serde_json::from_slice(&world.place().read(&manifest_of(key)).await?)?)
}

/// C3.
pub(super) async fn lost_response(world: &World) -> RowResult {
    records(world, "records", &[("users.json", USERS)])?;
    let peer = world.place().peer().ok_or_else(|| Failure::new("this row needs the S3 peer"))?;
    backup(world).await?;
    for (at, key) in [".manifest.json", "lastgood.json", "latest.json", ".tar.gz"].into_iter().enumerate() {
        peer.clear_log();
        let rule = |op: &str| Rule::new(Action::LoseResponse).on(op).where_key_contains(key).times(1);
        peer.faults([rule("PutObject"), rule("CompleteMultipartUpload")]);
        if key == "lastgood.json" {
            world.place().remove(key).await?;
            world.lastgood(["init"]).ok().await?;
        }
        backup(world).await.within(&format!("the answer about `{key}` lost"))?;
        peer.clear_faults();
        ensure!(peer.log().iter().any(|call| call.fault.is_some()), "no answer about `{key}` was lost");
        ensure_eq!(keys(world).await?.len(), at + 2, "backups after the answer about `{key}` was lost");
        world.lastgood(["app", "verify"]).ok().await?;
    }
    Ok(())
}

/// C4. A key has its moment in microseconds, so that the second writer has to be made up: it publishes while ours is about
/// to.
pub(super) async fn two_writers(world: &World) -> RowResult {
    records(world, "records", &[("users.json", USERS)])?;
    let first = backup(world).await?;
    let mut rival = fields(world, &first).await?;
    rival.insert("id".to_owned(), uuid::Uuid::now_v7().to_string().into());
    rival["tool"]["writer"] = "rival/4711".into();
    let flag = world.folder().join("pause");
    let run = world.lastgood(BACKUP).env("LASTGOOD_PAUSE_AT", "app.manifest");
    let mut run = run.env("LASTGOOD_PAUSE_FILE", flag.display().to_string()).start()?;
    while !flag.exists() {
        ensure!(!run.has_ended()?, "the backup ended and never paused");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let tarballs = world.place().keys_ending(".tar.gz").await?;
    let ours = tarballs.last().ok_or_else(|| Failure::new("the backup has stored nothing"))?;
    rival["parts"][0]["key"] = ours.as_str().into();
    let rival = sealed(rival)?;
    let manifest = format!("{ours}.manifest.json");
    world.place().write(&manifest, &rival).await?;
    std::fs::remove_file(&flag)?;
    let writer = format!("/{}`", run.pid());
    run.finish().await?.expect_code(1)?.says("rival/4711")?.says(&writer)?.never_says("please report")?;
    ensure!(world.place().read(&manifest).await? == rival, "the rival's manifest was changed");
    // The same records give the same tarball: the rival's is whole.
    world.lastgood(["app", "verify"]).ok().await?;
    ensure_eq!(keys(world).await?.len(), 2, "backups");
    Ok(())
}

type Edit = fn(&mut Map<String, Value>);

/// C7.
pub(super) async fn edited_manifest(world: &World) -> RowResult {
    records(world, "records", &[("users.json", USERS)])?;
    let key = backup(world).await?;
    let original = String::from_utf8_lossy(&world.place().read(&manifest_of(&key)).await?).into_owned();
    let edits: [(&str, Edit); 4] = [
        ("another size", |fields| fields["parts"][0]["stored_bytes"] = json!(7)),
        ("another count", |fields| fields["detail"]["types"][0]["records"] = json!(7)),
        ("an extra field", |fields| drop(fields.insert("comment".to_owned(), json!("hello")))),
        ("another digest of its own", |fields| fields["manifest_sha256"] = json!("0".repeat(64))),
    ];
    let mut texts = vec![
        ("a duplicate key", original.replacen("{\"", "{\"sequence\":7,\"", 1)),
        ("white space", format!("{original}\n")),
    ];
    for (what, edit) in edits {
        let mut changed = fields(world, &key).await?;
        edit(&mut changed);
        texts.push((what, serde_json::to_string(&changed)?));
    }
    for (what, text) in texts {
        ensure!(text != original, "the edit `{what}` does nothing");
        world.place().write(&manifest_of(&key), text.as_bytes()).await?;
        for command in [&["app", "verify"][..], &["app", "restore", &key, "--to", "ndjson:out"], &["app", "show", &key]]
        {
            world.lastgood(command.iter().copied()).fails(INTEGRITY).await.within(what)?;
        }
        ensure!(!world.folder().join("out").exists(), "{what}: something was restored");
    }
    let mut changed: Map<String, Value> = serde_json::from_str(&original)?;
    // With a right digest of its own, but of other records.
    changed["detail"]["types"][0]["records"] = json!(7);
    world.place().write(&manifest_of(&key), &sealed(changed)?).await?;
    world.lastgood(["app", "restore", &key, "--to", "ndjson:out"]).fails(INTEGRITY).await?;
    let mut changed: Map<String, Value> = serde_json::from_str(&original)?;
    changed.insert("of_a_later_minor_version".to_owned(), json!({"a": [1, 2]}));
    changed["detail"]["of_a_later_minor_version"] = json!(3);
    changed["detail"]["types"][0]["of_a_later_minor_version"] = json!(3);
    world.place().write(&manifest_of(&key), &sealed(changed)?).await?;
    world.lastgood(["app", "restore", &key, "--to", "ndjson:out"]).ok().await?;
    Ok(())
}

/// C8.
pub(super) async fn newer_format(world: &World) -> RowResult {
    records(world, "records", &[("users.json", USERS)])?;
    let key = backup(world).await?;
    let mut changed = fields(world, &key).await?;
    changed["format"] = json!(2);
    world.place().write(&manifest_of(&key), &sealed(changed)?).await?;
    let before = world.place().picture().await?;
    for command in [
        &["app", "show", &key][..],
        &["app", "restore", &key, "--to", "ndjson:out"],
        &["app", "prune", "--keep-last", "1", "--yes"],
    ] {
        world.lastgood(command.iter().copied()).fails(NEWER).await?.says("newer version wrote it")?;
    }
    let marker = String::from_utf8_lossy(&world.place().read("lastgood.json").await?).into_owned();
    let newer = marker.replacen("\"format\":1", "\"format\":2", 1);
    ensure!(newer != marker, "the marker has no format to change");
    ensure_eq!(world.place().picture().await?, before, "the location");
    world.place().write("lastgood.json", newer.as_bytes()).await?;
    let before = world.place().picture().await?;
    world.lastgood(BACKUP).fails(NEWER).await?.says("newer version wrote it")?;
    ensure_eq!(world.place().picture().await?, before, "the location of a newer layout");
    ensure!(!world.folder().join("out").exists(), "something was restored");
    Ok(())
}

/// C11.
pub(super) async fn lagging_listing(world: &World) -> RowResult {
    records(world, "records", &[("users.json", USERS)])?;
    let peer = world.place().peer().ok_or_else(|| Failure::new("this row needs the S3 peer"))?;
    let first = backup(world).await?;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let newest = format!("{USERS}{{\"id\": \"3\"}}\n");
    records(world, "records", &[("users.json", &newest)])?;
    let second = backup(world).await?;
    // For longer than a slow machine takes.
    peer.faults([Rule::new(Action::HideNewerThan { ms: 3_600_000 }).on("ListObjectsV2")]);
    // Everything is hidden; of the named one the pointer tells.
    world.lastgood(["app", "ls", "backup"]).ok().await?.says(&second)?.says("good")?;
    world.lastgood(["app", "verify", "--name", "backup"]).ok().await?.says(&second)?;
    world.lastgood(["app", "restore", "--to", "ndjson:out"]).ok().await?.says(&second)?;
    ensure_eq!(super::read(world, "out/users--users.json")?, newest, "the newest records");
    world.lastgood(BACKUP).args(["--min-age", "1h"]).ok().await?.says("Skipped")?.says(&second)?;
    let third = backup(world).await?;
    peer.clear_faults();
    ensure_eq!(keys(world).await?, vec![first, second.clone(), third.clone()], "backups: each once");
    let (two, three) = (fields(world, &second).await?, fields(world, &third).await?);
    ensure!(three["sequence"].as_u64() > two["sequence"].as_u64(), "the third is not after the one that was hidden");
    Ok(())
}
