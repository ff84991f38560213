//! What a server refuses at first and takes later: functions that name others without a schema, views that need each other,
//! settings of the database.

use crate::harness::compare::Picture;
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::rows::pg::damage::pg_dump;
use crate::{ensure, ensure_eq};

/// Functions whose bodies name another one, or a table, without its schema, used by everything that computes: a stored column
/// and a domain here, a check in [`KNOWN`], more in [`INDEXED`] and [`MEASURED`]. `{schema}` is where they are.
const COMPUTED: &str = r#"
CREATE FUNCTION {schema}.slug(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN RETURN lower(unaccent(t)); END $$;
CREATE TABLE {schema}.posts (id integer PRIMARY KEY, title text, slug text GENERATED ALWAYS AS ({schema}.slug(title)) STORED);
INSERT INTO {schema}.posts (id, title) SELECT g, 'Ärger ' || g FROM generate_series(1, 500) g;
CREATE DOMAIN {schema}.slugged AS text CHECK ({schema}.slug(VALUE) = VALUE);
CREATE TABLE {schema}.tags (name {schema}.slugged);
INSERT INTO {schema}.tags SELECT 'tag ' || g FROM generate_series(1, 20) g;
"#;

/// What servers compute under the search path that is set: from 17 on they do so under none but their own, in the source too.
const INDEXED: &str = r#"
CREATE UNIQUE INDEX posts_by_slug ON {schema}.posts ({schema}.slug(title));
CREATE INDEX posts_by_title ON {schema}.posts (title) WHERE {schema}.slug(title) > 'b';
COMMENT ON INDEX {schema}.posts_by_slug IS 'the comment comes after its index';
CREATE MATERIALIZED VIEW {schema}.slugs AS SELECT {schema}.slug(title) AS s FROM {schema}.posts;
CREATE UNIQUE INDEX slugs_s ON {schema}.slugs (s);
CREATE MATERIALIZED VIEW {schema}.of_slugs AS SELECT count(*) AS n, max(s) AS last FROM {schema}.slugs;
"#;

/// Statistics of expressions, which servers have since 14.
const MEASURED: &str = "CREATE STATISTICS {schema}.of_expression ON ({schema}.slug(title)), id FROM {schema}.posts";

/// What is named without its schema, where the server does not come with it.
const UNACCENT: &str = "CREATE FUNCTION {schema}.unaccent(t text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS \
    $$ SELECT translate(t, 'Ä', 'A') $$";

/// Whether a server of this version computes indexes and views under the search path that is set.
fn computes_by_path(major: u32) -> bool {
    major < 17
}

/// The statements for all that this server can hold of it, with functions in `schema`.
fn in_schema(world: &World, schema: &str) -> RowResult<String> {
    let major = world.major()?;
    let offered =
        world.psql("postgres", "SELECT count(*) FROM pg_available_extensions WHERE name = 'unaccent'")? == "1";
    let mut all = vec![if offered { "CREATE EXTENSION unaccent SCHEMA {schema}" } else { UNACCENT }, COMPUTED, KNOWN];
    if computes_by_path(major) {
        all.push(INDEXED);
        all.extend((major >= 14).then_some(MEASURED));
    }
    Ok(all.join(";\n").replace("{schema}", schema))
}

/// Checks by functions that read another table, which is loaded before or after: small and large tables either way.
const KNOWN: &str = "
CREATE FUNCTION {schema}.is_kind(k integer) RETURNS boolean LANGUAGE plpgsql STABLE AS
  $$ BEGIN RETURN EXISTS (SELECT FROM z_kinds WHERE id = k); END $$;
CREATE FUNCTION {schema}.is_item(i integer) RETURNS boolean LANGUAGE plpgsql STABLE AS
  $$ BEGIN RETURN EXISTS (SELECT FROM {schema}.items WHERE id = i); END $$;
CREATE TABLE {schema}.z_kinds (id integer);
INSERT INTO {schema}.z_kinds SELECT generate_series(1, 5);
CREATE TABLE {schema}.items (id integer PRIMARY KEY, kind integer CHECK ({schema}.is_kind(kind)), note text);
INSERT INTO {schema}.items SELECT g, g % 5 + 1, repeat(md5(g::text), 4) FROM generate_series(1, 2000) g;
CREATE TABLE {schema}.a_few (item integer CHECK ({schema}.is_item(item)));
INSERT INTO {schema}.a_few VALUES (1), (2);
CREATE TABLE {schema}.b_many (item integer CHECK ({schema}.is_item(item)), note text);
INSERT INTO {schema}.b_many SELECT g % 2000 + 1, md5(g::text) || md5('a' || g) || md5('b' || g) FROM generate_series(1, 1500) g;
";

/// Found on `public`, which is on everybody's path, and on the path that is set for the database; with one job and several,
/// beside the source and over it.
pub(super) async fn by_search_path(world: &World) -> RowResult {
    for schema in ["public", "app"] {
        let source = world.create(schema)?;
        if schema == "app" {
            world.psql(
                &source,
                &format!("CREATE SCHEMA app; ALTER DATABASE \"{source}\" SET search_path = app, public"),
            )?;
        }
        world.psql(&source, &in_schema(world, schema)?)?;
        let before = Picture::of(world.cluster(), &source)?;
        let key = world.dump(&source).await?;
        for jobs in ["1", "4"] {
            let copy = world.name(&format!("{schema}_{jobs}"));
            let restore = ["pg", "restore", &key, "--into", &copy, "--jobs", jobs];
            let place = format!("functions in `{schema}`, {jobs} jobs");
            let restored = world.lastgood(restore).ok().await.within(&place)?;
            restored.says("0 errors").within(&place)?.never_says("statistics").within(&place)?;
            before.expect(&Picture::of(world.cluster(), &copy)?, "the copy").within(&place)?;
            let invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid";
            ensure_eq!(world.psql(&copy, invalid)?, "0", "{place}: invalid indexes");
            if (14..17).contains(&world.major()?) {
                let collected = world.psql(&copy, "SELECT count(*) FROM pg_stats_ext_exprs")?;
                ensure_eq!(collected, "1", "{place}: statistics of expressions");
            }
        }
        world.lastgood(["pg", "restore", &key, "--confirm-database", &source]).ok().await?;
        before.expect(&Picture::of(world.cluster(), &source)?, "the live database")?;
    }
    Ok(())
}

/// A table of the same name as one whose rows are refused at first; what nobody can restore.
const BESIDE: &str = "CREATE FUNCTION other_audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO other.audit VALUES (tg_op); RETURN new; END $$; \
    CREATE TRIGGER audited AFTER INSERT ON {schema}.posts FOR EACH ROW EXECUTE FUNCTION other_audit(); \
    ALTER TABLE {schema}.posts ENABLE ALWAYS TRIGGER audited; CREATE SCHEMA other; CREATE TABLE other.audit (op text); CREATE TABLE other.posts AS SELECT g AS id FROM generate_series(1, 7) g; \
    CREATE FUNCTION other.is_good(i integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN true; END $$";

/// Breaks what was checked when it was put in.
const BREAK: &str = "CREATE TABLE other.checked (i integer CHECK (other.is_good(i))); INSERT INTO other.checked VALUES (1); \
    CREATE OR REPLACE FUNCTION other.is_good(i integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN i > 1; END $$";

/// The same of a file of `pg_dump -Fc`: beside the source, and over it, whose own path is the only one that is known.
pub(super) async fn of_single_files(world: &World) -> RowResult {
    for schema in ["public", "app"] {
        let source = world.create(schema)?;
        if schema == "app" {
            let path = format!("CREATE SCHEMA app; ALTER DATABASE \"{source}\" SET search_path = app, public");
            world.psql(&source, &path)?;
        }
        world.psql(&source, &format!("{}; {}", in_schema(world, schema)?, BESIDE.replace("{schema}", schema)))?;
        let before = Picture::of(world.cluster(), &source)?;
        let key = format!("{source}/2021-01-02-03-04-05-000002.default.dump");
        world.place().write(&key, &pg_dump(world, &source)?).await?;
        if schema == "public" {
            let copy = world.name("copy");
            world.lastgood(["pg", "restore", &key, "--into", &copy]).ok().await?;
            let restored = Picture::of(world.cluster(), &copy)?.without_settings();
            before.clone().without_settings().expect(&restored, "the copy")?;
        }
        world.psql(&source, "DROP TABLE other.posts")?;
        world.lastgood(["pg", "restore", &key, "--confirm-database", &source]).ok().await?;
        before.expect(&Picture::of(world.cluster(), &source)?, "the live database")?;
    }
    // What is refused in the end is named as it is in dumps of lastgood's, and nothing is there twice.
    let source = world.name("public");
    world.psql(&source, BREAK)?;
    let key = format!("{source}/2021-01-03-03-04-05-000003.default.dump");
    world.place().write(&key, &pg_dump(world, &source)?).await?;
    let broken = world.name("broken");
    let restore = ["pg", "restore", &key, "--into", &broken];
    let refused = world.lastgood(restore).fails(1).await?;
    refused
        .says("the server refuses 1 object")?
        .says("rows of other.checked: new row for relation")?
        .never_says("--exclude")?;
    let partial = world.lastgood(restore).args(["--allow-incomplete", "--json"]).fails(3).await?.json()?;
    ensure_eq!(partial["missing"][0]["object"].as_str(), Some("rows of other.checked"), "what is missing");
    let counts = "SELECT (SELECT count(*) FROM other.posts), (SELECT count(*) FROM posts), (SELECT count(*) FROM b_many), \
        (SELECT count(*) FROM other.checked)";
    ensure_eq!(world.psql(&broken, counts)?, "7|500|1500|0", "rows of the rest");
    Ok(())
}

/// Rows alone: those that the server refuses without a search path are put in with the database's own.
pub(super) async fn rows_alone(world: &World) -> RowResult {
    for schema in ["public", "app"] {
        let source = world.create(&format!("rows_{schema}"))?;
        if schema == "app" {
            let path = format!("CREATE SCHEMA app; ALTER DATABASE \"{source}\" SET search_path = app, public");
            world.psql(&source, &path)?;
        }
        let sql = format!("{UNACCENT}; {COMPUTED}").replace("{schema}", schema);
        world.psql(&source, &sql)?;
        let before = Picture::of(world.cluster(), &source)?;
        let key = world.dump(&source).await?;
        world.psql(
            &source,
            &format!("DELETE FROM {schema}.posts WHERE id > 100; UPDATE {schema}.posts SET title = 'x' WHERE id = 7"),
        )?;
        let rows = ["pg", "restore", &key, "--data-only", "--replace-rows", "--confirm-database", &source];
        world.lastgood(rows).ok().await.within(schema)?;
        before.expect(&Picture::of(world.cluster(), &source)?, "the live database").within(schema)?;
    }
    Ok(())
}

/// Each reads another one through a function, against the order of their names and of their making.
const VIEWS: &str = "
CREATE TABLE base AS SELECT g FROM generate_series(1, 10) g;
CREATE FUNCTION total() RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT n FROM public.d_counts); END $$;
CREATE FUNCTION indexed() RETURNS bigint LANGUAGE plpgsql STABLE AS
  $$ BEGIN RETURN (SELECT count(*) FROM pg_catalog.pg_indexes WHERE indexname = 'by_view'); END $$;
