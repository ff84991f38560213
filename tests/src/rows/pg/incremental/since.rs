//! Dumps of a server that says which pages changed: what did not change is not read, and every dump is what a full one would be.

use backup_core::key::Key;
use backup_core::manifest::Manifest;
use serde_json::Value;

use super::{bytes, key};
use crate::harness::failure::Within as _;
use crate::harness::{Failure, RowResult, World};
use crate::{ensure, ensure_eq};

/// What a server has to have for it. Checkpoints come when they are asked for, and nothing but a row changes pages.
pub(super) const CONF: [&str; 5] = [
    "summarize_wal = on",
    "max_prepared_transactions = 10",
    "autovacuum = off",
    "checkpoint_timeout = 1h",
    "wal_level = replica",
];

/// Ranges small enough that tables of a row have several.
pub(super) const RANGES: (&str, &str) = ("LASTGOOD_RANGE_BYTES", "131072");

/// A server that summarizes, and a database on it.
pub(super) fn server(world: &World, major: u32) -> RowResult<(World, String)> {
    let world = world.on_version_with(major, &CONF)?;
    let shop = world.create("shop")?;
    Ok((world, shop))
}

/// Dumps; the report.
pub(super) async fn dumped(world: &World, shop: &str, options: &[&str]) -> RowResult<Value> {
    let dump = world.lastgood(["pg", "dump", shop, "--json"]).args(options.iter().copied()).env(RANGES.0, RANGES.1);
    let lines = dump.ok().await?.json_lines()?;
    lines.into_iter().last().ok_or_else(|| Failure::new("a dump without a report"))
}

/// What `pg show` says of how each table was read, by name: ranges, those that were kept, and why not all.
pub(super) async fn readings(world: &World, dump: &str) -> RowResult<Vec<(String, u64, u64, String)>> {
    let shown = world.lastgood(["pg", "show", dump, "--json"]).ok().await?.json()?;
    let tables = shown["tables"].as_array().cloned().unwrap_or_default();
    Ok(tables
        .iter()
        .map(|table| {
            let (reading, text) = (&table["reading"], |value: &Value| value.as_str().unwrap_or_default().to_owned());
            let number = |value: &Value| value.as_u64().unwrap_or_default();
            (text(&table["name"]), number(&reading["ranges"]), number(&reading["kept"]), text(&reading["why"]))
        })
        .collect())
}

/// How one table was read.
pub(super) async fn reading(world: &World, dump: &str, table: &str) -> RowResult<(u64, u64, String)> {
    let found = readings(world, dump).await?.into_iter().find(|(name, ..)| name == table);
    let found = found.ok_or_else(|| Failure::new(format!("`{dump}` has no table `{table}`")))?;
    Ok((found.1, found.2, found.3))
}

/// Dumps, looks that it is what a full dump is, which goes elsewhere, and returns the report.
pub(super) async fn right(world: &World, shop: &str, options: &[&str]) -> RowResult<Value> {
    let report = dumped(world, shop, options).await?;
    let elsewhere = world.folder().join("elsewhere").display().to_string();
    if !world.folder().join("elsewhere").exists() {
        world.lastgood(["init", "--quiet"]).env("LASTGOOD_REPO", elsewhere.as_str()).ok().await?;
    }
    let full = world.lastgood(["pg", "dump", shop, "--full", "--json"]).env("LASTGOOD_REPO", elsewhere.as_str());
    let full = key(&full.ok().await?.json()?)?;
    let contents = async |shown: Value| -> Vec<(Value, Value, Value, Value)> {
        let tables = shown["tables"].as_array().cloned().unwrap_or_default();
        let of = |table: &Value, field: &str| table[field].clone();
        let essence =
            |table: &Value| (of(table, "name"), of(table, "rows"), of(table, "row_hash"), of(table, "columns"));
        tables.iter().map(essence).collect()
    };
    let ours = world.lastgood(["pg", "show", &key(&report)?, "--json"]).ok().await?.json()?;
    let theirs = world.lastgood(["pg", "show", &full, "--json"]).env("LASTGOOD_REPO", elsewhere.as_str());
    let theirs = theirs.ok().await?.json()?;
    ensure_eq!(contents(ours).await, contents(theirs).await, "what `{}` has and a full dump: {report}", key(&report)?);
    Ok(report)
}

