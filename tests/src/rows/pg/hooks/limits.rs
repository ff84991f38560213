//! Hooks that print without end, leave things behind, or are interrupted.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{TOOL, notes, psql};
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// Most bytes that may reach standard error from a hook, whatever it prints.
const SHOWN_BYTES_MAX: usize = 1024 * 1024;

/// Most kibibytes by which a flood may raise the memory of the run.
const GROWTH_KIB_MAX: u64 = 32 * 1024;

/// 100 MB on both streams.
pub(super) async fn flood(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.dump(&shop).await?;
    let peak = "sed -n 's/^VmHWM:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/$PPID/status >> peak";
    let floods = [
        ("in lines", "yes 'a line of a flood that nobody will ever read' | head -c 100000000"),
        ("on standard error", "yes | head -c 100000000 >&2"),
        ("in one line", "head -c 100000000 /dev/zero | tr '\\0' x"),
        ("of empty lines", "head -c 100000000 /dev/zero | tr '\\0' '\\n'"),
        ("of bytes", "head -c 100000000 /dev/urandom"),
    ];
    for (way, line) in floods {
        let _ = fs::remove_file(world.folder().join("peak"));
        let copy = world.name(&way.replace(' ', "_"));
        let hook = format!("{peak}; echo first words; {line}; echo; echo last words; {peak}");
        let restore = ["pg", "restore", &shop, "--into", &copy, "--pre-swap-hook", &hook];
        let output = world.lastgood(restore).env("LASTGOOD_PROGRESS", "json").ok().await.within(way)?;
        let output = output.says("first words")?.says("last words").within(way)?;
        ensure!(output.stderr.len() < SHOWN_BYTES_MAX, "{way}: {} bytes were shown", output.stderr.len());
        let peaks = notes(world, "peak");
        let peaks: Vec<u64> = peaks.lines().filter_map(|line| line.parse().ok()).collect();
        ensure_eq!(peaks.len(), 2, "{way}: figures of the memory used");
        // The kernel counts by processor and sums up now and then: a later figure may be the smaller one.
        ensure!(peaks[1].saturating_sub(peaks[0]) < GROWTH_KIB_MAX, "{way}: the flood took {peaks:?} KiB");
        // One that fails tells why, and that is at the end.
        let hook = format!("{line}; echo; echo last words; exit 1");
        let restore = ["pg", "restore", &shop, "--into", "new", "--pre-swap-hook", &hook];
        let output = world.lastgood(restore).fails(TOOL).await.within(way)?.says("last words")?;
        ensure!(output.stderr.len() < SHOWN_BYTES_MAX, "{way}: {} bytes were shown", output.stderr.len());
        ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left after a flood {way}");
    }
    Ok(())
}

/// Processes and connections that outlive their hook.
pub(super) async fn left_open(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let dumped = world.checksum(&shop)?;
    world.dump(&shop).await?;
    let psql = psql(world);
    let open = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%sleep(4711)%' AND pid <> pg_backend_pid()";
    let until_open = format!("until {psql} -c \"{open}\" | grep -q '^[1-9]'; do sleep 0.05; done");
    let sleeper = format!("{psql} -c 'SELECT pg_sleep(4711)'");
    let transaction = format!("{psql} -c 'BEGIN; LOCK customers; SELECT pg_sleep(4711)'");
    for (way, line) in [
        // A daemon that has left the process group, and holds on to the hook's output too.
        ("a daemon", format!("setsid {sleeper} & {until_open}")),
        ("a daemon in a transaction", format!("setsid {transaction} > /dev/null 2>&1 & {until_open}")),
        ("a job in the background", format!("{sleeper} & {until_open}")),
    ] {
        world.set_version(&shop, 2)?;
        let restore = ["pg", "restore", &shop, "--confirm-database", &shop, "--pre-swap-hook", &line];
        world.lastgood(restore).ok().await.within(way)?;
        ensure_eq!(world.checksum(&shop)?, dumped, "the live database after {way}");
        ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left after {way}");
        settles(world, open, "0").await.within(way)?;
        // On the way out of a failed restore likewise.
        let fails = format!("{line}; exit 1");
        world
            .lastgood(["pg", "restore", &shop, "--into", "new", "--pre-swap-hook", &fails])
            .fails(TOOL)
            .await
            .within(way)?;
        ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left after a failure with {way}");
        settles(world, open, "0").await.within(way)?;
    }
    Ok(())
}

