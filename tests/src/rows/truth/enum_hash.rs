//! Rows routed by the hash of an enum are put back whole, and what was put back is compared: rows W4.

use crate::harness::failure::Within as _;
use crate::harness::{Area, Locations, Output, Row, RowResult, World};
use crate::{ensure, ensure_eq};

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    use Locations::Both;
    vec![
        Row::new("W4", "one partition of a table that is hashed by an enum", Area::Truth, Both, |world| {
            Box::pin(one_partition(world))
        }),
        Row::new("W4-lacking", "a partition whose rows the dump lacks", Area::Truth, Both, |world| {
            Box::pin(lacking(world))
        }),
        Row::new("W4-kinds", "hashes of everything that holds what differs", Area::Truth, Both, |world| {
            Box::pin(kinds(world))
        }),
        Row::new("W4-check", "rows that become others while they are put back", Area::Truth, Both, |world| {
            Box::pin(compared(world))
        }),
        Row::new("W4-printed", "rows that print differently are the same rows", Area::Truth, Both, |world| {
            Box::pin(printed(world))
        }),
    ]
}

/// So many labels that they cannot fall into the same partitions in two databases by chance.
const MOODS: &str = "
DO $$ BEGIN EXECUTE (SELECT format('CREATE TYPE mood AS ENUM (%s)', string_agg(quote_literal('mood ' || g), ',')) FROM generate_series(1, 60) g); END $$;
CREATE TABLE moods (id integer, m mood, note text) PARTITION BY HASH (m);
CREATE TABLE moods_0 PARTITION OF moods FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE moods_1 (note text, m mood, id integer);
ALTER TABLE moods ATTACH PARTITION moods_1 FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE moods_2 PARTITION OF moods FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO moods SELECT g, ('mood ' || g % 60 + 1)::mood, 'note ' || g FROM generate_series(1, 300) g;
CREATE TABLE days (day date, m mood) PARTITION BY RANGE (day);
CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM ('2020-01-01') TO ('2020-07-01') PARTITION BY HASH (m);
CREATE TABLE days_1_0 PARTITION OF days_1 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE days_1_1 PARTITION OF days_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE days_2 PARTITION OF days FOR VALUES FROM ('2020-07-01') TO ('2021-01-01');
INSERT INTO days SELECT '2020-01-01'::date + g, ('mood ' || g % 60 + 1)::mood FROM generate_series(0, 299) g;
CREATE TABLE other (id integer PRIMARY KEY, note text);
INSERT INTO other SELECT g, 'note ' || g FROM generate_series(1, 50) g";

/// All rows, whatever partition they are in.
const CONTENTS: &str = "
SELECT md5(string_agg(concat_ws(',', id, m, note), ' ' ORDER BY id, m, note)), count(*) FROM moods;
SELECT md5(string_agg(concat_ws(',', day, m), ' ' ORDER BY day, m)), count(*) FROM days;
SELECT md5(string_agg(concat_ws(',', id, note), ' ' ORDER BY id, note)), count(*) FROM other";

/// A dump, and a database of its schema in which the labels have other numbers.
struct Scene<'w> {
    world: &'w World,
    key: String,
    source: String,
    target: String,
}

impl<'w> Scene<'w> {
    async fn set(world: &'w World) -> RowResult<Self> {
        let source = world.create("source")?;
        world.psql(&source, MOODS)?;
        Self::of(world, source, &[]).await
    }

    /// Dumps `source` with `args`, and restores it beside.
    async fn of(world: &'w World, source: String, args: &[&str]) -> RowResult<Self> {
        let dump = world.lastgood(["pg", "dump", &source, "--json"]).args(args.iter().copied()).ok().await?;
        let key = dump.json()?["key"].as_str().unwrap_or_default().to_owned();
        let target = world.name("target");
        world.lastgood(["pg", "restore", &key, "--into", &target]).ok().await?;
        Ok(Self { world, key, source, target })
    }

    async fn run(&self, args: &[&str]) -> RowResult<Output> {
        let base = ["pg", "restore", &self.key, "--into", &self.target, "--data-only", "--replace-rows"];
        let command = self.world.lastgood(base).args(args.iter().copied());
        command.args(["--confirm-database", &self.target]).run().await
    }

    /// It ends with `code`, and the target is as it was.
    async fn refused(&self, args: &[&str], code: i32) -> RowResult<Output> {
        let before = self.contents(&self.target)?;
        let output = self.run(args).await?.expect_code(code)?.says("nothing was changed")?;
        ensure_eq!(self.contents(&self.target)?, before, "the database after {args:?}");
        Ok(output)
    }

