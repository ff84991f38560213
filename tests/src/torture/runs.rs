//! Runs that are killed, stopped or left alone, and what none of them may do.

use std::time::Duration;

use rustix::process::Signal;

use crate::ensure;
use crate::harness::{Output, RowResult, World};

/// Longest that any command may take. Nothing here is large: what takes longer hangs.
const LIMIT: Duration = Duration::from_secs(240);

/// How long what a killed process had sent may take to arrive.
const SETTLES: Duration = Duration::from_millis(60);

/// An exit code of Rust's own.
const PANICKED: i32 = 101;

/// An output, unless it tells of a fault that no input and no moment excuses.
pub(super) fn sane(output: Output) -> RowResult<Output> {
    let own_end = [Signal::KILL, Signal::TERM, Signal::INT, Signal::HUP].map(Signal::as_raw);
    if output.code() == Some(PANICKED) || output.stderr.contains("panicked at") {
        return Err(output.fault("it panicked"));
    }
    if output.signal().is_some_and(|signal| !own_end.contains(&signal)) {
        return Err(output.fault("it should not crash"));
    }
    Ok(output)
}

/// Runs a command to its end, whatever its exit code.
pub(super) async fn run(world: &World, args: &[&str]) -> RowResult<Output> {
    run_in(world, args, &[]).await
}

/// The same with variables.
pub(super) async fn run_in(world: &World, args: &[&str], variables: &[(String, String)]) -> RowResult<Output> {
    let mut command = world.lastgood(args.iter().copied()).limit(LIMIT);
    for (name, value) in variables {
        command = command.env(name, value);
    }
    sane(command.run().await?)
}

/// Runs a command, which must end with 0.
pub(super) async fn ok(world: &World, args: &[&str]) -> RowResult<Output> {
    run(world, args).await?.expect_code(0)
}

/// How long a command takes that nothing disturbs.
pub(super) async fn timed(world: &World, args: &[&str]) -> RowResult<Duration> {
    Ok(ok(world, args).await?.elapsed)
}

/// Kills a command after a while; whether it was still running. It may end before, but only well.
pub(super) async fn killed(world: &World, args: &[&str], wait: Duration) -> RowResult<bool> {
    let output = signalled(world, args, wait, Signal::KILL).await?;
    let midway = output.signal() == Some(Signal::KILL.as_raw());
    if !midway && output.code() != Some(0) {
        return Err(output.fault("it should end well when nobody kills it"));
    }
    tokio::time::sleep(SETTLES).await;
    Ok(midway)
}

/// Sends a command a signal after a while, if it still runs then, and waits for its end.
pub(super) async fn signalled(world: &World, args: &[&str], wait: Duration, signal: Signal) -> RowResult<Output> {
    let mut running = world.lastgood(args.iter().copied()).limit(LIMIT).start()?;
    tokio::time::sleep(wait).await;
    if !running.has_ended()? {
        // It may end between the look and the signal.
        let _ = running.signal(signal);
    }
    sane(running.finish().await?)
}

/// Keys of all good backups that a command lists, oldest first.
pub(super) async fn good(world: &World, group: &str) -> RowResult<Vec<String>> {
    let listed = ok(world, &[group, "ls", "--json"]).await?.json()?;
    let all = listed.as_array().into_iter().flatten();
    let good = all.filter(|entry| matches!(entry["state"].as_str(), Some("good" | "unchecked")));
    Ok(good.filter_map(|entry| Some(entry.get("key").or(entry.get("file"))?.as_str()?.to_owned())).collect())
}

/// Nothing that was published is gone, and at most one more is there; whether it is.
pub(super) fn published(before: &[String], after: &[String]) -> RowResult<bool> {
    ensure!(after.starts_with(before), "a backup is gone: there were {before:?}, and there are {after:?}");
    ensure!(after.len() - before.len() <= 1, "there is more than one new backup: {after:?} after {before:?}");
    Ok(after.len() > before.len())
}
