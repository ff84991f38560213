//! C1, C2, C16: uploads that are broken off, killed or asked to stop.

use std::time::Duration;

use backup_testkit::faults::{Action, Rule};
use backup_testkit::s3_server::S3Peer;
use rustix::process::Signal;

use super::craft::unpublished;
use crate::harness::{Place, RowResult, Running, World};
use crate::{ensure, ensure_eq};

/// Mebibytes that need several parts of an upload.
const BULK_MIB: u32 = 12;

/// Makes an upload last long enough to be hit.
const LATENCY: Duration = Duration::from_millis(20);

/// How names of temporary files begin; 32 digits, `-` and the object's name follow.
const TEMPORARY: &str = ".lastgood-tmp-";

/// C1.
pub(super) async fn interrupted_put(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.add_bulk(&shop, BULK_MIB)?;
    if let Some(peer) = world.place().peer() {
        dropped_half_way(world, peer, &shop).await?;
    }
    let before = world.keys(&shop).await?;
    let run = amid_upload(world, &shop).await?;
    run.signal(Signal::KILL)?;
    run.finish().await?.expect_killed()?;
    ensure!(world.place().unfinished().await? > 0, "the kill left nothing unfinished, so that the row shows nothing");
    ensure_eq!(half_there(world).await?, Vec::<String>::new(), "objects visible though their upload was cut off");
    ensure_eq!(world.keys(&shop).await?, before, "dumps after the kill");

    let again = world.dump(&shop).await?;
    if let Place::Folder(root) = world.place() {
        // As a kill amid that first object would leave it.
        std::fs::write(root.join(format!("{TEMPORARY}{:032x}-lastgood.json", 0)), "{")?;
    }
    world.lastgood(["pg", "prune", "--incomplete", "--grace", "0s"]).ok().await?;
    ensure_eq!(world.place().unfinished().await?, 0, "unfinished uploads after the sweep");
    ensure_eq!(unpublished(world).await?, Vec::<String>::new(), "folders without a manifest after the sweep");
    world.lastgood(["pg", "verify", &again, "--read", "all"]).ok().await?;
    Ok(())
}

/// The connection goes away after half of a body: the same request is sent again.
async fn dropped_half_way(world: &World, peer: &S3Peer, shop: &str) -> RowResult {
    let half = |op, bytes| Rule::new(Action::DropMidBody { bytes }).on(op).where_key_contains(".dump/").times(1);
    peer.faults([half("UploadPart", 4 * 1024 * 1024), half("PutObject", 512)]);
    let key = world.dump(shop).await?;
    peer.clear_faults();
    let harmed: Vec<String> = peer.log().into_iter().filter(|call| call.fault.is_some()).map(|call| call.op).collect();
    ensure!(
        harmed.contains(&"UploadPart".to_owned()) && harmed.contains(&"PutObject".to_owned()),
        "only {harmed:?} were cut off"
    );
    world.lastgood(["pg", "verify", &key, "--read", "all"]).ok().await?;
    Ok(())
}

