//! W-lock, W-term, W-hup, W-published, W-stdout, W-gone: waits that are seen and end, and what is said of a dump that was published.

use std::fs::{File, OpenOptions};
use std::process::Command;

use rustix::process::Signal;

use crate::harness::paused::Paused;
use crate::harness::{Failure, Place, RowResult, World};
use crate::{ensure, ensure_eq};

/// Somebody else has the lock.
const HELD: i32 = 11;

/// Nobody made the location.
const NO_LOCATION: i32 = 10;

const TERMINATED: i32 = 143;

/// Takes the lock of the folder, as a program does that was stopped while it had it.
fn hold(world: &World) -> RowResult<File> {
    let Place::Folder(root) = world.place() else { return Err(Failure::new("this row needs a folder")) };
    let file = OpenOptions::new().create(true).append(true).open(root.join(".lastgood-lock"))?;
    file.lock()?;
    Ok(file)
}

/// W-lock: the lock of a folder is held for ever.
pub(super) async fn held_lock(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let first = world.dump(&shop).await?;
    let second = world.dump(&shop).await?;
    let lock = hold(world)?;
    let holder = format!("process {}", std::process::id());
    let (dumped, pruned) = tokio::join!(
        world.lastgood(["pg", "dump", &shop]).run(),
        world.lastgood(["pg", "prune", &shop, "--keep-last", "1", "--yes"]).run()
    );
    // The dump is whole; only the hint at it could not be moved.
    let dumped = dumped?.expect_code(0)?.says("waiting for the lock of")?.says(&holder)?;
    dumped.says("the pointer to the latest dump could not be updated")?.says("Published")?;
    pruned?.expect_code(HELD)?.says("is locked")?.says(&holder)?.says("the lock ends with its process")?;
    let kept = world.keys(&shop).await?;
    ensure!(kept.contains(&first) && kept.contains(&second), "something was deleted without the lock: {kept:?}");
    drop(lock);
    world.lastgood(["pg", "prune", &shop, "--keep-last", "1", "--yes"]).ok().await?;
    ensure_eq!(world.keys(&shop).await?.len(), 1, "dumps after a prune with the lock");
    Ok(())
}

/// W-term: a signal ends the wait for the lock, after the dump was published and before it is given up.
pub(super) async fn signal_ends_the_wait(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.dump(&shop).await?;
    let lock = hold(world)?;
    for signal in [Signal::TERM, Signal::HUP] {
        let mut run = world.lastgood(["pg", "dump", &shop]).start()?;
        run.wait_for("waiting for the lock").await?;
        run.signal(signal)?;
        let ended = run.finish().await?.says("was published before that")?;
        ended.expect_code(0)?.never_says("within 30 s")?;
    }
    drop(lock);
    ensure_eq!(world.keys(&shop).await?.len(), 3, "dumps");
    Ok(())
}

/// W-hup: SIGHUP, as a closed terminal sends it, is as orderly an end as SIGTERM.
pub(super) async fn hang_up(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.add_bulk(&shop, 8)?;
    let key = world.dump(&shop).await?;
    let before = world.checksum(&shop)?;
    for step in ["restore.create", "restore.data"] {
        let restore = world.lastgood(["pg", "restore", &key, "--confirm-database", &shop]);
        let paused = Paused::at(step, restore, world).await?;
        paused.signal(Signal::HUP)?;
        paused.goes_on()?.finish().await?.expect_code(TERMINATED)?;
        ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind after SIGHUP at {step}");
        ensure_eq!(world.checksum(&shop)?, before, "the live database");
    }
    Ok(())
}

/// W-published: a signal that comes after the publication.
pub(super) async fn after_publication(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    for (at, quiet) in [None, Some("-q")].into_iter().enumerate() {
        let dump = world.lastgood(["pg", "dump", &shop]).args(quiet);
        let paused = Paused::at("dump.published", dump, world).await?;
        paused.signal(Signal::TERM)?;
        let ended = paused.goes_on()?.finish().await?;
        let keys = world.keys(&shop).await?;
        ensure_eq!(keys.len(), at + 1, "dumps");
        ended.says(&format!("`{}` was published before that, and is whole", keys[at]))?;
    }
    Ok(())
}

/// W-stdout: standard output is full when the dump is done.
pub(super) async fn full_output(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let output = Command::new("sh")
        .args(["-c", "exec \"$0\" pg dump \"$1\" > /dev/full"])
        .arg(world.lastgood_binary())
        .arg(&shop)
        .env_clear()
        .envs(world.environment())
        .current_dir(world.folder())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure_eq!(output.status.code(), Some(1), "the exit code; it said {said}");
    let keys = world.keys(&shop).await?;
    ensure_eq!(keys.len(), 1, "dumps");
    ensure!(said.contains(&format!("`{}` was published", keys[0])), "it should say that the dump is there: {said}");
    Ok(())
}

/// W-gone: the folder is removed while a dump is written to it.
pub(super) async fn folder_removed(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let paused = Paused::at("dump.manifest", world.lastgood(["pg", "dump", &shop]), world).await?;
    world.without_location()?;
    let failed = paused.goes_on()?.finish().await?.expect_code(NO_LOCATION)?;
    failed.says("it was removed while this run used it")?.never_says("prune")?;
    Ok(())
}
