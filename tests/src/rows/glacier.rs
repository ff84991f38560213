//! Files in cold storage: there and back, killed at every step.

mod elsewhere;
mod seed;
mod told;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::harness::command::Lastgood;
use crate::harness::{Area, Locations, Row, RowResult, World};
use crate::{ensure, ensure_eq};

/// The longest that a retrieval by the slowest tier takes from `GLACIER`.
const BULK: Duration = Duration::from_secs(12 * 3600);

/// Archives that [`fill`] makes: a bundle and a larger file.
const ARCHIVES: usize = 2;

/// The rows.
#[must_use]
pub fn rows() -> Vec<Row> {
    use Locations::Both;
    vec![
        Row::new(
            "GL1",
            "backup, loss of the machine, plan, retrieve, watch, fetch, restore",
            Area::Glacier,
            Both,
            |world| Box::pin(there_and_back(world)),
        ),
        Row::new("GL2", "kill -9 at every step: archived once, paid once, byte-equal", Area::Glacier, Both, |world| {
            Box::pin(killed(world))
        }),
        Row::new(
            "GL20",
            "there and back on an S3 server that others wrote (ministack)",
            Area::Glacier,
            Locations::Folder,
            |world| Box::pin(elsewhere::there_and_back(world)),
        ),
        Row::new(
            "GL21",
            "a queue tells what is ready, once, and keeps what is not ours",
            Area::Glacier,
            Locations::S3,
            |world| Box::pin(told::by_a_queue(world)),
        ),
        Row::new(
            "GL22",
            "a lifecycle rule that would delete archives is told at backup",
            Area::Glacier,
            Locations::S3,
            |world| Box::pin(told::of_rules(world)),
        ),
    ]
}

fn glacier<'w>(world: &'w World, verb: &[&str]) -> Lastgood<'w> {
    world.lastgood(["glacier"]).args(verb.iter().copied()).args(["--state", "state"])
}

fn store(world: &World) -> PathBuf {
    world.folder().join("store")
}

/// Files of all sizes in two folders.
fn fill(world: &World) -> RowResult<BTreeMap<String, Vec<u8>>> {
    let large: Vec<u8> = (0..5_000_000_u32).flat_map(|at| at.to_le_bytes()).take(4_500_000).collect();
    let files = [
        ("a/9a41f.pdf", vec![7; 300_000]),
        ("a/Zoë \"x\".txt", b"small".to_vec()),
        ("empty", Vec::new()),
        ("large", large),
        ("twin", b"small".to_vec()),
    ];
    let files: BTreeMap<String, Vec<u8>> =
        files.into_iter().map(|(name, content)| (name.to_owned(), content)).collect();
    for (name, content) in &files {
        let path = store(world).join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(&path))?;
        std::fs::write(path, content)?;
    }
    Ok(files)
}

/// The files, the catalogue and everything fetched are gone.
fn lose(world: &World) -> RowResult {
    std::fs::remove_dir_all(store(world))?;
    std::fs::remove_dir_all(world.folder().join("state"))?;
    std::fs::create_dir(store(world))?;
    Ok(())
}

fn check(world: &World, files: &BTreeMap<String, Vec<u8>>) -> RowResult {
    for (name, content) in files {
        ensure!(std::fs::read(store(world).join(name))? == *content, "`{name}` has another content");
    }
    Ok(())
}

/// Calls of the S3 peer that started a retrieval.
fn paid(world: &World) -> usize {
    let log = world.place().peer().map(|peer| peer.log()).unwrap_or_default();
    log.iter().filter(|call| call.op == "RestoreObject" && call.status == 202).count()
}

async fn payloads(world: &World) -> RowResult<usize> {
    let objects = world.place().objects().await?;
    let is_payload = |key: &str| key.contains("/bundles/") || key.contains("/archives/");
    Ok(objects.iter().filter(|object| is_payload(&object.key)).count())
}