    fn contents(&self, database: &str) -> RowResult<String> {
        self.world.psql(database, CONTENTS)
    }

    fn is_filled(&self) -> RowResult {
        ensure_eq!(self.contents(&self.target)?, self.contents(&self.source)?, "the rows of the target");
        Ok(())
    }
}

/// The command that a refusal tells, without the program's name.
fn told(output: &Output) -> Vec<String> {
    let command = output.stderr.split('`').find(|piece| piece.starts_with("lastgood pg restore"));
    command.unwrap_or_default().split_whitespace().skip(1).map(str::to_owned).collect()
}

/// Before anything is changed it is refused, and the command that is told works.
async fn one_partition(world: &World) -> RowResult {
    let scene = Scene::set(world).await?;
    let spread =
        "SELECT string_agg(n::text, ' ') FROM (SELECT count(*) AS n FROM moods GROUP BY tableoid ORDER BY 1) t";
    let routes = "SELECT string_agg(concat_ws(':', tableoid::regclass, m), ' ' ORDER BY m) FROM (SELECT DISTINCT \
                  tableoid, m FROM moods) t";
    ensure!(world.psql(&scene.source, routes)? != world.psql(&scene.target, routes)?, "both databases hash alike");
    let spread_before = world.psql(&scene.target, spread)?;
    world.psql(
        &scene.target,
        "UPDATE moods SET note = 'later' WHERE id < 9; DELETE FROM days WHERE day > '2020-09-01'",
    )?;
    let args = ["--table", "moods_0"];
    let refused = scene.refused(&args, 1).await?.says("`public.moods`")?.says("`public.moods_1`, `public.moods_2`")?;
    let plan = scene.run(&["--table", "moods_0", "-n"]).await?;
    plan.says("problem: ")?.says("`public.moods_1`, `public.moods_2`")?;
    scene
        .refused(&["--table", "moods", "--exclude-table", "moods_2"], 1)
        .await?
        .says("not selected: `public.moods_2`")?;
    // Only below one of its partitions: the others are no part of it.
    let nested = scene.refused(&["--table", "days_1_1"], 1).await?.says("`public.days_1_0`")?;
    let nested = nested.never_says("days_2`")?;
    for output in [refused, nested] {
        let command = told(&output);
        ensure!(!command.is_empty(), "no command is told: {}", output.transcript());
        world
            .lastgood(command.clone())
            .args(["--confirm-database", &scene.target])
            .ok()
            .await
            .within("the command told")?;
    }
    let days = "SELECT count(*) FROM days_1; SELECT count(*) FROM days_2 WHERE day > '2020-09-01'";
    ensure_eq!(world.psql(&scene.target, days)?, "182\n0", "days that came back, and those that were not selected");
    scene.run(&["--table", "days"]).await?.expect_code(0)?;
    scene.is_filled()?;
    ensure_eq!(world.psql(&scene.target, spread)?, spread_before, "how the rows are spread");
    scene.run(&[]).await?.expect_code(0)?.never_says("prints some")?;
    scene.is_filled()
}

/// Nothing can select what is not there; and a new database made of a part says where its rows are.
async fn lacking(world: &World) -> RowResult {
    let source = world.create("source")?;
    world.psql(&source, MOODS)?;
    let scene = Scene::of(world, source, &["--exclude-table-data", "moods_1"]).await?;
    world.psql(&scene.target, "INSERT INTO moods SELECT g, 'mood 1', 'mine' FROM generate_series(1000, 1010) g")?;
    for args in [&["--table", "moods"][..], &["--table", "moods_0"]] {
        let refused = scene.refused(args, 1).await?.says("without rows in the dump: `public.moods_1`")?;
        ensure!(told(&refused).is_empty(), "a command is told that cannot work: {}", refused.transcript());
    }
    let part = world.name("part");
    let rows = world.psql(&scene.source, "SELECT count(*) FROM moods_0")?;
    let restored = world.lastgood(["pg", "restore", &scene.key, "--into", &part, "--table", "moods_0"]).ok().await?;
    restored.says("the selected rows of `public.moods` were all restored")?;
    ensure_eq!(world.psql(&part, "SELECT count(*) FROM moods")?, rows, "rows of a part");
    Ok(())
}

