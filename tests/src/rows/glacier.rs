//! Files in cold storage: there and back, killed at every step.

mod adopt;
mod alone;
mod craft;
mod database;
mod elsewhere;
mod excluded;
mod field;
mod full;
mod heard;
mod machines;
mod outside;
mod seed;
mod shared;
mod told;
mod vault;
mod vault_database;

use self::shared::{ARCHIVES, BULK, check, fill, glacier, lose, paid, payloads, store};
use crate::ensure_eq;
use crate::harness::{Area, Locations, Row, RowResult, World};

/// The rows.
#[must_use]
pub fn rows() -> Vec<Row> {
    let mut rows = files();
    rows.extend(others());
    rows.extend(databases());
    rows.extend(machines());
    rows.extend(bad_luck());
    rows.extend(reported());
    rows
}

/// What public bug reports tell of.
fn reported() -> Vec<Row> {
    use Locations::{Both, S3};
    vec![
        Row::new("GL34", "what killed runs left half there is nobody's file, and goes", Area::Glacier, Both, |world| {
            Box::pin(field::halves(world))
        }),
        Row::new("GL35", "a machine of last week's image archives nothing again", Area::Glacier, Both, |world| {
            Box::pin(field::image(world))
        }),
        Row::new("GL36", "files that changed are reported, and kept as archived", Area::Glacier, Both, |world| {
            Box::pin(field::changed(world))
        }),
        Row::new("GL37", "a damaged catalogue is named, and read anew", Area::Glacier, Both, |world| {
            Box::pin(field::damaged(world))
        }),
        Row::new(
            "GL38",
            "archives that a rule moved to another class are retrieved from there",
            Area::Glacier,
            S3,
            |world| Box::pin(field::moved(world)),
        ),
        Row::new("GL39", "what is to be left out makes no backup partial", Area::Glacier, Both, |world| {
            Box::pin(excluded::patterns(world))
        }),
    ]
}

/// Damage, full disks, signals, secrets.
fn bad_luck() -> Vec<Row> {
    use Locations::{Both, Folder, S3};
    vec![
        Row::new(
            "GL30",
            "damaged manifests, archives and fetched dumps are refused by name",
            Area::Glacier,
            Both,
            |world| Box::pin(craft::refused(world)),
        ),
        Row::new("GL31", "the disk of the location is full: nothing half there", Area::Glacier, Folder, |world| {
            Box::pin(craft::full_disk(world))
        }),
        Row::new("GL-full", "prune on a full disk, and a catalogue on one", Area::Glacier, Folder, |world| {
            Box::pin(full::pruned(world))
        }),
        Row::new(
            "GL-outside",
            "a database that acts outside is restored once that is allowed",
            Area::Glacier,
            Folder,
            |world| Box::pin(outside::allowed(world)),
        ),
        Row::new("GL32", "SIGTERM amid an upload: 143, no upload and no turn is left", Area::Glacier, S3, |world| {
            Box::pin(craft::terminated(world))
        }),
        Row::new("GL33", "random secrets are nowhere in what is said and stored", Area::Glacier, Both, |world| {
            Box::pin(craft::secrets(world))
        }),
    ]
}

/// Several machines, and what is left of the last backup.
fn machines() -> Vec<Row> {
    use Locations::Both;
    vec![
        Row::new("GL25", "an audit of a vault, killed while it requests", Area::Glacier, Locations::Folder, |world| {
            Box::pin(machines::audits(world))
        }),
        Row::new(
            "GL28",
            "two machines with one vault: one at a time, nothing archived twice, nothing counted on that is gone",
            Area::Glacier,
            Both,
            |world| Box::pin(machines::several(world)),
        ),
        Row::new("GL29", "with the last backup goes what is kept for all", Area::Glacier, Both, |world| {
            Box::pin(machines::last_of_all(world))
        }),
    ]
}

/// Databases with their files.
fn databases() -> Vec<Row> {
    use Locations::Both;
    vec![
        Row::new(
            "GL-database",
            "a database with its files: lost, rebuilt, retrieved, fetched, restored; orphans and back",
            Area::Glacier,
            Both,
            |world| Box::pin(database::there_and_back(world)),
        ),
        Row::new(
            "GL-week",
            "last week's backup, then yesterday's: the bookkeeping stays",
            Area::Glacier,
            Both,
            |world| Box::pin(database::last_week(world)),
        ),
        Row::new("GL-catalogue", "the catalogue lies in the database that is restored", Area::Glacier, Both, |world| {
            Box::pin(database::catalogue_within(world))
        }),
        Row::new(
            "GL-vault",
            "a database with its files in a vault: lost, rebuilt, retrieved, fetched, restored",
            Area::Glacier,
            Both,
            |world| Box::pin(vault_database::there_and_back(world)),
        ),
        Row::new("GL-vault-kill", "the same, kill -9 at every step of it", Area::Glacier, Both, |world| {
            Box::pin(vault_database::killed(world))
        }),
        Row::new(
            "GL-adopt",
            "what GlacierOnRails archived: listed, requested once, unpacked, restored",
            Area::Glacier,
            Locations::Folder,
            |world| Box::pin(adopt::taken_over(world)),
        ),
        Row::new("GL26", "a database alone, and a folder that need not be named again", Area::Glacier, Both, |world| {
            Box::pin(alone::of_parts(world))
        }),
        Row::new(
            "GL27",
            "a password in ~/.pgpass, for the database and for the catalogue in it",
            Area::Glacier,
            Both,
            |world| Box::pin(alone::passwords(world)),
        ),
        Row::new("GL-kill", "kill -9 at every step of it: the old state or the new", Area::Glacier, Both, |world| {
            Box::pin(database::killed(world))
        }),
    ]
}

