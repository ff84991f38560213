//! One moment in time, whatever others do meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::task::JoinSet;
use tokio_postgres::error::SqlState;

use crate::harness::failure::Within as _;
use crate::harness::{Failure, RowResult, World};
use crate::{ensure, ensure_eq};

/// Tables the money is spread over.
const TABLES: u32 = 8;

/// Accounts in each.
const ACCOUNTS: u32 = 1_000;

/// Money in each account.
const BALANCE: u32 = 100;

/// Dumps taken while money moves.
const DUMPS: usize = 3;

/// Money moves between tables while the database is dumped; a restored copy must have all of it.
pub(super) async fn bank(world: &World) -> RowResult {
    let bank = world.create("bank")?;
    for table in 0..TABLES {
        world.psql(
            &bank,
            &format!(
                "CREATE TABLE accounts_{table} (id integer PRIMARY KEY, balance bigint NOT NULL, filler text); \
             INSERT INTO accounts_{table} SELECT g, {BALANCE}, repeat(md5(g::text), 20) FROM generate_series(1, \
             {ACCOUNTS}) g"
            ),
        )?;
    }
    let (stop, moved) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut writers = JoinSet::new();
    for seed in 0..3 {
        let client = world.connect(&bank).await?;
        writers.spawn(transfer(client, seed, Arc::clone(&stop), Arc::clone(&moved)));
    }
    let mut keys = Vec::new();
    let mut quiet = false;
    for _ in 0..DUMPS {
        let before = moved.load(Ordering::Relaxed);
        keys.push(world.dump(&bank).await?);
        quiet |= moved.load(Ordering::Relaxed) == before;
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(writer) = writers.join_next().await {
        writer.map_err(|error| Failure::new(error.to_string()))??;
    }
    ensure!(!quiet, "no money moved during a dump, so that the row shows nothing");
    for (at, key) in keys.iter().enumerate() {
        let copy = world.name(&format!("copy{at}"));
        world.lastgood(["pg", "restore", key, "--into", &copy]).ok().await?;
        let sum = world.psql(&copy, &sum_of_all())?;
        ensure_eq!(sum, (TABLES * ACCOUNTS * BALANCE).to_string(), "the money in `{copy}`");
    }
    Ok(())
}

fn sum_of_all() -> String {
    let tables: Vec<String> = (0..TABLES).map(|table| format!("SELECT balance FROM accounts_{table}")).collect();
    format!("SELECT sum(balance) FROM ({}) b", tables.join(" UNION ALL "))
}

async fn transfer(
    client: tokio_postgres::Client,
    seed: u64,
    stop: Arc<AtomicBool>,
    moved: Arc<AtomicU64>,
) -> RowResult {
    let mut random = StdRng::seed_from_u64(seed);
    while !stop.load(Ordering::Relaxed) {
        let mut place = || (random.random_range(0..TABLES), random.random_range(1..=ACCOUNTS));
        let ((from, from_id), (to, to_id)) = (place(), place());
        let done = client
            .batch_execute(&format!(
                "BEGIN; UPDATE accounts_{from} SET balance = balance - 1 WHERE id = {from_id}; \
                 UPDATE accounts_{to} SET balance = balance + 1 WHERE id = {to_id}; COMMIT"
            ))
            .await;
        match done {
            Ok(()) => drop(moved.fetch_add(1, Ordering::Relaxed)),
            // Two writers met crosswise: nothing moved.
            Err(error) if error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED) => {
                client.batch_execute("ROLLBACK").await?
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// TRUNCATE, rewriting ALTER, DROP and CREATE are not undone by a snapshot: a dump must have all rows of before or after.
pub(super) async fn truncate(world: &World) -> RowResult {
    let busy = world.create("busy")?;
    world.psql(&busy, "CREATE TABLE generation (n integer); INSERT INTO generation VALUES (0)")?;
    for table in 0..20 {
        world.psql(
            &busy,
            &format!(
                "CREATE TABLE part_{table} (n integer); INSERT INTO part_{table} SELECT 0 FROM generate_series(1, 500)"
            ),
        )?;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let turned = Arc::new(AtomicU64::new(0));
    let rewriter = tokio::spawn(rewrite(world.connect(&busy).await?, Arc::clone(&stop), Arc::clone(&turned)));
    let mut keys = Vec::new();
    for _ in 0..5 {
        keys.push(world.dump(&busy).await?);
    }
    stop.store(true, Ordering::Relaxed);
    rewriter.await.map_err(|error| Failure::new(error.to_string()))??;
    ensure!(
        turned.load(Ordering::Relaxed) > 0,
        "nothing was truncated during the dumps, so that the row shows nothing"
    );
    for (at, key) in keys.iter().enumerate() {
        let copy = world.name(&format!("copy{at}"));
        world.lastgood(["pg", "restore", key, "--into", &copy]).ok().await?;
        let generation = world.psql(&copy, "SELECT n FROM generation")?;
        for table in 0..20 {
            let found = world.psql(&copy, &format!("SELECT min(n), max(n), count(*) FROM part_{table}"))?;
            ensure_eq!(found, format!("{generation}|{generation}|500"), "part_{table} of dump {at}");
        }
    }
    Ok(())
}

/// Replaces all rows of all tables in one transaction, in a different way each time.
async fn rewrite(client: tokio_postgres::Client, stop: Arc<AtomicBool>, turned: Arc<AtomicU64>) -> RowResult {
    let mut random = StdRng::seed_from_u64(42);
    let mut generation = 0;
    while !stop.load(Ordering::Relaxed) {
        generation += 1;
        let mut statements = format!("BEGIN; UPDATE generation SET n = {generation};");
        for table in 0..20 {
            statements.push_str(&match (generation + table) % 4 {
                0 => format!(
                    "TRUNCATE part_{table}; INSERT INTO part_{table} SELECT {generation} FROM \
                              generate_series(1, 500);"
                ),
                1 => format!(
                    "DROP TABLE part_{table}; CREATE TABLE part_{table} AS SELECT {generation} AS n FROM \
                              generate_series(1, 500);"
                ),
                2 => format!(
                    "ALTER TABLE part_{table} ALTER n TYPE bigint USING {generation}; ALTER TABLE \
                              part_{table} ALTER n TYPE integer;"
                ),
                _ => format!("UPDATE part_{table} SET n = {generation};"),
            });
        }
        statements.push_str("COMMIT");
        client.batch_execute(&statements).await?;
        turned.fetch_add(1, Ordering::Relaxed);
        // Far more often than migrations come, so that most dumps meet one, and not so often that none can begin.
        tokio::time::sleep(Duration::from_millis(random.random_range(100..900))).await;
    }
    Ok(())
}

/// A migration that waits for the dump must neither end it nor wait for longer than it needs.
pub(super) async fn migration(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let pause = world.folder().join("pause");
    for step in ["dump.snapshot", "dump.schema", "dump.data"] {
        let run = world
            .lastgood(["pg", "dump", &shop, "--config", &step.replace('.', "-")])
            .env("LASTGOOD_PAUSE_AT", step)
            .env("LASTGOOD_PAUSE_FILE", pause.display().to_string())
            .start()?;
        until(|| Ok(pause.exists())).await.within(&format!("the dump never came to {step}"))?;
        let migration = tokio::spawn(alter(world.connect(&shop).await?));
        until(|| is_waiting(world, &shop)).await.within("the migration never waited")?;
        std::fs::remove_file(&pause)?;
        run.finish().await?.expect_code(0).within(&format!("a migration came at {step}"))?;
        migration.await.map_err(|error| Failure::new(error.to_string()))?.within(&format!("migration at {step}"))?;
    }
    ensure_eq!(world.keys(&shop).await?.len(), 3, "dumps");
    world.add_bulk(&shop, 24)?;
    amid_rows(world, &shop).await
}

/// Once all locks are taken, whoever wants an exclusive one waits, and the dump goes on as if nobody did.
async fn amid_rows(world: &World, shop: &str) -> RowResult {
    let mut run = world.lastgood(["pg", "dump", shop, "--json"]).env("LASTGOOD_PROGRESS", "json").start()?;
    run.wait_for("\"advance\"").await?;
    // The workers have their locks by now. pg_dump takes its own, and what comes before that sends the dump back.
    until(|| Ok(world.psql("postgres", &pg_dump_is_at(shop))? == "0")).await.within("pg_dump did not end")?;
    let client = world.connect(shop).await?;
    let truncate = tokio::spawn(async move { client.batch_execute("TRUNCATE bulk, customers, orders").await });
    let output = run.finish().await?.expect_code(0)?.never_says("starts again")?;
    truncate.await.map_err(|error| Failure::new(error.to_string()))??;
    ensure_eq!(world.psql(shop, "SELECT count(*) FROM bulk")?, "0", "rows after the TRUNCATE");
    let key = output.json()?["key"].as_str().unwrap_or_default().to_owned();
    let copy = world.name("copy");
    world.lastgood(["pg", "restore", &key, "--into", &copy]).ok().await?;
    let rows = "SELECT (SELECT count(*) FROM customers), (SELECT count(*) FROM orders), (SELECT count(*) FROM bulk)";
    ensure_eq!(world.psql(&copy, rows)?, "500|3000|768", "rows of the dump");
    Ok(())
}

fn pg_dump_is_at(database: &str) -> String {
    format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND application_name = 'pg_dump'")
}

async fn alter(client: tokio_postgres::Client) -> RowResult {
    // As careful migrations do: a dump must not keep the lock for as long as it takes.
    client.batch_execute("SET lock_timeout = '20s'; ALTER TABLE orders ADD COLUMN added integer").await?;
    client.batch_execute("ALTER TABLE orders DROP COLUMN added").await?;
    Ok(())
}

fn is_waiting(world: &World, database: &str) -> RowResult<bool> {
    let sql = "SELECT count(*) > 0 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE c.relname = 'orders' \
               AND NOT granted";
    Ok(world.psql(database, sql)? == "t")
}

async fn until(condition: impl Fn() -> RowResult<bool>) -> RowResult {
    for _ in 0..1_000 {
        if condition()? {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err(Failure::new("it took longer than 10 s"))
}
