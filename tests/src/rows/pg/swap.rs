//! The swap under clients, against what stands in its way, and beside another one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_postgres::error::SqlState;

use crate::harness::failure::Within as _;
use crate::harness::paused::Paused;
use crate::harness::{Failure, RowResult, World};
use crate::{ensure, ensure_eq};

/// Clients that reconnect all the time.
const CLIENTS: usize = 4;

/// Restores under fire: enough to meet the moment of the switch at different points.
const ROUNDS: u32 = 3;

/// Longest pause of a swap (craft.md, P8).
const OUTAGE_MAX_MS: u64 = 5_000;

/// Versions of both tables in one statement: one, unless a client sees half of something.
const LOOK: &str = "SELECT array_agg(DISTINCT version)::int4[], count(*) FROM \
                    (SELECT version FROM customers UNION ALL SELECT version FROM orders) v";

/// Rows of the sample's two tables.
const ROWS: i64 = 3_500;

/// P8.
pub(super) async fn hammered(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.dump(&shop).await?;
    for round in 0..ROUNDS {
        world.set_version(&shop, 2)?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            clients.spawn(hammer(world.config(&shop), Arc::clone(&stop)));
        }
        // The clients must have seen the old state before it goes.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let restore = ["pg", "restore", &shop, "--confirm-database", &shop, "--json"];
        let output = world.lastgood(restore).ok().await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        stop.store(true, Ordering::Relaxed);
        let report = output.json()?;
        let outage = report["outage_ms"].as_u64().ok_or_else(|| output.fault("it names no outage"))?;
        ensure!(outage <= OUTAGE_MAX_MS, "the swap took {outage} ms");
        while let Some(client) = clients.join_next().await {
            let seen = client.map_err(|error| Failure::new(error.to_string()))?.within(&format!("round {round}"))?;
            ensure_eq!(seen, vec![2, 1], "versions a client saw, in order");
        }
    }
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    Ok(())
}

