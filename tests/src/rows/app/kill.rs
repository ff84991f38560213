//! A6, A7: what is killed or told to end leaves no backup, and what it leaves is freed.

use std::time::Duration;

use rustix::process::Signal;

use super::{USERS, keys, records};
use crate::harness::place::is_temporary;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

const BACKUP: [&str; 4] = ["app", "backup", "--source", "ndjson:records"];

/// A6.
pub(super) async fn every_step(world: &World) -> RowResult {
    records(world, "records", &[("users.json", USERS)])?;
    let run = world.lastgood(BACKUP).env("LASTGOOD_PROGRESS", "json").ok().await?;
    let mut steps = run.steps();
    steps.dedup();
    for wanted in ["app.read", "app.type", "app.finish", "app.manifest", "app.published"] {
        ensure!(steps.iter().any(|step| step == wanted), "there is no step {wanted} in {steps:?}");
    }
    for step in &steps {
        let before = published(world).await?;
        world.lastgood(BACKUP).env("LASTGOOD_CRASH_AT", step).run().await?.expect_killed()?;
        let new = published(world).await? - before;
        ensure_eq!(new, usize::from(step == "app.published"), "backups published by a run killed at {step}");
        world.lastgood(["app", "verify"]).ok().await?;
    }
    let young = unpublished(world).await?;
    ensure!(young > 0, "the kills left nothing, so that the row shows nothing");
    world.lastgood(["app", "prune", "--incomplete"]).ok().await?;
    ensure_eq!(unpublished(world).await?, young, "tarballs without a manifest after a prune with grace");
    killed_amid_upload(world).await?;
    let whole = published(world).await?;
    world.lastgood(["app", "prune", "--incomplete", "--grace", "0s"]).ok().await?;
    ensure_eq!(unpublished(world).await?, 0, "tarballs without a manifest after prune");
    ensure_eq!(world.place().unfinished().await?, 0, "unfinished uploads after prune");
    ensure_eq!(published(world).await?, whole, "backups after prune");
    world.lastgood(BACKUP).args(["--type", "users"]).ok().await?;
    world.lastgood(["app", "restore", "--to", "ndjson:out"]).ok().await?;
    Ok(())
}

/// A run that ends only when it is killed: its source never does.
async fn killed_amid_upload(world: &World) -> RowResult {
    let before = keys(world).await?;
    let mut run = endless(world)?;
    while world.place().unfinished().await? == 0 {
        ensure!(!run.has_ended()?, "the backup ended, and no object was ever seen half there");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    run.signal(Signal::KILL)?;
    run.finish().await?.expect_killed()?;
    ensure!(world.place().unfinished().await? > 0, "the kill left nothing unfinished");
    ensure_eq!(keys(world).await?, before, "backups after the kill");
    Ok(())
}

/// A backup whose second reading of its source never ends. What it prints hardly compresses, so that parts get full.
fn endless(world: &World) -> RowResult<crate::harness::Running> {
    let script = "import os, pathlib\n\
        first = not pathlib.Path('ran').exists()\n\
        pathlib.Path('ran').touch()\n\
        for number in range(30):\n\
        \x20   print('{\"id\": %d, \"x\": \"%s\"}' % (number, os.urandom(1 << 20).hex()), flush=True)\n\
        if not first:\n\
        \x20   import time\n\
        \x20   parent = os.getppid()\n\
        \x20   while os.getppid() == parent: time.sleep(0.1)\n";
    std::fs::write(world.folder().join("endless.py"), script)?;
    let _ = std::fs::remove_file(world.folder().join("ran"));
    let source = "exec:python3 endless.py {type}";
    world.lastgood(["app", "backup", "--name", "endless", "--source", source, "--type", "t"]).start()
}

/// A7.
pub(super) async fn terminated(world: &World) -> RowResult {
    let mut run = endless(world)?;
    while world.place().unfinished().await? == 0 {
        ensure!(!run.has_ended()?, "the backup ended, and no object was ever seen half there");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    run.signal(Signal::TERM)?;
    run.finish().await?.expect_code(143)?;
    ensure_eq!(world.place().unfinished().await?, 0, "unfinished uploads");
    ensure_eq!(keys(world).await?, Vec::<String>::new(), "backups");
    Ok(())
}

/// Backups there are. A claim of a prune has a manifest's name and is none.
async fn published(world: &World) -> RowResult<usize> {
    let listed = world.lastgood(["app", "ls", "--json"]).ok().await?.json()?;
    Ok(listed.as_array().into_iter().flatten().filter(|entry| entry["state"] == "good").count())
}

/// Tarballs without a manifest. What is half there is no object.
async fn unpublished(world: &World) -> RowResult<usize> {
    let keys: Vec<String> = world.place().objects().await?.into_iter().map(|object| object.key).collect();
    let tarballs = keys.iter().filter(|key| key.ends_with(".tar.gz") && !is_temporary(key));
    Ok(tarballs.filter(|key| !keys.contains(&format!("{key}.manifest.json"))).count())
}
