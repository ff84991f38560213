//! Rows alone into the schema that a live database has: all of them or none, and nothing else is touched.

use std::os::unix::fs::PermissionsExt as _;

use crate::harness::failure::Within as _;
use crate::harness::{Lastgood, Output, RowResult, World};
use crate::{ensure, ensure_eq};

/// Keys in a circle, keys of every kind of deferral, partitions on both sides of a key, sequences of every kind.
const SCHEMA: &str = r#"
CREATE TABLE cust (id serial PRIMARY KEY, name text, best integer);
CREATE TABLE ord (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, cust integer NOT NULL CONSTRAINT ord_cust REFERENCES cust, v text);
ALTER TABLE cust ADD CONSTRAINT cust_best FOREIGN KEY (best) REFERENCES ord;
CREATE TABLE line (id bigserial PRIMARY KEY, ord integer CONSTRAINT line_ord REFERENCES ord DEFERRABLE INITIALLY DEFERRED, twice bigint GENERATED ALWAYS AS (id * 2) STORED);
CREATE TABLE "Odd "" t" (id serial PRIMARY KEY, "a b" text, line bigint CONSTRAINT odd_line REFERENCES line DEFERRABLE);
CREATE TABLE event (id integer, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2020-01-01') TO ('2020-07-01');
CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM ('2020-07-01') TO ('2021-01-01');
CREATE TABLE seen (id integer, day date, CONSTRAINT seen_event FOREIGN KEY (id, day) REFERENCES event) PARTITION BY RANGE (day);
CREATE TABLE seen_1 PARTITION OF seen FOR VALUES FROM ('2020-01-01') TO ('2020-07-01');
CREATE TABLE seen_2 PARTITION OF seen FOR VALUES FROM ('2020-07-01') TO ('2021-01-01');
CREATE SEQUENCE tickets;
INSERT INTO cust (name) SELECT 'c' || g FROM generate_series(1, 300) g;
INSERT INTO ord (cust, v) SELECT g % 300 + 1, (SELECT string_agg(encode(sha512((g || '/' || i)::bytea), 'hex'), '') FROM generate_series(1, 2) i) FROM generate_series(1, 3000) g;
UPDATE cust SET best = id * 2;
INSERT INTO line (ord) SELECT g FROM generate_series(1, 500) g;
INSERT INTO "Odd "" t" ("a b", line) SELECT 'o' || g, g FROM generate_series(1, 10) g;
INSERT INTO event SELECT g, '2020-01-01'::date + g FROM generate_series(0, 299) g;
INSERT INTO seen SELECT id, day FROM event;
SELECT setval('tickets', 41);
CREATE VIEW recent AS SELECT * FROM ord;
CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n FROM recent;
SELECT lo_from_bytea(12345, 'large')"#;

/// A column more, and triggers of every state that let nobody in.
const LATER: &str = "
ALTER TABLE cust ADD COLUMN note text NOT NULL DEFAULT 'new';
CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a trigger fired'; END $$;
CREATE TRIGGER always BEFORE INSERT ON cust FOR EACH ROW EXECUTE FUNCTION no();
ALTER TABLE cust ENABLE ALWAYS TRIGGER always;
CREATE TRIGGER plain BEFORE INSERT OR TRUNCATE ON ord FOR EACH STATEMENT EXECUTE FUNCTION no();
CREATE TRIGGER off BEFORE INSERT ON line FOR EACH ROW EXECUTE FUNCTION no();
ALTER TABLE line DISABLE TRIGGER off;
CREATE TRIGGER of_all BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION no();
CREATE TRIGGER truncated BEFORE TRUNCATE ON event FOR EACH STATEMENT EXECUTE FUNCTION no();
ALTER TABLE event_2 ENABLE REPLICA TRIGGER of_all;
REFRESH MATERIALIZED VIEW totals";

/// Rows and values of sequences, which the dump has.
const CONTENTS: &str = r#"
SELECT md5(string_agg(concat_ws(',', id, name, best), ' ' ORDER BY id)) FROM cust;
SELECT md5(string_agg(t::text, ' ' ORDER BY id)) FROM ord t;
SELECT md5(string_agg(t::text, ' ' ORDER BY id)) FROM line t;
SELECT md5(string_agg(t::text, ' ' ORDER BY id)) FROM "Odd "" t" t;
SELECT md5(string_agg(concat_ws(',', tableoid::regclass, id, day), ' ' ORDER BY id)) FROM event t;
SELECT md5(string_agg(concat_ws(',', tableoid::regclass, id, day), ' ' ORDER BY id)) FROM seen t;
SELECT string_agg(concat_ws(':', sequencename, last_value), ' ' ORDER BY sequencename) FROM pg_sequences;
SELECT string_agg(loid || ':' || convert_from(data, 'UTF8'), ' ' ORDER BY loid) FROM pg_largeobject"#;

/// What a load changes for its time and must put back.
const BEHAVIOUR: &str = "
SELECT md5(string_agg(concat_ws(':', tgrelid::regclass, tgname, tgenabled, tgdeferrable, tginitdeferred), ' ' ORDER BY tgrelid, tgname)) FROM pg_trigger;
SELECT string_agg(concat_ws(':', conrelid::regclass, conname, condeferrable, condeferred, convalidated), ' ' ORDER BY oid) FROM pg_constraint WHERE contype = 'f'";

/// A dump, and a database of a later schema.
pub(in crate::rows) struct Scene<'w> {
    world: &'w World,
    key: String,
    source: String,
    pub(in crate::rows) target: String,
}

