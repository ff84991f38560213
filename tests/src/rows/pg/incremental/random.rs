//! Whatever happens to a database between dumps, each incremental dump is what a full one would be.

use backup_testkit::dice::Dice;
use tokio_postgres::Client;

use super::key;
use super::since::{CONF, RANGES, right};
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// How many databases a run of all tests makes, each from a number of its own; a variable sets another number, and another the
/// first one.
const SEEDS: u64 = 50;
const SEEDS_VARIABLE: &str = "LASTGOOD_INCREMENTAL_SEEDS";
const FIRST_VARIABLE: &str = "LASTGOOD_INCREMENTAL_FIRST";

/// Dumps of each of them.
const DUMPS: usize = 4;

/// Most that is done between two dumps.
const STEPS_MAX: usize = 7;

/// Transactions that are open beside all that.
const SESSIONS: usize = 2;

/// P-since-random.
pub(in crate::rows::pg) async fn anything(world: &World) -> RowResult {
    let number = |name: &str, other: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(other);
    let (first, count) = (number(FIRST_VARIABLE, 1), number(SEEDS_VARIABLE, SEEDS));
    // On 18 pages have checksums, on 17 they have none.
    let worlds = [world.on_version_with(17, &CONF)?, world.on_version_with(18, &CONF)?];
    let (mut kept, mut read) = (0, 0);
    for seed in first..first + count {
        let world = &worlds[usize::from(seed % 2 == 0)];
        let dice = Dice::new(seed, "incremental", 0);
        let (of_kept, of_read) = one(world, seed, dice).await.within(&format!("seed {seed}"))?;
        (kept, read) = (kept + of_kept, read + of_read);
    }
    ensure!(kept > 0 && read > 0, "{kept} tables were kept, and {read} read: this shows nothing");
    Ok(())
}

/// One database; how many times a table was kept, and how many times not.
async fn one(world: &World, seed: u64, mut dice: Dice) -> RowResult<(u64, u64)> {
    let shop = world.create(&format!("s{seed}"))?;
    let client = world.connect(&shop).await?;
    client.batch_execute(START).await?;
    let mut beside = Vec::new();
    for _ in 0..SESSIONS {
        beside.push((world.connect(&shop).await?, false));
    }
    let (mut kept, mut read, mut last, mut said) = (0, 0, String::new(), Vec::new());
    for dump in 0..DUMPS {
        for _ in 0..dice.below(STEPS_MAX + 1) {
            let step = step(&mut dice, &client, &mut beside, seed).await;
            said.push(step);
        }
        let steps = || format!("dump {dump} after: {}", said.join("; "));
        let report = right(world, &shop, &[]).await.map_err(|failure| failure.within(&steps()))?;
        let (tables, of_kept) = (report["tables"].as_u64(), report["tables_kept"].as_u64());
        kept += of_kept.unwrap_or_default();
        read += tables.unwrap_or_default() - of_kept.unwrap_or_default();
        last = key(&report)?;
    }
    world.lastgood(["pg", "verify", &last, "--read", "all"]).ok().await?;
    let copy = world.name("copy");
    world.lastgood(["pg", "restore", &last, "--into", &copy]).env(RANGES.0, RANGES.1).ok().await?;
    ensure_eq!(counted(world, &copy)?, counted(world, &shop)?, "rows restored after {}", said.join("; "));
    for (session, _) in &beside {
        let _ = session.batch_execute("ROLLBACK").await;
    }
    drop((client, beside));
    for name in ["a", "b"] {
        let _ = world.psql(&shop, &format!("ROLLBACK PREPARED '{name}{seed}'"));
    }
    world.drop_database(&copy)?;
    world.drop_database(&shop)?;
    Ok((kept, read))
}

/// How many rows every table has.
fn counted(world: &World, database: &str) -> RowResult<String> {
    const COUNT: &str = "SELECT string_agg(format('%s %s', c.relname, (xpath('//c/text()', query_to_xml(\
        format('SELECT md5(string_agg(t::text, '','' ORDER BY t::text)) AS c FROM %I t', c.relname), false, true, '')))[1]), ',' \
        ORDER BY c.relname) FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace";
    world.psql(database, COUNT)
}