/// Connects, looks, looks again, leaves, all the time. Returns the versions it saw, in order.
async fn hammer(config: tokio_postgres::Config, stop: Arc<AtomicBool>) -> RowResult<Vec<i32>> {
    let mut seen: Vec<i32> = Vec::new();
    let mut last_failure = None;
    while !stop.load(Ordering::Relaxed) {
        last_failure = None;
        match visit(&config).await {
            Ok(versions) => {
                for version in versions? {
                    if seen.last() != Some(&version) {
                        seen.push(version);
                    }
                }
            }
            Err(error) if is_turned_away(&error) => last_failure = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    match last_failure {
        None => Ok(seen),
        Some(error) => Err(Failure::new(format!("after the swap a client still gets: {error}"))),
    }
}

/// One connection, two looks. An odd picture is the inner failure, a lost connection the outer one.
async fn visit(config: &tokio_postgres::Config) -> Result<RowResult<Vec<i32>>, tokio_postgres::Error> {
    let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
    let connection = tokio::spawn(connection);
    let mut seen = Vec::new();
    for _ in 0..2 {
        let row = client.query_one(LOOK, &[]).await?;
        let (versions, rows): (Option<Vec<i32>>, i64) = (row.get(0), row.get(1));
        let versions = versions.unwrap_or_default();
        if versions.len() != 1 || rows != ROWS {
            return Ok(Err(Failure::new(format!("a client saw versions {versions:?} in {rows} rows"))));
        }
        seen.extend(versions);
    }
    drop(client);
    connection.abort();
    Ok(Ok(seen))
}

/// Whether this is how a server turns clients away during a swap.
fn is_turned_away(error: &tokio_postgres::Error) -> bool {
    let expected = [
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        SqlState::ADMIN_SHUTDOWN,
        SqlState::INVALID_CATALOG_NAME,
        SqlState::CANNOT_CONNECT_NOW,
    ];
    match error.code() {
        Some(code) => expected.contains(code),
        None => error.is_closed() || std::error::Error::source(error).is_some_and(|cause| cause.is::<std::io::Error>()),
    }
}

/// A prepared transaction stops the swap; a replication slot does so unless forced; neither closes the door.
pub(super) async fn bound(world: &World) -> RowResult {
    world.psql("postgres", "ALTER SYSTEM SET max_prepared_transactions = 5")?;
    world.psql("postgres", "ALTER SYSTEM SET wal_level = logical")?;
    world.cluster().restart(backup_testkit::postgres::Shutdown::Fast)?;
    let shop = world.sample("shop")?;
    world.dump(&shop).await?;
    world.set_version(&shop, 2)?;
    let before = world.checksum(&shop)?;
    let restore = ["pg", "restore", &shop, "--confirm-database", &shop];

    world.psql(&shop, "BEGIN; INSERT INTO customers VALUES (9999, 'in doubt', 2); PREPARE TRANSACTION 'doubt'")?;
    world.lastgood(restore).fails(1).await?.says("prepared transaction")?;
    unchanged(world, &shop, &before)?;
    world.psql(&shop, "ROLLBACK PREPARED 'doubt'")?;

    world.psql(&shop, "SELECT pg_create_logical_replication_slot('bound', 'test_decoding')")?;
    world.lastgood(restore).fails(1).await?.says("replication")?.says("(1 slot)")?;
    let forced = world.lastgood(restore).args(["--force", "-n"]).ok().await?;
    forced.says("(1 slot), and ends with the replaced database")?;
    unchanged(world, &shop, &before)?;
    world.psql(&shop, "SELECT pg_drop_replication_slot('bound')")?;

    // A client in the middle of a transaction, and one that cannot be told apart from a superuser's.
    let client = world.connect(&shop).await?;
    client.batch_execute("BEGIN; LOCK TABLE customers IN ACCESS EXCLUSIVE MODE").await?;
    world.lastgood(restore).ok().await?;
    ensure!(client.simple_query("SELECT 1").await.is_err(), "a session of the replaced database lives on");
    ensure!(world.checksum(&shop)? != before, "the restore changed nothing");
    Ok(())
}

fn unchanged(world: &World, shop: &str, before: &str) -> RowResult {
    ensure_eq!(world.checksum(shop)?, before, "the live database after a refusal");
    ensure_eq!(world.closed()?, Vec::<String>::new(), "databases that let nobody in");
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    Ok(())
}

/// A subscription keeps a database from being dropped, and its slot belongs to the original.
pub(super) async fn subscription(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let subscribe = "CREATE SUBSCRIPTION of_shop CONNECTION 'host=far.invalid dbname=x' PUBLICATION y \
                     WITH (connect = false, slot_name = 'of_the_original')";
    world.psql(&shop, subscribe)?;
    let key = world.dump(&shop).await?;
    world.set_version(&shop, 2)?;
    let before = world.checksum(&shop)?;
    let restore = ["pg", "restore", &key, "--confirm-database", &shop];
    world.lastgood(restore).fails(1).await?.says("subscription")?;
    unchanged(world, &shop, &before)?;
    // Confirmed by --force, so that it comes as far as the copy.
    world.lastgood(restore).arg("--force").env("LASTGOOD_CRASH_AT", "restore.verify").run().await?.expect_killed()?;
    world.lastgood(["pg", "recover"]).ok().await?;
    unchanged(world, &shop, &before)?;
    world.lastgood(restore).arg("--force").ok().await?;
    ensure!(world.checksum(&shop)? != before, "the restore changed nothing");
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    // Without its slot it can be dropped here, where nobody publishes.
    world.psql(&shop, "ALTER SUBSCRIPTION of_shop SET (slot_name = NONE); DROP SUBSCRIPTION of_shop")?;
    Ok(())
}

/// P14.
pub(super) async fn two_at_once(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.dump(&shop).await?;
    let before = world.checksum(&shop)?;
    world.set_version(&shop, 2)?;
    let pause = world.folder().join("pause");
    let restore = ["pg", "restore", &shop, "--confirm-database", &shop];
    for step in ["restore.create", "restore.data", "swap.rename"] {
        let first = world
            .lastgood(restore)
            .env("LASTGOOD_PAUSE_AT", step)
            .env("LASTGOOD_PAUSE_FILE", pause.display().to_string())
            .start()?;
        let begun = Instant::now();
        while !pause.exists() && begun.elapsed() < Duration::from_secs(60) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        ensure!(pause.exists(), "the first restore never came to {step}");
        let there = world.leftovers()?;
        world.lastgood(restore).fails(11).await.within(&format!("second restore, first at {step}"))?;
        ensure_eq!(world.leftovers()?, there, "copies after the second restore, first at {step}");
        std::fs::remove_file(&pause)?;
        first.finish().await?.expect_code(0).within(&format!("first restore, held at {step}"))?;
        ensure_eq!(world.checksum(&shop)?, before, "the restored database, first at {step}");
        ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind, first at {step}");
    }
    race(world, &shop, &before).await
}

/// Both at full speed, several times: one wins, the other is refused or comes after it.
async fn race(world: &World, shop: &str, before: &str) -> RowResult {
    for _ in 0..5 {
        let restore = ["pg", "restore", shop, "--confirm-database", shop];
        let (one, two) = tokio::join!(world.lastgood(restore).run(), world.lastgood(restore).run());
        let codes = [one?.code(), two?.code()];
        ensure!(codes.contains(&Some(0)), "neither of two restores succeeded: {codes:?}");
        ensure!(codes.iter().all(|code| matches!(code, Some(0 | 11))), "two restores ended with {codes:?}");
        ensure_eq!(world.checksum(shop)?, before, "the restored database after a race");
        ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind after a race");
    }
    Ok(())
}

/// P8-appears: what a plan called new is somebody's database by the time of the swap.
pub(super) async fn appears(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.dump(&shop).await?;
    let of_shop = format!(":{shop}");
    let new = world.name("new");
    let runs: [(&str, Vec<&str>); 3] = [
        ("restore.data", vec!["pg", "restore", &shop, "--into", &new]),
        ("copy.create", vec!["pg", "copy", &shop, &new]),
        ("copy.create", vec!["pg", "restore", &of_shop, "--into", &new]),
    ];
    for (step, words) in runs {
        let run = Paused::at(step, world.lastgood(words.clone()), world).await?;
        world.psql("postgres", &format!("CREATE DATABASE {new}"))?;
        world.psql(&new, "CREATE TABLE precious AS SELECT 1 AS one")?;
        let refused = run.goes_on()?.finish().await?.expect_code(15).within(&format!("{words:?}"))?;
        refused.says("was created by somebody else in the meantime")?.says("nothing was changed")?;
        ensure_eq!(world.psql(&new, "SELECT one FROM precious")?.trim(), "1", "the database that appeared");
        ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
        world.psql("postgres", &format!("DROP DATABASE {new}"))?;
    }
    // Whoever typed the name has agreed to that.
    let confirmed = ["pg", "restore", &shop, "--into", &new, "--confirm-database", &new];
    let run = Paused::at("restore.data", world.lastgood(confirmed), world).await?;
    world.psql("postgres", &format!("CREATE DATABASE {new}"))?;
    run.goes_on()?.finish().await?.expect_code(0)?;
    Ok(())
}
