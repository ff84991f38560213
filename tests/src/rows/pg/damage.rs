//! What is stored is no longer what was written.

use std::process::Command;

use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// Exit code for what is not what was written.
const INTEGRITY: i32 = 13;

/// A change of stored bytes.
type Harm = fn(&[u8]) -> Vec<u8>;

/// Every single-object change.
const HARMS: [(&str, Harm); 7] = [
    ("cut by its last byte", |bytes| bytes[..bytes.len() - 1].to_vec()),
    ("cut in the middle", |bytes| bytes[..bytes.len() / 2].to_vec()),
    ("flipped in a middle byte", |bytes| flipped(bytes, bytes.len() / 2)),
    ("flipped in its last byte", |bytes| flipped(bytes, bytes.len() - 1)),
    ("flipped in its first byte", |bytes| flipped(bytes, 0)),
    ("longer by a byte", |bytes| [bytes, b"\n"].concat()),
    ("empty", |_| Vec::new()),
];

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 0x10;
    bytes
}

/// P4.
pub(super) async fn every_object(world: &World) -> RowResult {
    let (shop, key) = dumped(world).await?;
    let folder = format!("pg/{key}/");
    let objects: Vec<String> = world.place().objects().await?.into_iter().map(|object| object.key).collect();
    let stored: Vec<&String> =
        objects.iter().filter(|object| object.starts_with(&folder) && !object.ends_with("manifest.json")).collect();
    ensure!(stored.len() >= 3, "a dump of schema, rows and large objects has {} objects", stored.len());
    for object in &stored {
        let original = world.place().read(object).await?;
        for (harm, change) in HARMS {
            world.place().write(object, &change(&original)).await?;
            refused(world, &shop, &key).await.within(&format!("`{object}` {harm}"))?;
        }
        world.place().remove(object).await?;
        refused(world, &shop, &key).await.within(&format!("`{object}` missing"))?;
        world.place().write(object, &original).await?;
    }
    let (first, last) = (stored[0], stored[stored.len() - 1]);
    exchange(world, first, last).await?;
    refused(world, &shop, &key).await.within("two objects exchanged")?;
    exchange(world, first, last).await?;
    packs_exchanged(world, &shop, &key, &stored).await?;
    world.lastgood(["pg", "verify", &key, "--read", "all"]).ok().await?;
    Ok(())
}

async fn packs_exchanged(world: &World, shop: &str, key: &str, stored: &[&String]) -> RowResult {
    let packs: Vec<&&String> = stored.iter().filter(|object| object.ends_with(".pack")).collect();
    ensure!(packs.len() >= 2, "there are {} packs, so that none can be exchanged", packs.len());
    exchange(world, packs[0], packs[1]).await?;
    refused(world, shop, key).await.within("two packs exchanged")?;
    exchange(world, packs[0], packs[1]).await
}

async fn exchange(world: &World, one: &str, other: &str) -> RowResult {
    let (a, b) = (world.place().read(one).await?, world.place().read(other).await?);
    world.place().write(one, &b).await?;
    world.place().write(other, &a).await
}

/// The manifest itself, and its absence.
pub(super) async fn manifest(world: &World) -> RowResult {
    let (shop, key) = dumped(world).await?;
    let manifest = format!("pg/{key}/manifest.json");
    let original = world.place().read(&manifest).await?;
    for (harm, change) in HARMS {
        world.place().write(&manifest, &change(&original)).await?;
        refused(world, &shop, &key).await.within(&format!("a manifest {harm}"))?;
    }
    let other = world.create("other")?;
    world.psql(&other, "CREATE TABLE other (id integer)")?;
    let foreign = world.dump(&other).await?;
    let foreign = world.place().read(&format!("pg/{foreign}/manifest.json")).await?;
    world.place().write(&manifest, &foreign).await?;
    refused(world, &shop, &key).await.within("the manifest of another dump")?;

    world.place().remove(&manifest).await?;
    let created = created(world)?;
    world.lastgood(["pg", "restore", &key, "--confirm-database", &shop]).fails(1).await.within("no manifest")?;
    ensure_eq!(self::created(world)?, created, "databases created for a dump without manifest");
    ensure_eq!(world.keys(&shop).await?, Vec::<String>::new(), "dumps listed without a manifest");
    Ok(())
}

/// A single-file dump of `pg_dump -Fc`.
pub(super) async fn single_file(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let original = pg_dump(world, &shop)?;
    let key = format!("{shop}/2021_03_04_05_06_07_000008.default.dump");
    world.place().write(&key, &original).await?;
    for (harm, change) in [
        ("cut by its last byte", HARMS[0].1),
        ("cut in the middle", HARMS[1].1),
        ("empty", HARMS[6].1),
        ("cut to its first bytes", (|bytes| bytes[..20].to_vec()) as Harm),
        ("no archive at all", |_| b"<html>502 Bad Gateway</html>".to_vec()),
    ] {
        world.place().write(&key, &change(&original)).await?;
        restore_refused(world, &shop, &key).await.within(&format!("a single-file dump {harm}"))?;
    }
    world.place().write(&key, &original).await?;
    world.lastgood(["pg", "restore", &key, "--confirm-database", &shop]).ok().await?;
    Ok(())
}

/// What `pg_dump -Fc` writes, as django-pgclone stored it.
pub(in crate::rows) fn pg_dump(world: &World, database: &str) -> RowResult<Vec<u8>> {
    let mut command = Command::new(world.cluster().bin_dir().join("pg_dump"));
    command.arg("-Fc").env_clear().envs(world.cluster().env()).env("PGDATABASE", database);
    let output = command.output()?;
    ensure!(output.status.success(), "pg_dump ended with {}", output.status);
    Ok(output.stdout)
}

/// A sample database, its dump's key, and then a live state that differs from the dump.
async fn dumped(world: &World) -> RowResult<(String, String)> {
    let shop = world.sample("shop")?;
    let key = world.dump(&shop).await?;
    world.set_version(&shop, 2)?;
    Ok((shop, key))
}

/// A restore must end with 13 before anything is created, and verification must find it too.
async fn refused(world: &World, shop: &str, key: &str) -> RowResult {
    restore_refused(world, shop, key).await?;
    world.lastgood(["pg", "verify", key, "--read", "all"]).fails(INTEGRITY).await?;
    Ok(())
}

async fn restore_refused(world: &World, shop: &str, key: &str) -> RowResult {
    let (live, created) = (world.checksum(shop)?, created(world)?);
    let output = world.lastgood(["pg", "restore", key, "--confirm-database", shop]).fails(INTEGRITY).await?;
    output.never_says("panicked")?;
    ensure_eq!(self::created(world)?, created, "databases created");
    ensure_eq!(world.checksum(shop)?, live, "the live database");
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    let into = world.name("elsewhere");
    world.lastgood(["pg", "restore", key, "--into", &into]).fails(INTEGRITY).await?;
    Ok(())
}

/// How many databases the server has ever been told to create.
fn created(world: &World) -> RowResult<usize> {
    let log = world.cluster().log();
    // Every server here logs its DDL.
    ensure!(log.contains("statement: CREATE DATABASE"), "the server does not log what is created");
    Ok(log.matches("statement: CREATE DATABASE").count())
}
