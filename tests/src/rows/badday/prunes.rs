//! Prunes that run beside each other: what another one deleted first is deleted.

use futures::future::try_join_all;

use super::recorded;
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// Rounds: the prunes of each begin together.
const ROUNDS: usize = 5;

/// Prunes of a round.
const PRUNES: usize = 6;

/// Backups of a round.
const BACKUPS: u32 = 4;

/// Killed backups of a round.
const LEFTOVERS: usize = 3;

/// B-prunes.
pub(super) async fn together(world: &World) -> RowResult {
    for round in 0..ROUNDS {
        one_round(world).await.within(&format!("round {round}"))?;
    }
    Ok(())
}

async fn one_round(world: &World) -> RowResult {
    let keys = recorded(world, BACKUPS).await?;
    // What interrupted runs left is cleared away by all of them, too.
    for _ in 0..LEFTOVERS {
        let kill = world.lastgood(["app", "backup", "--source", "ndjson:records"]);
        kill.env("LASTGOOD_CRASH_AT", "app.manifest").run().await?.expect_killed()?;
    }
    let prune = ["app", "prune", "--keep-last", "1", "--incomplete", "--grace", "0s", "--yes", "--json"];
    let all = try_join_all((0..PRUNES).map(|_| world.lastgood(prune).run())).await?;
    for output in all {
        ensure_eq!(output.code(), Some(0), "the exit code of one of them:\n{}\n{}", output.stdout, output.stderr);
        let failures = output.json()?["failures"].clone();
        ensure!(failures.as_object().is_none_or(serde_json::Map::is_empty), "failures: {failures}");
    }
    let listed = world.lastgood(["app", "ls", "--json"]).ok().await?.json()?;
    let left: Vec<&str> = listed.as_array().into_iter().flatten().filter_map(|entry| entry["key"].as_str()).collect();
    ensure_eq!(left, keys.iter().map(String::as_str).skip(BACKUPS as usize - 1).collect::<Vec<_>>(), "backups");
    world.lastgood(["app", "verify"]).ok().await?;
    let tombstones = world.place().keys_ending("deleted.json").await?;
    let manifests = world.place().keys_ending(".manifest.json").await?;
    // A claim may have none: the prune that ended the removal of the same backup took it away.
    for tombstone in &tombstones {
        let manifest = tombstone.replace("deleted.json", "manifest.json");
        ensure!(manifests.contains(&manifest), "a tombstone without a claim: {tombstone} beside {manifests:?}");
        ensure!(!left.iter().any(|key| manifest.contains(key)), "a tombstone of the backup that is kept: {tombstone}");
    }
    Ok(())
}
