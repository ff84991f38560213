//! D11 and D12: files that are there already, and a lock that a service in Python takes too.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use super::{local, plant};
use crate::harness::{Failure, RowResult, World};
use crate::{ensure, ensure_eq};

/// Confirmation is missing.
const CONFIRM: i32 = 15;

/// D11.
pub(super) async fn existing(world: &World) -> RowResult {
    plant(world, "chain").await?;
    std::fs::write(local(world, "state.json"), "all there is")?;
    let restore = ["dict", "restore", "--to", "state.json"];
    for dry in [&["-n"][..], &[]] {
        let refused = world.lastgood(restore).args(dry.iter().copied()).fails(CONFIRM).await?;
        refused.says("`state.json` already exists")?.says("--force")?;
        ensure_eq!(std::fs::read_to_string(local(world, "state.json"))?.as_str(), "all there is", "the file");
    }
    world.lastgood(restore).args(["--force"]).ok().await?.says("18 records in 7 tables")?;
    // What DictDB wrote has no manifest: nobody promises that a prune deletes it.
    let compacted = world.lastgood(["dict", "compact"]).ok().await?;
    compacted.says("stay until you delete them: `lastgood dict prune` does not")?;
    Ok(())
}

/// What the guide gives to users of DictDB, with a word before and after.
const SERVICE: &str = "
import fcntl, sys
with open('dictdb.lock', 'a') as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    print('locked', flush=True)
    sys.stdin.readline()
";

/// D12.
pub(super) async fn locked(world: &World) -> RowResult {
    plant(world, "chain").await?;
    let mut service = tokio::process::Command::new("python3");
    service
        .args(["-c", SERVICE])
        .current_dir(world.folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut service = service.spawn()?;
    let (mut tell, said) = (service.stdin.take(), service.stdout.take());
    let mut said = BufReader::new(said.ok_or_else(|| Failure::new("no output"))?).lines();
    ensure_eq!(said.next_line().await?.as_deref(), Some("locked"), "what the service says");

    let before = world.place().picture().await?;
    let mut compact = world.lastgood(["dict", "compact", "--lock", "dictdb.lock"]).start()?;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        ensure!(!compact.has_ended()?, "it did not wait for the lock");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ensure_eq!(world.place().picture().await?, before, "the location while the service has the lock");
    // Whoever only reads without the lock is not kept out.
    world.lastgood(["dict", "ls"]).ok().await?;
    let tell = tell.as_mut().ok_or_else(|| Failure::new("no input"))?;
    tell.write_all(b"go on\n").await?;
    compact.finish().await?.expect_code(0)?.says("Compacted")?;
    // Readers have it together.
    world.lastgood(["dict", "restore", "--lock", "dictdb.lock", "--to", "state.json"]).ok().await?;
    world.lastgood(["dict", "verify", "--lock", "dictdb.lock"]).ok().await?;
    world.lastgood(["dict", "prune", "--keep-last", "1", "--yes", "--lock", "dictdb.lock"]).ok().await?;
    Ok(())
}