/// What is restored of a dump is what is there.
pub(super) async fn restores(world: &World, shop: &str, dump: &str, query: &str) -> RowResult {
    world.lastgood(["pg", "verify", dump, "--read", "all"]).ok().await?;
    let copy = world.name("copy");
    world.lastgood(["pg", "restore", dump, "--into", &copy]).ok().await?;
    let found = world.psql(&copy, query)?;
    world.drop_database(&copy)?;
    ensure_eq!(found, world.psql(shop, query)?, "what was restored of `{dump}`");
    Ok(())
}

/// What a dump kept.
pub(super) fn kept(report: &Value) -> RowResult<u64> {
    bytes(report, "kept_bytes")
}

/// Why it read everything.
pub(super) fn why(report: &Value) -> String {
    report["read_all"].as_str().unwrap_or_default().to_owned()
}

/// That nothing was kept, for this reason.
pub(super) fn all_was_read(report: &Value, reason: &str) -> RowResult {
    ensure!(why(report).contains(reason), "all rows should have been read because of `{reason}`: {report}");
    ensure_eq!(kept(report)?, 0, "bytes that were kept: {report}");
    Ok(())
}

/// A table of some ranges, one that never changes, and one of values that lie outside of their rows.
pub(super) fn fill(world: &World, shop: &str) -> RowResult {
    world.psql(
        shop,
        "CREATE TABLE item (id int PRIMARY KEY, body text); \
         INSERT INTO item SELECT g, repeat(md5(g::text), 8) FROM generate_series(1, 6000) g; \
         CREATE TABLE still AS SELECT g, md5(g::text) FROM generate_series(1, 3000) g; \
         CREATE TABLE wide (id int PRIMARY KEY, body text); ALTER TABLE wide ALTER body SET STORAGE EXTERNAL; \
         INSERT INTO wide SELECT g, (SELECT string_agg(md5((g * i)::text), '') FROM generate_series(1, 300) i) FROM generate_series(1, 60) g; \
         CREATE TABLE nothing (id int); VACUUM FREEZE; CHECKPOINT",
    )?;
    Ok(())
}

/// The content of what [`fill`] makes.
pub(super) const CONTENT: &str = "SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM item t \
    UNION ALL SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM still t \
    UNION ALL SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM wide t";

