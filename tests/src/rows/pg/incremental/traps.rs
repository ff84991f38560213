//! What would make a dump wrong that keeps what the server's summaries do not name. Each of these fails if its check is taken out.

use std::path::Path;
use std::process::Command;

use backup_core::manifest::Manifest;
use backup_testkit::postgres::Shutdown;
use serde_json::Value;

use super::key;
use super::since::{CONTENT, RANGES, all_was_read, dumped, fill, kept, reading, restores, right, server};
use crate::harness::failure::Within as _;
use crate::harness::paused::Paused;
use crate::harness::{Failure, RowResult, Standby, World};
use crate::{ensure, ensure_eq};

/// P-since-open: (a) rows of transactions that were open or prepared at the base appear later, on pages that do not change.
pub(in crate::rows::pg) async fn open(world: &World) -> RowResult {
    let (world, shop) = &server(world, 17)?;
    fill(world, shop)?;
    dumped(world, shop, &[]).await?;
    let session = world.connect(shop).await?;
    session
        .batch_execute("BEGIN; INSERT INTO item VALUES (50001, 'open'); SAVEPOINT a; DELETE FROM still WHERE g = 7")
        .await?;
    world.psql(shop, "BEGIN; INSERT INTO item VALUES (50002, 'prepared'); PREPARE TRANSACTION 'p'")?;
    // From here on no page of theirs changes any more.
    world.psql(shop, "CHECKPOINT; SELECT pg_current_xact_id(); CHECKPOINT")?;
    for number in 1..=2 {
        let report = right(world, shop, &["--incremental", "require"]).await.within("while they are open")?;
        ensure!(kept(&report)? > 0, "dump {number}: {report}");
    }
    session.batch_execute("COMMIT").await?;
    let after = right(world, shop, &["--incremental", "require"]).await.within("after a commit")?;
    restores(world, shop, &key(&after)?, CONTENT).await?;
    world.psql(shop, "COMMIT PREPARED 'p'")?;
    let after = right(world, shop, &["--incremental", "require"]).await.within("after COMMIT PREPARED")?;
    restores(world, shop, &key(&after)?, CONTENT).await?;
    // Once they have ended, changes count from a later point again.
    right(world, shop, &["--incremental", "require"]).await?;
    let last = right(world, shop, &["--incremental", "require"]).await?;
    ensure_eq!(last["tables_kept"], 4, "tables kept in the end: {last}");

    // Without an earlier point nothing can be kept, and the dump says so.
    session.batch_execute("BEGIN; INSERT INTO item VALUES (50003, 'open')").await?;
    world.psql(shop, "CHECKPOINT; SELECT pg_current_xact_id(); CHECKPOINT")?;
    let full = right(world, shop, &["--full"]).await?;
    ensure!(full["no_base"].as_str().is_some_and(|why| why.contains("a transaction was open")), "{full}");
    session.batch_execute("COMMIT").await?;
    all_was_read(&right(world, shop, &[]).await?, "a transaction was open")
}

