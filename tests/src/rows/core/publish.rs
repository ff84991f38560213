//! C3, C4, C11, C13, C15: publishing a manifest, once and in order, whatever the store and the clock do.

use std::time::Duration;

use backup_testkit::faults::{Action, Rule};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::craft::{self, place_of, unpublished};
use crate::harness::failure::Within as _;
use crate::harness::{Failure, RowResult, World};
use crate::{ensure, ensure_eq};

/// C3.
pub(super) async fn lost_response(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let peer = world.place().peer().ok_or_else(|| Failure::new("this row needs the S3 peer"))?;
    // The manifest first, then everything else that a dump creates.
    let lost = ["manifest.json", "lastgood.json", "latest.json", "schema.pgdump", "uses.json", "/data/"];
    for (at, key) in lost.into_iter().enumerate() {
        peer.clear_log();
        // A pack is put in one request or completed from parts: either answer is lost.
        let rule = |op: &str| Rule::new(Action::LoseResponse).on(op).where_key_contains(key).times(1);
        peer.faults([rule("PutObject"), rule("CompleteMultipartUpload")]);
        if key == "lastgood.json" {
            world.place().remove(key).await?;
            world.lastgood(["init"]).ok().await?;
        }
        let dumped = if key == "/data/" { world.dump_full(&shop).await } else { world.dump(&shop).await };
        let dumped = dumped.within(&format!("the answer about `{key}` lost"))?;
        peer.clear_faults();
        let harmed = peer.log().iter().filter(|call| call.fault.is_some()).count();
        ensure!(harmed > 0, "no answer about `{key}` was lost");
        ensure_eq!(world.keys(&shop).await?.len(), at + 1, "dumps after the answer about `{key}` was lost");
        world.lastgood(["pg", "verify", &dumped, "--read", "all"]).ok().await?;
    }
    Ok(())
}

