//! Deleting where there is no room even for the word that something will be deleted.
//!
//! On a full disk no tombstone can be written, and without one nothing was deleted, for ever. One backup then
//! goes in another order: its manifest first, which makes room for its tombstone, and then as any other. An interruption in
//! between leaves objects without a manifest, as an interrupted backup does, and they are cleared away like those. What its
//! objects occupied is room for the marks of the rest.
//!
//! A writer that wants to build on that backup says so first ([`super::reserve()`]) and then looks for its manifest. So either
//! it finds that gone, or what it said is found here after the manifest went, which is then put back.

use std::collections::HashSet;
use std::time::Duration;

use super::deletion::Deletion;
use super::names;
use super::parts::delete_parts;
use super::references::References;
use super::tombstone::{put_tombstone, tombstone};
use super::{PrunePlan, Removal};
use crate::catalogue::MANIFEST_BYTES_MAX;
use crate::document;
use crate::error::CoreError;
use crate::key::Key;
use crate::run::Run;
use crate::store::{PutMode, PutOptions};

/// Times a manifest is put back that is needed after all, while others take the room that it left.
const PUT_BACK_ATTEMPTS: usize = 100;

/// Between two of them: a writer takes its word back within milliseconds.
const PUT_BACK_PAUSE: Duration = Duration::from_millis(100);

/// Deletes one of `waiting`, none of which could be marked for want of room; its place among them. `None` if all of them have
/// to wait: others need them, or they own something outside the location.
pub(super) async fn make(
    deletion: &mut Deletion<'_>,
    plan: &PrunePlan,
    waiting: &[&Removal],
    scope: &str,
    run: &Run,
) -> Result<Option<usize>, CoreError> {
    let needed: HashSet<&Key> = waiting.iter().flat_map(|removal| &removal.needs).collect();
    let mut candidates: Vec<(usize, &Removal)> = waiting.iter().copied().enumerate().collect();
    candidates.retain(|(_, removal)| removal.external.is_empty() && !needed.contains(&removal.manifest));
    // The largest makes the most room.
    candidates.sort_by_key(|(_, removal)| std::cmp::Reverse(removal.parts.values().sum::<u64>()));
    for (at, removal) in candidates {
        if remove(deletion, plan, removal, scope, run).await? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// Deletes the backup, its manifest first; false if it stays.
async fn remove(
    deletion: &mut Deletion<'_>,
    plan: &PrunePlan,
    removal: &Removal,
    scope: &str,
    run: &Run,
) -> Result<bool, CoreError> {
    let (store, progress, manifest) = (deletion.store, deletion.progress, &removal.manifest);
    let going = HashSet::from([manifest]);
    let matters = |key: &Key| key == manifest || removal.parts.contains_key(key);
    let look = || References::collect(store, scope, &plan.known, &going, matters, progress);
    if look().await?.wants(removal) {
        return Ok(false);
    }
    let body = match document::read(store, manifest, MANIFEST_BYTES_MAX).await {
        Ok(body) => body,
        // Another prune was faster; what it could not finish is found by its tombstone.
        Err(error) if error.is_not_found() => return Ok(true),
        Err(error) => return Err(error.into()),
    };
    progress.step("prune.room", manifest.as_str());
    if !deletion.delete(std::slice::from_ref(manifest)).await.is_empty() {
        return Ok(false);
    }
    progress.step("prune.unmarked", manifest.as_str());
    // There is room for it now. If somebody else took that, an interruption leaves what an interrupted backup does.
    drop(put_tombstone(store, &tombstone(removal, run, false), PutMode::Create).await);
    let mut attempt = 1;
    let references = loop {
        let references = look().await?;
        if !references.wants(removal) {
            break references;
        }
        progress.step("prune.put_back", manifest.as_str());
        deletion.delete(&[names::tombstone_key(manifest)?]).await;
        match store.put(manifest, body.clone(), &PutOptions::new(PutMode::Create)).await {
            Ok(()) => {
                deletion.outcome.kept_back.push(manifest.clone());
                return Ok(true);
            }
            // Whoever took the room finds no manifest then, and gives both up.
            Err(error) if error.is_full() && attempt < PUT_BACK_ATTEMPTS => tokio::time::sleep(PUT_BACK_PAUSE).await,
            Err(error) => return Err(error.into()),
        }
        attempt += 1;
    };
    deletion.make_durable(std::slice::from_ref(manifest)).await?;
    progress.step("prune.parts", manifest.as_str());
    delete_parts(deletion, std::slice::from_ref(removal), &references).await?;
    Ok(true)
}
