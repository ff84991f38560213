//! GL20: on ministack, whose restores take two seconds and expire at midnight, and whose listings do not tell of them.

use std::time::Duration;

use super::{check, fill, lose};
use crate::ensure;
use crate::harness::others::{Maker, Other};
use crate::harness::{RowResult, World};

/// How often a retrieval is looked at, and how long: it takes two seconds there.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const LOOKS: usize = 40;

pub(super) async fn there_and_back(world: &World) -> RowResult {
    let server = Other::start(world, Maker::Ministack).await?;
    let run = |args: &[&str]| server.lastgood(world, &[&["glacier"][..], args, &["--state", "state"]].concat());
    let files = fill(world)?;
    let backup = ["backup", "--files", "store", "--name", "uploads", "--init"];
    run(&backup).ok().await?.says("wrote 2 archives")?;
    run(&backup).ok().await?.says("5 archived before; wrote 0 archives")?;
    lose(world)?;
    run(&["catalogue", "rebuild", "uploads"]).ok().await?.says("Read 2 backups")?;
    run(&["fetch", "uploads"]).fails(3).await?.says("4 files must be retrieved first")?;
    run(&["retrieve", "uploads", "--tier", "standard"]).ok().await?.says("Requested 2 archives by Standard")?;
    // Whoever asks again while it runs is told 409, which is no failure.
    run(&["retrieve", "uploads", "--tier", "standard"]).ok().await?.says("Nothing was requested")?;
    let mut is_ready = false;
    for _ in 0..LOOKS {
        is_ready = run(&["watch", "--once", "uploads"]).run().await?.code() == Some(0);
        if is_ready {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    ensure!(is_ready, "the retrieval never ended");
    run(&["fetch", "uploads"]).ok().await?.says("Fetched 3 contents")?;
    run(&["restore", "uploads", "--files", "store"]).ok().await?.says("Restored 5 files")?;
    check(world, &files)
}