/// C4. A key has its moment in microseconds, so that the second writer has to be made up: it publishes while ours is
/// about to, or, on S3, in the very moment of our request.
pub(super) async fn two_writers(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let first = world.dump(&shop).await?;
    let mut rival = craft::read(world, &first).await?;
    rival.insert("id".to_owned(), uuid::Uuid::now_v7().to_string().into());
    rival["tool"]["writer"] = "rival/4711".into();
    let rival = craft::sealed(rival)?;

    let flag = world.folder().join("pause");
    let run = world.lastgood(["pg", "dump", &shop]).env("LASTGOOD_PAUSE_AT", "dump.manifest");
    let mut run = run.env("LASTGOOD_PAUSE_FILE", flag.display().to_string()).start()?;
    while !flag.exists() {
        ensure!(!run.has_ended()?, "the dump ended and never paused");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let folder = unpublished(world).await?.pop().ok_or_else(|| Failure::new("the dump has stored nothing"))?;
    let manifest = format!("{folder}manifest.json");
    world.place().write(&manifest, &rival).await?;
    std::fs::remove_file(&flag)?;
    let ours = format!("/{}`", run.pid());
    let output = run.finish().await?.expect_code(1)?;
    output.says("rival/4711")?.says(&ours)?.never_says("please report")?;
    rival_has_won(world, &shop, &manifest, &rival).await?;

    let Some(peer) = world.place().peer() else { return Ok(()) };
    let body = String::from_utf8_lossy(&rival).into_owned();
    peer.faults([Rule::new(Action::RivalPut { body }).on("PutObject").where_key_contains("manifest.json").times(1)]);
    let run = world.lastgood(["pg", "dump", &shop]).start()?;
    let ours = format!("/{}`", run.pid());
    run.finish().await?.expect_code(1)?.says("rival/4711")?.says(&ours)?;
    let won = world.place().keys_ending("manifest.json").await?.pop().unwrap_or_default();
    ensure!(won > manifest, "the rival's second manifest is gone");
    rival_has_won(world, &shop, &won, &rival).await
}

/// The loser published nothing and removed nothing of the winner's.
async fn rival_has_won(world: &World, shop: &str, manifest: &str, rival: &[u8]) -> RowResult {
    ensure!(world.place().read(manifest).await? == rival, "the rival's manifest was changed");
    let key = manifest.trim_start_matches("pg/").trim_end_matches("/manifest.json");
    ensure_eq!(world.keys(shop).await?.last().map(String::as_str), Some(key), "the newest dump");
    world.lastgood(["pg", "verify", key, "--read", "all"]).ok().await?;
    Ok(())
}

/// C11.
pub(super) async fn lagging_listing(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let peer = world.place().peer().ok_or_else(|| Failure::new("this row needs the S3 peer"))?;
    let first = world.dump(&shop).await?;
    // Longer than the 2 s of the table, so that a slow machine cannot outlive it.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let hidden = Duration::from_secs(3_600);
    world.set_version(&shop, 2)?;
    let newest = world.checksum(&shop)?;
    let second = world.dump(&shop).await?;
    peer.faults([Rule::new(Action::HideNewerThan { ms: hidden.as_millis().try_into()? }).on("ListObjectsV2")]);

    world.lastgood(["pg", "show", &shop]).ok().await?.says(&second)?;
    ensure_eq!(world.keys(&shop).await?.last(), Some(&second), "the newest of `ls`");
    let copy = world.name("copy");
    world.lastgood(["pg", "restore", &shop, "--into", &copy]).ok().await?.says(&second)?;
    ensure_eq!(world.checksum(&copy)?, newest, "the copy of the newest dump");
    let third = world.dump(&shop).await?;
    peer.clear_faults();

    ensure_eq!(world.keys(&shop).await?, vec![first, second.clone(), third.clone()], "dumps: each once");
    let sequence = |manifest: serde_json::Map<String, serde_json::Value>| manifest["sequence"].as_u64();
    let (two, three) = (craft::read(world, &second).await?, craft::read(world, &third).await?);
    ensure!(sequence(three) > sequence(two), "the dump made while the listing lagged is not after the one it hid");
    Ok(())
}

/// C13. Instead of turning the machine's clock, a dump is moved to where a clock 2 h ahead would have put it.
pub(super) async fn clock_ahead(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let dumped = world.dump(&shop).await?;
    let ahead = craft::move_to(world, &dumped, Timestamp::now() + SignedDuration::from_hours(2)).await?;
    world.lastgood(["pg", "verify", &ahead, "--read", "all"]).ok().await?;

    world.set_version(&shop, 2)?;
    let newest = world.checksum(&shop)?;
    let output = world.lastgood(["pg", "dump", &shop, "--json"]).ok().await?.says("the clock is behind")?;
    let corrected = output.json()?["key"].as_str().unwrap_or_default().to_owned();
    ensure_eq!(world.keys(&shop).await?, vec![ahead.clone(), corrected.clone()], "dumps in order");
    let copy = world.name("copy");
    world.lastgood(["pg", "restore", &shop, "--into", &copy]).ok().await?.says(&corrected)?;
    ensure_eq!(world.checksum(&copy)?, newest, "the copy of the newest dump");

    let before = world.place().picture().await?;
    let prune = ["pg", "prune", &shop, "--keep-last", "1", "--yes"];
    world.lastgood(prune).ok().await?.says("dated in the future")?;
    ensure_eq!(world.place().picture().await?, before, "the location after prune");
    Ok(())
}

/// C15.
pub(super) async fn unconditional_store(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let peer = world.place().peer().ok_or_else(|| Failure::new("this row needs the S3 peer"))?;
    world.without_location()?;
    peer.faults([Rule::new(Action::IgnoreConditions)]);
    let refusal = "does not support conditional writes";
    world.lastgood(["init"]).fails(1).await?.says(refusal)?;
    world.lastgood(["doctor"]).fails(1).await?.says(refusal)?;
    world.lastgood(["pg", "dump", &shop]).fails(1).await?.says(refusal)?;
    let stored: Vec<String> = world.place().objects().await?.into_iter().map(|object| object.key).collect();
    ensure_eq!(stored, vec!["lastgood.json".to_owned()], "objects in a store that was refused");
    let marker: serde_json::Value = serde_json::from_slice(&world.place().read("lastgood.json").await?)?;
    ensure!(marker["atomic"] != json!(true), "the marker says that the store passed");
    // The store is mended: the same location can be used.
    peer.clear_faults();
    world.lastgood(["doctor"]).ok().await?;
    let key = world.dump(&shop).await?;
    world.place().read(&place_of(&key)).await?;

    // One that does not ignore what it does not know.
    world.without_location()?;
    peer.faults([Rule::new(Action::RefuseConditions { status: 501, code: "NotImplemented".to_owned() })]);
    for command in ["init", "doctor", "init"] {
        world.lastgood([command]).fails(1).await?.says(refusal)?.says("with one it answers `501 NotImplemented")?;
    }
    peer.clear_faults();
    world.lastgood(["doctor"]).ok().await?;
    world.dump(&shop).await?;
    Ok(())
}
