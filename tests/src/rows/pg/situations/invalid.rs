//! Databases that somebody began to drop: they can be dropped, and nothing else.

use crate::harness::{RowResult, World};
use crate::rows::pg::local::Trio;
use crate::{ensure, ensure_eq};

/// What an interrupted DROP DATABASE leaves.
fn interrupt(world: &World, database: &str) -> RowResult {
    world.psql("postgres", &format!("UPDATE pg_database SET datconnlimit = -2 WHERE datname = '{database}'"))?;
    Ok(())
}

/// They are seen everywhere, stop only what needs their names, and go when somebody says so.
pub(super) async fn half_dropped(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let trio = Trio::of(&shop);
    let new = world.checksum(&shop)?;
    let key = world.dump(&shop).await?;
    let restore = ["pg", "restore", &key, "--confirm-database", &shop];
    world.lastgood(restore).arg("--reversible").ok().await?;
    interrupt(world, &trio.previous)?;

    let listed = world.lastgood(["pg", "ls", "--local"]).ok().await?;
    listed.says("invalid: a DROP DATABASE was interrupted")?;
    let invalid = format!("`{}` is invalid", trio.previous);
    world.lastgood(["pg", "recover", "-n"]).ok().await?.says(&trio.previous)?.says("drop-local")?;
    world.lastgood(["pg", "recover"]).ok().await?.says(&invalid)?;
    let doctor = world.lastgood(["doctor", &shop]).run().await?;
    doctor.says(&trio.previous)?.says("invalid")?.says("drop-local")?;
    ensure!(world.databases()?.contains(&trio.previous), "it was dropped unasked");

    // What needs its name says how to get rid of it, and the rest goes on.
    let refused = world.lastgood(restore).arg("--reversible").fails(1).await?;
    refused.says("that database is invalid")?.says(&format!("lastgood pg drop-local {}", trio.previous))?;
    world.set_version(&shop, 7)?;
    world.lastgood(restore).ok().await?;
    ensure_eq!(world.checksum(&shop)?, new, "the restored database");
    world.lastgood(["pg", "restore", ":previous", "--into", &shop, "--confirm-database", &shop]).fails(1).await?;
    world.lastgood(["pg", "drop-local", &trio.previous]).ok().await?;
    world.lastgood(restore).arg("--reversible").ok().await?;
    world.lastgood(["pg", "drop-local", &trio.previous]).ok().await?;
    world.lastgood(["pg", "drop-local", &trio.current]).ok().await?;

    // The target itself.
    interrupt(world, &shop)?;
    world.lastgood(restore).fails(1).await?.says(&format!("`{shop}` is invalid"))?.says("drop-local")?;
    world.lastgood(["pg", "dump", &shop]).fails(1).await?.says(&format!("`{shop}` is invalid"))?;
    world.lastgood(["pg", "drop-local", &shop, "--confirm-database", &shop]).ok().await?;
    world.lastgood(restore).ok().await?;
    ensure_eq!(world.checksum(&shop)?, new, "the database made anew");
    Ok(())
}