/// P-since-text: (b) what changes the text of rows and touches no page.
pub(in crate::rows::pg) async fn text(world: &World) -> RowResult {
    let (world, shop) = &server(world, 17)?;
    fill(world, shop)?;
    world.psql(
        shop,
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN moods AS mood[]; CREATE TYPE pair AS (n int, m moods); \
         CREATE TABLE feels AS SELECT g, 'sad'::mood AS plain FROM generate_series(1, 100) g; \
         CREATE TABLE deep AS SELECT g, ROW(g, ARRAY['ok'::mood])::pair AS pair FROM generate_series(1, 100) g; \
         CREATE TABLE points AS SELECT g, 'still'::regclass AS at, g::text AS gone FROM generate_series(1, 100) g; \
         CREATE TABLE owners AS SELECT ARRAY['postgres=r/postgres'::aclitem] AS acl; \
         CREATE TABLE grows AS SELECT g FROM generate_series(1, 100) g; VACUUM FREEZE; CHECKPOINT",
    )?;
    right(world, shop, &[]).await?;
    let steps = [
        ("a renamed label", "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'", "feels"),
        ("a label deep inside", "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'", "deep"),
        ("an attribute that comes", "ALTER TYPE pair ADD ATTRIBUTE more int", "deep"),
        ("a column that comes", "ALTER TABLE grows ADD COLUMN more text NOT NULL DEFAULT 'x'", "grows"),
        ("a column that goes", "ALTER TABLE grows DROP COLUMN g", "grows"),
        ("a column that goes and comes", "ALTER TABLE grows DROP COLUMN more, ADD COLUMN more text", "grows"),
        ("a renamed column", "ALTER TABLE grows RENAME COLUMN more TO less", "grows"),
        ("a name that is pointed to", "ALTER TABLE still RENAME TO renamed", "points"),
    ];
    for (what, change, table) in steps {
        world.psql(shop, change)?;
        let report = right(world, shop, &["--incremental", "require"]).await.within(what)?;
        let (_, kept_ranges, why) = reading(world, &key(&report)?, table).await?;
        ensure_eq!(kept_ranges, 0, "{what}: ranges of `{table}` that were kept: {why}");
        let (ranges, kept_ranges, why) = reading(world, &key(&report)?, "item").await?;
        ensure_eq!(kept_ranges, ranges, "{what}: ranges of `item` that were kept: {why}");
    }
    let report = right(world, shop, &[]).await?;
    for table in ["points", "owners"] {
        let why = reading(world, &key(&report)?, table).await?.2;
        ensure!(why.contains("depends on more than its bytes"), "why `{table}` was read: {why}");
    }
    // A label that was another one while rows were read, and is what it was again.
    world.psql(shop, "UPDATE feels SET g = g + 1")?;
    let dump = world.lastgood(["pg", "dump", shop, "--incremental", "require"]);
    let paused = Paused::at("dump.data", dump, world).await?;
    world.psql(shop, "ALTER TYPE mood RENAME VALUE 'blue' TO 'odd'")?;
    paused.goes_on()?.finish().await?.expect_code(0)?;
    world.psql(shop, "ALTER TYPE mood RENAME VALUE 'odd' TO 'blue'")?;
    right(world, shop, &["--incremental", "require"]).await.within("a label that was another one meanwhile")?;
    // Another role may be shown other values.
    world.psql(shop, "CREATE ROLE other LOGIN SUPERUSER PASSWORD 'pw'")?;
    let other = world.lastgood(["pg", "dump", shop, "--json"]).env("PGUSER", "other").env("PGPASSWORD", "pw");
    all_was_read(&other.ok().await?.json_lines()?.pop().unwrap_or_default(), "the role")
}

/// Copies a folder with its owners.
fn copy(from: &Path, to: &Path) -> RowResult {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    ensure!(status.success(), "`cp` ended with {status}");
    Ok(())
}