CREATE FUNCTION total_of(i integer) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN RETURN i + (SELECT doubled FROM public.c_doubled); END $$;
CREATE MATERIALIZED VIEW b_last AS SELECT public.total_of(1) AS t, public.indexed() AS i WITH NO DATA;
CREATE MATERIALIZED VIEW c_doubled AS SELECT 2 * total() AS doubled WITH NO DATA;
CREATE MATERIALIZED VIEW d_counts AS SELECT count(*) AS n FROM base;
REFRESH MATERIALIZED VIEW c_doubled;
CREATE INDEX by_view ON base ((total_of(g)));
REFRESH MATERIALIZED VIEW b_last";

pub(super) async fn views_in_any_order(world: &World) -> RowResult {
    let source = world.create("source")?;
    world.psql(&source, VIEWS)?;
    let before = Picture::of(world.cluster(), &source)?;
    let look = "SELECT n, doubled, t FROM d_counts, c_doubled, b_last";
    ensure_eq!(world.psql(&source, look)?, "10|20|21", "what the row set up");
    let key = world.dump(&source).await?;
    let copy = world.name("copy");
    world.lastgood(["pg", "restore", &key, "--into", &copy]).ok().await?;
    ensure_eq!(world.psql(&copy, look)?, "10|20|21", "the views of the copy");
    let mut after = Picture::of(world.cluster(), &copy)?;
    // Whether the index was there already when the view was filled is another matter.
    let mut before = before;
    for picture in [&mut before, &mut after] {
        picture.parts.get_mut("extra").into_iter().for_each(|lines| lines.retain(|line| !line.starts_with("b_last|")));
    }
    before.expect(&after, "the copy")
}