const START: &str = "CREATE TYPE mood AS ENUM ('m0', 'm1', 'm2'); \
    CREATE TABLE t0 (id serial PRIMARY KEY, n int, body text); \
    CREATE TABLE t1 (id serial PRIMARY KEY, n int, body text, mood mood DEFAULT 'm1'); \
    CREATE TABLE t2 (id serial PRIMARY KEY, n int, body text); ALTER TABLE t2 ALTER body SET STORAGE EXTERNAL; \
    CREATE TABLE t3 (id serial PRIMARY KEY, n int, body text) PARTITION BY RANGE (id); \
    CREATE TABLE t3a PARTITION OF t3 FOR VALUES FROM (0) TO (200); CREATE TABLE t3b PARTITION OF t3 DEFAULT; \
    INSERT INTO t0 (n, body) SELECT g, repeat(md5(g::text), 6) FROM generate_series(1, 3000) g; \
    INSERT INTO t1 (n, body) SELECT g, md5(g::text) FROM generate_series(1, 500) g; \
    INSERT INTO t2 (n, body) SELECT g, repeat(md5(g::text), 200) FROM generate_series(1, 40) g; \
    INSERT INTO t3 (n, body) SELECT g, md5(g::text) FROM generate_series(1, 400) g";

/// Something is done; what it was. What the server refuses, because somebody has a lock or a column is gone, is as good.
async fn step(dice: &mut Dice, client: &Client, beside: &mut [(Client, bool)], seed: u64) -> String {
    let table = *dice.pick(&["t0", "t0", "t1", "t2", "t3"]);
    let (at, many) = (dice.below(3000), dice.between(1, 60));
    let change = match dice.below(4) {
        0 => format!(
            "INSERT INTO {table} (n, body) SELECT g, repeat(md5((g + {at})::text), {}) FROM generate_series(1, {many}) g",
            dice.between(1, 90)
        ),
        1 => format!("UPDATE {table} SET n = n + 1 WHERE id BETWEEN {at} AND {at} + {many}"),
        2 => format!("UPDATE {table} SET body = body || 'x' WHERE id % 97 = {}", at % 97),
        _ => format!("DELETE FROM {table} WHERE id BETWEEN {at} AND {at} + {many}"),
    };
    let statement = match dice.below(24) {
        0..8 => change,
        8 | 9 => {
            // In a transaction that stays open for a while.
            let (session, is_open) = &mut beside[dice.below(SESSIONS)];
            let statement = match (*is_open, dice.below(3)) {
                (false, _) => format!("SET lock_timeout = '300ms'; BEGIN; SAVEPOINT s; {change}"),
                (true, 0) => "ROLLBACK".to_owned(),
                (true, 1) => "COMMIT".to_owned(),
                (true, _) => format!("ROLLBACK TO s; {change}"),
            };
            *is_open = !matches!(statement.as_str(), "ROLLBACK" | "COMMIT");
            let outcome = session.batch_execute(&statement).await;
            return told("beside: ", &statement, outcome);
        }
        10 => format!("BEGIN; {change}; PREPARE TRANSACTION '{}{seed}'", dice.pick(&["a", "b"])),
        11 => format!("{} PREPARED '{}{seed}'", dice.pick(&["COMMIT", "ROLLBACK"]), dice.pick(&["a", "b"])),
        12 => format!("BEGIN; {change}; ROLLBACK"),
        13 => format!(
            "BEGIN; SAVEPOINT a; {change}; ROLLBACK TO a; INSERT INTO {table} (n) VALUES ({at}); RELEASE a; COMMIT"
        ),
        14 => format!("VACUUM {} {table}", dice.pick(&["", "(FREEZE)", "FULL"])),
        15 => format!("TRUNCATE {table}"),
        16 => format!("ALTER TYPE mood RENAME VALUE 'm{}' TO 'm{}'", dice.below(6), dice.below(6)),
        17 => format!("ALTER TABLE {table} ADD COLUMN c{} text DEFAULT 'd{at}'", dice.below(3)),
        18 => format!("ALTER TABLE {table} DROP COLUMN c{}", dice.below(3)),
        19 => format!("ALTER TABLE {table} ALTER n TYPE {}", dice.pick(&["bigint", "int", "numeric", "text"])),
        20 => format!("ALTER TABLE {table} SET {}", dice.pick(&["UNLOGGED", "LOGGED"])),
        21 => format!("CREATE TABLE IF NOT EXISTS n{} AS SELECT * FROM {table}", dice.below(3)),
        22 => format!("DROP TABLE IF EXISTS n{}", dice.below(3)),
        _ => (*dice.pick(&[
            "CHECKPOINT",
            "SELECT pg_current_xact_id()",
            "SELECT pg_switch_wal()",
            "VACUUM",
            "CLUSTER t0 USING t0_pkey",
        ]))
        .to_owned(),
    };
    let outcome = match client.batch_execute("SET lock_timeout = '300ms'").await {
        Ok(()) => client.batch_execute(&statement).await,
        refused => refused,
    };
    let told = told("", &statement, outcome);
    // After an error in a transaction block.
    let _ = client.batch_execute("ROLLBACK").await;
    told
}

fn told(whose: &str, statement: &str, outcome: Result<(), tokio_postgres::Error>) -> String {
    let how = if outcome.is_ok() { "" } else { " (refused)" };
    format!("{whose}{statement}{how}")
}
