//! A database and its files, in a vault.

use std::collections::BTreeSet;
use std::time::Duration;

use super::database::{killed_restores, restore};
use super::shared::{ARCHIVES, BULK, check, fill, lose};
use super::vault::{Service, VAULT};
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::rows::pg::carry::BOOKS;
use crate::{ensure, ensure_eq};

/// A run that died while it requested jobs is waited for, up to a minute each.
const LIMIT: Duration = Duration::from_secs(150);

fn backup(shop: &str) -> [&str; 9] {
    ["backup", "--database", shop, "--files", "store", "--name", "shop", "--vault", VAULT]
}

/// The machine, its database and everything it knew.
fn lose_all(world: &World, shop: &str) -> RowResult {
    lose(world)?;
    world.psql("postgres", &format!("DROP DATABASE \"{shop}\""))?;
    Ok(())
}

/// Keys of the location below a folder of this name.
async fn keys(world: &World, folder: &str) -> RowResult<Vec<String>> {
    let all = world.place().objects().await?.into_iter().map(|object| object.key);
    Ok(all.filter(|key| key.contains(folder)).collect())
}

/// What the newest backup has in the vault.
async fn archives(world: &World, service: &Service) -> RowResult<BTreeSet<String>> {
    let status = service.glacier(world, &["status", "shop", "--json"]).ok().await?.json()?;
    let key = status["key"].as_str().unwrap_or_default().to_owned();
    let path = format!("glacier/{}/manifest.json", key.replacen('/', "/backups/", 1));
    let manifest: serde_json::Value = serde_json::from_slice(&world.place().read(&path).await?)?;
    let ids = manifest["detail"]["vaulted"].as_array().into_iter().flatten();
    Ok(ids.filter_map(|archive| archive["id"].as_str().map(str::to_owned)).collect())
}

/// GL-vault.
pub(super) async fn there_and_back(world: &World) -> RowResult {
    let (files, service) = (fill(world)?, Service::start()?);
    let shop = world.sample("shop")?;
    let content = world.checksum(&shop)?;
    let run = |verb: &[&str]| service.glacier(world, verb);
    let before = world.place().picture().await?;
    run(&backup(&shop)).arg("-n").ok().await?.says("Would dump")?.says("in VAULT")?;
    ensure_eq!(world.place().picture().await?, before, "the location after a dry run");
    ensure_eq!(service.fake().archives(), 0, "archives after a dry run");
    run(&backup(&shop)).ok().await?.says("Published `shop/")?.says("with the dump")?;
    ensure!(service.fake().archives() > ARCHIVES, "no pack is an archive");
    ensure_eq!(keys(world, "/database/").await?, Vec::<String>::new(), "packs beside the vault");
    ensure_eq!(keys(world, "/dumps/pg/").await?.len(), 3, "schema, manifest and pointer");
    lose_all(world, &shop)?;
    run(&["catalogue", "rebuild", "shop"]).ok().await?;
    run(&["status", "shop"]).ok().await?.says("database: ")?.says("available")?;
    let early = run(&["restore", "shop", "--files", "store"]).fails(3).await?;
    early.says("must be retrieved first")?.says("nothing was restored")?;
    run(&["plan", "shop", "--database-only"]).ok().await?.says("archive")?;
    ensure_eq!(service.fake().jobs(), 0, "jobs that were started");
    run(&["retrieve", "shop", "--database-only"]).ok().await?.says("Requested")?;
    let of_database = service.fake().jobs();
    run(&["retrieve", "shop"]).ok().await?.says("Requested 2 archives")?;
    ensure_eq!(service.fake().jobs(), of_database + ARCHIVES, "jobs");
    run(&["watch", "--once", "shop"]).fails(3).await?.says("pending")?;
    service.fake().clock().advance(BULK);
    run(&["watch", "--once", "shop"]).ok().await?.says("ready")?;
    let fetched = run(&["fetch", "shop", "--json"]).ok().await?.json()?;
    let folder = fetched["database"].as_str().unwrap_or_default().to_owned();
    world.lastgood(["-r", &folder, "pg", "verify", &shop, "--read", "all"]).ok().await?;
    run(&restore("shop", &shop)).ok().await?.says("Restored 5 files")?;
    ensure_eq!(world.checksum(&shop)?, content, "the database");
    check(world, &files)?;
    ensure_eq!(service.calls("UploadArchive"), 0, "uploads that are not idempotent");
    // Of what other backups have, nothing goes with the last dump.
    let first = archives(world, &service).await?;
    run(&backup(&shop)).ok().await?.says("wrote 0 archives")?;
    run(&["prune", "shop", "--keep-last", "1", "--yes"]).ok().await?;
    let second = archives(world, &service).await?;
    ensure_eq!(service.fake().archives(), second.len(), "archives that are left");
    ensure_eq!(first.intersection(&second).count(), ARCHIVES, "archives of files, which both had");
    Ok(())
}

/// GL-vault-kill.
pub(super) async fn killed(world: &World) -> RowResult {
    let (files, service) = (fill(world)?, Service::start()?);
    let shop = world.sample("shop")?;
    world.psql(&shop, BOOKS)?;
    let run = |verb: &[&str]| service.glacier(world, verb);
    for step in [
        "dump.data",
        "glacier.part",
        "glacier.completed",
        "dump.published",
        "glacier.database",
        "glacier.bundle",
        "glacier.archive",
        "glacier.manifest",
    ] {
        run(&backup(&shop)).env("LASTGOOD_CRASH_AT", step).run().await?.expect_killed().within(step)?;
        world.lastgood(["glacier", "ls"]).ok().await?.never_says("shop/").within(step)?;
    }
    run(&backup(&shop)).env("LASTGOOD_CRASH_AT", "glacier.published").run().await?.expect_killed()?;
    let content = world.checksum(&shop)?;
    // Interrupted dumps have names of their own, so that no later run goes on with them: they go when asked, and nothing else.
    run(&["prune", "shop", "--incomplete", "--grace", "0s"]).ok().await?;
    let had = archives(world, &service).await?;
    ensure_eq!(service.fake().archives(), had.len(), "archives that are left");

    lose_all(world, &shop)?;
    service.killed_at(world, &["catalogue", "rebuild", "shop"], &["rebuild"]).await?;
    service.killed_at(world, &["retrieve", "shop"], &["ask", "intended", "requested"]).await?;
    ensure_eq!(service.fake().jobs(), had.len(), "jobs that were paid");
    service.fake().clock().advance(BULK);
    service.killed_at(world, &["fetch", "shop"], &["fetch", "assemble"]).await?;
    let command = restore("shop", &shop);
    for step in ["restore.data", "swap.rename"] {
        run(&command).env("LASTGOOD_CRASH_AT", step).run().await?.expect_killed().within(step)?;
        world.lastgood(["pg", "recover"]).ok().await.within(step)?;
        if world.databases()?.contains(&shop) {
            ensure_eq!(world.checksum(&shop)?, content, "the database after a kill at {step}");
            world.psql("postgres", &format!("DROP DATABASE \"{shop}\""))?;
        }
    }
    run(&command).limit(LIMIT).ok().await?;
    ensure_eq!(world.checksum(&shop)?, content, "the database");
    check(world, &files)?;
    run(&["fetch", "shop"]).ok().await?;
    killed_restores(world, (&shop, &content), run).await?;
    ensure_eq!(service.fake().jobs(), had.len(), "jobs that were paid in the end");
    check(world, &files)
}
