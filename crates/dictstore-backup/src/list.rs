//! Lists a location: every backup file with its manifest, or the reason why it is not a backup.

use std::collections::BTreeMap;

use backup_core::catalogue;
use backup_core::key::Key;
use backup_core::manifest::{Kind, Manifest};
use backup_core::probe;
use backup_core::source::{Miss, UNKNOWN};
use backup_core::store::{StoreRead, list_all};
use backup_core::units::exact_bytes;

use crate::detail::{BackupKind, DictDetail};
use crate::entry::DictManifest;
pub use crate::entry::{Entry, Listed, State};
use crate::error::DictResult;
use crate::key::{BackupName, MANIFEST_FOLDER};
use crate::origin::{self, Unclear};
use crate::plan::RestoreTo;
use crate::unclear::unclear_error;

/// Everything in the location, oldest first: by sequence where there is one, else by name.
///
/// # Errors
/// What the store says.
pub async fn list(store: &dyn StoreRead) -> DictResult<Vec<Entry>> {
    let marker = probe::check(store).await?;
    let mut files: BTreeMap<Key, u64> = BTreeMap::new();
    for object in list_all(store, "dictdb_").await? {
        files.insert(object.key, object.bytes);
    }
    let mut entries = Vec::new();
    for found in catalogue::list(store, MANIFEST_FOLDER).await? {
        let Some(name) = BackupName::of_manifest(&found.key) else { continue };
        let bytes = files.remove(&name.key()?);
        let manifest = match found.manifest {
            // What it refers to, and how, cannot be known: nothing is read past it, and nothing written beside it.
            Err(error) if error.is_newer() => return Err(error.into()),
            Err(error) if error.is_unreadable() => {
                let (state, bytes) = (State::Unreadable(error.to_string()), bytes.unwrap_or(0));
                entries.push(Entry { name, state, bytes, manifest: None });
                continue;
            }
            manifest => manifest.map_err(|error| error.to_string()).and_then(typed),
        };
        let mut entry = published(name, bytes, manifest);
        if bytes.is_none()
            && let State::Damaged(why) = &mut entry.state
            && let Err(error) = store.head(&name.key()?).await
            && error.is_not_an_object()
        {
            *why = error.to_string();
        }
        entries.push(entry);
    }
    // Whatever has no manifest and is younger than our first word here was left by an interrupted run of ours. The marker
    // says it even when the first backup is gone: a prune that is killed leaves files without their manifests.
    let ours = entries.iter().map(|entry| entry.name.micros).min();
    let ours = ours.into_iter().chain(marker.map(|marker| marker.created_at.as_microsecond())).min();
    for (key, bytes) in files {
        let Some(name) = BackupName::parse(key.as_str()) else { continue };
        let state = if ours.is_some_and(|ours| name.micros >= ours) { State::Unpublished } else { State::Foreign };
        entries.push(Entry { name, state, bytes, manifest: None });
    }
    entries.sort_by_key(|entry| (entry.name.micros, entry.name.kind == BackupKind::Delta));
    // Sequences are right where names are not; entries without one keep their places.
    let mut places: Vec<usize> = (0..entries.len()).filter(|at| entries[*at].manifest.is_some()).collect();
    let mut published: Vec<Entry> = places.iter().map(|at| entries[*at].clone()).collect();
    published.sort_by_key(|entry| (entry.sequence(), entry.time()));
    for (at, entry) in places.drain(..).zip(published) {
        entries[at] = entry;
    }
    Ok(entries)
}

/// That `source` names no store that a backup in `entries` is of, although there are backups that say whose they are.
#[must_use]
pub fn miss(entries: &[Entry], source: &str) -> Option<Miss> {
    // What cannot be read does not say whose it is.
    let silent =
        |entry: &Entry| matches!(entry.state, State::Damaged(_) | State::Unreadable(_)) && entry.manifest.is_none();
    if entries.iter().any(|entry| entry.is_of(source) || silent(entry)) {
        return None;
    }
    let published = entries.iter().filter(|entry| entry.manifest.is_some());
    let stores = published.map(|entry| entry.identity().map_or_else(|| UNKNOWN.to_owned(), ToString::to_string));
    Miss::instead(format!("no backup is of the store `{source}`"), "backups of", stores)
}

/// The backups of one store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OfOneStore {
    /// They, and what does not say whose it is, oldest first.
    pub entries: Vec<Entry>,
    /// Backups that are of other stores, as they say themselves.
    pub others: usize,
}

/// The backups of the store that `source` names as [`crate::RestoreOptions::source`] does, or of the only one that has
/// some. One that is named need not have any yet.
///
/// # Errors
/// [`DictError::Source`](crate::DictError::Source) if several have and none is named; what the store says.
pub async fn of_one_store(store: &dyn StoreRead, source: Option<&str>) -> DictResult<OfOneStore> {
    let entries = list(store).await?;
    let told = |entries: &[Entry]| entries.iter().filter(|entry| entry.identity().is_some()).count();
    let all = told(&entries);
    let entries = match origin::meant(&entries, &RestoreTo::Latest, source) {
        Ok(meant) => origin::of(entries, &meant),
        Err(Unclear::NoSuch(_)) => Vec::new(),
        Err(unclear) => return Err(unclear_error(store, unclear, source)),
    };
    Ok(OfOneStore { others: all - told(&entries), entries })
}

fn typed(manifest: Manifest) -> Result<DictManifest, String> {
    if manifest.kind != Kind::Dict {
        return Err("its manifest belongs to another kind of backup".to_owned());
    }
    let detail = serde_json::from_value(manifest.detail.clone()).map_err(|error| format!("its manifest: {error}"))?;
    Ok(manifest.with_detail(detail))
}

fn published(name: BackupName, bytes: Option<u64>, manifest: Result<DictManifest, String>) -> Entry {
    let manifest = match manifest {
        Ok(manifest) => manifest,
        Err(why) => return Entry { name, state: State::Damaged(why), bytes: bytes.unwrap_or(0), manifest: None },
    };
    let said = manifest.stored_bytes();
    let state = match bytes {
        // The manifest alone is the backup.
        _ if DictDetail::content_of(&manifest).is_some() => State::Good,
        None => State::Damaged("the file is missing".to_owned()),
        Some(bytes) if bytes != said => {
            State::Damaged(format!("it has {} instead of {}", exact_bytes(bytes), exact_bytes(said)))
        }
        Some(_) if manifest.parts.len() != 1 => State::Damaged("its manifest lists another number of files".to_owned()),
        Some(_) => State::Good,
    };
    Entry { name, state, bytes: bytes.unwrap_or(0), manifest: Some(manifest) }
}