/// P-since: nothing changed, rows at the end, in the middle, values outside of rows, pages cut off; each dump is what a full one is.
pub(in crate::rows::pg) async fn changes(world: &World) -> RowResult {
    let (world, shop) = &server(world, 17)?;
    fill(world, shop)?;
    let first = right(world, shop, &[]).await?;
    all_was_read(&first, "no earlier dump")?;
    let whole = bytes(&first, "content_bytes")?;

    let second = right(world, shop, &["--incremental", "require"]).await.within("nothing changed")?;
    ensure_eq!(second["since"], first["key"], "what was built on");
    ensure_eq!((&second["tables_kept"], &second["tables_partly_read"]), (&4.into(), &0.into()), "tables kept");
    // What is not kept is the schema.
    ensure!(kept(&second)? > whole - 100_000, "{} of {whole} bytes were kept: {second}", kept(&second)?);
    restores(world, shop, &key(&second)?, CONTENT).await?;
    world.lastgood(["pg", "show", &key(&second)?]).ok().await?.says("what changed since")?.says("none")?;

    let steps = [
        ("rows at the end", "INSERT INTO item SELECT g, 'new' FROM generate_series(7001, 7020) g", "item"),
        ("a row in the middle", "UPDATE item SET body = 'changed' WHERE id = 3000", "item"),
        ("rows that go", "DELETE FROM item WHERE id BETWEEN 1000 AND 1010", "item"),
        ("a value outside of its row", "UPDATE wide SET body = body || 'more' WHERE id = 7", "wide"),
        ("pages that go", "DELETE FROM item WHERE id > 4000; VACUUM item", "item"),
        (
            "rows where pages went",
            "INSERT INTO item SELECT g, repeat('x', 300) FROM generate_series(9000, 9999) g",
            "item",
        ),
        ("a rolled back change", "BEGIN; UPDATE item SET body = 'never' WHERE id = 5; ROLLBACK", "item"),
        (
            "subtransactions",
            "BEGIN; SAVEPOINT a; INSERT INTO item VALUES (20000, 'a'); SAVEPOINT b; \
          INSERT INTO item VALUES (20001, 'b'); ROLLBACK TO b; COMMIT",
            "item",
        ),
        ("a small table", "INSERT INTO nothing VALUES (1)", "nothing"),
    ];
    for (what, change, table) in steps {
        world.psql(shop, change)?;
        let report = right(world, shop, &[]).await.within(what)?;
        let (dump, of_kept) = (key(&report)?, kept(&report)?);
        let (ranges, kept_ranges, why) = reading(world, &dump, table).await?;
        ensure!(
            kept_ranges < ranges && !why.is_empty(),
            "{what}: {kept_ranges} of {ranges} ranges of `{table}` were kept"
        );
        ensure!(ranges == 1 || kept_ranges > 0 || what.contains("pages"), "{what}: all of `{table}` was read: {why}");
        let (ranges, kept_ranges, _) = reading(world, &dump, "still").await?;
        ensure_eq!(kept_ranges, ranges, "{what}: ranges of `still` that were kept, of which {of_kept} bytes");
    }
    let last = right(world, shop, &[]).await?;
    ensure_eq!(last["tables_kept"], 4, "tables kept in the end: {last}");
    restores(world, shop, &key(&last)?, CONTENT).await?;
    // Without the others it restores all the same.
    world.lastgood(["pg", "prune", shop, "--keep-last", "1", "--yes", "--grace", "0s"]).ok().await?;
    restores(world, shop, &key(&last)?, CONTENT).await.within("after a prune")?;
    let never = right(world, shop, &["--incremental", "never"]).await?;
    all_was_read(&never, "were to be read")?;
    let full = dumped(world, shop, &["--full"]).await?;
    all_was_read(&full, "asked for")?;
    ensure_eq!(right(world, shop, &[]).await?["since"], full["key"], "what was built on after a full dump");
    Ok(())
}

/// P-since-lists: the same with tables and frames in lists, and with one job.
pub(in crate::rows::pg) async fn lists(world: &World) -> RowResult {
    let (world, shop) = &server(world, 17)?;
    fill(world, shop)?;
    let dump = |options: &'static [&'static str]| {
        let dump = world.lastgood(["pg", "dump", shop, "--json"]).args(options.iter().copied());
        dump.env(RANGES.0, RANGES.1).env("LASTGOOD_LISTS_OVER", "0")
    };
    let first = dump(&["--jobs", "1"]).ok().await?.json()?;
    world.psql(shop, "UPDATE item SET body = 'changed' WHERE id = 3000")?;
    let second = dump(&["--incremental", "require"]).ok().await?.json()?;
    ensure_eq!(second["since"], first["key"], "what was built on");
    ensure_eq!(
        (&second["tables_kept"], &second["tables_partly_read"]),
        (&3.into(), &1.into()),
        "tables kept: {second}"
    );
    restores(world, shop, &key(&second)?, CONTENT).await?;
    // A manifest without lists after one with.
    let third = right(world, shop, &["--incremental", "require"]).await?;
    ensure_eq!(third["tables_kept"], 4, "tables kept: {third}");
    Ok(())
}