/// A dump with something half uploaded.
async fn amid_upload(world: &World, shop: &str) -> RowResult<Running> {
    if let Some(peer) = world.place().peer() {
        peer.latency(LATENCY);
    }
    let mut run = world.lastgood(["pg", "dump", shop, "--full"]).start()?;
    while world.place().unfinished().await? == 0 {
        ensure!(!run.has_ended()?, "the dump ended, and no object was ever seen half there");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(run)
}

/// Objects that can be seen although what writes them has not finished.
async fn half_there(world: &World) -> RowResult<Vec<String>> {
    match world.place() {
        Place::Folder(_) => {
            let keys: Vec<String> = world.place().objects().await?.into_iter().map(|object| object.key).collect();
            let target = |key: &String| {
                let (folder, name) = key.rsplit_once('/')?;
                let name = name.strip_prefix(TEMPORARY)?.split_once('-')?.1;
                Some(format!("{folder}/{name}"))
            };
            Ok(keys.iter().filter_map(target).filter(|target| keys.contains(target)).collect())
        }
        Place::S3 { peer, .. } => {
            let calls = peer.log();
            let keys_of = |op: &str| {
                let done = calls.iter().filter(|call| call.op == op && call.status == 200);
                done.map(|call| call.key.clone()).collect::<Vec<_>>()
            };
            let (begun, completed) = (keys_of("CreateMultipartUpload"), keys_of("CompleteMultipartUpload"));
            ensure!(begun.len() > completed.len(), "every upload was completed before the kill");
            let seen = peer.keys();
            Ok(begun.into_iter().filter(|key| !completed.contains(key) && seen.contains(key)).collect())
        }
    }
}

/// C2. A dump is of one moment: the next one is of another, so that parts of a dead one are freed and never reused.
pub(super) async fn killed_before_manifest(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.dump(&shop).await?;
    let listing = world.lastgood(["pg", "ls", "--json"]).ok().await?.json()?;
    let before = world.place().picture().await?;
    let run = world.lastgood(["pg", "dump", &shop]).env("LASTGOOD_CRASH_AT", "dump.manifest").run().await?;
    run.expect_killed()?;
    let left = unpublished(world).await?;
    ensure_eq!(left.len(), 1, "folders the killed dump left");
    ensure_eq!(world.lastgood(["pg", "ls", "--json"]).ok().await?.json()?, listing, "the listing after the kill");

    let next = world.dump(&shop).await?;
    world.lastgood(["pg", "verify", &next, "--read", "all"]).ok().await?;
    let key = left[0].trim_start_matches("pg/").trim_end_matches('/').to_owned();
    world.lastgood(["pg", "prune", "--incomplete"]).ok().await?;
    ensure_eq!(unpublished(world).await?, left, "what was left, after a prune that grants it a day");
    world.lastgood(["pg", "prune", "--incomplete", "--grace", "0s"]).ok().await?.says(&key)?;
    ensure_eq!(unpublished(world).await?, Vec::<String>::new(), "folders without a manifest after prune");
    let after = world.place().picture().await?;
    for (object, digest) in before.iter().filter(|(object, _)| !object.ends_with("latest.json")) {
        ensure_eq!(after.get(object), Some(digest), "`{object}` after prune");
    }
    world.lastgood(["pg", "verify", &next, "--read", "all"]).ok().await?;
    Ok(())
}

/// C2, where the dead dump is all there is of its database: what prune leaves behind must not look like one.
pub(super) async fn nothing_but_dead(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let run = world.lastgood(["pg", "dump", &shop]).env("LASTGOOD_CRASH_AT", "dump.manifest").run().await?;
    run.expect_killed()?;
    world.lastgood(["pg", "prune", "--incomplete", "--grace", "0s"]).ok().await?;
    let output = world.lastgood(["pg", "ls", "--only-db-names"]).ok().await?;
    ensure_eq!(output.stdout.trim(), "", "databases with dumps");
    ensure_eq!(world.keys(&shop).await?, Vec::<String>::new(), "dumps");
    world.lastgood(["pg", "restore", &shop, "--into", &world.name("copy")]).fails(1).await?.says("there is no dump")?;
    Ok(())
}

/// C16.
pub(super) async fn terminated(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let kept = world.dump(&shop).await?;
    world.add_bulk(&shop, BULK_MIB)?;
    let before = world.place().picture().await?;
    let run = amid_upload(world, &shop).await?;
    run.signal(Signal::TERM)?;
    run.finish().await?.expect_code(143)?;
    ensure_eq!(world.place().unfinished().await?, 0, "unfinished uploads");
    ensure_eq!(world.place().picture().await?, before, "the location");
    ensure_eq!(world.keys(&shop).await?, vec![kept], "dumps");
    world.dump(&shop).await?;
    Ok(())
}
