//! A part of a dump: which rows come back, what becomes of the rest, and what is read for it.

use crate::harness::{Output, RowResult, World};
use crate::{ensure, ensure_eq};

/// Two large tables that cannot be compressed, so that reading one must not mean reading the other, and everything that
/// can refer to a table.
const SCHEMA: &str = "
CREATE SCHEMA audit;
CREATE TABLE orders (id serial PRIMARY KEY, v text);
INSERT INTO orders (v) SELECT (SELECT string_agg(encode(sha512((g || '/' || i)::bytea), 'hex'), '') FROM generate_series(1, 8) i) FROM generate_series(1, 6000) g;
CREATE TABLE audit.log (id integer PRIMARY KEY, order_id integer CONSTRAINT log_order REFERENCES orders, v text);
INSERT INTO audit.log SELECT g, g, (SELECT string_agg(encode(sha512((g || '+' || i)::bytea), 'hex'), '') FROM generate_series(1, 8) i) FROM generate_series(1, 6000) g;
CREATE TABLE lines (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id integer CONSTRAINT line_order REFERENCES orders);
INSERT INTO lines (order_id) SELECT generate_series(1, 500);
CREATE TABLE child (extra text) INHERITS (orders);
INSERT INTO child (id, v, extra) VALUES (-1, 'inherited', 'x');
CREATE VIEW recent AS SELECT * FROM orders;
CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n FROM recent;
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON lines FOR EACH ROW EXECUTE FUNCTION touched();
CREATE RULE copied AS ON DELETE TO lines DO ALSO INSERT INTO orders (v) VALUES ('deleted');
CREATE TABLE events (id integer, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2020-07-01');
CREATE TABLE events_2 (day date NOT NULL, id integer NOT NULL, PRIMARY KEY (id, day));
ALTER TABLE events ATTACH PARTITION events_2 FOR VALUES FROM ('2020-07-01') TO ('2021-01-01');
INSERT INTO events SELECT g, '2020-01-01'::date + g FROM generate_series(0, 299) g;
CREATE TABLE seen (id integer, day date, CONSTRAINT seen_event FOREIGN KEY (id, day) REFERENCES events);
INSERT INTO seen SELECT id, day FROM events;
SELECT lo_from_bytea(0, 'large')";

/// Names of the foreign keys of a copy.
const KEYS: &str =
    "SELECT string_agg(conname, ',' ORDER BY conname) FROM pg_constraint WHERE contype = 'f' AND conparentid = 0";

struct Copy<'w> {
    world: &'w World,
    name: String,
}

impl Copy<'_> {
    fn rows(&self, table: &str) -> RowResult<String> {
        self.world.psql(&self.name, &format!("SELECT count(*) FROM {table}"))
    }

    fn exists(&self, name: &str) -> RowResult<bool> {
        Ok(self.world.psql(&self.name, &format!("SELECT to_regclass('{name}') IS NOT NULL"))? == "t")
    }
}