/// Arrays, domains, composites and ranges of enums, names that stand for numbers, and a hash of somebody's own.
const KINDS: &str = "
CREATE DOMAIN feeling AS mood;
CREATE TYPE pair AS (m mood, n integer);
CREATE TYPE moodrange AS RANGE (subtype = mood);
CREATE TABLE by_array (k mood[], i integer) PARTITION BY HASH (k);
CREATE TABLE by_domain (k feeling, i integer) PARTITION BY HASH (k);
CREATE TABLE by_pair (k pair, i integer) PARTITION BY HASH (k);
CREATE TABLE by_range (k moodrange, i integer) PARTITION BY HASH (k);
CREATE TABLE by_name (k regclass, i integer) PARTITION BY HASH (k);
CREATE TABLE by_expression (k mood, i integer) PARTITION BY HASH ((array[k]));
CREATE TABLE by_two (n integer, k mood, i integer) PARTITION BY HASH (n, k);
CREATE SCHEMA own;
CREATE FUNCTION own.hash(text, bigint) RETURNS bigint IMMUTABLE STRICT LANGUAGE sql AS
  $$ SELECT pg_catalog.hashtextextended($1 || (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()), $2) $$;
CREATE OPERATOR CLASS own.hashed FOR TYPE text USING hash AS OPERATOR 1 =, FUNCTION 2 own.hash(text, bigint);
CREATE TABLE by_own (k text, i integer) PARTITION BY HASH (k own.hashed);
DO $$ DECLARE t text; BEGIN
  FOREACH t IN ARRAY ARRAY['by_array','by_domain','by_pair','by_range','by_name','by_expression','by_two','by_own'] LOOP
    FOR r IN 0..2 LOOP
      EXECUTE format('CREATE TABLE %1$s_%2$s PARTITION OF %1$s FOR VALUES WITH (MODULUS 3, REMAINDER %2$s)', t, r);
    END LOOP;
    FOR g IN 1..30 LOOP EXECUTE format('CREATE TABLE IF NOT EXISTS named_%s ()', g); END LOOP;
  END LOOP; END $$;
CREATE VIEW labels AS SELECT g, ('mood ' || g)::mood AS m FROM generate_series(1, 60) g;
INSERT INTO by_array SELECT array[m, m], g FROM labels;
INSERT INTO by_domain SELECT m, g FROM labels;
INSERT INTO by_pair SELECT row(m, g)::pair, g FROM labels;
INSERT INTO by_range SELECT moodrange(m, NULL), g FROM labels;
INSERT INTO by_name SELECT ('named_' || (g - 1) / 2 + 1)::regclass, g FROM labels;
INSERT INTO by_expression SELECT m, g FROM labels;
INSERT INTO by_two SELECT g, m, g FROM labels;
INSERT INTO by_own SELECT m::text, g FROM labels";

/// Tables of [`KINDS`].
const OF_KINDS: [&str; 8] =
    ["by_array", "by_domain", "by_pair", "by_range", "by_name", "by_expression", "by_two", "by_own"];

/// Restored whole, restored alone, and refused in parts.
async fn kinds(world: &World) -> RowResult {
    let source = world.create("source")?;
    world.psql(&source, MOODS)?;
    world.psql(&source, KINDS)?;
    let scene = Scene::of(world, source, &[]).await?;
    let rows = |database: &str, table: &str| {
        let sql = format!("SELECT md5(string_agg(t::text, ' ' ORDER BY i)), count(*) FROM {table} t");
        world.psql(database, &sql)
    };
    for table in OF_KINDS {
        ensure_eq!(rows(&scene.target, table)?, rows(&scene.source, table)?, "rows of `{table}`, restored");
        world.psql(&scene.target, &format!("DELETE FROM {table} WHERE i % 2 = 0"))?;
        let part = format!("{table}_1");
        let refused = scene.refused(&["--table", &part], 1).await.within(table)?;
        refused.says(&format!("`public.{table}`"))?;
        scene.run(&["--table", table]).await?.expect_code(0).within(table)?;
        ensure_eq!(rows(&scene.target, table)?, rows(&scene.source, table)?, "rows of `{table}`, put back");
    }
    Ok(())
}

