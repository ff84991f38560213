//! Finds, reads and publishes manifests. It knows no kinds: whatever has a manifest is a backup.
//!
//! # Finding
//! The location is walked as a tree, several requests at a time. A folder with a `manifest.json` is a backup and is not
//! entered, so that its data is never listed; an object named `….manifest.json` describes the object beside it.

mod entry;
mod hints;
mod publish;
mod recall;
mod unreadable;
mod walk;

use futures_util::{Stream, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

pub use entry::{Backup, CONCURRENCY, Entry, MANIFEST_BYTES_MAX, Order, is_manifest};
pub use hints::Hints;
pub use publish::{Published, publish};
pub use recall::{Told, recall};
pub use unreadable::{UNREADABLE_GAP, unreadable};
use walk::walk_recalling;
pub(crate) use walk::{Found, walk};

use crate::document;
use crate::error::{CoreError, FormatError, StoreError};
use crate::key::Key;
use crate::manifest::{FORMAT, Manifest};
use crate::store::{StoreRead, StoreResult};

/// Longest pointer in bytes: ours have about 200.
const POINTER_BYTES_MAX: usize = 64 * 1024;

/// The name of the newest complete backup of a folder, so that a listing that lags cannot hide it. Only a hint: it is never
/// trusted without reading the manifest it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Pointer {
    format: u64,
    manifest: Key,
    sequence: u64,
    created_at: jiff::Timestamp,
}

impl Pointer {
    fn order(&self) -> Order {
        Order { sequence: self.sequence, created_at: self.created_at }
    }
}

/// The manifests below `prefix` (empty, or ending in `/`) as they arrive, in no particular order and bounded memory.
pub fn stream<'a>(store: &'a dyn StoreRead, prefix: &str) -> impl Stream<Item = StoreResult<Entry>> + Send + 'a {
    walk_recalling(store, prefix, None).try_filter_map(async |found| match found {
        Found::Backup(entry) => Ok(Some(*entry)),
        _ => Ok(None),
    })
}

/// The manifests below `prefix` (empty, or ending in `/`) in order of their keys.
///
/// # Errors
/// What the store says. Manifests that cannot be used are entries, not errors.
pub async fn list(store: &dyn StoreRead, prefix: &str) -> StoreResult<Vec<Entry>> {
    let mut entries: Vec<Entry> = stream(store, prefix).try_collect().await?;
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(entries)
}

/// Reads the manifest `key`.
///
/// # Errors
/// [`StoreError::NotFound`] if there is no such backup; why it cannot be used; what the store says.
pub async fn read(store: &dyn StoreRead, key: &Key) -> Result<Manifest, CoreError> {
    let bytes = document::read(store, key, MANIFEST_BYTES_MAX).await?;
    if crate::prune::is_claim(&bytes) {
        return Err(StoreError::not_found(key).into());
    }
    let manifest: Manifest = Manifest::from_bytes(key, &bytes)?;
    if !manifest.external.is_empty() && crate::prune::is_removing(store, key).await? {
        return Err(StoreError::not_found(key).into());
    }
    Ok(manifest)
}

/// The newest backup below `prefix` that `wanted` takes: of those listed and the one `pointer` names.
///
/// # Errors
/// What the store says.
pub async fn newest(
    store: &dyn StoreRead,
    prefix: &str,
    pointer: &Key,
    wanted: impl Fn(&Manifest) -> bool + Sync,
) -> StoreResult<Option<Backup>> {
    Ok(newest_readable(store, prefix, pointer, wanted).await?.0)
}