/// Waits for a query to give `expected`: sessions need a moment to end.
async fn settles(world: &World, sql: &str, expected: &str) -> RowResult {
    let begun = Instant::now();
    loop {
        let answer = world.psql("postgres", sql)?;
        if answer.trim() == expected {
            return Ok(());
        }
        ensure!(begun.elapsed() < Duration::from_secs(20), "`{sql}` gives {answer}, and should give {expected}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until a killed process is gone: nobody is left to wait for it, and the system's first process may take its time.
async fn gone(pid: &str) -> RowResult {
    let begun = Instant::now();
    let runs = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
    };
    while runs() {
        ensure!(begun.elapsed() < Duration::from_secs(20), "process {pid} still runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// SIGTERM, SIGINT and SIGKILL while a hook runs.
pub(super) async fn signals(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.dump(&shop).await?;
    world.set_version(&shop, 2)?;
    let before = world.checksum(&shop)?;
    let stored = world.place().picture().await?;
    let hook = "trap 'echo told > told; exit 0' TERM; echo $$ > pid; echo running; while :; do sleep 0.05; done";
    let deaf = "trap '' TERM INT; echo $$ > pid; echo running; while :; do sleep 0.05; done";
    let restore = ["pg", "restore", &shop, "--confirm-database", &shop, "--pre-swap-hook"];
    let dump = ["pg", "dump", &shop, "--pre-dump-hook"];
    for (command, line, signal, code) in [
        (&restore[..], hook, Signal::TERM, 143),
        (&restore[..], hook, Signal::INT, 130),
        (&restore[..], deaf, Signal::TERM, 143),
        (&dump[..], hook, Signal::TERM, 143),
    ] {
        let place = format!("{signal:?} while `{line}` runs");
        let run = world.lastgood(command.iter().copied()).arg(line).env("LASTGOOD_PROGRESS", "json");
        let mut run = run.start()?;
        run.wait_for("\"line\":\"running\"").await?;
        run.signal(signal)?;
        run.finish().await?.expect_code(code).within(&place)?;
        let pid = notes(world, "pid");
        ensure!(!fs::exists(format!("/proc/{}", pid.trim()))?, "{place}: the hook still runs");
        ensure_eq!(notes(world, "told").trim(), if line == hook { "told" } else { "" }, "{place}: what it was told");
        let _ = fs::remove_file(world.folder().join("told"));
        ensure_eq!(world.checksum(&shop)?, before, "{place}: the live database");
        ensure_eq!(world.leftovers()?, Vec::<String>::new(), "{place}: databases left");
        ensure_eq!(world.place().picture().await?, stored, "{place}: the location");
    }
    // Who does not want to wait for the deaf one signals twice: it goes too, and only the copy is left.
    let _ = fs::remove_file(world.folder().join("pid"));
    let mut run = world.lastgood(restore).arg(deaf).env("LASTGOOD_PROGRESS", "json").start()?;
    run.wait_for("\"line\":\"running\"").await?;
    run.signal(Signal::TERM)?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    run.signal(Signal::TERM)?;
    run.finish().await?.expect_code(143)?;
    let pid = notes(world, "pid").trim().to_owned();
    ensure!(!pid.is_empty(), "the hook did not run");
    gone(&pid).await?;
    world.lastgood(["pg", "recover"]).ok().await?;
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left after two signals");
    for point in ["hook.post_create", "hook.pre_swap"] {
        let run = world.lastgood(restore).arg("sleep 0").arg("--post-create-hook").arg("true");
        run.env("LASTGOOD_CRASH_AT", point).run().await?.expect_killed()?;
        ensure_eq!(world.leftovers()?.len(), 1, "copies of a run killed at {point}");
        world.lastgood(["pg", "recover"]).ok().await?;
        ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left after a kill at {point}");
        ensure_eq!(world.checksum(&shop)?, before, "the live database after a kill at {point}");
    }
    Ok(())
}
