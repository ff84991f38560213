//! A dump of a standby shows what its snapshot showed: rows W5.

use std::time::Duration;

use crate::harness::failure::Within as _;
use crate::harness::{Area, Failure, Locations, Output, Row, RowResult, Running, Standby, World};
use crate::{ensure, ensure_eq};

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    use Locations::Both;
    vec![
        Row::new(
            "W5",
            "a standby, and a transaction of many subtransactions on its primary",
            Area::Truth,
            Both,
            |world| Box::pin(one_moment(world)),
        ),
        Row::new("W5-lasting", "a standby has all rows after it was dumped", Area::Truth, Both, |world| {
            Box::pin(nothing_lost(world))
        }),
        Row::new("W5-schema", "the primary's schema changes while a standby is dumped", Area::Truth, Both, |world| {
            Box::pin(schema_of_the_moment(world))
        }),
    ]
}

/// Tables, so that several workers would have something to do, a sequence, and large objects.
const LEDGER: &str = "
CREATE TABLE ledger (id integer PRIMARY KEY, owner text);
INSERT INTO ledger SELECT g, 'settled' FROM generate_series(1, 200) g;
CREATE TABLE notes (id serial PRIMARY KEY, note text);
INSERT INTO notes (note) SELECT 'settled' FROM generate_series(1, 200) g;
CREATE TABLE other (id integer);
SELECT lo_from_bytea(4711, 'settled')";

/// What is there, in one line.
const CONTENTS: &str = "SELECT concat_ws(' ', \
    (SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM ledger t), (SELECT count(*) FROM ledger), \
    (SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM notes t), (SELECT count(*) FROM notes), \
    (SELECT count(*) FROM other), (SELECT string_agg(encode(lo_get(oid), 'escape'), ',' ORDER BY oid) \
       FROM pg_largeobject_metadata))";

/// More than the 64 subtransactions that a server remembers of one transaction.
const SUBTRANSACTIONS: u32 = 100;

/// A standby, and a transaction that is open on its primary while a later one has ended.
struct Scene<'w> {
    world: &'w World,
    standby: Standby,
    shop: String,
    open: tokio_postgres::Client,
}

impl<'w> Scene<'w> {
    async fn set(world: &'w World) -> RowResult<Self> {
        let shop = world.create("shop")?;
        world.psql(&shop, LEDGER)?;
        let standby = Standby::start(world)?;
        let open = world.connect(&shop).await?;
        let mut statements = String::from("BEGIN; SELECT lo_put(4711, 0, 'opened!');");
        for at in 1..=SUBTRANSACTIONS {
            statements.push_str(&format!(
                "SAVEPOINT s; INSERT INTO ledger VALUES ({at} + 1000, 'open'); DELETE FROM ledger WHERE id = {at}; \
                 UPDATE notes SET note = 'open' WHERE id = {at}; INSERT INTO notes (note) VALUES ('open'); RELEASE s;"
            ));
        }
        open.batch_execute(&statements).await?;
        world.psql(&shop, "INSERT INTO other VALUES (1)")?;
        standby.catch_up(world).await?;
        Ok(Self { world, standby, shop, open })
    }

    async fn on_standby(&self) -> RowResult<String> {
        let client = self.standby.connect(self.world, &self.shop).await?;
        Ok(client.query_one(CONTENTS, &[]).await?.get(0))
    }

    /// The open transaction ends, and the standby hears of it.
    async fn commit(&self) -> RowResult {
        self.open.batch_execute("COMMIT").await?;
        self.standby.catch_up(self.world).await
    }

    /// Restores what `dumped` says it published; returns the copy's name.
    async fn restored(&self, dumped: &Output) -> RowResult<String> {
        let key = dumped.json()?["key"].as_str().unwrap_or_default().to_owned();
        let copy = self.world.name("copy");
        self.world.lastgood(["pg", "restore", &key, "--into", &copy]).ok().await?;
        Ok(copy)
    }
}