/// Settings of the database decide what is computed; where it is live, those of today do, and they stay as they are.
pub(super) async fn under_its_settings(world: &World) -> RowResult {
    let source = world.create("source")?;
    let set = |name: &str, value: &str| format!("ALTER DATABASE \"{source}\" SET {name} = '{value}'; ");
    world.psql(
        "postgres",
        &[
            set("app.tenant", "1"),
            set("timezone", "Asia/Tokyo"),
            set("session_replication_role", "replica"),
            set("default_transaction_read_only", "on"),
        ]
        .concat(),
    )?;
    let writing = "SET default_transaction_read_only = off; SET session_replication_role = origin; ";
    let of_tenant = "CREATE FUNCTION mine() RETURNS integer LANGUAGE sql STABLE AS $$ SELECT \
        current_setting('app.tenant')::integer $$; \
        CREATE TABLE orders (tenant integer, at timestamptz CHECK (mine() IS NOT NULL)); \
        INSERT INTO orders SELECT g % 2 + 1, '2026-01-01 20:00+00' FROM generate_series(1, 9) g; \
        CREATE MATERIALIZED VIEW my_orders AS SELECT count(*) AS n, max(at)::date AS day FROM orders WHERE tenant = mine()";
    world.psql(&source, &format!("{writing}{of_tenant}"))?;
    let look = format!("{writing}SELECT n, day FROM my_orders");
    ensure_eq!(last_line(&world.psql(&source, &look)?), "4|2026-01-02", "what the row set up");
    let key = world.dump(&source).await?;
    let copy = world.name("copy");
    world.lastgood(["pg", "restore", &key, "--into", &copy]).ok().await?;
    ensure_eq!(last_line(&world.psql(&copy, &look)?), "4|2026-01-02", "a view computed under the dump's settings");
    let settings = |database: &str| -> RowResult<Vec<String>> {
        Ok(Picture::of(world.cluster(), database)?.parts.remove("settings").unwrap_or_default())
    };
    ensure_eq!(settings(&copy)?, settings(&source)?, "settings of a new database");

    world.psql("postgres", &format!("{}ALTER DATABASE \"{source}\" RESET timezone", set("app.tenant", "2")))?;
    let today = settings(&source)?;
    world.lastgood(["pg", "restore", &key, "--confirm-database", &source]).ok().await?;
    ensure!(world.psql(&source, &look)?.ends_with("5|2026-01-01"), "a view computed under the settings of today");
    ensure_eq!(settings(&source)?, today, "settings of the live database");
    Ok(())
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default()
}
