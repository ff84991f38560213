//! A server that cannot drop the replaced database yet: nobody waits for it.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// How long a restore of the sample may take that waits for nobody, but for the five seconds that it gives the server.
const ENOUGH: Duration = Duration::from_secs(40);

/// How long a run may take to end that is asked to: a second for the server, and the rest for a busy machine.
const AT_ONCE: Duration = Duration::from_secs(4);

/// A server process that is stopped as long as this lives.
struct Stopped(Pid);

impl Stopped {
    fn new(pid: i32) -> RowResult<Self> {
        let pid = Pid::from_raw(pid).ok_or_else(|| crate::harness::Failure::new("no server process"))?;
        kill_process(pid, Signal::STOP).map_err(std::io::Error::from)?;
        Ok(Self(pid))
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // It may have ended.
        let _ = kill_process(self.0, Signal::CONT);
    }
}

/// A process of another database is stopped: the restore ends well and says so, a signal ends it at once, and both later
/// runs and recovery go on.
pub(super) async fn waits_for_nobody(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let key = world.dump(&shop).await?;
    let new = world.checksum(&shop)?;
    let restore = ["pg", "restore", &key, "--confirm-database", &shop];
    let client = world.connect("postgres").await?;
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await?.get(0);

    world.set_version(&shop, 2)?;
    let stopped = Stopped::new(pid)?;
    let begun = Instant::now();
    let restored = world.lastgood(restore).ok().await?;
    ensure!(begun.elapsed() < ENOUGH, "the restore took {:?}", begun.elapsed());
    let told = restored.says(&format!("`{shop}` is restored; the server waits for process {pid} (client backend"))?;
    told.says("lastgood pg recover")?;
    ensure_eq!(world.checksum(&shop)?, new, "the restored database");
    world.lastgood(["pg", "recover"]).ok().await?.never_says("is running")?;
    drop(stopped);
    world.lastgood(["pg", "recover"]).ok().await?;
    gone_soon(world).await?;

    world.set_version(&shop, 2)?;
    let stopped = Stopped::new(pid)?;
    let mut run = world.lastgood(restore).env("LASTGOOD_PROGRESS", "json").start()?;
    run.wait_for("\"name\":\"swap.drop\"").await?;
    let begun = Instant::now();
    run.signal(Signal::TERM)?;
    let output = run.finish().await?;
    ensure!(begun.elapsed() < AT_ONCE, "it took {:?} to end", begun.elapsed());
    ensure!(matches!(output.code(), Some(0 | 143)), "it ended with {:?}", output.code());
    ensure_eq!(world.checksum(&shop)?, new, "the database after a signal");
    drop(stopped);
    world.lastgood(["pg", "recover"]).ok().await?;
    gone_soon(world).await
}

/// What our advisory locks have in common.
const LOCK_CLASS: u32 = 0x6c67_7067;

/// A client dies while the server waits to drop a database for it. What it leaves on the server is no run: not its session,
/// and not that of an earlier version, which dropped it on the session that had the lock.
pub(super) async fn dead_client(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let key = world.dump(&shop).await?;
    let new = world.checksum(&shop)?;
    let restore = ["pg", "restore", &key, "--confirm-database", &shop];
    let client = world.connect("postgres").await?;
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await?.get(0);
    world.set_version(&shop, 2)?;
    let stopped = Stopped::new(pid)?;
    let mut run = world.lastgood(restore).env("LASTGOOD_PROGRESS", "json").start()?;
    run.wait_for("\"name\":\"swap.drop\"").await?;
    let lock = format!("SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND classid = {LOCK_CLASS}");
    let number: u32 = world.psql("postgres", &lock)?.parse()?;
    run.signal(Signal::KILL)?;
    run.finish().await?.expect_killed()?;
    let left = world.leftovers()?;
    ensure_eq!(left.len(), 1, "databases that wait to be dropped");
    let recovered = world.lastgood(["pg", "recover"]).ok().await?.never_says("is running")?;
    // Whom it waits for is known to whoever asked first.
    recovered.says(&format!("`{}`", left[0]))?;
    ensure_eq!(world.checksum(&shop)?, new, "the restored database");

    // Its socket closes, and the server does not look at it.
    let (older, connection) = world.config("postgres").connect(tokio_postgres::NoTls).await?;
    let connection = tokio::spawn(connection);
    let (class, number) = (LOCK_CLASS.cast_signed(), number.cast_signed());
    older.query_one("SELECT pg_try_advisory_lock($1, $2)", &[&class, &number]).await?;
    let drop_it = format!("DROP DATABASE \"{}\"", left[0]);
    let dropping = tokio::spawn(async move { older.batch_execute(&drop_it).await });
    let waiting = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND state = 'active' \
        AND query ~ '^DROP DATABASE'";
    for _ in 0..200 {
        if world.psql("postgres", waiting)? == "1" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    connection.abort();
    let _ = connection.await;
    let _ = dropping.await;
    ensure_eq!(world.psql("postgres", waiting)?, "1", "sessions of dead clients that have the lock");
    let recovered = world.lastgood(["pg", "recover"]).ok().await?.never_says("is running")?;
    recovered.says(&format!("`{shop}`"))?.says("has not dropped")?;
    drop(stopped);
    gone_soon(world).await?;
    world.lastgood(["pg", "recover"]).ok().await?.never_says("has not dropped")?;
    world.lastgood(restore).ok().await?;
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    Ok(())
}

/// What the server drops by itself once it can.
async fn gone_soon(world: &World) -> RowResult {
    for _ in 0..100 {
        if world.leftovers()?.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    Ok(())
}