/// GL1.
async fn there_and_back(world: &World) -> RowResult {
    let files = fill(world)?;
    let backup = ["backup", "--files", "store", "--name", "uploads"];
    let before = world.place().picture().await?;
    glacier(world, &backup).arg("-n").ok().await?.says("Would archive 5 files")?.says("Nothing was changed")?;
    ensure_eq!(world.place().picture().await?, before, "the location after a dry run");
    glacier(world, &backup).ok().await?.says("Published `uploads/")?.says("wrote 2 archives")?;
    glacier(world, &backup).ok().await?.says("5 archived before; wrote 0 archives")?;
    world.lastgood(["glacier", "ls"]).ok().await?.says("good")?;
    lose(world)?;
    glacier(world, &["catalogue", "rebuild", "uploads"]).ok().await?.says("Read 2 backups")?;
    if let Some(peer) = world.place().peer() {
        glacier(world, &["status", "uploads", "--files", "store"]).ok().await?.says("available")?;
        glacier(world, &["fetch", "uploads"]).fails(3).await?.says("4 files must be retrieved first")?;
        glacier(world, &["plan", "uploads"]).ok().await?.says("2 archives")?.says("chosen")?;
        glacier(world, &["retrieve", "uploads", "-n"]).ok().await?.says("Nothing was requested")?;
        glacier(world, &["retrieve", "uploads", "--max-cost", "0"]).fails(1).await?.says("no tier keeps the limits")?;
        ensure_eq!(paid(world), 0, "retrievals that plans and refusals started");
        glacier(world, &["retrieve", "uploads"]).ok().await?.says("Requested 2 archives by Bulk")?;
        glacier(world, &["watch", "--once", "uploads"]).fails(3).await?.says("pending, expected within 12 h")?;
        glacier(world, &["retrieve", "uploads"]).ok().await?.says("Nothing was requested")?;
        ensure_eq!(paid(world), ARCHIVES, "retrievals that were started");
        peer.advance(BULK);
    }
    glacier(world, &["watch", "--once", "uploads"]).ok().await?.says("ready")?;
    glacier(world, &["fetch", "uploads"]).ok().await?.says("Fetched 3 contents")?;
    glacier(world, &["restore", "uploads", "--files", "store"]).ok().await?.says("Restored 5 files")?;
    check(world, &files)?;
    glacier(world, &["restore", "uploads", "--files", "store"]).ok().await?.says("Restored 0 files")?;
    glacier(world, &backup).ok().await?.says("5 archived before; wrote 0 archives")?;
    std::fs::write(store(world).join("twin"), "changed")?;
    glacier(world, &backup).fails(3).await?.says("give the new content a new name")?;
    Ok(())
}

/// GL2.
async fn killed(world: &World) -> RowResult {
    let files = fill(world)?;
    let backup = ["backup", "--files", "store", "--name", "uploads"];
    let steps = ["rebuild", "scan", "bundle", "archive", "manifest", "published"];
    killed_at(world, &backup, &steps).await?;
    ensure_eq!(payloads(world).await?, ARCHIVES, "archives");
    lose(world)?;
    killed_at(world, &["catalogue", "rebuild", "uploads"], &["rebuild"]).await?;
    if let Some(peer) = world.place().peer() {
        killed_at(world, &["retrieve", "uploads"], &["ask", "intended", "requested"]).await?;
        ensure_eq!(paid(world), ARCHIVES, "retrievals that were paid");
        peer.advance(BULK);
    }
    killed_at(world, &["fetch", "uploads"], &["fetch"]).await?;
    killed_at(world, &["restore", "uploads", "--files", "store"], &["place"]).await?;
    check(world, &files)
}

/// Kills the command at each step, and then lets it end.
async fn killed_at(world: &World, verb: &[&str], steps: &[&str]) -> RowResult {
    for step in steps {
        let step = format!("glacier.{step}");
        glacier(world, verb).env("LASTGOOD_CRASH_AT", step).run().await?.expect_killed()?;
    }
    glacier(world, verb).ok().await?;
    Ok(())
}
