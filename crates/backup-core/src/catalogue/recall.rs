//! Lists manifests and reads only those of which a hint does not say what is wanted.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use futures_util::TryStreamExt;

use super::entry::Entry;
use super::hints::{Hint, Hints};
use super::walk::{Found, Recall, walk_recalling};
use crate::key::Key;
use crate::store::{StoreRead, StoreResult, Version};

/// What a listing wants to know of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told<T> {
    /// It.
    pub what: T,
    /// Whether it is the same as long as the manifest is.
    pub lasting: bool,
}

/// What `tell` says of the manifests below `prefix` (empty, or ending in `/`), in no particular order. `tell` is asked of those
/// only that `hints` do not have in the version in which they are there; and `hints` have them afterwards, without those that are
/// gone.
///
/// # Errors
/// What the store says. Manifests that cannot be used are entries, not errors.
pub async fn recall<T>(
    store: &dyn StoreRead,
    prefix: &str,
    hints: &mut Hints<T>,
    tell: impl Fn(Entry) -> Option<Told<T>> + Send + Sync,
) -> StoreResult<Vec<(Key, T)>>
where
    T: Clone + Send + Sync,
{
    let looked = Looked { hints: &*hints, versions: Mutex::default() };
    let recall = hints.are_kept().then_some(&looked as &dyn Recall);
    let (mut all, mut stay, mut fresh) = (Vec::new(), HashSet::new(), Vec::new());
    let mut found = Box::pin(walk_recalling(store, prefix, recall));
    while let Some(found) = found.try_next().await? {
        match found {
            Found::Known(key) => {
                if let Some(hint) = hints.get(&key) {
                    stay.insert(key.clone());
                    all.push((key, hint.told.clone()));
                }
            }
            Found::Backup(entry) => {
                let key = entry.key.clone();
                // What something external belongs to may end while its manifest is there.
                let alone = entry.manifest.as_ref().is_ok_and(|manifest| manifest.external.is_empty());
                let Some(told) = tell(*entry) else { continue };
                if let Some(version) = looked.version(&key).filter(|_| alone && told.lasting) {
                    fresh.push((key.clone(), Hint { version, told: told.what.clone() }));
                }
                all.push((key, told.what));
            }
            Found::Tombstone(_) | Found::Uses(_) | Found::Claim => {}
        }
    }
    drop(found);
    hints.replace(prefix, &stay, fresh);
    Ok(all)
}

/// What the hints say, and the versions that were seen.
#[derive(Debug)]
struct Looked<'a, T> {
    hints: &'a Hints<T>,
    versions: Mutex<HashMap<Key, Version>>,
}

impl<T> Looked<'_, T> {
    fn version(&self, key: &Key) -> Option<Version> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner).remove(key)
    }
}

impl<T: Send + Sync> Recall for Looked<'_, T> {
    fn knows(&self, key: &Key, version: Version) -> bool {
        let known = self.hints.get(key).is_some_and(|hint| hint.version == version);
        if !known {
            self.versions.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), version);
        }
        known
    }
}
