//! A database in cold storage whose schema acts outside of it.

use super::shared::glacier;
use crate::ensure_eq;
use crate::harness::{RowResult, World};

/// What allows it is an option here too.
pub(super) async fn allowed(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.psql(&shop, "CREATE FUNCTION pid() RETURNS integer LANGUAGE internal AS 'pg_backend_pid'")?;
    glacier(world, &["backup", "--database", &shop, "--name", "shop"]).ok().await?;
    glacier(world, &["fetch", "shop"]).ok().await?;
    let copy = world.name("copy");
    let restore = ["restore", "shop", "--database-only", "--into", &copy];
    let there = world.databases()?;
    glacier(world, &restore).fails(1).await?.says("`--allow-outside languages`")?;
    ensure_eq!(world.databases()?, there, "databases");
    glacier(world, &restore).args(["--allow-outside", "languages"]).ok().await?;
    ensure_eq!(world.psql(&copy, "SELECT pid() > 0")?.trim(), "t", "the function");
    Ok(())
}
