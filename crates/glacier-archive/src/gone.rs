//! Forgets archives that are not there any more: deleted by another machine, or by a run that ended half-way.
//!
//! A bucket is listed. A vault cannot be: whoever deletes from one notes it beside the backups, for machines that still count
//! on what is gone.

use std::collections::{BTreeMap, BTreeSet};

use backup_core::key::Key;
use backup_core::pipeline::read_all;
use backup_core::run::Run;
use backup_core::store::{PutMode, PutOptions, SharedStore};
use futures_util::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::{GlacierError, GlacierResult};
use crate::key;
use crate::state::State;
use crate::vaulted::Vaulted;

/// The format this version writes, and the newest it reads.
const FORMAT: u32 = 1;

/// Largest note that is read: a million archives.
const BYTES_MAX: u64 = 512 * 1024 * 1024;

/// How long a note is kept: whoever has not archived anything for so long reads the manifests anew.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 400);

/// What was deleted from a vault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    format: u32,
    archives: Vec<Gone>,
}

/// An archive that was deleted from a vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// Its key in the location.
    pub key: Key,
    /// What the vault called it: an archive of the same key that came later has another id.
    pub id: String,
    /// When it was deleted.
    pub at: Timestamp,
}

/// Every object in the folders of archives called `name` and of their dumps. A listing, a thousand archives a request.
///
/// # Errors
/// What the store says.
pub async fn there(store: &SharedStore, name: &str, run: &Run) -> GlacierResult<BTreeSet<Key>> {
    let mut there: BTreeSet<Key> = BTreeSet::new();
    let [_, dumps] = key::database(name);
    for folder in key::payloads(name).into_iter().chain([dumps]) {
        let keys = store.list(&folder, None).map_ok(|object| object.key).map_err(GlacierError::from);
        there.extend(run.or_cancelled(keys.try_collect::<Vec<_>>()).await?);
    }
    Ok(there)
}

/// Forgets every archive called `name` that counts as stored and that the store does not have, with its files: the next backup
/// archives them again. Needs the lock.
///
/// # Errors
/// What the store says; as of the catalogue.
pub async fn forget(store: &SharedStore, state: &State, name: &str, run: &Run) -> GlacierResult<u64> {
    let stored = state.catalogue().archives()?.into_iter().filter(|archive| archive.stored.is_some());
    let stored: Vec<Key> = stored.map(|archive| archive.key).collect();
    if stored.is_empty() {
        return Ok(0);
    }
    let there = there(store, name, run).await?;
    let mut forgotten = 0;
    for gone in stored.iter().filter(|key| !there.contains(*key)) {
        state.catalogue().forget(gone)?;
        forgotten += 1;
    }
    Ok(forgotten)
}

/// Finds out what became of uploads that were complete, and whose end nobody heard of: of an archive that no later run goes on
/// with, such as one of an interrupted dump, nobody else would ever know. Needs the lock.
///
/// # Errors
/// What the store says; as of the catalogue.
pub async fn settle(store: &SharedStore, state: &State) -> GlacierResult<()> {
    for (key, known) in state.catalogue().vaulted()? {
        let is_open = known.archive.is_none() && known.upload.is_some_and(|upload| upload.whole.is_some());
        if !is_open {
            continue;
        }
        // Whoever asks a vault's store for it completes it once more, which is the same archive.
        match store.head(&key).await {
            Ok(_) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Notes what was deleted from a vault. Needs the turn: the note is read, and written anew.
///
/// # Errors
/// What the store says; [`GlacierError::Damaged`] for a note that cannot be read.
pub async fn note(store: &SharedStore, name: &str, ids: BTreeMap<Key, String>, now: Timestamp) -> GlacierResult<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut archives = noted(store, name).await?;
    archives.retain(|gone| now.duration_since(gone.at) < KEPT);
    archives.extend(ids.into_iter().map(|(key, id)| Gone { key, id, at: now }));
    let note = Note { format: FORMAT, archives };
    let bytes = serde_json::to_vec(&note).map_err(GlacierError::internal)?;
    Ok(store.put(&key::gone(name)?, bytes.into(), &PutOptions::new(PutMode::Replace)).await?)
}

/// What is noted.
///
/// # Errors
/// What the store says; [`GlacierError::Damaged`] for a note that cannot be read.
pub async fn noted(store: &SharedStore, name: &str) -> GlacierResult<Vec<Gone>> {
    let key = key::gone(name)?;
    let bytes = match read_all(&**store, &key, BYTES_MAX).await {
        Ok(bytes) => bytes,
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let note: Note = serde_json::from_slice(&bytes).map_err(|error| GlacierError::damaged(&key, error.to_string()))?;
    if note.format > FORMAT {
        let why = format!("it has format {}, and this version reads formats up to {FORMAT}", note.format);
        return Err(GlacierError::damaged(&key, why));
    }
    Ok(note.archives)
}

/// Forgets archives that another machine deleted from a vault. Needs the lock, and the turn, so that none goes meanwhile.
///
/// # Errors
/// As of [`noted`]; as of the catalogue.
pub async fn catch_up(store: &SharedStore, state: &State, name: &str) -> GlacierResult<u64> {
    let known = state.catalogue().vaulted()?;
    let mut forgotten = 0;
    for Gone { key, id, .. } in noted(store, name).await? {
        if known.get(&key).and_then(|known| known.archive.as_ref()).is_some_and(|archive| archive.id == id) {
            state.catalogue().forget(&key)?;
            state.catalogue().keep_vaulted(&key, &Vaulted::default())?;
            forgotten += 1;
        }
    }
    Ok(forgotten)
}
