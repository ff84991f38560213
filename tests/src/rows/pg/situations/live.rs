//! Rows alone into a live database, and the options of sessions.

use crate::ensure_eq;
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};

/// A table whose columns are all computed holds rows all the same.
pub(super) async fn computed(world: &World) -> RowResult {
    let source = world.create("source")?;
    world.psql(
        &source,
        "CREATE TABLE ticks (one integer GENERATED ALWAYS AS (1) STORED, two text GENERATED ALWAYS AS ('x') STORED); \
         INSERT INTO ticks DEFAULT VALUES; INSERT INTO ticks DEFAULT VALUES; INSERT INTO ticks DEFAULT VALUES",
    )?;
    let key = world.dump(&source).await?;
    let rows = "SELECT count(*), sum(one), min(two) FROM ticks";
    let copy = world.name("copy");
    world.lastgood(["pg", "restore", &key, "--into", &copy]).ok().await?;
    ensure_eq!(world.psql(&copy, rows)?, "3|3|x", "rows of the copy");
    world.psql(&copy, "TRUNCATE ticks")?;
    world.lastgood(["pg", "restore", &key, "--into", &copy, "--data-only", "--confirm-database", &copy]).ok().await?;
    ensure_eq!(world.psql(&copy, rows)?, "3|3|x", "rows put into the live table");
    Ok(())
}

/// Enough of everything that a load makes or changes for its time: keys, triggers, a sequence, a large object, a column that
/// prints otherwise than in the dump.
const SCHEMA: &str = "
CREATE TABLE parent (id serial PRIMARY KEY, price numeric(6, 2));
CREATE TABLE child (id integer REFERENCES parent);
INSERT INTO parent (price) VALUES (1), (2); INSERT INTO child VALUES (1), (2);
CREATE FUNCTION same() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER same BEFORE INSERT ON parent FOR EACH ROW EXECUTE FUNCTION same();
SELECT lo_from_bytea(7, 'seven'); COMMENT ON LARGE OBJECT 7 IS 'seven'";

/// One that notes down who does what, and one that lets nobody drop anything.
const EVENTS: &str = "
ALTER TABLE parent ALTER price TYPE numeric(8, 4);
CREATE TABLE ddl (tag text);
CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.ddl VALUES (tg_tag); END';
CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no % here', tg_tag; END $$;
CREATE EVENT TRIGGER noted ON ddl_command_end EXECUTE FUNCTION note();
CREATE EVENT TRIGGER always ON ddl_command_end EXECUTE FUNCTION note(); ALTER EVENT TRIGGER always ENABLE ALWAYS;
CREATE EVENT TRIGGER of_replicas ON ddl_command_end EXECUTE FUNCTION note(); ALTER EVENT TRIGGER of_replicas ENABLE REPLICA;
CREATE EVENT TRIGGER kept ON sql_drop EXECUTE FUNCTION no()";

/// Event triggers are for what people do. Keys are checked all the same.
pub(super) async fn events(world: &World) -> RowResult {
    let source = world.create("source")?;
    world.psql(&source, SCHEMA)?;
    let key = world.dump(&source).await?;
    let live = world.name("live");
    world.lastgood(["pg", "restore", &key, "--into", &live, "--schema-only"]).ok().await?;
    world.psql(&live, EVENTS)?;
    let rows = ["pg", "restore", &key, "--into", &live, "--data-only", "--confirm-database", &live];
    world.lastgood(rows).ok().await?;
    ensure_eq!(world.psql(&live, "SELECT count(*) FROM ddl")?, "0", "what event triggers noted down");
    ensure_eq!(
        world.psql(&live, "SELECT (SELECT sum(price) FROM parent), (SELECT count(*) FROM child)")?,
        "3.0000|2",
        "rows"
    );
    ensure_eq!(world.psql(&live, "SELECT convert_from(lo_get(7), 'UTF8')")?, "seven", "the large object");
    world.psql(&live, "CREATE VIEW v AS SELECT 1")?;
    let enabled = "SELECT string_agg(evtenabled::text, '' ORDER BY evtname) FROM pg_event_trigger";
    ensure_eq!(world.psql(&live, enabled)?, "AOOR", "in which sessions event triggers fire");
    ensure_eq!(
        world.psql(&live, "SELECT string_agg(tag, ' ') FROM ddl")?,
        "CREATE VIEW CREATE VIEW",
        "what they note down afterwards"
    );

    world.psql(&live, "TRUNCATE parent, child")?;
    world.lastgood(rows).args(["--table", "child"]).fails(1).await?.says("child_id_fkey")?;
    ensure_eq!(world.psql(&live, "SELECT count(*) FROM child")?, "0", "rows of a table whose key would be broken");
    Ok(())
}

