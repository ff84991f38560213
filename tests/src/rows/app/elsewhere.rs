//! A10: an S3 server that others wrote, so that client and peer do not share one misreading.

use std::process::Command;

use super::{USERS, read, records};
use crate::harness::others::{Maker, Other};
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// A10.
pub(super) async fn there_and_back(world: &World) -> RowResult {
    let server = Other::start(world, Maker::Ministack).await?;
    let run = |args: &[&str]| server.lastgood(world, args);
    records(world, "records", &[("users.json", USERS)])?;
    run(&["app", "backup", "--source", "ndjson:records", "--init"]).ok().await?.says("Published")?;
    let script =
        "import os\nfor n in range(20):\n    print('{\"id\": %d, \"x\": \"%s\"}' % (n, os.urandom(1 << 20).hex()))";
    let bulk = Command::new("python3").args(["-c", script]).output()?.stdout;
    std::fs::write(world.folder().join("records/bulk.json"), &bulk)?;
    // In several parts.
    run(&["app", "backup", "--source", "ndjson:records"]).ok().await?.says("22 records")?;
    run(&["app", "backup", "--source", "ndjson:records", "--min-age", "1h"]).ok().await?.says("Skipped")?;
    let listed = run(&["app", "ls", "--json"]).ok().await?.json()?;
    let states: Vec<_> = listed.as_array().into_iter().flatten().filter_map(|entry| entry["state"].as_str()).collect();
    ensure_eq!(states, vec!["good", "good"], "the backups");
    run(&["app", "verify"]).ok().await?;
    run(&["app", "restore", "--to", "ndjson:out"]).ok().await?;
    ensure_eq!(read(world, "out/users--users.json")?.as_str(), USERS, "the records");
    ensure!(std::fs::read(world.folder().join("out/bulk--bulk.json"))? == bulk, "the large records are others");
    let rules = ["app", "lifecycle", "backup", "--expire-after", "400d", "--glacier-after", "60d", "--apply"];
    run(&rules).ok().await?.says("3 added")?;
    run(&rules).ok().await?.says("already has these rules")?;
    run(&["app", "prune", "--keep-last", "1", "--yes"]).ok().await?.says("Deleted 1 backup")?;
    run(&["app", "ls", "-r", "s3://nothing/x"]).fails(10).await?.says("create the bucket `nothing`")?;
    Ok(())
}