impl<'w> Scene<'w> {
    /// The target has the schema and no rows.
    pub(in crate::rows) async fn set(world: &'w World) -> RowResult<Self> {
        let source = world.create("source")?;
        world.psql(&source, SCHEMA)?;
        let key = world.dump(&source).await?;
        let target = world.name("target");
        world.lastgood(["pg", "restore", &key, "--into", &target, "--schema-only"]).ok().await?;
        world.psql(&target, LATER)?;
        Ok(Self { world, key, source, target })
    }

    /// The command that puts rows into the target.
    pub(in crate::rows) fn command(&self, args: &[&str]) -> Lastgood<'w> {
        let base = ["pg", "restore", &self.key, "--into", &self.target, "--data-only"];
        self.world.lastgood(base).args(args.iter().copied()).args(["--confirm-database", &self.target])
    }

    /// Everything that a load could change.
    pub(in crate::rows) fn picture(&self) -> RowResult<String> {
        self.world.psql(&self.target, &format!("{CONTENTS}; SELECT count(*) FROM cust WHERE note = 'new'; {BEHAVIOUR}"))
    }

    fn contents(&self, database: &str) -> RowResult<String> {
        self.world.psql(database, CONTENTS)
    }

    /// The target has exactly what the dump has.
    pub(in crate::rows) fn is_filled(&self) -> RowResult {
        ensure_eq!(self.contents(&self.target)?, self.contents(&self.source)?, "rows, sequences and large objects");
        Ok(())
    }

    /// It is refused, says why, and nothing is another than before.
    async fn refused(&self, args: &[&str], code: i32, says: &[&str]) -> RowResult<Output> {
        let before = self.picture()?;
        let databases = self.world.databases()?;
        let mut output = self.command(args).fails(code).await.within(&format!("{args:?}"))?;
        for text in says {
            output = output.says(text)?;
        }
        ensure_eq!(self.picture()?, before, "the database after {args:?}");
        ensure_eq!(self.world.databases()?, databases, "databases after {args:?}");
        Ok(output)
    }
}

/// P-data.
pub(super) async fn filled(world: &World) -> RowResult {
    let scene = Scene::set(world).await?;
    let behaviour = world.psql(&scene.target, BEHAVIOUR)?;
    unfit(&scene).await?;
    empty_tables(&scene).await?;
    ensure_eq!(world.psql(&scene.target, BEHAVIOUR)?, behaviour, "triggers and keys after a load");
    one_table(&scene).await?;
    all_tables(&scene).await?;
    ensure_eq!(world.psql(&scene.target, BEHAVIOUR)?, behaviour, "triggers and keys after all loads");
    damaged(&scene).await
}

