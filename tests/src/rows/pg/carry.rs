//! Tables that a restore carries over from the live database: exactly as they are there, or the restore changes nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::harness::failure::Within as _;
use crate::harness::{Lastgood, Output, RowResult, World};
use crate::{ensure, ensure_eq};

/// An application's bookkeeping: two tables, one of which refers to the other, with a sequence.
pub(crate) const BOOKS: &str = "
CREATE TABLE books (id serial PRIMARY KEY, name text NOT NULL, mail bytea DEFAULT '\\xc328');
CREATE TABLE links (book integer NOT NULL REFERENCES books, backup integer NOT NULL);
CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'fired'; END $$;
INSERT INTO books (name) VALUES ('of the dump');
INSERT INTO links VALUES (1, 1)";

/// A name that must be quoted, numbers that the server gives always, and a computed column.
const LOGS: &str = "
CREATE SCHEMA \"The App\";
CREATE TABLE \"The App\".\"Logs, \"\"all\"\"\" (id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz,
  twice bigint GENERATED ALWAYS AS (id * 2) STORED);
INSERT INTO \"The App\".\"Logs, \"\"all\"\"\" (at) VALUES ('2026-11-21 03:00:00.123456+05:45'), ('infinity')";

/// That name as the option takes it.
const LOGS_NAME: &str = "\"The App\".\"Logs, \"\"all\"\"\"";

const BOTH: [&str; 2] = ["public.books", "public.links"];

/// How many foreign keys of `links` there are that are checked at once.
const KEYS: &str =
    "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid = 'links'::regclass AND NOT condeferrable";

/// Rows and the next number.
pub(crate) fn books(world: &World, database: &str) -> RowResult<String> {
    let sql = "SELECT (SELECT string_agg(b::text, ' ' ORDER BY id) FROM books b) || ' / ' || \
               (SELECT string_agg(l::text, ' ' ORDER BY l::text) FROM links l) || ' / ' || \
               (SELECT last_value || is_called::text FROM books_id_seq)";
    world.psql(database, sql)
}

struct Scene<'w> {
    world: &'w World,
    shop: String,
    key: String,
}

impl<'w> Scene<'w> {
    /// The sample with what `before` makes, dumped; then version 2.
    async fn set(world: &'w World, before: &str) -> RowResult<Self> {
        world.clear_server()?;
        let shop = world.sample("shop")?;
        world.psql(&shop, before)?;
        let key = world.dump(&shop).await?;
        world.set_version(&shop, 2)?;
        Ok(Self { world, shop, key })
    }

    fn restore(&self, tables: &[&str]) -> Lastgood<'w> {
        let restore = self.world.lastgood(["pg", "restore", &self.key, "--confirm-database", &self.shop]);
        tables.iter().fold(restore, |restore, table| restore.args(["--carry-over", table]))
    }

    fn sql(&self, sql: &str) -> RowResult<String> {
        self.world.psql(&self.shop, sql)
    }

    fn version(&self) -> RowResult<String> {
        self.sql("SELECT DISTINCT version FROM orders")
    }

    /// It ends with this, and the live database is as it was and lets everybody in.
    async fn refused(&self, tables: &[&str], code: i32, says: &str) -> RowResult<Output> {
        let before = self.world.checksum(&self.shop)?;
        let output = self.restore(tables).fails(code).await.within(says)?.says(says)?;
        ensure_eq!(self.world.checksum(&self.shop)?, before, "the live database after: {says}");
        ensure_eq!(self.world.closed()?, Vec::<String>::new(), "databases that let nobody in after: {says}");
        ensure_eq!(self.world.leftovers()?, Vec::<String>::new(), "databases left behind after: {says}");
        Ok(output)
    }
}

/// P-carry.
pub(super) async fn carried(world: &World) -> RowResult {
    same_definition(world).await.within("the same definition")?;
    other_definition(world).await.within("another definition")?;
    not_in_the_dump(world).await.within("not in the dump")?;
    not_in_live(world).await.within("not in the live database")?;
    refusals(world).await.within("refusals")
}

