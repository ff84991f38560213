//! A role that is no superuser, and what only superusers may end.

use std::time::Duration;

use crate::ensure_eq;
use crate::harness::{Failure, Lastgood, RowResult, World};

/// Rows enough for an autovacuum that is made as slow as it can be.
const SCHEMA: &str = "CREATE TABLE t (id integer, v text) WITH (autovacuum_vacuum_threshold = 0, \
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1); \
    INSERT INTO t SELECT g, repeat('x', 200) FROM generate_series(1, 20000) g; DELETE FROM t WHERE id % 2 = 0";

const AT_WORK: &str = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker' AND datname = ";

fn keeper<'w>(world: &'w World, words: &[&str]) -> Lastgood<'w> {
    world.lastgood(words.iter().copied()).env("PGUSER", "keeper").env("PGPASSWORD", "keeper")
}

/// A database of the role's, with autovacuum at work in it.
async fn vacuumed(world: &World, base: &str) -> RowResult<String> {
    let name = world.create(base)?;
    world.psql("postgres", &format!("ALTER DATABASE \"{name}\" OWNER TO keeper"))?;
    world.psql(&name, SCHEMA)?;
    for _ in 0..1_500 {
        if world.psql("postgres", &format!("{AT_WORK}'{name}'"))? != "0" {
            return Ok(name);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(Failure::new("autovacuum does not come"))
}

/// Copies and drops wait for the server to call autovacuum off.
pub(super) async fn beside_autovacuum(world: &World) -> RowResult {
    world.psql("postgres", "ALTER SYSTEM SET autovacuum_naptime = '1s'")?;
    world.psql("postgres", "SELECT pg_reload_conf()")?;
    world.psql("postgres", "CREATE ROLE keeper LOGIN PASSWORD 'keeper' CREATEDB")?;
    let source = vacuumed(world, "source").await?;
    let copy = world.name("copy");
    keeper(world, &["pg", "copy", &source, &copy]).ok().await?;
    ensure_eq!(world.psql(&copy, "SELECT count(*) FROM t")?, "10000", "rows of the copy");
    let doomed = vacuumed(world, "doomed").await?;
    keeper(world, &["pg", "drop-local", &doomed, "--confirm-database", &doomed]).ok().await?;
    // A session that the role may not end is another thing, and named.
    let _client = world.connect(&copy).await?;
    let refused = keeper(world, &["pg", "drop-local", &copy, "--yes"]).fails(1).await?;
    // Before 13 no DROP DATABASE ends a session.
    refused.says(if world.major()? >= 13 { "terminate" } else { "being accessed by other users" })?;
    Ok(())
}

/// The owner of a table is no exception to FORCE ROW LEVEL SECURITY: what helps is said, and helps.
async fn forced_policies(world: &World) -> RowResult {
    let owner = world.name("forced");
    let source = world.create("forced_rows")?;
    let own = format!(
        "CREATE ROLE {owner} LOGIN PASSWORD 'pw'; CREATE TABLE t (id integer); INSERT INTO t VALUES (1), (2); \
         ALTER TABLE t OWNER TO {owner}; ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY"
    );
    world.psql(&source, &own)?;
    let key = world.dump(&source).await?;
    world.psql(&source, "DELETE FROM t WHERE id = 2")?;
    let rows = ["pg", "restore", &key, "--data-only", "--replace-rows", "--confirm-database", &source];
    let as_owner = || world.lastgood(rows).env("PGUSER", &owner).env("PGPASSWORD", "pw");
    as_owner().fails(1).await?.says("BYPASSRLS")?.says("NO FORCE ROW LEVEL SECURITY")?;
    ensure_eq!(world.psql(&source, "SELECT count(*) FROM t")?, "1", "rows after a refusal");
    world.psql(&source, "ALTER TABLE t NO FORCE ROW LEVEL SECURITY")?;
    as_owner().ok().await?;
    ensure_eq!(world.psql(&source, "SELECT count(*) FROM t")?, "2", "rows put in by the table's owner");
    Ok(())
}

/// Whoever refreshes it, a view is filled with the rights of its owner; and what others own must be theirs to create.
pub(super) async fn rights_of_owners(world: &World) -> RowResult {
    forced_policies(world).await?;
    let (owner, keeper) = (world.name("owner"), world.name("keeper"));
    let source = world.create("source")?;
    world.psql(
        &source,
        &format!(
            "CREATE ROLE {owner}; CREATE TABLE t AS SELECT 1 AS i; CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM t; \
             ALTER MATERIALIZED VIEW counted OWNER TO {owner}"
        ),
    )?;
    let key = world.dump(&source).await?;
    let copy = world.name("copy");
    let refused = world.lastgood(["pg", "restore", &key, "--into", &copy]).fails(1).await?;
    refused
        .says("rows of materialized view public.counted: permission denied for table t")?
        .says("a materialized view is filled with the rights of its owner")?
        .never_says("connect as one that has it")?;
    if world.major()? < 15 {
        return Ok(());
    }
    // From 15 on not everybody may create in `public`.
    world.psql("postgres", &format!("CREATE ROLE {keeper} LOGIN PASSWORD 'pw' CREATEDB IN ROLE {owner}"))?;
    world.psql(&source, &format!("DROP MATERIALIZED VIEW counted; ALTER TABLE t OWNER TO {owner}"))?;
    let key = world.dump(&source).await?;
    let restore = ["pg", "restore", &key, "--into", &copy];
    let as_keeper = |words: &[&str]| {
        let command = world.lastgood(words.iter().copied()).env("PGUSER", &keeper);
        command.env("PGPASSWORD", "pw")
    };
    let refused = as_keeper(&restore).fails(1).await?;
    refused.says("permission denied for schema public")?.says("`--managed`")?;
    as_keeper(&[&restore[..], &["--managed"]].concat()).ok().await?;
    ensure_eq!(world.psql(&copy, "SELECT i FROM t")?, "1", "rows of the copy");
    Ok(())
}
