//! D10: a prune beside a service that is about to publish a delta.

use backup_core::key::Key;
use backup_core::manifest::{Manifest, Uuid};
use serde_json::json;

use super::plant;
use crate::ensure_eq;
use crate::harness::paused::Paused;
use crate::harness::{Failure, RowResult, World};

/// The chain that retention gives up, and the delta that is about to build on its end.
const CHAIN: [&str; 3] = [
    "dictdb_backup_1795230000_000000.json",
    "dictdb_delta_1795230060_000000.json",
    "dictdb_delta_1795230120_000000.json",
];
const NEXT: &str = "dictdb_delta_1795230300_000000.json";

const PRUNE: [&str; 5] = ["dict", "prune", "--keep-last", "1", "--yes"];

/// Whatever the service does while a prune runs, no backup that is published loses what it builds on.
pub(super) async fn beside_a_service(world: &World) -> RowResult {
    plant(world, "ours").await?;
    // Planned, and nothing marked: the service reserves what it builds on, finds no tombstone, and publishes.
    let paused = Paused::at("prune.mark", world.lastgood(PRUNE), world).await?;
    reserve(world).await?;
    kept(paused, "reserved").await?;
    ensure_eq!(backups(world).await?, 5, "backups after a prune beside a reservation");

    // A prune that is killed between its tombstones and its look takes nothing away either.
    let killed = world.lastgood(PRUNE).env("LASTGOOD_CRASH_AT", "prune.look").run().await?;
    killed.expect_killed()?;
    ensure_eq!(tombstones(world).await?, CHAIN.len(), "tombstones of a prune that was killed");
    world.lastgood(PRUNE).ok().await?.says("Deleted 0 backups")?;

    let paused = Paused::at("prune.mark", world.lastgood(PRUNE), world).await?;
    publish(world).await?;
    world.place().remove(&uses()).await?;
    kept(paused, "published").await?;
    ensure_eq!(tombstones(world).await?, 0, "tombstones of what stays");
    world.lastgood(["dict", "restore", "--up-to", NEXT, "--to", "next.json"]).ok().await?.says("from 4 files")?;
    world.lastgood(["dict", "verify"]).ok().await?;
    Ok(())
}

/// A service that was killed after it reserved holds nothing for ever.
pub(super) async fn abandoned(world: &World) -> RowResult {
    plant(world, "ours").await?;
    reserve(world).await?;
    world.lastgood(PRUNE).ok().await?.says("Deleted 0 backups")?;
    let leftovers = ["dict", "prune", "--incomplete", "--grace", "0s"];
    world.lastgood(leftovers).ok().await?.says("1 leftover")?;
    world.lastgood(PRUNE).ok().await?.says("Deleted 3 backups")?;
    world.lastgood(["dict", "verify"]).ok().await?;
    Ok(())
}

async fn kept(paused: Paused, what: &str) -> RowResult {
    let output = paused.goes_on()?.finish().await?.expect_code(0)?;
    let output = output.says("Deleted 0 backups")?;
    for file in CHAIN {
        if !output.stdout.contains(&format!("kept `{file}`")) {
            return Err(Failure::new(format!("{what}: it does not say that `{file}` was kept: {}", output.stdout)));
        }
    }
    Ok(())
}

fn uses() -> String {
    format!("manifests/{NEXT}.uses.json")
}

fn manifest_of(file: &str) -> String {
    format!("manifests/{file}.manifest.json")
}

/// What the library writes before it looks for a tombstone, as FORMAT.md says.
async fn reserve(world: &World) -> RowResult {
    let document = json!({"format": 1, "keys": [manifest_of(CHAIN[2])]});
    world.place().write(&uses(), document.to_string().as_bytes()).await
}

/// Publishes a delta with the content of the last one: applied twice, it changes nothing.
async fn publish(world: &World) -> RowResult {
    let at: Key = manifest_of(CHAIN[2]).parse().map_err(|error| Failure::new(format!("{error}")))?;
    let mut manifest: Manifest = Manifest::from_bytes(&at, &world.place().read(at.as_str()).await?)?;
    manifest.parent = Some(manifest.id);
    manifest.id = Uuid::now_v7();
    manifest.sequence = 6;
    manifest.detail["deltas"] = json!(3);
    manifest.parts[0].key = NEXT.parse().map_err(|error| Failure::new(format!("{error}")))?;
    world.place().write(NEXT, &world.place().read(CHAIN[2]).await?).await?;
    world.place().write(&manifest_of(NEXT), &manifest.to_bytes()?).await
}

async fn backups(world: &World) -> RowResult<usize> {
    let listed = world.lastgood(["dict", "ls", "--json"]).ok().await?.json()?;
    Ok(listed.as_array().map_or(0, Vec::len))
}

async fn tombstones(world: &World) -> RowResult<usize> {
    Ok(world.place().keys_ending(".deleted.json").await?.len())
}
