//! Deleting many dumps in one step after the other for all of them: whatever is still a dump is whole.

use super::planted;
use crate::ensure;
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::many::{self, Content};

/// More than wait for the disk one by one.
const DUMPS: u32 = 40;

/// Requests that delete all of them: manifests, parts and tombstones, and as many again for what a server does one by one.
const REQUESTS_MAX: usize = 6;

/// B-many.
pub(super) async fn deleted_at_once(world: &World) -> RowResult {
    for step in ["", "prune.marked", "prune.look", "prune.manifests", "prune.parts"] {
        world.without_location()?;
        world.init().await?;
        deleted(world, step).await.within(if step.is_empty() { "not killed" } else { step })?;
    }
    Ok(())
}

async fn deleted(world: &World, step: &str) -> RowResult {
    planted(world, 0..DUMPS, Content::Whole).await?;
    let prune = ["pg", "prune", "--keep-last", "1", "--yes", "--json"];
    if !step.is_empty() {
        world.lastgood(prune).env("LASTGOOD_CRASH_AT", step).run().await?.expect_killed()?;
        whole(world).await?;
    }
    world.lastgood(prune).ok().await?;
    whole(world).await?;
    let kept = world.keys(many::DATABASE).await?;
    ensure!(kept.len() == 2, "one of each configuration is left: {kept:?}");
    let keys = world.place().objects().await?.into_iter().map(|object| object.key);
    let left: Vec<String> =
        keys.filter(|key| !kept.iter().any(|dump| key.contains(dump)) && key.starts_with("pg/")).collect();
    ensure!(left.is_empty(), "left of the others: {left:?}");
    if let (Some(peer), true) = (world.place().peer(), step.is_empty()) {
        let requests = peer.log().iter().filter(|call| call.op == "DeleteObjects" || call.op == "DeleteObject").count();
        ensure!(requests <= REQUESTS_MAX, "{requests} requests deleted {DUMPS} dumps");
    }
    Ok(())
}

/// Whatever has a manifest has all its objects.
async fn whole(world: &World) -> RowResult {
    let objects: Vec<String> = world.place().objects().await?.into_iter().map(|object| object.key).collect();
    for manifest in objects.iter().filter(|key| key.ends_with("/manifest.json")) {
        let read: serde_json::Value = serde_json::from_slice(&world.place().read(manifest).await?)?;
        for part in read["parts"].as_array().into_iter().flatten() {
            let key = part["key"].as_str().unwrap_or_default();
            ensure!(objects.iter().any(|object| object == key), "`{manifest}` lost `{key}`");
        }
    }
    Ok(())
}
