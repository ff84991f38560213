//! Tables that a server cannot even plan a statement about without the search path of their database: functions whose bodies
//! name others without a schema, in what it looks at then.

use crate::harness::compare::Picture;
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// SQL functions, whose bodies a planner puts in place of their calls; a domain and a check that call them; a key whose rows
/// cannot go in any order.
const PLACES: &str = "
CREATE FUNCTION {schema}.half(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT n / 2 $$;
CREATE FUNCTION {schema}.bin(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT 10 * half(n) $$;
CREATE DOMAIN {schema}.place AS bigint CHECK ({schema}.bin(VALUE) >= 0);
CREATE TABLE {schema}.places (id integer PRIMARY KEY, low {schema}.place, high bigint CHECK ({schema}.bin(high) >= 0),
  price numeric(PRICE), bin bigint GENERATED ALWAYS AS ({schema}.bin(high)) STORED);
CREATE TABLE {schema}.a_finds (place integer CONSTRAINT finds_place REFERENCES {schema}.places ON DELETE RESTRICT);
INSERT INTO {schema}.places SELECT g, g * 2, g * 3, g FROM generate_series(1, 300) g;
INSERT INTO {schema}.a_finds SELECT generate_series(1, 200);";

/// Indexes over them. From 17 on servers make none under any path of ours, not even in the source.
const INDEXED: &str = "
CREATE INDEX places_by_bin ON {schema}.places ({schema}.bin(low));
CREATE INDEX places_high ON {schema}.places (high) WHERE {schema}.bin(high) > 10;";

/// Statistics of expressions, which servers have since 14.
const MEASURED: &str = "CREATE STATISTICS {schema}.of_{table} ON ({schema}.bin(low)), high FROM {schema}.{table};";

/// More than a dump reads at once.
const LARGE: &str = "
CREATE TABLE {schema}.large (low bigint, high bigint, note text);
ALTER TABLE {schema}.large ALTER note SET STORAGE EXTERNAL;
INSERT INTO {schema}.large SELECT g, g, repeat('x', 8000) FROM generate_series(1, 9000) g;";

fn rows(schema: &str) -> String {
    format!(
        "SELECT count(*), sum(low), sum(bin), sum(price)::integer FROM {schema}.places; SELECT count(*), sum(place) FROM {schema}.a_finds"
    )
}

/// The same database under another name, with prices of this type.
fn create(world: &World, base: &str, schema: &str, price: &str) -> RowResult<String> {
    let major = world.major()?;
    let name = world.create(base)?;
    if schema != "public" {
        let path = format!("CREATE SCHEMA {schema}; ALTER DATABASE \"{name}\" SET search_path = {schema}, public");
        world.psql(&name, &path)?;
    }
    let mut all = vec![PLACES];
    all.extend((major < 17).then_some(INDEXED));
    all.extend((major >= 14).then_some(MEASURED));
    let sql = all.concat().replace("{table}", "places").replace("PRICE", price).replace("{schema}", schema);
    world.psql(&name, &sql)?;
    Ok(name)
}

/// Rows alone into the database itself and into one that prints them otherwise, tables carried over, and a large table dumped.
pub(super) async fn by_search_path(world: &World) -> RowResult {
    for schema in ["public", "app"] {
        let source = create(world, &format!("source_{schema}"), schema, "6, 2")?;
        cannot_be_planned(world, &source, schema).within("what the row set up")?;
        let before = Picture::of(world.cluster(), &source)?;
        let key = world.dump(&source).await?;
        rows_alone(world, &source, &key, schema, &before).await.within(schema)?;
        carried_over(world, &source, &key, schema).await.within("tables carried over").within(schema)?;
    }
    large(world, "app").await.within("a large table")
}

/// Without a search path the server cannot plan it.
fn cannot_be_planned(world: &World, database: &str, schema: &str) -> RowResult {
    let sql = format!("SET search_path = ''; SELECT count(*) FROM {schema}.places");
    let said = world.cluster().psql(database, &sql).err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(said.contains("half"), "it said {said:?}");
    Ok(())
}

async fn rows_alone(world: &World, source: &str, key: &str, schema: &str, before: &Picture) -> RowResult {
    let expected = world.psql(source, &rows(schema))?;
    let change =
        format!("DELETE FROM {schema}.a_finds WHERE place > 100; UPDATE {schema}.places SET low = 0 WHERE id > 7");
    world.psql(source, &change)?;
    let over = ["pg", "restore", key, "--data-only", "--replace-rows", "--confirm-database", source];
    world.lastgood(over).arg("-n").ok().await?.says("DELETED FIRST")?;
    world.lastgood(over).ok().await?;
    before.expect(&Picture::of(world.cluster(), source)?, "the live database")?;

    // Columns of another type: what the dump has is put into a table of the session's own, whose domains are checked, too.
    let other = create(world, &format!("other_{schema}"), schema, "8, 4")?;
    world.psql(&other, &change)?;
    let into = ["pg", "restore", key, "--into", &other, "--data-only", "--replace-rows", "--confirm-database", &other];
    world.lastgood(into).ok().await?.says("prints some of their values differently")?;
    ensure_eq!(world.psql(&other, &rows(schema))?, expected, "rows of a database of other types");
    // A key that is broken is found by the same path, and nothing stays.
    world.psql(&other, &format!("DELETE FROM {schema}.a_finds"))?;
    world.psql(&other, &format!("DELETE FROM {schema}.places WHERE id = 150"))?;
    let part = ["pg", "restore", key, "--into", &other, "--data-only", "--confirm-database", &other];
    let refused = world.lastgood(part).args(["--table", &format!("{schema}.a_finds")]).fails(1).await?;
    refused.says("finds_place")?.says("nothing was changed")?;
    ensure_eq!(world.psql(&other, &format!("SELECT count(*) FROM {schema}.a_finds"))?, "0", "rows after a refusal");
    Ok(())
}

/// What the live database has of the tables outlives the restore.
async fn carried_over(world: &World, source: &str, key: &str, schema: &str) -> RowResult {
    world.psql(
        source,
        &format!("UPDATE {schema}.places SET low = 4 WHERE id > 250; DELETE FROM {schema}.a_finds WHERE place > 30"),
    )?;
    let today = world.psql(source, &rows(schema))?;
    let (places, finds) = (format!("{schema}.places"), format!("{schema}.a_finds"));
    let over = ["pg", "restore", key, "--confirm-database", source, "--carry-over", &places, "--carry-over", &finds];
    world.lastgood(over).ok().await?;
    ensure_eq!(world.psql(source, &rows(schema))?, today, "rows that were carried over");
    Ok(())
}

/// One that is read in several ranges where the server can plan it, and as a whole where it cannot.
async fn large(world: &World, schema: &str) -> RowResult {
    let source = world.name(&format!("source_{schema}"));
    world.psql(&source, &LARGE.replace("{schema}", schema))?;
    if world.major()? >= 14 {
        world.psql(&source, &MEASURED.replace("{table}", "large").replace("{schema}", schema))?;
    }
    let key = world.dump(&source).await?;
    let copy = world.name("copy");
    world.lastgood(["pg", "restore", &key, "--into", &copy]).ok().await?;
    let rows = format!("SELECT count(*), sum(low), sum(length(note)) FROM {schema}.large");
    ensure_eq!(world.psql(&copy, &rows)?, world.psql(&source, &rows)?, "rows of the large table");
    Ok(())
}