/// P-since-history: (c) a disk that was put back has the same identifier and timeline, and later the same positions.
pub(in crate::rows::pg) async fn history(world: &World) -> RowResult {
    let (world, shop) = &server(world, 17)?;
    fill(world, shop)?;
    dumped(world, shop, &[]).await?;
    let (data, aside) = (world.cluster().data_dir().to_owned(), world.folder().join("aside"));
    world.cluster().stop(Shutdown::Fast)?;
    copy(&data, &aside)?;
    world.cluster().start_again()?;
    // What the next dump has, and the server will have lost.
    world.psql(shop, "UPDATE still SET md5 = 'lost' WHERE g < 100; CHECKPOINT; CHECKPOINT")?;
    let parent = key(&dumped(world, shop, &[]).await?)?;
    let base = manifest(world, &parent).await?.detail["base"]["lsn"].as_str().unwrap_or_default().to_owned();

    world.cluster().stop(Shutdown::Fast)?;
    std::fs::remove_dir_all(&data)?;
    copy(&aside, &data)?;
    world.cluster().start_again()?;
    // Until the positions are later than those that the dump knows.
    world.psql(shop, "UPDATE item SET body = 'other' WHERE id = 1; CHECKPOINT")?;
    while world.psql(shop, &format!("SELECT pg_current_wal_insert_lsn() > '{base}'::pg_lsn + 100000"))? == "f" {
        world.psql(
            shop,
            "INSERT INTO wide SELECT max(id) + 1, repeat(md5(random()::text), 600) FROM wide; CHECKPOINT",
        )?;
    }
    let after = right(world, shop, &[]).await.within("after the disk was put back")?;
    all_was_read(&after, "started again")?;

    // Even if nobody could see that it was started again, as where a machine is put back with its memory.
    let folder = format!("pg/{}/", key(&after)?);
    for object in world.place().objects().await?.into_iter().filter(|object| object.key.starts_with(&folder)) {
        world.place().remove(&object.key).await?;
    }
    let started = world.psql(shop, "SELECT (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::int8")?;
    let mut unseen = manifest(world, &parent).await?;
    unseen.detail["base"]["instance"] = started.parse::<u64>()?.into();
    world.place().write(&name(&parent), &unseen.to_bytes()?).await?;
    let after = right(world, shop, &[]).await.within("after the disk was put back, unseen")?;
    all_was_read(&after, "others than they were")
}

/// Where the manifest of a dump is.
fn name(dump: &str) -> String {
    format!("pg/{dump}/manifest.json")
}

async fn manifest(world: &World, dump: &str) -> RowResult<Manifest> {
    let at = name(dump).parse().map_err(|error| Failure::new(format!("{error}")))?;
    Ok(Manifest::from_bytes(&at, &world.place().read(&name(dump)).await?)?)
}

/// P-since-rewritten: (d) tables that are emptied, rewritten, moved, logged or not.
pub(in crate::rows::pg) async fn rewritten(world: &World) -> RowResult {
    let (world, shop) = &server(world, 17)?;
    fill(world, shop)?;
    world.psql(shop, "CREATE UNLOGGED TABLE quick AS SELECT g FROM generate_series(1, 100) g")?;
    right(world, shop, &[]).await?;
    let steps = [
        (
            "emptied and filled",
            "BEGIN; TRUNCATE still; INSERT INTO still SELECT g, 'new' FROM generate_series(1, 3000) g; COMMIT",
            "still",
            "rewritten",
        ),
        ("VACUUM FULL", "DELETE FROM item WHERE id < 3000; VACUUM FULL item", "item", "rewritten"),
        ("CLUSTER", "CLUSTER item USING item_pkey", "item", "rewritten"),
        ("another type", "ALTER TABLE item ALTER id TYPE bigint", "item", "columns or their types"),
        ("an unlogged table", "UPDATE quick SET g = g + 1", "quick", "unlogged"),
        ("a table that is logged now", "ALTER TABLE quick SET LOGGED", "quick", "nothing of it"),
        (
            "a table that is not logged any more",
            "ALTER TABLE still SET UNLOGGED; UPDATE still SET md5 = 'x'",
            "still",
            "unlogged",
        ),
        (
            "a table in the place of another",
            "BEGIN; ALTER TABLE wide RENAME TO old; CREATE TABLE wide (LIKE old INCLUDING ALL); \
          INSERT INTO wide SELECT id, 'y' FROM old; DROP TABLE old; COMMIT",
            "wide",
            "columns or their types",
        ),
    ];
    for (what, change, table, expected) in steps {
        world.psql(shop, change)?;
        let report = right(world, shop, &["--incremental", "require"]).await.within(what)?;
        let (_, kept_ranges, why) = reading(world, &key(&report)?, table).await?;
        ensure!(
            kept_ranges == 0 && why.contains(expected),
            "{what}: {kept_ranges} ranges of `{table}` were kept: {why}"
        );
    }
    // There and back again every file has the number that it had.
    let space = world.folder().join("space");
    std::fs::create_dir(&space)?;
    std::os::unix::fs::chown(&space, Some(world.cluster().server_uid()), None)?;
    open_to_all(world.folder())?;
    world.psql("postgres", &format!("CREATE TABLESPACE elsewhere LOCATION '{}'", space.display()))?;
    for space in ["elsewhere", "pg_default"] {
        world.psql("postgres", &format!("ALTER DATABASE \"{shop}\" SET TABLESPACE {space}"))?;
    }
    let report = right(world, shop, &["--incremental", "require"]).await.within("a database that was moved")?;
    let (_, kept_ranges, why) = reading(world, &key(&report)?, "item").await?;
    ensure!(
        kept_ranges == 0 && why.contains("moved"),
        "a database that was moved: {kept_ranges} ranges were kept: {why}"
    );
    world.psql("postgres", "DROP TABLESPACE elsewhere")?;
    Ok(())
}

