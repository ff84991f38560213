//! What the rows about archived files share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::ensure;
use crate::harness::command::Lastgood;
use crate::harness::{RowResult, World};

/// The longest that a retrieval by the slowest tier takes from `GLACIER`.
pub(super) const BULK: Duration = Duration::from_secs(12 * 3600);

/// Archives that [`fill`] makes: a bundle and a larger file.
pub(super) const ARCHIVES: usize = 2;

pub(super) fn glacier<'w>(world: &'w World, verb: &[&str]) -> Lastgood<'w> {
    world.lastgood(["glacier"]).args(verb.iter().copied()).args(["--state", "state"])
}

pub(super) fn store(world: &World) -> PathBuf {
    world.folder().join("store")
}

/// Files of all sizes in two folders.
pub(super) fn fill(world: &World) -> RowResult<BTreeMap<String, Vec<u8>>> {
    let large: Vec<u8> = (0..5_000_000_u32).flat_map(|at| at.to_le_bytes()).take(4_500_000).collect();
    let files = [
        ("a/9a41f.pdf", vec![7; 300_000]),
        ("a/Zoë \"x\".txt", b"small".to_vec()),
        ("empty", Vec::new()),
        ("large", large),
        ("twin", b"small".to_vec()),
    ];
    let files: BTreeMap<String, Vec<u8>> =
        files.into_iter().map(|(name, content)| (name.to_owned(), content)).collect();
    for (name, content) in &files {
        let path = store(world).join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(&path))?;
        std::fs::write(path, content)?;
    }
    Ok(files)
}

/// The files, the catalogue and everything fetched are gone.
pub(super) fn lose(world: &World) -> RowResult {
    std::fs::remove_dir_all(store(world))?;
    std::fs::remove_dir_all(world.folder().join("state"))?;
    std::fs::create_dir(store(world))?;
    Ok(())
}

pub(super) fn check(world: &World, files: &BTreeMap<String, Vec<u8>>) -> RowResult {
    for (name, content) in files {
        ensure!(std::fs::read(store(world).join(name))? == *content, "`{name}` has another content");
    }
    Ok(())
}

pub(super) async fn payloads(world: &World) -> RowResult<usize> {
    let objects = world.place().objects().await?;
    let is_payload = |key: &str| key.contains("/bundles/") || key.contains("/archives/");
    Ok(objects.iter().filter(|object| is_payload(&object.key)).count())
}

/// Calls of the S3 peer that started a retrieval.
pub(super) fn paid(world: &World) -> usize {
    let log = world.place().peer().map(|peer| peer.log()).unwrap_or_default();
    log.iter().filter(|call| call.op == "RestoreObject" && call.status == 202).count()
}
