//! What SQL files cannot show: the server's own limits, and what a copy has otherwise on purpose.

use crate::harness::compare::Picture;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// Exit code for what is refused.
const FAILED: i32 = 1;

/// Bytes of a value that the server can store and cannot write as text: a `bytea` takes two digits for each.
const TOO_LONG: u64 = 560 * 1024 * 1024;

/// Bytes of values that come through, of `text` and of `bytea`: as much of the limit as a test has memory for.
const LONG: [u64; 2] = [192 * 1024 * 1024, 96 * 1024 * 1024];

/// Bytes of large objects, of which none is in anybody's memory at once: over 1 GiB together.
const OBJECTS: [u64; 2] = [1000 * 1024 * 1024, 50 * 1024 * 1024];

/// A row near the limit comes through; one beyond it is named when it is dumped, and never when it is restored.
pub(super) async fn long_rows(world: &World) -> RowResult {
    let source = world.create("source")?;
    let [text, bytes] = LONG;
    world.psql(
        &source,
        &format!(
            "CREATE TABLE long (id integer PRIMARY KEY, t text, b bytea); \
             INSERT INTO long VALUES (0, 'short', NULL), (1, repeat(E'0123456\\n', {} / 8), NULL), \
               (2, NULL, convert_to(repeat('x', {bytes}), 'UTF8')), (3, 'short', '\\x00'); \
             CREATE TABLE other AS SELECT g FROM generate_series(1, 100) g",
            text
        ),
    )?;
    let copy = world.name("copy");
    world.lastgood(["pg", "dump", &source]).ok().await?;
    world.lastgood(["pg", "restore", &source, "--into", &copy]).ok().await?;
    let digest = "SELECT id, octet_length(t), octet_length(b), md5(t), md5(b) FROM long ORDER BY id";
    ensure_eq!(world.psql(&copy, digest)?, world.psql(&source, digest)?, "the long rows");

    world.psql(
        &source,
        &format!("TRUNCATE long; INSERT INTO long VALUES (7, NULL, convert_to(repeat('x', {TOO_LONG}), 'UTF8'))"),
    )?;
    let before = world.keys(&source).await?;
    let refused = world.lastgood(["pg", "dump", &source]).fails(FAILED).await?;
    refused
        .says("`public.long`")?
        .says("1 GiB")?
        .says("--exclude-table-data public.long")?
        .says("nothing was published")?;
    ensure_eq!(world.keys(&source).await?, before, "dumps after one that failed");
    ensure_eq!(world.place().unfinished().await?, 0, "uploads after one that failed");
    world.lastgood(["pg", "dump", &source, "--exclude-table-data", "public.long"]).ok().await?;
    Ok(())
}

/// More than 1 GiB of large objects: with holes, which take no room on the server and are zeros in the dump.
pub(super) async fn large_objects(world: &World) -> RowResult {
    let source = world.create("source")?;
    let [first, second] = OBJECTS;
    world.psql(
        &source,
        &format!(
            "SELECT lo_create(1), lo_create(2), lo_create(3); SELECT lo_put(1, {} - 4, 'last'), lo_put(1, {}, 'middle'), \
               lo_put(2, 0, 'first'), lo_put(2, {} - 1, '\\xff')",
            first,
            first / 2 + 12_345,
            second
        ),
    )?;
    let copy = world.name("copy");
    world.lastgood(["pg", "dump", &source]).ok().await?;
    world.lastgood(["pg", "restore", &source, "--into", &copy]).ok().await?;
    // Piece by piece: the server has no text or bytes of 1 GiB either.
    let digest = "SELECT s.loid, s.bytes, (SELECT md5(string_agg(md5(lo_get(s.loid, at, 1048576)), '' ORDER BY at)) \
          FROM generate_series(0, s.bytes, 1048576) at) \
        FROM (SELECT loid, max(pageno * 2048::bigint + octet_length(data)) AS bytes FROM pg_largeobject GROUP BY 1) s ORDER BY 1";
    let sizes = "SELECT count(*), sum(bytes) FROM (SELECT max(pageno * 2048::bigint + octet_length(data)) AS bytes \
        FROM pg_largeobject GROUP BY loid) s";
    ensure_eq!(world.psql(&source, sizes)?, format!("2|{}", first + second), "objects of the source and their bytes");
    ensure_eq!(world.psql(&copy, digest)?, world.psql(&source, digest)?, "the large objects");
    ensure_eq!(world.psql(&copy, "SELECT count(*) FROM pg_largeobject_metadata")?, "3", "objects of the copy");
    Ok(())
}