/// Everything that stands against it is found before anything is changed.
async fn unfit(scene: &Scene<'_>) -> RowResult {
    let (world, target) = (scene.world, &scene.target);
    let key_broken = ["line_ord", "--table", "nothing was changed"];
    scene.refused(&["--table", "line"], 1, &key_broken).await?;
    scene.refused(&["--table", "seen"], 1, &["seen_event", "nothing was changed"]).await?;
    scene.refused(&["--reversible"], 2, &["--reversible"]).await?;
    scene.refused(&["--schema-only"], 2, &["--schema-only"]).await?;
    scene.refused(&["--pre-swap-hook", "touch ran"], 2, &["pre-swap", "--no-hooks", "nothing was changed"]).await?;
    let file = world.folder().join("lastgood.toml");
    std::fs::write(&file, "[pg.configs.nightly]\nreversible = true\npre-swap = [{ command = \"touch ran\" }]\n")?;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600))?;
    scene.refused(&["--config", "nightly"], 2, &["pre-swap", "--no-hooks", "nothing was changed"]).await?;
    let nowhere = world.name("nowhere");
    let missing = ["pg", "restore", &scene.key, "--into", &nowhere, "--data-only", "--confirm-database", &nowhere];
    world.lastgood(missing).fails(1).await?.says("--into")?;
    let unconfirmed = ["pg", "restore", &scene.key, "--into", target, "--data-only"];
    world.lastgood(unconfirmed).fails(15).await?.says("--confirm-database")?;
    world.psql(target, &format!("ALTER DATABASE {target} SET session_replication_role = replica"))?;
    scene.refused(&[], 1, &["foreign keys are switched off", "nothing was changed"]).await?;
    world.psql(target, &format!("ALTER DATABASE {target} RESET session_replication_role"))?;
    let odd =
        "ALTER TABLE ord RENAME v TO w; ALTER TABLE line RENAME TO lines; ALTER TABLE event ADD must int NOT NULL";
    world.psql(target, odd)?;
    let command = ["pg", "restore", &scene.key, "--into", target, "--data-only", "--confirm-database", target];
    let error = world.lastgood(command).fails(1).await?.says("nothing was changed")?;
    error.says("`public.ord` has no column `v`")?.says("no table `public.line`")?.says("requires a value in `must`")?;
    let mended = "ALTER TABLE ord RENAME w TO v; ALTER TABLE lines RENAME TO line; ALTER TABLE event DROP must";
    world.psql(target, mended).map(drop)
}

/// A circle of keys, a column more, triggers that would raise, partitions that refer to partitions.
async fn empty_tables(scene: &Scene<'_>) -> RowResult {
    let before = scene.picture()?;
    let plan = scene.command(&["-n"]).ok().await?;
    let plan = plan.says("public.cust.note")?.says("NOT refreshed: public.totals")?.says("public.ord.ord_cust")?;
    plan.says("public.cust.always")?.says("public.tickets")?.says("3,000 rows")?;
    let json = scene.command(&["-n", "--json"]).ok().await?.json()?;
    ensure_eq!(json["data_only"]["tables"][0]["table"], "public.Odd \" t", "the first table of the plan");
    ensure_eq!(json["data_only"]["large_objects"], 1, "large objects of the plan");
    ensure_eq!(scene.picture()?, before, "the database after a dry run");
    let report = scene.command(&["--json", "--config", "nightly", "--no-hooks"]).ok().await?.json()?;
    ensure!(!scene.world.folder().join("ran").exists(), "a hook ran");
    ensure_eq!(report["rows"], 300 + 3000 + 500 + 10 + 300 + 300, "rows of the report");
    scene.is_filled()?;
    let told = scene.world.psql(&scene.target, "SELECT count(*) FROM cust WHERE note = 'new'; SELECT n FROM totals")?;
    ensure_eq!(told, "300\n0", "defaults of a column more, and a materialized view that is not refreshed");
    scene.refused(&[], 1, &["there are already rows", "`public.ord`", "--replace-rows"]).await?;
    Ok(())
}