/// Last week's dump comes back, and yesterday's entry is still there; the next number is the next.
async fn same_definition(world: &World) -> RowResult {
    // A trigger that would stop every row, and a view that would stop every DROP.
    let around = "CREATE VIEW names AS SELECT name FROM books; \
                  CREATE TRIGGER never BEFORE INSERT ON links FOR EACH ROW EXECUTE FUNCTION never()";
    let scene = Scene::set(world, &format!("{BOOKS}; {around}")).await?;
    scene.sql("INSERT INTO books (name) VALUES ('yesterday'), ('undone')")?;
    scene.sql("DELETE FROM books WHERE name = 'undone'; UPDATE links SET backup = 7")?;
    let wanted = books(world, &scene.shop)?;
    ensure!(wanted.contains("yesterday") && wanted.ends_with("3true"), "{wanted}");
    let plan = scene.restore(&BOTH).arg("-n").ok().await?;
    plan.says("carried over from the live database: public.books, public.links")?;
    ensure_eq!(scene.version()?, "2", "the version after a dry run");
    scene.restore(&BOTH).ok().await?.says("public.books (2 rows), public.links (1 row)")?;
    ensure_eq!(scene.version()?, "1", "the version");
    ensure_eq!(books(world, &scene.shop)?, wanted, "the books");
    ensure_eq!(scene.sql("SELECT tgenabled FROM pg_trigger WHERE tgname = 'never'")?, "O", "the trigger");
    ensure_eq!(scene.sql(KEYS)?, "1", "the foreign key, as it was");
    ensure_eq!(scene.sql("SELECT count(*) FROM names")?, "2", "a view of a carried table");
    // Without the option they are the dump's again.
    scene.restore(&[]).ok().await?;
    ensure!(!books(world, &scene.shop)?.contains("yesterday"), "an option that makes no difference");
    Ok(())
}

/// A migration since the dump: the live database's definition counts.
async fn other_definition(world: &World) -> RowResult {
    let scene = Scene::set(world, BOOKS).await?;
    let migration = "ALTER TABLE books ADD COLUMN size bigint DEFAULT 5, DROP COLUMN mail";
    scene.sql(&format!("{migration}; CREATE INDEX named ON books (name)"))?;
    scene.sql("INSERT INTO books (name) VALUES ('yesterday')")?;
    let wanted = books(world, &scene.shop)?;
    scene.restore(&BOTH).ok().await?;
    ensure_eq!(scene.version()?, "1", "the version");
    ensure_eq!(books(world, &scene.shop)?, wanted, "the books");
    ensure_eq!(scene.sql("SELECT count(*) FROM pg_indexes WHERE indexname = 'named'")?, "1", "the index since");
    ensure_eq!(scene.sql(KEYS)?, "1", "the foreign key");
    scene.sql("INSERT INTO books (name) VALUES ('next')")?;
    ensure_eq!(scene.sql("SELECT max(id) FROM books")?, "3", "the next number");
    // What depends on them in the dump keeps them from being made anew: then nothing is restored.
    let scene = Scene::set(world, &format!("{BOOKS}; CREATE VIEW names AS SELECT mail FROM books")).await?;
    scene.sql("DROP VIEW names; ALTER TABLE books DROP COLUMN mail")?;
    scene.refused(&BOTH, 1, "something in the dump needs the table").await.map(drop)
}

/// Tables, and a schema, that came after the dump.
async fn not_in_the_dump(world: &World) -> RowResult {
    let scene = Scene::set(world, "SELECT 1").await?;
    scene.sql(BOOKS)?;
    scene.sql(LOGS)?;
    let wanted = books(world, &scene.shop)?;
    let logs = format!("SELECT string_agg(l::text, ' ' ORDER BY id) FROM {LOGS_NAME} l");
    let logged = scene.sql(&logs)?;
    scene.restore(&[BOTH[0], BOTH[1], LOGS_NAME]).ok().await?;
    ensure_eq!(scene.version()?, "1", "the version");
    ensure_eq!(books(world, &scene.shop)?, wanted, "the books");
    ensure_eq!(scene.sql(&logs)?, logged, "the logs");
    scene.sql(&format!("INSERT INTO {LOGS_NAME} (at) VALUES (now())"))?;
    ensure_eq!(scene.sql(&format!("SELECT max(twice) FROM {LOGS_NAME}"))?, "6", "the next number, twice");
    Ok(())
}

