//! A standby as the source.

use crate::ensure_eq;
use crate::harness::{RowResult, Standby, World};

/// It can be dumped from, with a word of warning, and gives the same database; it is never restored on.
pub(super) async fn dumped_from(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.psql(
        &shop,
        "CREATE UNLOGGED TABLE cache (i int, id serial, n int GENERATED ALWAYS AS IDENTITY); INSERT INTO cache VALUES (1)",
    )?;
    let standby = Standby::start(world)?;
    world.set_version(&shop, 2)?;
    standby.catch_up(world).await?;
    standby.lastgood(world, &["pg", "dump", &shop]).ok().await?.says("this is a standby")?;
    let copy = world.name("copy");
    world.lastgood(["pg", "restore", &shop, "--into", &copy]).ok().await?;
    ensure_eq!(world.checksum(&copy)?, world.checksum(&shop)?, "the copy of the standby's dump");
    ensure_eq!(world.psql(&copy, "SELECT count(*) FROM cache")?, "0", "rows of an unlogged table");
    let next = "INSERT INTO cache VALUES (1) RETURNING id, n";
    ensure_eq!(world.psql(&copy, next)?, "1|1", "what its sequences give, which a standby cannot read");
    let before = world.databases()?;
    let refused = standby.lastgood(world, &["pg", "restore", &shop, "--confirm-database", &shop]).run().await?;
    ensure_eq!(refused.code(), Some(1), "the exit code of a restore on a standby");
    refused.says("standby")?;
    ensure_eq!(world.databases()?, before, "databases after a restore on a standby");
    Ok(())
}