/// Lets the server reach what is in a folder.
fn open_to_all(folder: &Path) -> RowResult {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?)
}

/// P-since-gap: (e) summaries that do not join: they were off, or are gone; a crash leaves none out.
pub(in crate::rows::pg) async fn gap(world: &World) -> RowResult {
    let (world, shop) = &server(world, 17)?;
    fill(world, shop)?;
    dumped(world, shop, &[]).await?;
    right(world, shop, &["--incremental", "require"]).await?;
    let set = |value: &str| {
        world.psql(shop, &format!("ALTER SYSTEM SET summarize_wal = {value}"))?;
        world.psql(shop, "SELECT pg_reload_conf(), pg_sleep(0.5)")
    };
    set("off")?;
    world.psql(shop, "UPDATE still SET md5 = 'unseen' WHERE g = 1; CHECKPOINT; SELECT pg_switch_wal(); CHECKPOINT")?;
    world.psql(shop, "INSERT INTO nothing VALUES (1); SELECT pg_switch_wal(); CHECKPOINT")?;
    set("on")?;
    // Whether the server still has what it did not summarize is its own affair: the dump is right, whatever it says.
    right(world, shop, &[]).await.within("after summaries were off")?;
    right(world, shop, &["--incremental", "require"]).await?;

    // One that is gone from between.
    world.psql(shop, "UPDATE still SET md5 = 'gone' WHERE g = 2; CHECKPOINT; SELECT pg_sleep(0.5)")?;
    let summaries = world.cluster().data_dir().join("pg_wal").join("summaries");
    let mut files: Vec<_> = std::fs::read_dir(&summaries)?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let last = files.pop().ok_or_else(|| Failure::new("there are no summaries"))?;
    std::fs::remove_file(&last)?;
    let after = right(world, shop, &[]).await.within("after a summary went")?;
    all_was_read(&after, "summar")?;
    right(world, shop, &["--incremental", "require"]).await?;
    // Those from before the base: it cannot be seen any more whether it is the same history.
    for file in std::fs::read_dir(&summaries)?.flatten() {
        std::fs::remove_file(file.path())?;
    }
    world.psql(shop, "UPDATE still SET md5 = 'gone' WHERE g = 3; CHECKPOINT; SELECT pg_sleep(0.5)")?;
    all_was_read(&right(world, shop, &[]).await?, "others than they were")?;

    // A server that crashed was started again; what it had told stays true.
    right(world, shop, &[]).await?;
    world.psql(shop, "UPDATE still SET md5 = 'crash' WHERE g = 4")?;
    world.cluster().kill()?;
    world.cluster().start_again()?;
    all_was_read(&right(world, shop, &[]).await.within("after a crash")?, "started again")?;
    right(world, shop, &["--incremental", "require"]).await?;
    Ok(())
}