/// Files alone.
fn files() -> Vec<Row> {
    use Locations::Both;
    vec![
        Row::new(
            "GL1",
            "backup, loss of the machine, plan, retrieve, watch, fetch, restore",
            Area::Glacier,
            Both,
            |world| Box::pin(there_and_back(world)),
        ),
        Row::new(
            "GL3",
            "a vault: backup, loss of the machine, plan, retrieve, fetch, restore",
            Area::Glacier,
            Both,
            |world| Box::pin(vault::there_and_back(world)),
        ),
        Row::new("GL4", "a vault: kill -9 at every step", Area::Glacier, Both, |world| Box::pin(vault::killed(world))),
        Row::new(
            "GL5",
            "a vault: lost answers, failed jobs, policies, expiry, no vaults",
            Area::Glacier,
            Both,
            |world| Box::pin(vault::bad_luck(world)),
        ),
        Row::new("GL6", "a vault: inventory, comparison, audit, deletion with its fee", Area::Glacier, Both, |world| {
            Box::pin(vault::upkeep(world))
        }),
        Row::new(
            "GL7",
            "a vault: machine and location are lost, and archives tell what there was",
            Area::Glacier,
            Both,
            |world| Box::pin(vault::all_lost(world)),
        ),
        Row::new("GL8", "deletion, comparison and audit without a vault", Area::Glacier, Both, |world| {
            Box::pin(upkeep(world))
        }),
        Row::new("GL2", "kill -9 at every step: archived once, paid once, byte-equal", Area::Glacier, Both, |world| {
            Box::pin(killed(world))
        }),
    ]
}

/// What others tell: a server of theirs, queues, rules of buckets, settings.
fn others() -> Vec<Row> {
    vec![
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
        Row::new(
            "GL24",
            "a vault's topic tells a queue of finished jobs, once",
            Area::Glacier,
            Locations::Folder,
            |world| Box::pin(heard::of_jobs(world)),
        ),
        Row::new("GL23", "the settings of GlacierOnRails load unchanged", Area::Glacier, Locations::S3, |world| {
            Box::pin(seed::settings(world))
        }),
    ]
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

/// GL8.
async fn upkeep(world: &World) -> RowResult {
    fill(world)?;
    let backup = ["backup", "--files", "store", "--name", "uploads"];
    glacier(world, &backup).ok().await?;
    std::fs::remove_file(store(world).join("large"))?;
    glacier(world, &backup).ok().await?;
    glacier(world, &["inventory", "uploads"]).ok().await?.says("has 2 archives")?;
    glacier(world, &["reconcile", "uploads"]).ok().await?.says("2 archives known and there")?;
    let listed = world.lastgood(["glacier", "ls", "--json"]).ok().await?.json()?;
    let key = listed[0]["key"].as_str().unwrap_or_default().to_owned();
    let is_cold = world.place().peer().is_some();
    if let Some(peer) = world.place().peer() {
        glacier(world, &["audit", "uploads", "--sample", "100%"]).fails(3).await?.says("cannot be read yet")?;
        peer.advance(BULK);
    }
    glacier(world, &["audit", "uploads", "--sample", "100%"]).ok().await?.says("Verified 2 of a sample of 2")?;
    let shown = glacier(world, &["delete", key.as_str(), "-n"]).ok().await?.says("archives  1 go")?;
    if is_cold {
        shown.says("fee")?
    } else {
        shown.never_says("fee")?
    };
    glacier(world, &["delete", key.as_str()]).fails(15).await?;
    ensure_eq!(payloads(world).await?, ARCHIVES, "archives that nobody confirmed to delete");
    glacier(world, &["delete", key.as_str(), "--yes"]).ok().await?.says("Deleted 1 backup")?;
    ensure_eq!(payloads(world).await?, 1, "archives that are left");
    // One is lost behind everybody's back, and one is there that nobody knows.
    let mut left = world.place().objects().await?.into_iter().map(|object| object.key);
    let bundle = left.find(|key| key.contains("/bundles/")).unwrap_or_default();
    let unknown = format!("glacier/uploads/archives/{}", "ab".repeat(32));
    world.place().write(&unknown, b"paid for").await?;
    glacier(world, &["reconcile", "uploads"]).fails(3).await?.says("unknown")?.says(&unknown)?;
    world.place().remove(&bundle).await?;
    glacier(world, &["reconcile", "uploads"]).fails(13).await?.says("GONE")?.says(&bundle)?;
    Ok(())
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
