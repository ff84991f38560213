//! What nobody can restore whole: everything that is missing is named, and the ways out work.

use crate::harness::{Failure, RowResult, World};
use crate::{ensure, ensure_eq};

/// Exit codes.
const FAILED: i32 = 1;
const PARTIAL: i32 = 3;
const CONFIRMATION: i32 = 15;

/// A function that changed under its index, one that changed under its check, a key that was never checked, a view that
/// divides by zero today; and a table that is whole.
const BROKEN: &str = "
CREATE FUNCTION key_of(i integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT i';
CREATE FUNCTION is_good(i integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN true; END $$;
CREATE TABLE \"Posts\" (id integer PRIMARY KEY, author integer);
INSERT INTO \"Posts\" SELECT g, g FROM generate_series(1, 30) g;
CREATE UNIQUE INDEX posts_key ON \"Posts\" (key_of(id));
CREATE TABLE people (id integer PRIMARY KEY);
INSERT INTO people SELECT generate_series(1, 29);
CREATE TABLE checked (i integer CHECK (is_good(i)));
INSERT INTO checked SELECT generate_series(1, 10);
CREATE TABLE whole AS SELECT g AS id FROM generate_series(1, 40) g;
CREATE TABLE divisor AS SELECT 1 AS d;
CREATE MATERIALIZED VIEW quotient AS SELECT 1 / d AS q FROM divisor;
UPDATE divisor SET d = 0;
SET session_replication_role = replica;
ALTER TABLE \"Posts\" ADD CONSTRAINT posts_author FOREIGN KEY (author) REFERENCES people NOT VALID;
UPDATE pg_constraint SET convalidated = true WHERE conname = 'posts_author';
CREATE OR REPLACE FUNCTION key_of(i integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 7';
CREATE OR REPLACE FUNCTION is_good(i integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN i < 10; END $$";

/// What is missing, and a word of what the server says.
const MISSING: [(&str, &str); 4] = [
    ("index public.posts_key", "is duplicated"),
    ("fk constraint public.Posts posts_author", "is not present in table"),
    ("rows of public.checked", "violates check constraint"),
    ("rows of materialized view public.quotient", "division by zero"),
];

/// Everything is named; nothing is switched without being asked for twice.
pub(super) async fn named_and_let_pass(world: &World) -> RowResult {
    let source = world.create("source")?;
    world.psql(&source, BROKEN)?;
    world.psql("postgres", &format!("COMMENT ON DATABASE \"{source}\" IS 'of the shop'"))?;
    let key = world.dump(&source).await?;
    world.psql(&source, "CREATE TABLE of_today (id integer)")?;

    let over_live = ["pg", "restore", &key, "--confirm-database", &source];
    let mut refused = world.lastgood(over_live).fails(FAILED).await?.says("the server refuses 4 objects")?;
    for (object, said) in MISSING {
        refused = refused.says(object)?.says(said)?;
    }
    let refused = refused.says("CONTEXT: ")?.says("the live database was not touched")?.says("--keep-failed")?;
    refused.says("`--allow-incomplete`")?.says("--exclude-table")?;
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    world.psql(&source, "SELECT FROM of_today")?;

    let verified = world.lastgood(["pg", "verify", &key, "--restorable"]).fails(FAILED).await?;
    verified.says("the server refuses 4 objects")?.says("index public.posts_key")?;
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind by a trial");
    let incomplete = world.lastgood(over_live).arg("--allow-incomplete").fails(CONFIRMATION).await?;
    incomplete.says(&format!("`--confirm-incomplete {source}`"))?.says("nothing was changed")?;
    world.lastgood(over_live).args(["--allow-incomplete", "--confirm-incomplete", "x"]).fails(CONFIRMATION).await?;
    world.psql(&source, "SELECT FROM of_today")?;

    let copy = world.name("copy");
    let into = ["pg", "restore", &key, "--into", &copy, "--allow-incomplete", "--json"];
    let report = world.lastgood(into).fails(PARTIAL).await?.json()?;
    let named: Vec<String> = report["missing"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| one["object"].as_str().unwrap_or_default().to_owned())
        .collect();
    ensure_eq!(named.len(), MISSING.len(), "objects in the report: {named:?}");
    ensure!(MISSING.iter().all(|(object, _)| named.iter().any(|name| name == object)), "the report names {named:?}");
    ensure_eq!(report["rows"], serde_json::json!(30 + 29 + 40 + 1), "rows in the report");
    holds_the_rest(world, &copy, &key)?;

    world.lastgood(over_live).args(["--allow-incomplete", "--confirm-incomplete", &source]).fails(PARTIAL).await?;
    holds_the_rest(world, &source, &key)?;

    // By hand: the copy is there, without its name.
    let fresh = world.name("fresh");
    let kept = world.lastgood(["pg", "restore", &key, "--into", &fresh, "--keep-failed"]).fails(FAILED).await?;
    let left = world.leftovers()?;
    ensure_eq!(left.len(), 1, "copies that were kept");
    kept.says(&left[0])?;
    ensure_eq!(world.psql(&left[0], "SELECT count(*) FROM whole")?, "40", "rows of the kept copy");
    // Or without what is broken.
    let part = ["--exclude-table", "checked", "--exclude-table", "\"Posts\"", "--exclude-table", "divisor"];
    world.lastgood(["pg", "restore", &key, "--into", &fresh, "--excluded", "drop"]).args(part).ok().await?;
    world.lastgood(["pg", "dump", &fresh]).ok().await?;
    world.lastgood(["pg", "verify", &fresh, "--restorable"]).ok().await?.says("without errors")?;
    Ok(())
}

/// A view of another server's rows, and one of its own; the server answers when they are made, and not any more today.
pub(super) async fn of_unreachable_server(world: &World) -> RowResult {
    let offered = "SELECT count(*) FROM pg_available_extensions WHERE name = 'postgres_fdw'";
    if world.psql("postgres", offered)? == "0" {
        return Err(Failure::Skipped("the server does not offer postgres_fdw".to_owned()));
    }
    let (source, cluster) = (world.create("source")?, world.cluster());
    world.psql(
        &source,
        &format!(
            "CREATE EXTENSION postgres_fdw; CREATE TABLE here AS SELECT g AS id FROM generate_series(1, 40) g; \
             CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{}', port '{}', dbname '{source}'); \
             CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user '{}', password '{}'); \
             CREATE FOREIGN TABLE there (id integer) SERVER far OPTIONS (table_name 'here'); \
             CREATE MATERIALIZED VIEW z_counted AS SELECT count(*) AS n FROM there; \
             CREATE MATERIALIZED VIEW a_doubled AS SELECT 2 * n AS n FROM z_counted; \
             CREATE MATERIALIZED VIEW of_here AS SELECT count(*) AS n FROM here; ALTER SERVER far OPTIONS (SET port '1')",
            cluster.host(),
            cluster.port(),
            cluster.superuser(),
            cluster.password()
        ),
    )?;
    let key = world.dump(&source).await?;
    let refused = world.lastgood(["pg", "restore", &key, "--confirm-database", &source]).fails(FAILED).await?;
    let refused = refused.says("the server refuses 2 objects")?.says("rows of materialized view public.a_doubled")?;
    refused
        .says("rows of materialized view public.z_counted: could not connect to server \"far\"")?
        .says("the live database was not touched")?;
    ensure_eq!(world.psql(&source, "SELECT n FROM a_doubled")?, "80", "the view of the live database");
    let copy = world.name("copy");
    let into = ["pg", "restore", &key, "--into", &copy, "--allow-incomplete"];
    world.lastgood(into).fails(PARTIAL).await?.says("public.z_counted")?;
    let rest = "SELECT (SELECT n FROM of_here), (SELECT count(*) FROM here), \
        (SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relkind = 'm' AND NOT relispopulated)";
    ensure_eq!(world.psql(&copy, rest)?, "40|40|a_doubled z_counted", "what is there of the rest");
    Ok(())
}

fn holds_the_rest(world: &World, database: &str, key: &str) -> RowResult {
    let rows = "SELECT (SELECT count(*) FROM \"Posts\"), (SELECT count(*) FROM people), (SELECT count(*) FROM whole), \
        (SELECT count(*) FROM checked), (SELECT relispopulated FROM pg_class WHERE relname = 'quotient'), \
        to_regclass('posts_key'), (SELECT count(*) FROM pg_constraint WHERE conname = 'posts_author')";
    ensure_eq!(world.psql(database, rows)?, "30|29|40|0|f||0", "what is there of the rest");
    let comment = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()";
    let comment = world.psql(database, comment)?;
    ensure!(comment.starts_with("of the shop\n"), "the comment of `{database}` is {comment:?}");
    ensure!(
        comment.contains(key) && comment.contains("index public.posts_key"),
        "it names what is missing: {comment:?}"
    );
    Ok(())
}