/// P-since-sample: what is kept can be read again and compared; where it differs, all rows are read.
pub(in crate::rows::pg) async fn sample(world: &World) -> RowResult {
    let (world, shop) = &server(world, 17)?;
    fill(world, shop)?;
    dumped(world, shop, &[]).await?;
    let half = right(world, shop, &["--verify-source", "50%"]).await?;
    ensure!(kept(&half)? > 0 && half["tables_partly_read"].as_u64() > Some(0), "half of it: {half}");
    let all = right(world, shop, &["--verify-source", "100%", "--incremental", "require"]).await?;
    ensure_eq!(kept(&all)?, 0, "bytes kept where all are compared");
    ensure_eq!(reading(world, &key(&all)?, "item").await?.2, "a sample was read to be compared", "why `item` was read");

    // As if pages had changed that no summary names.
    let name = format!("pg/{}/manifest.json", key(&all)?);
    let at: Key = name.parse().map_err(|error| Failure::new(format!("{error}")))?;
    let mut manifest: Manifest = Manifest::from_bytes(&at, &world.place().read(&name).await?)?;
    let tables = manifest.detail["tables"].as_array_mut().ok_or_else(|| Failure::new("no tables"))?;
    let still = tables.iter_mut().find(|table| table["name"] == "still").ok_or_else(|| Failure::new("no `still`"))?;
    let ranges = still["base"]["ranges"].as_array_mut().ok_or_else(|| Failure::new("no ranges"))?;
    let zero = "00000000000000000000000000000000";
    ranges.iter_mut().for_each(|range| range["row_hash"] = zero.into());
    still["row_hash"] = zero.into();
    world.place().write(&name, &manifest.to_bytes()?).await?;
    let required = ["pg", "dump", shop, "--verify-source", "100%", "--incremental", "require"];
    world.lastgood(required).env(RANGES.0, RANGES.1).fails(INTEGRITY).await?.says("public.still")?;
    let output = world.lastgood(["pg", "dump", shop, "--verify-source", "100%", "--json"]).env(RANGES.0, RANGES.1);
    let output = output.ok().await?.says("public.still")?.says("all rows are read")?;
    let report = output.json_lines()?.pop().unwrap_or_default();
    all_was_read(&report, "were to be read")?;
    restores(world, shop, &key(&report)?, CONTENT).await
}

/// Exit code for what is not what was written.
const INTEGRITY: i32 = 13;

/// P-since-off: servers that do not tell, roles that may not ask, and what `doctor` says of them.
pub(in crate::rows::pg) async fn rights(world: &World) -> RowResult {
    let (world, shop) = &server(world, 17)?;
    fill(world, shop)?;
    world.lastgood(["doctor", shop]).run().await?.says("dumps read only what changed since the one before")?;
    world.psql(shop, "CREATE ROLE plain LOGIN PASSWORD 'pw' IN ROLE pg_read_all_data")?;
    let plain = |words: &[&str]| {
        let command = world.lastgood(words.iter().copied()).env("PGUSER", "plain").env("PGPASSWORD", "pw");
        command.env(RANGES.0, RANGES.1)
    };
    plain(&["pg", "dump", shop]).ok().await?;
    // The next checkpoint is an hour away, and nobody waits that long.
    let late = plain(&["pg", "dump", shop, "--json"]).ok().await?.json_lines()?.pop().unwrap_or_default();
    all_was_read(&late, "pg_checkpoint")?;
    plain(&["doctor", shop]).run().await?.says("GRANT pg_checkpoint TO plain")?;
    let required = plain(&["pg", "dump", shop, "--incremental", "require"]).fails(1).await?;
    required.says("cannot be dumped incrementally")?.says("pg_checkpoint")?;
    world.psql(shop, "GRANT pg_checkpoint TO plain")?;
    let granted = plain(&["pg", "dump", shop, "--json"]).ok().await?.json()?;
    ensure!(granted["since"].is_string() && granted["tables_kept"] == 4, "with the grant: {granted}");

    world.psql(shop, "REVOKE EXECUTE ON FUNCTION pg_control_checkpoint() FROM PUBLIC")?;
    plain(&["doctor", shop]).run().await?.says("may not call pg_control_checkpoint()")?;
    let without = plain(&["pg", "dump", shop, "--json"]).ok().await?.json()?;
    ensure!(without["since"].is_string(), "it still keeps what it can: {without}");
    world.psql(shop, "GRANT EXECUTE ON FUNCTION pg_control_checkpoint() TO PUBLIC")?;

    world.psql(shop, "ALTER SYSTEM SET summarize_wal = off")?;
    world.psql(shop, "SELECT pg_reload_conf(), pg_sleep(0.5)")?;
    all_was_read(&right(world, shop, &[]).await?, "summarize_wal")?;
    world.lastgood(["doctor", shop]).run().await?.says("ALTER SYSTEM SET summarize_wal = on")?;
    Ok(())
}
