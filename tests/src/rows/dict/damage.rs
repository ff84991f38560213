//! D3, D4: what is damaged is refused before anything is written; what DictDB left half-written is skipped.

use super::{fixture, local, plant};
use crate::harness::{Failure, RowResult, World};
use crate::{ensure, ensure_eq};

/// Exit code of damage.
const INTEGRITY: i32 = 13;

/// D3.
pub(super) async fn refused(world: &World) -> RowResult {
    plant(world, "chain").await?;
    world.lastgood(["dict", "compact"]).ok().await?;
    let manifests = world.place().keys_ending(".manifest.json").await?;
    let manifest = manifests.first().ok_or_else(|| Failure::new("there is no manifest"))?;
    let file = manifest.trim_start_matches("manifests/").trim_end_matches(".manifest.json");
    std::fs::write(local(world, "state.json"), "what was there")?;
    for key in [file, manifest.as_str()] {
        let good = world.place().read(key).await?;
        let mut flipped = good.clone();
        flipped[good.len() / 2] ^= 1;
        let longer = [&good[..], b" "].concat();
        for bad in [flipped, good[..good.len() - 1].to_vec(), longer] {
            world.place().write(key, &bad).await?;
            world.lastgood(["dict", "verify"]).fails(INTEGRITY).await?.says(file)?;
            world.lastgood(["dict", "restore", "--force", "--to", "state.json"]).fails(INTEGRITY).await?;
            let kept = std::fs::read_to_string(local(world, "state.json"))?;
            ensure_eq!(kept.as_str(), "what was there", "the file after a refused restore");
        }
        world.place().write(key, &good).await?;
    }
    world.lastgood(["dict", "verify"]).ok().await?;
    world.place().remove(file).await?;
    world.lastgood(["dict", "restore", "--force", "--to", "state.json"]).fails(INTEGRITY).await?.says("missing")?;
    Ok(())
}

/// D4.
pub(super) async fn torn(world: &World) -> RowResult {
    plant(world, "recipe").await?;
    let full = fixture("edge/partial_left_by_failed_save.json")?;
    let delta = fixture("edge/partial_left_by_failed_delta.json")?;
    world.place().write("dictdb_backup_1795239000_000000.json", &full).await?;
    world.place().write("dictdb_delta_1795239001_000000.json", &delta).await?;
    let restored = world.lastgood(["dict", "restore", "--to", "state.json"]).ok().await?;
    let restored = restored.says("dictdb_backup_1795239000_000000.json` was left out")?;
    restored.says("dictdb_delta_1795239001_000000.json` was left out")?;
    let state = std::fs::read_to_string(local(world, "state.json"))?;
    ensure!(state.contains("newest"), "the state is not that of the newest whole full backup: {state}");
    world.lastgood(["dict", "verify"]).fails(INTEGRITY).await?.says("FAIL  dictdb_backup_1795239000_000000.json")?;
    Ok(())
}