/// What an index needs while it is built is given by whoever restores.
pub(super) async fn options(world: &World) -> RowResult {
    let source = world.create("source")?;
    world.psql(
        &source,
        "CREATE TABLE t (id integer); INSERT INTO t VALUES (1); CREATE FUNCTION tenant(integer) RETURNS text IMMUTABLE \
         LANGUAGE sql AS $$ SELECT pg_catalog.current_setting('app.tenant') || $1 $$; SET app.tenant = 'a'; \
         CREATE INDEX by_tenant ON t (tenant(id))",
    )?;
    let key = world.dump(&source).await?;
    let copy = world.name("copy");
    let restore = ["pg", "restore", &key, "--into", &copy];
    let refused = world.lastgood(restore).run().await?;
    ensure_eq!(refused.code() == Some(0), false, "whether the index needs the setting");
    refused.says("app.tenant")?;
    world.lastgood(restore).env("PGOPTIONS", "-c app.tenant=b -c maintenance_work_mem=1MB").ok().await?;
    let built = "SELECT count(*) FROM pg_index WHERE indexrelid = 'by_tenant'::regclass AND indisvalid";
    ensure_eq!(world.psql(&copy, built)?, "1", "indexes of the copy");
    Ok(())
}

/// Rows from before a key or a check break it: whoever loads them is told, and can.
pub(super) async fn not_valid(world: &World) -> RowResult {
    not_valid_key(world).await?;
    not_valid_checks(world).await
}