/// Shows the plan, restores the part `args` choose into a new database, and returns both.
async fn restore<'w>(world: &'w World, source: &str, name: &str, args: &[&str]) -> RowResult<(Copy<'w>, Output)> {
    let copy = world.name(name);
    let command = |extra: &[&str]| {
        let all = [&["pg", "restore", source, "--into", &copy], args, extra].concat();
        world.lastgood(all.into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    let plan = command(&["-n"]).ok().await?;
    ensure!(!world.databases()?.contains(&copy), "a dry run made `{copy}`");
    if let Some(peer) = world.place().peer() {
        peer.clear_log();
    }
    command(&[]).ok().await?;
    Ok((Copy { world, name: copy }, plan))
}

/// Every way to choose.
pub(super) async fn chosen(world: &World) -> RowResult {
    let source = world.create("source")?;
    world.psql(&source, SCHEMA)?;
    world.dump(&source).await?;
    one_table(world, &source).await?;
    excluded(world, &source).await?;
    dropped(world, &source).await?;
    partitions(world, &source).await?;
    schema_only(world, &source).await?;
    refused(world, &source).await
}

/// Only the rows of one table, and only its bytes are read.
async fn one_table(world: &World, source: &str) -> RowResult {
    let (copy, plan) = restore(world, source, "one", &["--table=lines"]).await?;
    plan.says("created without rows")?.says("line_order is left out")?.says("view public.recent is kept")?;
    ensure_eq!(copy.rows("lines")?, "500", "rows of the selected table");
    ensure_eq!(copy.rows("orders")?, "0", "rows of a table that is not selected");
    ensure_eq!(world.psql(&copy.name, "SELECT n FROM totals")?, "0", "a materialized view of rows that are not there");
    let keys = world.psql(&copy.name, KEYS)?;
    ensure_eq!(keys, "log_order,seen_event", "foreign keys: only one that rows would break is left out");
    ensure_eq!(world.psql(&copy.name, "SELECT count(*) FROM pg_largeobject_metadata")?, "0", "large objects");
    world.psql(&copy.name, "INSERT INTO lines DEFAULT VALUES")?;
    ensure_eq!(world.psql(&copy.name, "SELECT max(id) FROM lines")?, "501", "the next number of its sequence");
    if let Some(peer) = world.place().peer() {
        let packs = peer.log().into_iter().filter(|call| call.key.ends_with(".pack") && call.op == "GetObject");
        let read: u64 = packs.map(|call| call.bytes_out).sum();
        ensure!(read > 0, "nothing was read of the packs");
        ensure!(read < 100_000, "{read} bytes of packs were read for 500 small rows");
    }
    Ok(())
}

/// Everything but one table.
async fn excluded(world: &World, source: &str) -> RowResult {
    let (copy, _) = restore(world, source, "excluded", &["--exclude-table=audit.*", "--exclude-table=seen"]).await?;
    ensure_eq!(copy.rows("audit.log")?, "0", "rows of an excluded table");
    ensure_eq!(copy.rows("orders")?, "6001", "rows of a table and its child");
    ensure_eq!(world.psql(&copy.name, KEYS)?, "line_order,log_order,seen_event", "foreign keys, none broken");
    ensure_eq!(world.psql(&copy.name, "SELECT n FROM totals")?, "6001", "a materialized view");
    ensure_eq!(world.psql(&copy.name, "SELECT count(*) FROM pg_largeobject_metadata")?, "1", "large objects");
    Ok(())
}

/// What is not selected is not made, but for what something selected needs.
async fn dropped(world: &World, source: &str) -> RowResult {
    let (copy, plan) =
        restore(world, source, "dropped", &["--table=lines", "--table=child", "--excluded=drop"]).await?;
    plan.says("table public.orders is created without rows: table public.child needs it")?.says("not created")?;
    ensure_eq!(copy.rows("lines")?, "500", "rows of a selected table");
    ensure_eq!(copy.rows("ONLY orders")?, "0", "rows of a parent that is needed and not selected");
    ensure_eq!(copy.rows("child")?, "1", "rows of the child");
    for gone in ["audit.log", "events", "events_1", "seen", "totals", "recent"] {
        ensure!(!copy.exists(gone)?, "`{gone}` was made");
    }
    let (copy, plan) =
        restore(world, source, "less", &["--exclude-table=orders", "--exclude-table=child", "--excluded=drop"]).await?;
    plan.says("line_order is left out")?.says("rule public.lines copied is left out")?;
    for gone in ["orders", "recent", "totals"] {
        ensure!(!copy.exists(gone)?, "`{gone}` was made");
    }
    ensure_eq!(world.psql(&copy.name, KEYS)?, "seen_event", "foreign keys whose tables are there");
    Ok(())
}

/// What is said of a partitioned table holds for its partitions, and a key to it needs all of them.
async fn partitions(world: &World, source: &str) -> RowResult {
    let (copy, _) = restore(world, source, "parts", &["--table=events", "--table=seen"]).await?;
    ensure_eq!((copy.rows("events")?, copy.rows("seen")?), ("300".into(), "300".into()), "rows of all partitions");
    ensure_eq!(world.psql(&copy.name, KEYS)?, "line_order,log_order,seen_event", "foreign keys");
    let (copy, plan) = restore(world, source, "one_part", &["--exclude-table=events_2"]).await?;
    plan.says("seen_event is left out")?;
    let kept = world.psql(&copy.name, "SELECT count(*), max(day) < '2020-07-01' FROM events")?;
    ensure_eq!(kept, "182|t", "rows of the partition that stayed");
    Ok(())
}

/// Definitions only.
async fn schema_only(world: &World, source: &str) -> RowResult {
    let (copy, _) = restore(world, source, "schema", &["--schema-only"]).await?;
    ensure_eq!(copy.rows("orders")?, "0", "rows");
    let populated = "SELECT relispopulated FROM pg_class WHERE relname = 'totals'";
    ensure_eq!(world.psql(&copy.name, populated)?, "f", "a materialized view without rows");
    ensure_eq!(world.psql(&copy.name, KEYS)?, "line_order,log_order,seen_event", "foreign keys");
    ensure_eq!(world.psql(&copy.name, "SELECT nextval('orders_id_seq')")?, "1", "a sequence at its start");
    if let Some(peer) = world.place().peer() {
        let packs = peer.log().into_iter().filter(|call| call.key.ends_with(".pack")).count();
        ensure_eq!(packs, 0, "requests of packs for a schema");
    }
    let (copy, _) = restore(world, source, "audit", &["--schema=audit", "--excluded=drop"]).await?;
    ensure_eq!(copy.rows("audit.log")?, "6000", "rows of a schema's table");
    ensure!(!copy.exists("orders")?, "a table of another schema was made");
    Ok(())
}

/// Misspelt names, damage in what is read, and a live database.
async fn refused(world: &World, source: &str) -> RowResult {
    let before = (world.databases()?, world.psql(source, "SELECT count(*) FROM orders")?);
    let misspelt = world.lastgood(["pg", "restore", source, "--into", "other", "--table", "oders"]).run().await?;
    ensure!(misspelt.code() != Some(0), "a misspelt name was taken");
    misspelt.says("`oders`")?;
    let live = world.lastgood(["pg", "restore", source, "--table", "lines"]).run().await?;
    ensure!(live.code() != Some(0), "a live database was replaced by a part of it without a word");
    live.says("everything else in it will be gone")?;
    let plan = world.lastgood(["pg", "restore", source, "--table", "lines", "-n"]).ok().await?;
    plan.says("THE WHOLE LIVE DATABASE")?;
    ensure_eq!((world.databases()?, world.psql(source, "SELECT count(*) FROM orders")?), before, "the server");
    for key in world.place().keys_ending(".pack").await? {
        let bytes: Vec<u8> = world.place().read(&key).await?.into_iter().map(|byte| !byte).collect();
        world.place().write(&key, &bytes).await?;
    }
    let damaged = world.lastgood(["pg", "restore", source, "--into", "other", "--table", "lines"]).run().await?;
    ensure!(damaged.code() != Some(0), "damaged rows were restored");
    damaged.says("digest differs")?;
    ensure_eq!(world.databases()?, before.0, "databases after damage was found");
    Ok(())
}