/// Starts a dump of the standby that waits at `step`.
async fn paused(world: &World, standby: &Standby, shop: &str, step: &str) -> RowResult<Running> {
    let pause = world.folder().join("pause");
    let dump = standby
        .lastgood(world, &["pg", "dump", shop, "--jobs", "3", "--json"])
        .env("LASTGOOD_PAUSE_AT", step)
        .env("LASTGOOD_PAUSE_FILE", pause.display().to_string());
    let mut run = dump.start()?;
    for _ in 0..1_000 {
        if pause.exists() {
            return Ok(run);
        }
        ensure!(!run.has_ended()?, "the dump ended before {step}: {}", run.finish().await?.transcript());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(Failure::new(format!("the dump never came to {step}")))
}

async fn resumed(world: &World, run: Running) -> RowResult<Output> {
    std::fs::remove_file(world.folder().join("pause"))?;
    run.finish().await?.expect_code(0)
}

/// The minor releases from which on standbys share their snapshots rightly.
const MENDED: [(u32, u32); 4] = [(15, 20), (16, 16), (17, 12), (18, 7)];

/// What the dump must say of one session; nothing where all sessions may share its snapshot.
fn reason(world: &World) -> RowResult<Option<String>> {
    let version: u32 = world.psql("postgres", "SHOW server_version_num")?.parse().unwrap_or_default();
    let (major, minor) = (version / 10_000, version % 10_000);
    Ok(match MENDED.iter().find(|(mended, _)| *mended == major) {
        Some((_, mended)) if minor >= *mended => None,
        Some((_, mended)) => Some(format!("PostgreSQL {major}.{minor} is older than {major}.{mended}")),
        None => Some(format!("PostgreSQL {major}.{minor}, of which no fixed release is known")),
    })
}

/// A transaction that was open when the snapshot was taken ends before the first row is copied.
async fn one_moment(world: &World) -> RowResult {
    let scene = Scene::set(world).await?;
    let before = scene.on_standby().await?;
    let plan = scene.standby.lastgood(world, &["pg", "dump", &scene.shop, "--jobs", "3", "-n"]).ok().await?;
    let run = paused(world, &scene.standby, &scene.shop, "dump.data").await?;
    scene.commit().await?;
    ensure!(scene.on_standby().await? != before, "the transaction that was open has changed nothing");
    let dumped = resumed(world, run).await?;
    let copy = scene.restored(&dumped).await?;
    ensure_eq!(world.psql(&copy, CONTENTS)?, before, "the copy of the standby at the dump's moment");
    let said = dumped.json()?["one_session"].as_str().unwrap_or_default().to_owned();
    match reason(world)? {
        Some(reason) => {
            ensure!(said.contains(&reason), "why one session copied the rows: `{said}`, not `{reason}`");
            plan.says("one session")?.says(&reason).map(drop)
        }
        None => {
            ensure_eq!(said, "", "why one session copied the rows");
            plan.never_says("one session").map(drop)
        }
    }
}

/// Sessions that import a snapshot wrongly leave marks in the standby's pages, which hide rows from everybody.
async fn nothing_lost(world: &World) -> RowResult {
    let scene = Scene::set(world).await?;
    let before = scene.on_standby().await?;
    let dumped = scene.standby.lastgood(world, &["pg", "dump", &scene.shop, "--jobs", "3", "--json"]).ok().await?;
    ensure_eq!(world.psql(&scene.restored(&dumped).await?, CONTENTS)?, before, "the copy of the standby");
    scene.commit().await?;
    ensure_eq!(scene.on_standby().await?, world.psql(&scene.shop, CONTENTS)?, "the standby and its primary");
    Ok(())
}

/// Tables and functions that appear meanwhile are in the dump with all they hold, or not at all.
async fn schema_of_the_moment(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let standby = Standby::start(world)?;
    for (at, step) in ["dump.schema_before", "dump.snapshot", "dump.schema", "dump.data"].into_iter().enumerate() {
        if step == "dump.schema_before" && reason(world)?.is_none() {
            continue;
        }
        let run = paused(world, &standby, &shop, step).await?;
        world.psql(&shop, &format!("CREATE TABLE later_{at} AS SELECT generate_series(1, 5) AS i"))?;
        standby.catch_up(world).await?;
        let dumped = resumed(world, run).await.within(step)?;
        let key = dumped.json()?["key"].as_str().unwrap_or_default().to_owned();
        let copy = world.name(&format!("copy{at}"));
        world.lastgood(["pg", "restore", &key, "--into", &copy]).ok().await?;
        let tables = "SELECT coalesce(string_agg(relname, ' '), 'none') FROM pg_class \
            WHERE relname LIKE 'later%' AND relkind = 'r' AND (xpath('/row/c/text()', \
              query_to_xml(format('SELECT count(*) AS c FROM %I', relname), false, true, '')))[1]::text <> '5'";
        ensure_eq!(world.psql(&copy, tables)?, "none", "tables without their rows, made at {step}");
        ensure_eq!(world.checksum(&copy)?, world.checksum(&shop)?, "the rest of the copy, dumped at {step}");
    }
    Ok(())
}
