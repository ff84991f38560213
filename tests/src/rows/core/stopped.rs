//! W-statement, W-data-only, W-hook, W-rate, W-deaf: what is under way when a signal comes is not waited for.

use std::time::Duration;

use rustix::process::Signal;
use tokio::net::TcpListener;

use crate::harness::command::Running;
use crate::harness::failure::Within as _;
use crate::harness::{Lastgood, RowResult, World};
use crate::{ensure, ensure_eq};

const TERMINATED: i32 = 143;

/// How long the statements and hooks of these rows take: five times as long as any row waits for a run to end.
const NAP_SECONDS: u32 = 600;

/// What is said if a run is ended that did not end by itself.
const NOT_ENDED: &str = "cleaning up took longer";

/// A function that sleeps, but only where a restore fills its copy.
fn napping() -> String {
    format!(
        "CREATE FUNCTION naps(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN \
         IF current_database() LIKE 'lastgood%' THEN PERFORM pg_sleep({NAP_SECONDS}); END IF; RETURN i; END $$; \
         CREATE TABLE t (i int); INSERT INTO t VALUES (1);"
    )
}

/// Sends the signal once the server is at a statement that takes its time, in a database of such a name.
async fn stopped_amid(world: &World, run: Lastgood<'_>, databases: &str, signal: Signal) -> RowResult {
    let mut run = run.start()?;
    let asleep =
        format!("SELECT count(*) FROM pg_stat_activity WHERE datname LIKE '{databases}' AND wait_event = 'PgSleep'");
    while world.psql("postgres", &asleep)?.trim() == "0" {
        ensure!(!run.has_ended()?, "the run ended before the statement began");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    run.signal(signal)?;
    ended(run).await?;
    ensure_eq!(world.psql("postgres", &asleep)?.trim(), "0", "statements that go on");
    Ok(())
}

async fn ended(run: Running) -> RowResult {
    let output = run.finish().await?.expect_code(TERMINATED)?;
    output.never_says(NOT_ENDED)?;
    Ok(())
}

/// Rows that are checked, an index, a materialized view and a single file, each of which takes ten minutes.
pub(super) async fn statements(world: &World) -> RowResult {
    let cases = [
        ("a constraint of a row", "CREATE TABLE c (i int CHECK (naps(i) = i)); INSERT INTO c VALUES (1)"),
        ("an index", "CREATE INDEX slow ON t (naps(i))"),
        ("a materialized view", "CREATE MATERIALIZED VIEW slow AS SELECT naps(i) FROM t"),
    ];
    let there = world.databases()?;
    for (at, (what, sql)) in cases.iter().enumerate() {
        let shop = world.create(&format!("shop{at}"))?;
        world.psql(&shop, &format!("{} {sql}", napping()))?;
        let key = world.dump(&shop).await?;
        let file = format!("{shop}/2021-01-02-03-04-05-000002.default.dump");
        world.place().write(&file, &crate::rows::pg::damage::pg_dump(world, &shop)?).await?;
        let copy = world.name("copy");
        for (key, signal) in [(&key, Signal::TERM), (&file, Signal::HUP)] {
            let restore = world.lastgood(["pg", "restore", key, "--into", &copy]);
            stopped_amid(world, restore, "lastgood%", signal).await.within(&format!("{what} of {key}"))?;
            ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
        }
        let verify = world.lastgood(["pg", "verify", &key, "--restorable"]);
        stopped_amid(world, verify, "lastgood%", Signal::TERM).await.within(&format!("{what}, rehearsed"))?;
        world.drop_database(&shop)?;
    }
    ensure_eq!(world.databases()?, there, "databases");
    Ok(())
}

/// A data-only restore whose rows the live database checks for ten minutes: its tables are free again at once.
pub(super) async fn data_only(world: &World) -> RowResult {
    let shop = world.create("shop")?;
    world.psql(&shop, "CREATE TABLE d (i int); INSERT INTO d VALUES (1)")?;
    let key = world.dump(&shop).await?;
    world.psql(
        &shop,
        &format!(
            "TRUNCATE d; CREATE FUNCTION naps(i int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN \
             PERFORM pg_sleep({NAP_SECONDS}); RETURN true; END $$; ALTER TABLE d ADD CHECK (naps(i))"
        ),
    )?;
    let restore = world.lastgood(["pg", "restore", &key, "--data-only", "--confirm-database", &shop]);
    stopped_amid(world, restore, &shop, Signal::TERM).await?;
    world.psql(&shop, "BEGIN; LOCK TABLE d IN ACCESS EXCLUSIVE MODE NOWAIT; COMMIT")?;
    ensure_eq!(world.psql(&shop, "SELECT count(*) FROM d")?.trim(), "0", "rows");
    Ok(())
}

/// Hooks that ignore every signal that can be ignored.
pub(super) async fn hooks(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let key = world.dump(&shop).await?;
    let copy = world.name("copy");
    let begun = world.folder().join("begun");
    let hook = format!("trap '' TERM INT HUP; touch '{}'; sleep {NAP_SECONDS}", begun.display());
    let dump: &[&str] = &["pg", "dump", &shop, "--pre-dump-hook", &hook];
    let create: &[&str] = &["pg", "restore", &key, "--into", &copy, "--post-create-hook", &hook];
    let swap: &[&str] = &["pg", "restore", &key, "--confirm-database", &shop, "--pre-swap-hook", &hook];
    for command in [dump, create, swap] {
        let mut run = world.lastgood(command.iter().copied()).start()?;
        while !begun.exists() {
            ensure!(!run.has_ended()?, "the run ended before the hook began");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        run.signal(Signal::TERM)?;
        ended(run).await.within(&command.join(" "))?;
        std::fs::remove_file(&begun)?;
        ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    }
    ensure_eq!(world.keys(&shop).await?, vec![key], "dumps");
    Ok(())
}

/// What a rate holds back is not sent any more.
pub(super) async fn rate(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let key = world.dump(&shop).await?;
    let copy = world.name("copy");
    let dump: &[&str] = &["pg", "dump", &shop, "--limit-upload", "5B"];
    let restore: &[&str] = &["pg", "restore", &key, "--into", &copy, "--limit-download", "5B"];
    for command in [dump, restore] {
        let mut run = world.lastgood(command.iter().copied()).start()?;
        // By then the first bytes wait; if they do not yet, the signal is only easier to obey.
        tokio::time::sleep(Duration::from_secs(3)).await;
        ensure!(!run.has_ended()?, "`{}` ended at 5 bytes a second", command.join(" "));
        run.signal(Signal::TERM)?;
        ended(run).await.within(&command.join(" "))?;
    }
    ensure_eq!(world.keys(&shop).await?, vec![key], "dumps");
    Ok(())
}

/// Services and servers that take connections and never answer.
pub(super) async fn deaf(world: &World) -> RowResult {
    let commands: [&[&str]; 8] = [
        &["ec2", "ls"],
        &["ec2", "snapshot", "--tag", "a=b"],
        &["ec2", "trim", "--tag", "a=b", "--keep-last", "1", "-n"],
        &["ec2", "report", "--tag", "a=b"],
        &["pg", "recover"],
        &["pg", "ls", "--local"],
        &["-r", "s3://bucket/prefix", "glacier", "prune", "uploads", "--keep-last", "1", "--state", "state"],
        &["-r", "s3://bucket/prefix", "app", "ls"],
    ];
    for command in commands {
        // One for each: what an earlier run still asks is not taken for this one's.
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port().to_string();
        let endpoint = format!("http://127.0.0.1:{port}");
        let lastgood = world.lastgood(command.iter().copied()).env("PGHOST", "127.0.0.1").env("PGPORT", &port);
        let lastgood = lastgood.env("AWS_ACCESS_KEY_ID", "deaf").env("AWS_SECRET_ACCESS_KEY", "deaf");
        let lastgood = lastgood.env("AWS_REGION", "us-east-1").env("AWS_ENDPOINT_URL", &endpoint);
        // Shorter than the time after which a request or a connection is given up by itself.
        let mut run = lastgood.limit(Duration::from_secs(12)).start()?;
        let connected = tokio::select! {
            connected = listener.accept() => connected?,
            () = tokio::time::sleep(Duration::from_secs(10)) => {
                ensure!(!run.has_ended()?, "{} ended without asking", command.join(" "));
                return Err(crate::harness::Failure::new(format!("{} never asked", command.join(" "))));
            }
        };
        run.signal(Signal::TERM)?;
        ended(run).await.within(&command.join(" "))?;
        drop(connected);
    }
    Ok(())
}