/// As [`newest`], with the manifests below `prefix` that cannot be read now, and why: one of them may be newer.
///
/// # Errors
/// What the store says.
pub async fn newest_readable(
    store: &dyn StoreRead,
    prefix: &str,
    pointer: &Key,
    wanted: impl Fn(&Manifest) -> bool + Sync,
) -> StoreResult<(Option<Backup>, Vec<(Key, FormatError)>)> {
    let order = |backup: &Backup| Order::of(&backup.manifest);
    let mut best = pointed(store, pointer).await?.filter(|backup| wanted(&backup.manifest));
    let mut unreadable = Vec::new();
    let mut entries = Box::pin(stream(store, prefix));
    while let Some(Entry { key, manifest }) = entries.try_next().await? {
        match manifest {
            Ok(manifest) if wanted(&manifest) => {
                let found = Backup { key, manifest };
                if best.as_ref().is_none_or(|best| order(&found) > order(best)) {
                    best = Some(found);
                }
            }
            Err(error) if error.is_unreadable() => unreadable.push((key, error)),
            Ok(_) | Err(_) => {}
        }
    }
    Ok((best, unreadable))
}

/// The sequence the next backup below `prefix` gets: one more than the highest listed or named by `pointer`, and
/// [`UNREADABLE_GAP`] more where the sequence of one of them is not known.
///
/// # Errors
/// What the store says.
pub async fn next_sequence(store: &dyn StoreRead, prefix: &str, pointer: &Key) -> StoreResult<u64> {
    next_sequence_seeing(store, prefix, pointer, drop).await
}

/// [`next_sequence`], with every entry given to `see`, so that whoever wants to know more need not list again.
///
/// # Errors
/// What the store says.
pub async fn next_sequence_seeing(
    store: &dyn StoreRead,
    prefix: &str,
    pointer: &Key,
    mut see: impl FnMut(Entry) + Send,
) -> StoreResult<u64> {
    let pointed = read_pointer(store, pointer).await?.map_or(0, |pointer| pointer.sequence);
    let mut entries = Box::pin(stream(store, prefix));
    let (mut highest, mut gap) = (pointed, 0);
    while let Some(entry) = entries.next().await {
        let entry = entry?;
        match &entry.manifest {
            Ok(manifest) => highest = highest.max(manifest.sequence),
            Err(error) if error.is_unreadable() => gap = UNREADABLE_GAP,
            Err(_) => {}
        }
        see(entry);
    }
    Ok(highest.saturating_add(gap).saturating_add(1))
}

/// The backup `pointer` names, so that a listing that lags cannot hide the newest; `None` if it is gone or damaged. Earlier
/// versions moved the pointer to backups with something left out, too.
///
/// # Errors
/// What the store says.
pub async fn pointed(store: &dyn StoreRead, pointer: &Key) -> StoreResult<Option<Backup>> {
    // What it says of the backups of others is no hint.
    let folder = pointer.as_str().strip_suffix(pointer.name()).unwrap_or_default();
    let named = read_pointer(store, pointer).await?.filter(|named| named.manifest.as_str().starts_with(folder));
    let Some(pointer) = named else {
        return Ok(None);
    };
    match read(store, &pointer.manifest).await {
        Ok(manifest) => Ok(Some(Backup { key: pointer.manifest, manifest })),
        // Pruned since, damaged, a link, or unreadable: the listing shows all but the first.
        Err(CoreError::Store(
            StoreError::NotFound { .. } | StoreError::NotAnObject { .. } | StoreError::Damaged { .. },
        )) => Ok(None),
        Err(CoreError::Store(error)) => unreadable(&pointer.manifest, error).map(|_| None),
        Err(_) => Ok(None),
    }
}

/// The pointer, unless it is missing or makes no sense: it is only a hint.
async fn read_pointer(store: &dyn StoreRead, key: &Key) -> StoreResult<Option<Pointer>> {
    match document::read(store, key, POINTER_BYTES_MAX).await {
        Ok(bytes) => {
            let parsed = document::parse(key, &bytes, FORMAT).ok();
            Ok(parsed.and_then(|value| serde_json::from_value(value).ok()))
        }
        Err(StoreError::NotFound { .. } | StoreError::Damaged { .. } | StoreError::NotAnObject { .. }) => Ok(None),
        Err(error) => unreadable(key, error).map(|_| None),
    }
}

#[cfg(test)]
mod tests;
