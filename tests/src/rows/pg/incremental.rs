//! What an earlier dump of the same database has stored is not stored again, and every dump is whole by itself all the same.

mod beside;
pub(super) mod random;
pub(super) mod since;
pub(super) mod traps;

pub(in crate::rows::pg) use beside::{forged, killed, stored_anew};
use serde_json::Value;

use crate::harness::failure::Within as _;
use crate::harness::{Failure, RowResult, World};
use crate::{ensure, ensure_eq};

/// Mebibytes of rows that cannot be compressed, beside those of the sample.
const BULK_MIB: u32 = 24;

/// Most bytes that a frame of such rows is stored in, whose text is hexadecimal digits, and what else a dump stores.
const FRAME_BYTES: u64 = 2_400_000;
const REST_BYTES: u64 = 100_000;

/// What every table of the sample and the bulk hold, and the large objects.
const CONTENTS: &str = "SELECT md5(string_agg(id || ' ' || md5(body), ',' ORDER BY id)) FROM bulk \
    UNION ALL SELECT md5(string_agg(oid || ' ' || md5(lo_get(oid)), ',' ORDER BY oid)) FROM pg_largeobject_metadata";

/// Dumps `database`; the report.
async fn report(world: &World, database: &str, options: &[&str]) -> RowResult<Value> {
    world.lastgood(["pg", "dump", database, "--json"]).args(options.iter().copied()).ok().await?.json()
}

fn key(report: &Value) -> RowResult<String> {
    report["key"].as_str().map(str::to_owned).ok_or_else(|| Failure::new(format!("a report without a key: {report}")))
}

fn bytes(report: &Value, field: &str) -> RowResult<u64> {
    report[field].as_u64().ok_or_else(|| Failure::new(format!("no `{field}` in {report}")))
}

/// Dumps, and looks that it stored no more than so many bytes.
async fn adds_at_most(world: &World, database: &str, options: &[&str], most: u64) -> RowResult<String> {
    let report = report(world, database, options).await?;
    let (added, shared, stored) =
        (bytes(&report, "added_bytes")?, bytes(&report, "shared_bytes")?, bytes(&report, "stored_bytes")?);
    ensure!(added <= most, "{added} bytes were added, and {most} are allowed: {report}");
    ensure_eq!(added + shared, stored, "bytes added and shared");
    let key = key(&report)?;
    let folder = format!("pg/{key}/");
    let own = world.place().objects().await?.into_iter().filter(|object| object.key.starts_with(&folder));
    ensure_eq!(own.map(|object| object.bytes).sum::<u64>(), added, "bytes in the folder of the dump");
    Ok(key)
}

/// Restores `dump` into a new database and returns what is in it.
async fn restored(world: &World, dump: &str, name: &str) -> RowResult<String> {
    let copy = world.name(name);
    world.lastgood(["pg", "restore", dump, "--into", &copy]).ok().await?;
    let contents = world.psql(&copy, CONTENTS)?;
    let sample = world.checksum(&copy)?;
    world.drop_database(&copy)?;
    Ok(format!("{contents} {sample}"))
}

fn contents(world: &World, database: &str) -> RowResult<String> {
    Ok(format!("{} {}", world.psql(database, CONTENTS)?, world.checksum(database)?))
}

/// A sample database with bulk and some large objects.
fn source(world: &World) -> RowResult<String> {
    let shop = world.sample("shop")?;
    world.add_bulk(&shop, BULK_MIB)?;
    world.psql(
        &shop,
        "SELECT lo_from_bytea(g::oid, (SELECT string_agg(sha512((g || '/' || i)::bytea), '') FROM generate_series(1, 2048) i)) \
         FROM generate_series(1000, 1039) g",
    )?;
    Ok(shop)
}

/// P-again: nothing changed, rows came, rows at the end changed, rows in the middle went.
pub(super) async fn changes(world: &World) -> RowResult {
    let shop = source(world)?;
    let first = report(world, &shop, &[]).await?;
    ensure_eq!(bytes(&first, "shared_bytes")?, 0, "what the first dump shares");
    ensure_eq!(bytes(&first, "added_bytes")?, bytes(&first, "stored_bytes")?, "what the first dump added");
    ensure!(first["stored_all"].as_str().is_some_and(|why| why.contains("no earlier dump")), "{first}");
    let whole = bytes(&first, "stored_bytes")?;
    let second = adds_at_most(world, &shop, &[], whole * 6 / 1000).await?;
    world.lastgood(["pg", "verify", &second, "--read", "all"]).ok().await?;

    let steps: [(&str, &str, u64); 6] = [
        ("rows at the end", "INSERT INTO bulk SELECT 100000 + id, body FROM bulk WHERE id <= 20", 2),
        ("a change at the end", "UPDATE bulk SET body = body || '\\x00' WHERE id = 760", 3),
        // Where the row was and where it is now.
        ("a row in the middle that grew", "UPDATE bulk SET body = body || '\\x0102' WHERE id = 300", 5),
        ("a row in the middle that went", "DELETE FROM bulk WHERE id = 400", 3),
        ("a large object that went", "SELECT lo_unlink(1010)", 3),
        ("a small table that changed", "UPDATE customers SET name = name || '!'", 1),
    ];
    for (what, change, frames) in steps {
        world.psql(&shop, change)?;
        let dump = adds_at_most(world, &shop, &[], frames * FRAME_BYTES + REST_BYTES).await.within(what)?;
        let live = contents(world, &shop)?;
        ensure_eq!(restored(world, &dump, "copy").await.within(what)?, live, "{what}: what is restored");
    }
    dropped_and_made_again(world, &shop, whole).await
}