/// P-since-hints: (f) reading a table for the first time may change its pages; from then on nothing does.
pub(in crate::rows::pg) async fn hints(world: &World) -> RowResult {
    let (world, shop) = &server(world, 18)?;
    fill(world, shop)?;
    world
        .psql(shop, "CREATE TABLE loaded AS SELECT g, repeat('x', 100) FROM generate_series(1, 9000) g; CHECKPOINT")?;
    right(world, shop, &[]).await?;
    let second = right(world, shop, &["--incremental", "require"]).await?;
    let (_, kept_ranges, why) = reading(world, &key(&second)?, "loaded").await?;
    ensure!(kept_ranges == 0 && why.contains("pages of it changed"), "{kept_ranges} ranges were kept: {why}");
    let third = right(world, shop, &["--incremental", "require"]).await?;
    ensure_eq!(third["tables_kept"], 5, "tables kept by the third dump: {third}");
    world.psql(shop, "VACUUM (FREEZE) loaded; CHECKPOINT")?;
    let fourth: Value = right(world, shop, &["--incremental", "require"]).await?;
    ensure_eq!(reading(world, &key(&fourth)?, "loaded").await?.1, 0, "ranges kept after VACUUM FREEZE");
    world.psql(shop, "VACUUM (FREEZE) loaded; CHECKPOINT")?;
    let fifth = right(world, shop, &["--incremental", "require"]).await?;
    ensure_eq!(fifth["tables_kept"], 5, "tables kept after a second one: {fifth}");
    restores(world, shop, &key(&fifth)?, CONTENT).await
}

/// Dumps on a standby, while its primary writes checkpoints now and then; the report.
async fn dumped_on(standby: &Standby, world: &World, shop: &str) -> RowResult<Value> {
    let mut dump = standby.lastgood(world, &["pg", "dump", shop, "--json"]).env(RANGES.0, RANGES.1).start()?;
    while !dump.has_ended()? {
        world.psql("postgres", "CHECKPOINT")?;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    let lines = dump.finish().await?.expect_code(0)?.json_lines()?;
    lines.into_iter().last().ok_or_else(|| Failure::new("a dump without a report"))
}

/// P-since-standby: a standby summarizes what it replays; two that were promoted apart have the same identifier and timeline.
pub(in crate::rows::pg) async fn standby(world: &World) -> RowResult {
    let (world, shop) = &server(world, 17)?;
    fill(world, shop)?;
    let [one, other] = [Standby::start(world)?, Standby::start(world)?];
    let client = one.connect(world, "postgres").await?;
    // Until it has summaries from before its last restartpoint.
    for _ in 0..3 {
        world.psql(shop, "INSERT INTO nothing VALUES (1); CHECKPOINT")?;
        one.catch_up(world).await?;
        client.batch_execute("CHECKPOINT").await?;
    }
    dumped_on(&one, world, shop).await?;
    world.psql(shop, "UPDATE still SET md5 = 'changed' WHERE g = 5")?;
    one.catch_up(world).await?;
    let second = dumped_on(&one, world, shop).await?;
    ensure!(second["since"].is_string() && kept(&second)? > 0, "a standby's second dump: {second}");
    ensure_eq!(reading(world, &key(&second)?, "item").await?.2, "", "why `item` was read");
    restores(world, shop, &key(&second)?, CONTENT).await?;

    other.catch_up(world).await?;
    for standby in [&one, &other] {
        standby.promote()?;
    }
    for (standby, text) in [(&one, "of one"), (&other, "of the other")] {
        let client = standby.connect(world, shop).await?;
        client.batch_execute(&format!("UPDATE still SET md5 = '{text}' WHERE g = 6")).await?;
        client.batch_execute("CHECKPOINT").await?;
        let report = standby.lastgood(world, &["pg", "dump", shop, "--json"]).ok().await?.json_lines()?.pop();
        let report = report.unwrap_or_default();
        all_was_read(&report, if text == "of one" { "timeline" } else { "started again" })?;
    }
    Ok(())
}