/// A database that was made anew after a loss has none of it: the dump's is the best there is.
async fn not_in_live(world: &World) -> RowResult {
    let scene = Scene::set(world, BOOKS).await?;
    let wanted = books(world, &scene.shop)?;
    scene.sql("DROP TABLE links, books")?;
    let plan = scene.restore(&BOTH).arg("-n").ok().await?;
    plan.says("not in the live database, and restored from the dump: public.books, public.links")?;
    scene.restore(&BOTH).ok().await?;
    ensure_eq!(books(world, &scene.shop)?, wanted, "the books of the dump");
    world.psql("postgres", &format!("DROP DATABASE \"{}\"", scene.shop))?;
    scene.restore(&BOTH).ok().await?;
    ensure_eq!(books(world, &scene.shop)?, wanted, "the books in a new database");
    Ok(())
}

/// What cannot be carried over is refused before anything is made, or leaves everything as it was.
async fn refusals(world: &World) -> RowResult {
    let scene = Scene::set(world, BOOKS).await?;
    scene.sql("CREATE VIEW names AS SELECT name FROM books; CREATE TABLE child () INHERITS (links)")?;
    scene.refused(&["public.names"], 1, "it is a view").await?;
    scene.refused(&["public.links"], 1, "inherits").await?;
    scene.refused(&["public.books"], 1, "`public.links` refers to it").await?.says("--carry-over public.links")?;
    scene.refused(&["books"], 2, "not the name of a table with its schema").await?;
    let data_only = world.lastgood(["pg", "restore", &scene.key, "--data-only", "--carry-over", "public.books"]);
    data_only.fails(2).await?.says("cannot be used with")?;
    let local = ["pg", "restore", ":previous", "--into", &scene.shop, "--carry-over", "public.books"];
    world.lastgood(local).fails(2).await?.says("no tables are carried over")?;
    // A row that refers to what last week did not have.
    scene.sql(
        "CREATE TABLE mine (customer integer REFERENCES customers); INSERT INTO customers VALUES (9999, 'new', 2)",
    )?;
    scene.sql("INSERT INTO mine VALUES (9999)")?;
    scene.refused(&["public.mine"], 1, "the dump does not have").await.map(drop)
}

/// P-carry-writer: a client writes all the while. What it was told is committed is there afterwards.
pub(super) async fn written_meanwhile(world: &World) -> RowResult {
    let scene = Scene::set(world, BOOKS).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let (config, end) = (world.config(&scene.shop), Arc::clone(&stop));
    let writer = tokio::spawn(async move {
        let mut acknowledged: Vec<i32> = Vec::new();
        while !end.load(Ordering::Relaxed) {
            let Ok((client, connection)) = config.connect(tokio_postgres::NoTls).await else { continue };
            let driven = tokio::spawn(connection);
            let insert = "INSERT INTO public.books (name) VALUES ('meanwhile') RETURNING id";
            while let (false, Ok(row)) = (end.load(Ordering::Relaxed), client.query_one(insert, &[]).await) {
                acknowledged.push(row.get(0));
            }
            driven.abort();
        }
        acknowledged
    });
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        scene.restore(&BOTH).ok().await?;
        ensure_eq!(scene.version()?, "1", "the version");
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    stop.store(true, Ordering::Relaxed);
    let acknowledged = writer.await?;
    ensure!(acknowledged.len() > 100, "only {} rows were written meanwhile", acknowledged.len());
    let there = scene.sql("SELECT string_agg(id::text, ' ') FROM books")?;
    let there: BTreeSet<&str> = there.split(' ').collect();
    let lost: Vec<&i32> = acknowledged.iter().filter(|id| !there.contains(id.to_string().as_str())).collect();
    ensure!(lost.is_empty(), "rows that were committed and are gone: {lost:?}");
    Ok(())
}