/// The same rows in another table are the same content.
async fn dropped_and_made_again(world: &World, shop: &str, whole: u64) -> RowResult {
    report(world, shop, &[]).await?;
    world.psql(shop, "ALTER TABLE bulk RENAME TO old; CREATE TABLE bulk (LIKE old INCLUDING ALL)")?;
    world.psql(shop, "ALTER TABLE bulk ALTER body SET STORAGE EXTERNAL")?;
    world.psql(shop, "INSERT INTO bulk SELECT * FROM old ORDER BY ctid; DROP TABLE old")?;
    let dump = adds_at_most(world, shop, &[], whole / 100).await.within("a table that was made again")?;
    ensure_eq!(restored(world, &dump, "copy").await?, contents(world, shop)?, "a table that was made again");
    // Another column is other content.
    world.psql(shop, "ALTER TABLE bulk ADD COLUMN more text DEFAULT 'x'")?;
    let changed = report(world, shop, &[]).await?;
    ensure!(bytes(&changed, "added_bytes")? > whole / 2, "what a dump of other columns added: {changed}");
    ensure_eq!(restored(world, &key(&changed)?, "copy").await?, contents(world, shop)?, "a table with one more column");
    Ok(())
}

/// P-again-jobs: how many jobs there are, and whether there are lists, does not matter.
pub(super) async fn any_jobs(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    // Two ranges and more.
    world.add_bulk(&shop, 96)?;
    let first = report(world, &shop, &["--jobs", "1"]).await?;
    let most = bytes(&first, "stored_bytes")? * 6 / 1000;
    adds_at_most(world, &shop, &["--jobs", "4"], most).await.within("four jobs after one")?;
    let lists = world.lastgood(["pg", "dump", &shop, "--json"]).env("LASTGOOD_LISTS_OVER", "0").ok().await?.json()?;
    ensure!(bytes(&lists, "added_bytes")? <= most, "with lists: {lists}");
    let last = adds_at_most(world, &shop, &["--jobs", "1"], most).await.within("one job after lists")?;
    ensure_eq!(restored(world, &last, "copy").await?, contents(world, &shop)?, "the rows");
    let full = report(world, &shop, &["--full"]).await?;
    ensure_eq!(bytes(&full, "shared_bytes")?, 0, "what a full dump shares");
    ensure!(bytes(&full, "added_bytes")? > most * 100, "what a full dump added: {full}");
    // Of another configuration the newest complete one counts.
    adds_at_most(world, &shop, &["--config", "other", "--exclude-table-data", "orders"], most).await?;
    adds_at_most(world, &shop, &["--config", "third"], most).await?;
    Ok(())
}

/// P-again-pruned: what a deleted dump has and a kept one needs stays, and goes with the last that needs it.
pub(super) async fn outlives(world: &World) -> RowResult {
    let shop = source(world)?;
    let (first, live) = (world.dump(&shop).await?, contents(world, &shop)?);
    let second = world.dump(&shop).await?;
    world.psql(&shop, "INSERT INTO bulk SELECT 100000 + id, body FROM bulk WHERE id <= 20")?;
    let third = world.dump(&shop).await?;
    let changed = contents(world, &shop)?;
    let prune = |last: &'static str| world.lastgood(["pg", "prune", "--keep-last", last, "--yes", "--grace", "0s"]);

    prune("2").ok().await?;
    ensure_eq!(world.keys(&shop).await?, vec![second.clone(), third.clone()], "dumps after the first prune");
    ensure!(in_folder(world, &first).await? > 0, "what the others need of the first dump is gone");
    world.lastgood(["pg", "verify", "--all", "--read", "all"]).ok().await?;
    ensure_eq!(restored(world, &second, "second").await?, live, "the second dump, without the first");

    // A part of it, read by ranges of packs in another folder.
    let part = world.name("part");
    world.lastgood(["pg", "restore", &third, "--table", "orders", "--into", &part]).ok().await?;
    ensure_eq!(
        world.psql(&part, "SELECT count(*) FROM orders")?,
        world.psql(&shop, "SELECT count(*) FROM orders")?,
        "rows"
    );
    world.drop_database(&part)?;
    let rows = ["pg", "restore", third.as_str(), "--data-only", "--replace-rows", "--confirm-database", shop.as_str()];
    world.lastgood(rows).args(["--table", "bulk"]).ok().await?;
    ensure_eq!(contents(world, &shop)?, changed, "rows alone");

    prune("1").ok().await?;
    prune("1").ok().await?;
    ensure_eq!(restored(world, &third, "third").await?, changed, "the third dump, alone");
    world.lastgood(["pg", "show", &third]).ok().await?.says(" with earlier dumps; ")?;
    world.lastgood(["pg", "ls", &shop]).ok().await?.says("  ADDED  ")?.says("  SHARED  ")?;
    let full = key(&report(world, &shop, &["--full"]).await?)?;
    prune("1").ok().await?;
    let objects: Vec<String> = world.place().objects().await?.into_iter().map(|object| object.key).collect();
    let others = |object: &&String| object.contains(".dump/") && !object.contains(&format!("{full}/"));
    ensure_eq!(objects.iter().filter(others).collect::<Vec<_>>(), Vec::<&String>::new(), "what is left of the others");
    ensure_eq!(restored(world, &full, "full").await?, changed, "the full dump");
    Ok(())
}

/// How many objects are in the folder of a dump.
async fn in_folder(world: &World, dump: &str) -> RowResult<usize> {
    let folder = format!("pg/{dump}/");
    Ok(world.place().objects().await?.into_iter().filter(|object| object.key.starts_with(&folder)).count())
}
