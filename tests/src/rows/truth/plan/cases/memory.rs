//! Cases of `lastgood dict`.

use super::Case;
use crate::harness::{RowResult, World};

/// Exit codes.
const FAILED: i32 = 1;
const INTEGRITY: i32 = 13;
const NO_RULE: i32 = 14;

/// What DictDB 1.11 itself wrote.
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/dictstore-backup/tests/fixtures/chain");

pub(in super::super) async fn cases(world: &World) -> RowResult<Vec<Case>> {
    for entry in std::fs::read_dir(FIXTURES)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            world.place().write(&entry.file_name().to_string_lossy(), &std::fs::read(entry.path())?).await?;
        }
    }
    world.lastgood(["dict", "compact"]).ok().await?;
    // A flipped bit in the middle, which only reading finds.
    let manifests = world.place().keys_ending(".manifest.json").await?;
    let newest =
        manifests.last().map_or("", |key| key.trim_start_matches("manifests/").trim_end_matches(".manifest.json"));
    let good = world.place().read(newest).await?;
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 1;
    world.place().write(newest, &bad).await?;
    std::fs::create_dir_all(world.folder().join("folder.json"))?;
    Ok(vec![
        Case::new(&["dict", "restore", "--to", "state.json"], INTEGRITY, newest),
        Case::new(&["dict", "compact"], INTEGRITY, newest),
        Case::new(&["dict", "restore", "--to", "nowhere/state.json", "--sequence", "999"], FAILED, ""),
        Case::new(&["dict", "prune"], NO_RULE, ""),
    ]
    .into_iter()
    .collect())
}
