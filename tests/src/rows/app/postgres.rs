//! A8: records in PostgreSQL.

use super::keys;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

const ROWS: &str = "SELECT id, value::text, name FROM users ORDER BY id";

/// A8.
pub(super) async fn there_and_back(world: &World) -> RowResult {
    let (from, to) = (world.create("records")?, world.name("copy"));
    let sql = "CREATE TABLE users (id text PRIMARY KEY, value json, name text); CREATE TABLE other (a int); \
        INSERT INTO users SELECT n::text, json_build_object('id', n::text, 'name', 'Zoë ' || n), 'Zoë ' || n \
        FROM generate_series(1, 2000) n";
    world.psql(&from, sql)?;
    let source = format!("postgres:{from}");
    let backup = ["app", "backup", "--source", &source];
    world.lastgood(backup).ok().await?.says("users--users  2,000 records")?.says("`other` has no `id`")?;
    let into = format!("postgres:{to}");
    let restore = ["app", "restore", "--to", &into];
    world.lastgood(restore).fails(1).await?.says(&to)?;
    world.create("copy")?;
    world.lastgood(restore).ok().await?.says("users--users  2,000 records")?;
    ensure_eq!(world.psql(&to, ROWS)?, world.psql(&from, ROWS)?, "the records");
    world.psql(&to, "DELETE FROM users WHERE id = '7'")?;
    world.lastgood(restore).fails(1).await?.says("`users` already has a record `1`; nothing was restored")?;
    ensure_eq!(world.psql(&to, "SELECT count(*) FROM users")?.trim(), "1999", "records after a conflict");
    world.lastgood(restore).args(["--on-conflict", "skip"]).ok().await?.says("1,999 skipped")?;
    world.lastgood(["app", "restore", "--to", "sqlite:app.db"]).ok().await?;
    world.lastgood(["app", "backup", "--source", "sqlite:app.db", "--name", "other"]).ok().await?;
    world.lastgood(["app", "restore", "--name", "other", "--to", &into, "--on-conflict", "replace"]).ok().await?;
    ensure_eq!(world.psql(&to, ROWS)?, world.psql(&from, ROWS)?, "the records by way of SQLite");

    let (password, before) = ("hunter2secret", keys(world).await?);
    for scheme in ["postgres", "mysql"] {
        let source = format!("{scheme}://u:{password}@127.0.0.1/{from}");
        let refused = world.lastgood(["app", "backup", "--source", &source]).fails(2).await?;
        refused.never_says(password)?;
    }
    world.lastgood(["app", "backup", "--source", "postgres:no such database"]).fails(1).await?;
    ensure!(keys(world).await? == before, "a refused backup was published");
    Ok(())
}
