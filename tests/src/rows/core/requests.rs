//! C9, C10: requests that are put off and requests that are refused.

use std::collections::BTreeMap;
use std::time::Duration;

use backup_testkit::faults::{Action, Rule};
use backup_testkit::s3_server::{Call, S3Peer};

use crate::harness::{Failure, Output, RowResult, World};
use crate::{ensure, ensure_eq};

/// Times a request is put off: as often as the table says.
const SLOW_DOWNS: u64 = 5;

/// Five pauses from 100 ms on, doubling, each lengthened by up to its own length, are at most 6.2 s; the rest is room
/// for the run itself on a slow machine.
const DELAY_MAX: Duration = Duration::from_secs(25);

/// After the first refusal nothing may be tried for longer than this.
const REFUSAL_MAX_MS: u64 = 2_000;

fn peer(world: &World) -> RowResult<&S3Peer> {
    world.place().peer().ok_or_else(|| Failure::new("this row needs the S3 peer"))
}

fn status(status: u16, code: &str) -> Action {
    Action::Status { status, code: code.to_owned() }
}

/// C9.
pub(super) async fn slow_down(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let peer = peer(world)?;
    let slow =
        |op: &str, key: &str| Rule::new(status(503, "SlowDown")).on(op).where_key_contains(key).times(SLOW_DOWNS);
    // Of two packs at once each may be put off: the rule counts requests of both.
    peer.faults([slow("PutObject", ".dump/manifest.json")]);
    let output = world.lastgood(["pg", "dump", &shop, "--json"]).ok().await?;
    put_off(&output, &peer.log())?;
    let key = output.json()?["key"].as_str().unwrap_or_default().to_owned();
    ensure_eq!(world.keys(&shop).await?, vec![key.clone()], "dumps");

    peer.clear_log();
    peer.faults([slow("GetObject", "schema.pgdump")]);
    let output = world.lastgood(["pg", "verify", &key, "--read", "all"]).ok().await?;
    put_off(&output, &peer.log())
}

fn put_off(output: &Output, calls: &[Call]) -> RowResult {
    let slowed = calls.iter().filter(|call| call.status == 503).count() as u64;
    ensure_eq!(slowed, SLOW_DOWNS, "requests put off");
    let warnings = output.stderr.lines().filter(|line| line.contains("warning")).count();
    ensure!(warnings <= 1, "{warnings} warnings about one slow request:\n{}", output.stderr);
    ensure!(output.elapsed < DELAY_MAX, "it took {:?}", output.elapsed);
    Ok(())
}

/// C10.
pub(super) async fn denied(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let peer = peer(world)?;
    // At the first object of a fresh location, then at those of a dump.
    world.without_location()?;
    for key in ["lastgood.json", ".dump/", ".dump/manifest.json"] {
        peer.clear_log();
        let denied = |op: &str| Rule::new(status(403, "AccessDenied")).on(op).where_key_contains(key);
        peer.faults([denied("PutObject"), denied("CreateMultipartUpload"), denied("UploadPart")]);
        let output = world.lastgood(["pg", "dump", &shop, "--init"]).fails(1).await?;
        output.says("`s3:PutObject`")?.says("arn:aws:s3:::")?;
        peer.clear_faults();
        refused_once(&peer.log())?;
        world.init().await?;
        ensure_eq!(world.keys(&shop).await?, Vec::<String>::new(), "dumps after puts of `{key}` were denied");
        ensure_eq!(peer.state().unfinished, 0, "unfinished uploads");
    }
    world.dump(&shop).await?;
    Ok(())
}

/// No request was tried twice, and the run gave up soon.
fn refused_once(calls: &[Call]) -> RowResult {
    let refused: Vec<&Call> = calls.iter().filter(|call| call.status == 403).collect();
    let mut tries: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for call in &refused {
        *tries.entry((&call.op, &call.key)).or_default() += 1;
    }
    ensure!(!refused.is_empty(), "nothing was refused");
    ensure!(tries.values().all(|tries| *tries == 1), "refused requests were tried again: {tries:?}");
    let first_ms = refused.iter().map(|call| call.begin_ms).min().unwrap_or_default();
    let last_ms = calls.iter().map(|call| call.begin_ms).max().unwrap_or_default();
    ensure!(last_ms - first_ms < REFUSAL_MAX_MS, "it went on for {} ms after the refusal", last_ms - first_ms);
    Ok(())
}
