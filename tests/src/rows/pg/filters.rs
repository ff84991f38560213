//! What is left out on request, and what is missing on the server.

use backup_testkit::postgres::quote_identifier;

use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// Tables with keys, partitions and views around what is left out.
const SCHEMA: &str = "
CREATE SCHEMA audit;
CREATE TABLE keep (id serial PRIMARY KEY, v text);
INSERT INTO keep (v) SELECT 'v' || g FROM generate_series(1, 50) g;
CREATE TABLE audit.log (id serial PRIMARY KEY, keep_id integer REFERENCES keep, what text);
INSERT INTO audit.log (keep_id, what) SELECT g, 'w' FROM generate_series(1, 50) g;
CREATE TABLE tmp_one (id serial PRIMARY KEY, other bigint GENERATED ALWAYS AS IDENTITY);
INSERT INTO tmp_one SELECT generate_series(1, 5);
CREATE SEQUENCE of_left_out OWNED BY tmp_one.id;
CREATE TABLE \"TMP_two\" (id integer);
INSERT INTO \"TMP_two\" VALUES (1);
CREATE TABLE refers (id integer PRIMARY KEY, t integer CONSTRAINT to_left_out REFERENCES tmp_one, k integer REFERENCES keep);
INSERT INTO refers SELECT g, g, g FROM generate_series(1, 5) g;
CREATE TABLE events (id integer, day date) PARTITION BY RANGE (day);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2020-07-01') PARTITION BY HASH (id);
CREATE TABLE events_1_0 PARTITION OF events_1 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE events_1_1 PARTITION OF events_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2020-07-01') TO ('2021-01-01');
INSERT INTO events SELECT g, '2020-01-01'::date + g FROM generate_series(1, 300) g;
CREATE TABLE metrics (id integer, day date) PARTITION BY RANGE (day);
CREATE TABLE metrics_1 PARTITION OF metrics FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
INSERT INTO metrics SELECT g, '2020-01-01'::date + g FROM generate_series(1, 300) g;
CREATE MATERIALIZED VIEW of_log AS SELECT count(*) AS n FROM audit.log;
CREATE TABLE \"odd.name\" (id integer);
INSERT INTO \"odd.name\" VALUES (1);
CREATE TABLE odd (name integer);
INSERT INTO odd VALUES (1)";

/// `--exclude-table` and `--exclude-table-data`.
pub(super) async fn excluded(world: &World) -> RowResult {
    let source = world.create("source")?;
    world.psql(&source, SCHEMA)?;
    let copy = world.name("copy");
    let report = world
        .lastgood(["pg", "dump", &source, "--json"])
        .arg("--exclude-table-data=audit.log")
        .arg("--exclude-table-data=events")
        .arg("--exclude-table-data=\"odd.name\"")
        .arg("--exclude-table=tmp_*")
        .arg("--exclude-table=metrics")
        .ok()
        .await?
        .json()?;
    ensure_eq!(report["complete"], false, "whether the dump is complete");
    let key = report["key"].as_str().unwrap_or_default();
    world.lastgood(["pg", "restore", key, "--into", &copy]).ok().await?.says("IS PARTIAL")?;
    let rows = |table: &str| world.psql(&copy, &format!("SELECT count(*) FROM {table}"));
    ensure_eq!(rows("keep")?, "50", "rows of a table that nobody left out");
    ensure_eq!(rows("audit.log")?, "0", "rows of a table whose rows were left out");
    ensure_eq!(rows("\"odd.name\"")?, "0", "rows of a quoted name whose rows were left out");
    ensure_eq!(rows("odd")?, "1", "rows of a table that the quoted name does not mean");
    // As pg_dump does since its version 16, and as everybody expects: the root stands for its partitions.
    ensure_eq!(rows("events")?, "0", "rows of a partitioned table whose rows were left out");
    ensure_eq!(rows("\"TMP_two\"")?, "1", "rows of a table whose upper-case name the pattern does not mean");
    ensure_eq!(rows("refers")?, "5", "rows of a table that refers to one left out");
    ensure_eq!(world.psql(&copy, "SELECT n FROM of_log")?, "0", "a materialized view of rows left out");
    for gone in ["tmp_one", "metrics", "metrics_1"] {
        ensure_eq!(world.psql(&copy, &format!("SELECT to_regclass('{gone}') IS NULL"))?, "t", "`{gone}` left out");
    }
    let keys = "SELECT string_agg(conname, ',' ORDER BY conname) FROM pg_constraint WHERE contype = 'f'";
    ensure_eq!(world.psql(&copy, keys)?, "log_keep_id_fkey,refers_k_fkey", "foreign keys of the copy");
    let shown = world.lastgood(["pg", "show", key, "--json"]).ok().await?;
    shown.says("audit.log")?.says("tmp_one")?.says("to_left_out")?;
    misspelt(world, &source).await
}

/// A pattern that means nothing is a mistake, not an empty wish.
async fn misspelt(world: &World, source: &str) -> RowResult {
    let output = world.lastgood(["pg", "dump", source, "--exclude-table", "no_such_table"]).run().await?;
    let warned = output.stderr.contains("no_such_table");
    ensure!(warned, "nothing is said of a pattern that matches no table (exit code {:?})", output.code());
    Ok(())
}

/// A role that owns something is gone.
pub(super) async fn missing_role(world: &World) -> RowResult {
    let role = world.name("gone role");
    let quoted = quote_identifier(&role);
    let shop = world.sample("shop")?;
    world.psql(
        &shop,
        &format!("CREATE ROLE {quoted}; ALTER TABLE orders OWNER TO {quoted}; GRANT SELECT ON customers TO {quoted}"),
    )?;
    let key = world.dump(&shop).await?;
    world
        .psql(&shop, &format!("REASSIGN OWNED BY {quoted} TO postgres; DROP OWNED BY {quoted}; DROP ROLE {quoted}"))?;
    let before = (world.checksum(&shop)?, world.databases()?);
    let output = world.lastgood(["pg", "restore", &key, "--confirm-database", &shop]).fails(1).await?;
    output.says(&role)?.says("CREATE ROLE")?.says("--no-owner")?;
    ensure_eq!((world.checksum(&shop)?, world.databases()?), before, "the server after the refusal");
    let copy = world.name("copy");
    world.lastgood(["pg", "restore", &key, "--into", &copy, "--no-owner", "--no-acl"]).ok().await?;
    ensure_eq!(world.checksum(&copy)?, before.0, "the copy without owners");
    let owner = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'orders'";
    ensure_eq!(world.psql(&copy, owner)?, "postgres", "the owner in the copy");
    Ok(())
}