/// One table's rows come back, and what happened in the others stays.
async fn one_table(scene: &Scene<'_>) -> RowResult {
    let (world, target) = (scene.world, &scene.target);
    let happened = "ALTER TABLE cust DISABLE TRIGGER always; INSERT INTO cust (name) VALUES ('later'); \
        ALTER TABLE cust ENABLE ALWAYS TRIGGER always; SELECT nextval('tickets'); DELETE FROM seen WHERE id > 3; \
        SELECT nextval('line_id_seq')";
    world.psql(target, happened)?;
    let blocked = "`public.Odd \" t` refers to `public.line` by `odd_line`";
    scene.refused(&["--table", "line", "--replace-rows"], 1, &[blocked]).await?;
    scene.refused(&["--table", "seen_1"], 1, &["`public.seen_1`", "--replace-rows"]).await?;
    let args = ["--table", "seen", "--replace-rows"];
    scene.command(&[&args[..], &["-n"]].concat()).ok().await?.says("REMOVED first from: public.seen_1")?;
    scene.command(&args).ok().await?;
    let told = "SELECT count(*) FROM seen; SELECT last_value FROM cust_id_seq; SELECT last_value FROM tickets; \
                SELECT count(*) FROM cust WHERE name = 'later'";
    ensure_eq!(world.psql(target, told)?, "300\n301\n42\n1", "the table that came back, and the others");
    scene.command(&["--table", "line", "--table", "\"Odd\"*", "--replace-rows"]).ok().await?;
    let told = "SELECT count(*) FROM line; SELECT last_value FROM line_id_seq; SELECT last_value FROM tickets";
    ensure_eq!(world.psql(target, told)?, "500\n500\n42", "a table and the one that refers to it");
    world.psql(target, "INSERT INTO \"Odd \"\" t\" (\"a b\", line) VALUES ('next', 500)").map(drop)
}

/// Everything is replaced; a large object of the same number too, and another stays.
async fn all_tables(scene: &Scene<'_>) -> RowResult {
    let (world, target) = (scene.world, &scene.target);
    world.psql(target, "SELECT lo_unlink(12345), lo_from_bytea(12345, 'other')")?;
    scene.command(&["--replace-rows"]).ok().await?.says("were deleted")?;
    scene.is_filled()?;
    // Nothing but a number that is taken stands against it.
    let empty = "ALTER TABLE ord DISABLE TRIGGER USER; ALTER TABLE event DISABLE TRIGGER truncated; \
        TRUNCATE cust, ord, line, \"Odd \"\" t\", event, seen; ALTER TABLE ord ENABLE TRIGGER plain; \
        ALTER TABLE event ENABLE TRIGGER truncated";
    world.psql(target, empty)?;
    scene.refused(&[], 1, &["the first is 12345", "--replace-rows"]).await?;
    world.psql(target, "SELECT lo_unlink(12345), lo_from_bytea(777, 'mine')")?;
    scene.command(&["--exclude-table", "seen"]).ok().await?;
    let told = world.psql(
        target,
        "SELECT count(*) FROM ord; SELECT count(*) FROM pg_largeobject_metadata; SELECT count(*) FROM seen",
    )?;
    ensure_eq!(told, "3000\n2\n0", "rows, large objects and rows of the table that was left out");
    world.psql(target, "SELECT lo_unlink(777)").map(drop)
}

/// A pack that is another by one bit is found before the first row goes.
async fn damaged(scene: &Scene<'_>) -> RowResult {
    for key in scene.world.place().keys_ending(".pack").await? {
        let mut bytes = scene.world.place().read(&key).await?;
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
        }
        scene.world.place().write(&key, &bytes).await?;
    }
    scene.refused(&["--replace-rows"], 13, &["digest differs"]).await?;
    Ok(())
}
