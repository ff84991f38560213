//! The last good backup of a store in memory: rows W2 and W3 of stores. What a running service does is tested beside its code.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::harness::{Area, Failure, Locations, Row, RowResult, World};
use crate::rows::core::craft::sealed;
use crate::rows::dict::plant;
use crate::{ensure, ensure_eq};

/// Exit codes: a mistake of whoever typed it, a confirmation that is missing.
const USAGE: i32 = 2;
const CONFIRM: i32 = 15;

/// Two chains of ours, as they are named: a full backup and two deltas; a full backup and one delta.
const EVENTS: [&str; 3] = [
    "dictdb_backup_1795230000_000000.json",
    "dictdb_delta_1795230060_000000.json",
    "dictdb_delta_1795230120_000000.json",
];
const SESSIONS: [&str; 2] = ["dictdb_backup_1795230180_000000.pickle", "dictdb_delta_1795230240_000000.json"];

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    use Locations::Both;
    vec![
        Row::new("W2-dict", "two services in one folder: restore, ls, show, verify", Area::Truth, Both, |world| {
            Box::pin(two_services(world))
        }),
        Row::new("W2-dict-keep", "two services in one folder: compact, prune, watch", Area::Truth, Both, |world| {
            Box::pin(kept_apart(world))
        }),
        Row::new("W2-dict-older", "backups that do not say whose they are", Area::Truth, Both, |world| {
            Box::pin(older(world))
        }),
        Row::new("W3-dict", "the last record deleted: what was there stays below it", Area::Truth, Both, |world| {
            Box::pin(emptied(world))
        }),
    ]
}

/// Has the backups say that they are of the store `source` of the service `program` on `host`.
async fn owned(world: &World, files: &[&str], (source, host, program): (&str, &str, &str)) -> RowResult {
    for file in files {
        let manifest = format!("manifests/{file}.manifest.json");
        let mut fields: Map<String, Value> = serde_json::from_slice(&world.place().read(&manifest).await?)?;
        let identity = json!({"id": format!("dictstore:{source}"), "host": format!("{host}:/usr/bin/{program}")});
        fields.insert("identity".to_owned(), identity);
        fields.insert("complete".to_owned(), json!(true));
        fields.insert("source".to_owned(), json!(program));
        world.place().write(&manifest, &sealed(fields)?).await?;
    }
    Ok(())
}

/// Two chains in one location, each of a service of its own.
async fn services(world: &World) -> RowResult {
    plant(world, "ours").await?;
    owned(world, &EVENTS, ("1", "web1", "events")).await?;
    owned(world, &SESSIONS, ("2", "web2", "sessions")).await
}

/// What a restore with these options writes.
async fn restored(world: &World, options: &[&str]) -> RowResult<String> {
    let command = ["dict", "restore", "--force", "--to", "state.json"].into_iter().chain(options.iter().copied());
    world.lastgood(command).ok().await?;
    Ok(std::fs::read_to_string(world.folder().join("state.json"))?)
}

async fn files(world: &World, options: &[&str]) -> RowResult<Vec<String>> {
    let listed = world.lastgood(["dict", "ls", "--json"]).args(options.iter().copied()).ok().await?.json()?;
    let entries = listed.as_array().into_iter().flatten();
    Ok(entries.filter_map(|entry| Some(entry["file"].as_str()?.to_owned())).collect())
}

async fn two_services(world: &World) -> RowResult {
    services(world).await?;
    let before = world.place().picture().await?;
    for end in [&["--to", "state.json"][..], &["-n"], &["--at", "2026-11-21T03:05:00Z", "-n"]] {
        let refused = world.lastgood(["dict", "restore"]).args(end.iter().copied()).fails(USAGE).await?;
        refused.says("2 stores")?.says("web1:/usr/bin/events")?.says("web2:/usr/bin/sessions")?.says("--source")?;
    }
    ensure!(!world.folder().join("state.json").exists(), "a refused restore wrote a file");
    let [events, sessions] =
        [restored(world, &["--up-to", EVENTS[2]]).await?, restored(world, &["--up-to", SESSIONS[1]]).await?];
    ensure!(events != sessions, "the two stores are one");
    for (named, expected) in [("web1", &events), ("dictstore:1", &events), ("sessions", &sessions), ("web2", &sessions)]
    {
        ensure!(restored(world, &["--source", named]).await? == *expected, "the newest of {named} is another's");
    }
    // A time at which the other one wrote last.
    let at = ["--at", "2026-11-21T03:03:30Z", "--source", "web1"];
    ensure!(restored(world, &at).await? == events, "a time reaches into another store");
    let plan = world.lastgood(["dict", "restore", "-n", "--source", "web2", "--json"]).ok().await?.json()?;
    ensure_eq!((&plan["files"], &plan["source"]["id"]), (&json!(SESSIONS), &json!("dictstore:2")), "the plan");
    let missing = world.lastgood(["dict", "restore", "-n", "--source", "web9"]).fails(USAGE).await?;
    missing.says("web9")?.says("web1")?;

    world.lastgood(["dict", "ls"]).ok().await?.says("web1:/usr/bin/events")?.says("web2:/usr/bin/sessions")?;
    ensure_eq!(files(world, &["--source", "web1"]).await?, EVENTS, "the files of one store");
    world.lastgood(["dict", "show", SESSIONS[1]]).ok().await?.says("web2:/usr/bin/sessions")?;
    let report = world.lastgood(["dict", "verify", "--json"]).ok().await?.json()?;
    let newest: Vec<&Value> =
        report["stores"].as_array().into_iter().flatten().map(|store| &store["newest_whole"]).collect();
    ensure_eq!(newest, [&json!(EVENTS[2]), &json!(SESSIONS[1])], "the newest of each store");
    ensure!(report["newest_whole"].is_null(), "one of two is said to be the newest");
    let report = world.lastgood(["dict", "verify", "--source", "web1", "--json"]).ok().await?.json()?;
    ensure_eq!(report["newest_whole"], EVENTS[2], "the newest of the store that is named");
    ensure_eq!(world.place().picture().await?, before, "the location after reading");
    Ok(())
}