/// A check, that of a partitioned table, and since 18 one for null. The statements that the message names do what it says.
async fn not_valid_checks(world: &World) -> RowResult {
    let has_not_null = world.major()? >= 18;
    let source = world.create("checked")?;
    let not_null = if has_not_null { "; ALTER TABLE noted ADD CONSTRAINT said NOT NULL note NOT VALID" } else { "" };
    world.psql(
        &source,
        &format!(
            "CREATE TABLE \"Few\" (n integer); INSERT INTO \"Few\" VALUES (1), (99); \
             CREATE TABLE parted (n integer) PARTITION BY RANGE (n); CREATE TABLE parted_1 PARTITION OF parted DEFAULT; \
             INSERT INTO parted VALUES (1), (99); CREATE TABLE noted (note text); INSERT INTO noted VALUES (NULL); \
             ALTER TABLE \"Few\" ADD CONSTRAINT \"Is low\" CHECK (n < 10) NOT VALID; \
             ALTER TABLE parted ADD CONSTRAINT low CHECK (n < 10) NOT VALID{not_null}"
        ),
    )?;
    let key = world.dump(&source).await?;
    let live = world.name("live_checked");
    world.lastgood(["pg", "restore", &key, "--into", &live]).ok().await?;
    ensure_eq!(world.psql(&live, "SELECT count(*) FROM \"Few\"")?, "2", "rows of a whole restore");
    let empty = "TRUNCATE \"Few\", parted, noted";
    world.psql(&live, empty)?;
    let rows = ["pg", "restore", &key, "--into", &live, "--data-only", "--confirm-database", &live];
    world.lastgood(rows).arg("-n").ok().await?.says("NOT VALID")?.says("public.parted.low")?;
    let mut checks = vec![
        ("Few", "\"Few\"", "Is low", "CHECK ((n < 10)) NOT VALID"),
        ("parted", "\"parted\"", "low", "CHECK ((n < 10)) NOT VALID"),
    ];
    checks.extend(has_not_null.then_some(("noted", "\"noted\"", "said", "NOT NULL note NOT VALID")));
    for (table, quoted, name, definition) in checks {
        let one = world.lastgood(rows).args(["--table", if table == "parted" { "parted_1" } else { quoted }]);
        let refused = one.args(["--disable-triggers"]).fails(1).await.within(name)?;
        let (drop, add) = (
            format!("ALTER TABLE \"public\".{quoted} DROP CONSTRAINT \"{name}\""),
            format!("ALTER TABLE \"public\".{quoted} ADD CONSTRAINT \"{name}\" {definition}"),
        );
        let refused = refused.says(&format!("`public.{table}.{name}` is NOT VALID"))?.says("--disable-triggers")?;
        refused.says(&drop)?.says(&add)?.says("nothing was changed")?;
        world.psql(&live, &drop).within(name)?;
    }
    world.lastgood(rows).ok().await?;
    let counts = "SELECT (SELECT count(*) FROM \"Few\"), (SELECT count(*) FROM parted), (SELECT count(*) FROM noted)";
    ensure_eq!(world.psql(&live, counts)?, "2|2|1", "rows that break the checks");
    world.psql(&live, "ALTER TABLE \"public\".\"Few\" ADD CONSTRAINT \"Is low\" CHECK ((n < 10)) NOT VALID")?;
    Ok(())
}

async fn not_valid_key(world: &World) -> RowResult {
    let source = world.create("source")?;
    world.psql(
        &source,
        "CREATE TABLE parent (id integer PRIMARY KEY); CREATE TABLE child (id integer); INSERT INTO child VALUES (1), (99); \
         INSERT INTO parent VALUES (1); ALTER TABLE child ADD CONSTRAINT late FOREIGN KEY (id) REFERENCES parent NOT VALID",
    )?;
    let key = world.dump(&source).await?;
    let live = world.name("live");
    world.lastgood(["pg", "restore", &key, "--into", &live]).ok().await?;
    ensure_eq!(world.psql(&live, "SELECT count(*) FROM child")?, "2", "rows of a whole restore");
    world.psql(&live, "TRUNCATE parent, child")?;
    let rows = ["pg", "restore", &key, "--into", &live, "--data-only", "--confirm-database", &live];
    world.lastgood(rows).arg("-n").ok().await?.says("NOT VALID")?;
    let refused = world.lastgood(rows).fails(1).await?;
    refused.says("`public.child.late` is NOT VALID")?.says("--disable-triggers")?.says("nothing was changed")?;
    ensure_eq!(world.psql(&live, "SELECT count(*) FROM child")?, "0", "rows after a refusal");
    let role = world.name("powerless");
    let own = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'pw'; ALTER TABLE child OWNER TO {role}; ALTER TABLE parent OWNER TO {role}"
    );
    world.psql(&live, &own)?;
    let powerless = world.lastgood(rows).arg("--disable-triggers").env("PGUSER", &role).env("PGPASSWORD", "pw");
    powerless.fails(1).await?.says("only a superuser can load rows without checking")?;
    world.lastgood(rows).arg("--disable-triggers").ok().await?;
    ensure_eq!(world.psql(&live, "SELECT count(*) FROM child")?, "2", "rows that break the key");
    let state = "SELECT convalidated, condeferrable FROM pg_constraint WHERE conname = 'late'";
    ensure_eq!(world.psql(&live, state)?, "f|f", "the key afterwards");
    Ok(())
}
