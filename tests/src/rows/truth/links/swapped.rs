//! A folder that becomes a link between the look and the deed.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use super::{dumped, folder_of, outside, root};
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// W9-race. At each step of a prune a dump's folder, and its database's, become links to copies outside.
pub(super) async fn during_prune(world: &World) -> RowResult {
    let (shop, mut keys) = dumped(world, 2).await?;
    for step in ["prune.mark", "prune.look", "prune.manifests", "prune.parts"] {
        for whole in [false, true] {
            let result = swapped_at(world, &shop, &keys, step, whole).await;
            result.within(&format!("{step}, {}", if whole { "the database's folder" } else { "the dump's folder" }))?;
            keys.push(world.dump(&shop).await?);
            let all = world.keys(&shop).await?;
            keys = all[all.len() - 2..].to_vec();
        }
    }
    Ok(())
}

async fn swapped_at(world: &World, shop: &str, keys: &[String], step: &str, whole: bool) -> RowResult {
    let swapped = if whole { folder_of(shop) } else { folder_of(&keys[0]) };
    let (at, to) = (root(world)?.join(&swapped), world.folder().join("outside/copy"));
    let _ = fs::remove_dir_all(world.folder().join("outside"));
    let flag = world.folder().join("pause");
    let prune = world.lastgood(["pg", "prune", "--keep-last", "1", "--yes"]).env("LASTGOOD_PAUSE_AT", step);
    let mut prune = prune.env("LASTGOOD_PAUSE_FILE", flag.display().to_string()).start()?;
    while !flag.exists() {
        ensure!(!prune.has_ended()?, "the prune ended and never paused");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    fs::create_dir_all(world.folder().join("outside"))?;
    fs::rename(&at, &to)?;
    symlink(&to, &at)?;
    let before = outside(world).picture().await?;
    fs::remove_file(&flag)?;
    let ended = prune.finish().await?;
    ensure!(ended.code().is_some(), "it ended by a signal");
    ensure_eq!(outside(world).picture().await?, before, "what is outside");
    fs::remove_file(&at)?;
    fs::rename(&to, &at)?;
    // Nothing is lost but what was to go.
    world.lastgood(["pg", "verify", &keys[1], "--read", "all"]).ok().await?;
    Ok(())
}