async fn kept_apart(world: &World) -> RowResult {
    services(world).await?;
    let events = restored(world, &["--source", "web1"]).await?;
    let before = world.place().picture().await?;
    for command in [&["dict", "compact"][..], &["dict", "compact", "-n"], &["dict", "watch", "--exec", "true"]] {
        world.lastgood(command.iter().copied()).fails(USAGE).await?.says("2 stores")?;
    }
    // Each store's last one stays, whoever wrote later.
    let prune = ["dict", "prune", "--keep-last", "1", "--yes"];
    world.lastgood(prune).ok().await?.says("Deleted 0 backups")?;
    ensure_eq!(world.place().picture().await?, before, "the location");

    let command = ["dict", "watch", "--source", "web1", "--exec", "touch", "--every", "50ms", "--count", "1"];
    let mut watching = world.lastgood(command).limit(Duration::from_secs(60)).start()?;
    watching.wait_for("watching").await?;
    let compacted = async |source: &str| -> RowResult<String> {
        let report = world.lastgood(["dict", "compact", "--source", source, "--json"]).ok().await?.json()?;
        report["file"].as_str().map(str::to_owned).ok_or_else(|| Failure::new(format!("no file in {report}")))
    };
    let (other, own) = (compacted("web2").await?, compacted("web1").await?);
    watching.finish().await?.expect_code(0)?.says("another store")?;
    ensure!(world.folder().join(&own).exists(), "the program was not given `{own}`");
    ensure!(!world.folder().join(&other).exists(), "the program was given another store's `{other}`");

    ensure!(restored(world, &["--source", "web1"]).await? == events, "compaction changed the state");
    world.lastgood(prune).args(["--source", "web2"]).ok().await?.says("Deleted 2 backups")?;
    let left = files(world, &[]).await?;
    ensure!(EVENTS.iter().all(|file| left.iter().any(|kept| kept == file)), "another store's are gone: {left:?}");
    world.lastgood(prune).ok().await?.says("Deleted 3 backups")?;
    ensure_eq!(files(world, &[]).await?, [other, own], "the last of each");
    ensure!(restored(world, &["--source", "web1"]).await? == events, "the state after all");
    Ok(())
}

async fn older(world: &World) -> RowResult {
    plant(world, "ours").await?;
    let all = restored(world, &[]).await?;
    ensure!(all == restored(world, &["--up-to", SESSIONS[1]]).await?, "the newest of those that say nothing");
    owned(world, &EVENTS, ("1", "web1", "events")).await?;
    let events = restored(world, &["--up-to", EVENTS[2]]).await?;
    ensure!(restored(world, &[]).await? == events, "what does not say stands before what does");
    ensure!(restored(world, &["--source", "unknown"]).await? == all, "what does not say cannot be had");
    world.lastgood(["dict", "prune", "--keep-last", "1", "--yes"]).ok().await?.says("Deleted 0 backups")?;
    ensure_eq!(files(world, &["--source", "unknown"]).await?, SESSIONS, "those that do not say, after the prune");
    Ok(())
}

async fn emptied(world: &World) -> RowResult {
    let full = "{\"tables\": {\"t\": {\"primary_key\": \"id\", \"schema\": null, \"records\": [{\"id\": 1}]}}}";
    let delta = "{\"type\": \"delta\", \"timestamp\": 2.0, \"tables\": {\"t\": {\"upserts\": [], \"deletes\": [1]}}}";
    world.place().write("dictdb_backup_0000000001_000000.json", full.as_bytes()).await?;
    world.place().write("dictdb_delta_0000000002_000000.json", delta.as_bytes()).await?;
    world.lastgood(["init"]).ok().await?;
    let before = world.place().picture().await?;
    for end in [&[][..], &["-n"]] {
        let refused = world.lastgood(["dict", "compact"]).args(end.iter().copied()).fails(CONFIRM).await?;
        refused.says("dictdb_")?.says("--allow-empty")?;
    }
    ensure_eq!(world.place().picture().await?, before, "the location after refusals");
    world.lastgood(["dict", "compact", "--allow-empty"]).ok().await?.says("0 records")?;
    world.lastgood(["dict", "restore", "--to", "state.json"]).ok().await?.says("0 records")?;
    Ok(())
}
