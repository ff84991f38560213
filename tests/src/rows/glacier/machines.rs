//! GL25, GL28 and GL29: several machines with backups of one name, the last backup, and audits that die.

use std::time::Duration;

use super::shared::{ARCHIVES, BULK, fill, glacier, payloads, store};
use super::vault::{BACKUP, Service};
use crate::harness::command::Lastgood;
use crate::harness::paused::Paused;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// A run that died while it requested jobs is waited for, up to a minute each.
const LIMIT: Duration = Duration::from_secs(150);

/// A machine of its own: another folder of what it knows.
fn machine<'w>(service: &Service, world: &'w World, name: &str, verb: &[&str]) -> Lastgood<'w> {
    service.with(world.lastgood(["glacier"]).args(verb.iter().copied()).args(["--state", name]), world)
}

/// GL28.
pub(super) async fn several(world: &World) -> RowResult {
    fill(world)?;
    let service = Service::start()?;
    let (one, other) = ("state", "other");
    // While one archives, nobody else changes these backups.
    let paused = Paused::at("glacier.manifest", machine(&service, world, one, &BACKUP), world).await?;
    for verb in [&BACKUP[..], &["prune", "uploads", "--keep-last", "1", "--yes"]] {
        machine(&service, world, other, verb).fails(11).await?.says("is held by")?.says("state")?;
    }
    paused.goes_on()?.finish().await?.expect_code(0)?;
    ensure_eq!(service.fake().archives(), ARCHIVES, "archives");
    // A machine that knew nothing, and then one that knows what was before, archive nothing twice.
    machine(&service, world, other, &BACKUP).ok().await?.says("wrote 0 archives")?;
    std::fs::write(store(world).join("later"), "one")?;
    machine(&service, world, one, &BACKUP).ok().await?.says("wrote 1 archive")?;
    machine(&service, world, other, &BACKUP).ok().await?.says("wrote 0 archives")?;
    ensure_eq!(service.fake().archives(), ARCHIVES + 1, "archives of two machines");
    // What one deletes the other does not count on, although a vault does not tell.
    std::fs::remove_file(store(world).join("later"))?;
    machine(&service, world, one, &BACKUP).ok().await?;
    machine(&service, world, one, &["prune", "uploads", "--keep-last", "1", "--yes"]).ok().await?;
    ensure_eq!(service.fake().archives(), ARCHIVES, "archives that are left");
    std::fs::write(store(world).join("later"), "one")?;
    machine(&service, world, other, &BACKUP).ok().await?.says("wrote 1 archive")?;
    // What the other made, this one deletes from the vault.
    std::fs::remove_file(store(world).join("later"))?;
    machine(&service, world, other, &BACKUP).ok().await?;
    machine(&service, world, one, &["prune", "uploads", "--keep-last", "1", "--yes"]).ok().await?;
    ensure_eq!(service.fake().archives(), ARCHIVES, "archives that are left in the end");
    // A machine that died is waited for by others, and by its own next run not at all.
    machine(&service, world, one, &BACKUP).env("LASTGOOD_CRASH_AT", "glacier.scan").run().await?.expect_killed()?;
    machine(&service, world, other, &BACKUP).fails(11).await?.says("is held by")?;
    machine(&service, world, one, &BACKUP).ok().await?;
    // The last one is being deleted when the machine dies: the vault is known all the same.
    machine(&service, world, one, &["prune", "uploads", "--keep-last", "1", "--yes"]).ok().await?;
    let listed = world.lastgood(["glacier", "ls", "--json"]).ok().await?.json()?;
    let key = listed[0]["key"].as_str().unwrap_or_default().to_owned();
    let delete = machine(&service, world, one, &["delete", &key, "--yes"]).env("LASTGOOD_CRASH_AT", "prune.parts");
    delete.run().await?.expect_killed()?;
    ensure_eq!(service.fake().archives(), ARCHIVES, "archives of a deletion that was interrupted");
    machine(&service, world, one, &["prune", "uploads", "--incomplete"]).ok().await?;
    ensure_eq!(service.fake().archives(), 0, "archives that are left at last");
    Ok(())
}

/// GL29.
pub(super) async fn last_of_all(world: &World) -> RowResult {
    fill(world)?;
    let shop = world.sample("shop")?;
    let backup = ["backup", "--database", &shop, "--files", "store", "--name", "shop"];
    for _ in 0..2 {
        glacier(world, &backup).ok().await?;
    }
    let listed = world.lastgood(["glacier", "ls", "--json"]).ok().await?.json()?;
    let keys = listed.as_array().into_iter().flatten().filter_map(|one| one["key"].as_str());
    let keys: Vec<String> = keys.map(str::to_owned).collect();
    ensure_eq!(keys.len(), 2, "backups");
    glacier(world, &["delete", &keys[0], "--yes"]).ok().await?;
    ensure!(payloads(world).await? == ARCHIVES, "archives of files, which the other has");
    let kill = glacier(world, &["delete", &keys[1], "--yes"]).env("LASTGOOD_CRASH_AT", "glacier.clear");
    kill.run().await?.expect_killed()?;
    glacier(world, &["prune", "shop", "--incomplete"]).ok().await?;
    let left = world.place().objects().await?.into_iter().map(|object| object.key);
    let left: Vec<String> = left.filter(|key| key.starts_with("glacier/")).collect();
    ensure_eq!(left, ["glacier/shop/lease.json"], "what is left of `shop`");
    world.lastgood(["glacier", "ls"]).ok().await?.says("no backups")?;
    glacier(world, &["status", "shop"]).fails(1).await?.says("no backup")?;
    glacier(world, &backup).ok().await?.says("wrote 2 archives")?;
    Ok(())
}

/// GL25.
pub(super) async fn audits(world: &World) -> RowResult {
    fill(world)?;
    let service = Service::start()?;
    let run = |verb: &'static [&'static str]| service.glacier(world, verb).limit(LIMIT);
    run(&BACKUP).ok().await?;
    let audit: &[&str] = &["audit", "uploads", "--sample", "100%"];
    for step in ["glacier.audit", "glacier.intended", "glacier.requested"] {
        run(audit).env("LASTGOOD_CRASH_AT", step).run().await?.expect_killed()?;
    }
    run(audit).fails(3).await?.says("2 archives of the sample cannot be read yet")?;
    ensure_eq!(service.fake().jobs(), ARCHIVES, "jobs that were paid");
    service.fake().clock().advance(BULK);
    run(audit).ok().await?.says("Verified 2 of a sample of 2 archives")?;
    ensure_eq!(service.fake().jobs(), ARCHIVES, "jobs that were paid in the end");
    Ok(())
}