/// The function of an index changes rows while they are put back: whoever looks only at what the server took does not see it.
async fn compared(world: &World) -> RowResult {
    let scene = Scene::set(world).await?;
    let target = &scene.target;
    // The server lets no immutable function change rows, but one may call another that does. The rows it changes itself are left out, or it would never end.
    let plain = "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; \
        CREATE TRIGGER t BEFORE INSERT ON other FOR EACH ROW EXECUTE FUNCTION nothing(); \
        CREATE TRIGGER t BEFORE INSERT ON moods FOR EACH ROW EXECUTE FUNCTION nothing(); \
        CREATE TABLE note (change text); INSERT INTO note VALUES ('SELECT 1'); \
        CREATE FUNCTION meddle() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN EXECUTE (SELECT change FROM \
        public.note); RETURN 0; END $$; \
        CREATE FUNCTION meddling(id integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN IF id NOT IN (7, \
        1000) THEN PERFORM public.meddle(); END IF; RETURN id; END $$; \
        CREATE INDEX ON other (meddling(id)); CREATE INDEX ON moods (meddling(id))";
    world.psql(target, plain)?;
    for (table, change, said) in [
        ("other", "DELETE FROM public.other WHERE id = 7", "`public.other` holds 49 rows, not 50"),
        ("other", "UPDATE public.other SET note = 'changed' WHERE id = 7", "the 50 rows of `public.other` differ"),
        (
            "other",
            "INSERT INTO public.other VALUES (1000, '') ON CONFLICT DO NOTHING",
            "`public.other` holds 51 rows, not 50",
        ),
        ("moods", "DELETE FROM public.moods WHERE id = 7", "`public.moods` holds 299 rows, not 300"),
        ("moods", "UPDATE public.moods SET m = 'mood 1' WHERE id = 7", "the 300 rows of `public.moods` differ"),
    ] {
        world.psql(target, &format!("UPDATE note SET change = $change${change}$change$"))?;
        scene.refused(&["--table", table], 13).await.within(change)?.says(said)?.says("would differ from the dump")?;
    }
    world.psql(target, "UPDATE note SET change = 'SELECT 1'")?;
    scene.run(&[]).await?.expect_code(0)?;
    scene.is_filled()
}

/// Columns of other types and orders, and another time zone.
async fn printed(world: &World) -> RowResult {
    let source = world.create("source")?;
    world.psql(&source, MOODS)?;
    let typed = "CREATE TABLE typed (id integer PRIMARY KEY, price numeric(10, 2), at timestamptz, doc json, span \
                 interval, \
          twice integer GENERATED ALWAYS AS (id * 2) STORED, nr integer GENERATED ALWAYS AS IDENTITY, code char(3)); \
        INSERT INTO typed (id, price, at, doc, span, code) SELECT g, g / 4.0, '2026-01-01 00:00+00'::timestamptz + g \
        * interval '1 day', \
          json_build_object('b', g, 'a', g), g * interval '1 hour', 'x' || g % 10 FROM generate_series(1, 400) g; \
        CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES; \
        SELECT lo_from_bytea(4711, convert_to(repeat('large', 200000), 'UTF8'))";
    world.psql(&source, &format!("ALTER DATABASE {source} SET timezone = 'Asia/Tokyo'"))?;
    world.psql(&source, typed)?;
    let scene = Scene::of(world, source, &[]).await?;
    let target = &scene.target;
    world.psql(target, &format!("ALTER DATABASE {target} SET timezone = 'America/New_York'"))?;
    world.psql(target, &format!("ALTER DATABASE {target} SET intervalstyle = 'iso_8601'"))?;
    let all = "SELECT md5(string_agg(concat_ws(',', id, price::float8, extract(epoch FROM at), doc->>'a', \
               extract(epoch FROM span), twice, nr, trim(code)), ' ' ORDER BY id)) FROM typed; \
        SELECT count(*) FROM nothing; SELECT md5(lo_get(4711))";
    let same = |what: &str| -> RowResult {
        ensure_eq!(world.psql(target, all)?, world.psql(&scene.source, all)?, "{what}");
        Ok(())
    };
    scene.run(&[]).await?.expect_code(0)?.never_says("prints some")?;
    same("rows put back in another time zone")?;
    let changed = "ALTER TABLE typed ALTER price TYPE numeric(14, 4), ALTER doc TYPE jsonb, ALTER code TYPE char(5), \
                   ADD more text DEFAULT 'd'";
    world.psql(target, changed)?;
    world.psql(
        target,
        "DELETE FROM typed WHERE id < 100; UPDATE typed SET price = 0; SELECT lo_put(4711, 10, 'other')",
    )?;
    scene.run(&[]).await?.expect_code(0)?.says("`public.typed` has the dump's rows, but prints some")?;
    same("rows put back into columns of other types")?;
    scene.is_filled()
}