/// Materialized views that hold rows computed from one that holds none any more: no server can compute them again.
pub(super) async fn stale_matviews(world: &World) -> RowResult {
    let source = world.create("source")?;
    world.psql(
        &source,
        "CREATE TABLE base AS SELECT g FROM generate_series(1, 10) g; \
         CREATE MATERIALIZED VIEW lower AS SELECT count(*) AS n FROM base; \
         CREATE VIEW between_them AS SELECT n FROM lower; \
         CREATE MATERIALIZED VIEW \"a stale one\" AS SELECT n FROM between_them; \
         CREATE MATERIALIZED VIEW stale_too AS SELECT * FROM \"a stale one\"; \
         CREATE MATERIALIZED VIEW computed AS SELECT max(g) FROM base; \
         REFRESH MATERIALIZED VIEW lower WITH NO DATA",
    )?;
    let dumped = world.lastgood(["pg", "dump", &source]).ok().await?;
    dumped.says("`public.a stale one`")?.says("`public.stale_too`")?.never_says("computed`")?;
    let copy = world.name("copy");
    world.lastgood(["pg", "restore", &source, "--into", &copy]).ok().await?;
    let populated =
        "SELECT string_agg(relname || '=' || relispopulated, ' ' ORDER BY relname) FROM pg_class WHERE relkind = 'm'";
    ensure_eq!(
        world.psql(&copy, populated)?,
        "a stale one=false computed=true lower=false stale_too=false",
        "which of the copy's materialized views are populated"
    );
    let in_order =
        "REFRESH MATERIALIZED VIEW lower; REFRESH MATERIALIZED VIEW \"a stale one\"; SELECT n FROM \"a stale one\"";
    ensure_eq!(world.psql(&copy, in_order)?, "10", "what the views say once they are refreshed");
    Ok(())
}

/// Security labels of a provider that the target does not have: refused, nothing switched. (With it they are statements of
/// the archive like any other; no provider can be installed here.)
pub(super) async fn labels(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let label = "INSERT INTO pg_seclabel SELECT oid, 'pg_class'::regclass, 0, 'acceptance', 'secret' FROM pg_class \
        WHERE relname = 'orders'";
    world.psql(&shop, label)?;
    world.dump(&shop).await?;
    world.set_version(&shop, 2)?;
    let before = world.checksum(&shop)?;
    let restore = ["pg", "restore", &shop, "--confirm-database", &shop];
    let refused = world.lastgood(restore).fails(FAILED).await?;
    refused
        .says("security label public.TABLE orders")?
        .says("security label provider \"acceptance\" is not loaded")?
        .says("the live database was not touched")?;
    ensure_eq!(world.checksum(&shop)?, before, "the live database");
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    Ok(())
}

/// A detach that was interrupted half-way leaves its partition attached for writers and not for readers.
pub(super) async fn pending_detach(world: &World) -> RowResult {
    let source = world.create("source")?;
    world.psql(
        &source,
        "CREATE TABLE root (a integer) PARTITION BY LIST (a); CREATE TABLE one PARTITION OF root FOR VALUES IN (1); \
         CREATE TABLE two PARTITION OF root FOR VALUES IN (2); INSERT INTO root VALUES (1), (2), (2)",
    )?;
    let reader = world.connect(&source).await?;
    reader.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM root").await?;
    let detacher = world.connect(&source).await?;
    detacher.batch_execute("SET statement_timeout = '500ms'").await?;
    let gave_up = detacher.batch_execute("ALTER TABLE root DETACH PARTITION two CONCURRENTLY").await;
    ensure!(gave_up.is_err(), "the detach did not wait for its reader");
    drop((reader, detacher));
    let pending = "SELECT count(*) FROM pg_inherits WHERE inhdetachpending";
    ensure_eq!(world.psql(&source, pending)?, "1", "detaches half-way");
    let copy = world.name("copy");
    world.lastgood(["pg", "dump", &source]).ok().await?;
    world.lastgood(["pg", "restore", &source, "--into", &copy]).ok().await?;
    for table in ["one", "two"] {
        let rows = format!("SELECT count(*), sum(a) FROM {table}");
        ensure_eq!(world.psql(&copy, &rows)?, world.psql(&source, &rows)?, "rows of `{table}`");
    }
    world.lastgood(["pg", "dump", &copy]).ok().await?;
    Picture::of(world.cluster(), &copy)?;
    Ok(())
}
