//! Looks up again what published and reserved backups refer to.

use std::collections::{BTreeSet, HashSet};

use futures_util::StreamExt;
use uuid::Uuid;

use super::Removal;
use super::names::{self, Uses, manifest_of_uses};
use super::unreadable::neighbourhood;
use crate::catalogue::{self, Found, unreadable, walk};
use crate::error::{CoreError, FormatError};
use crate::key::Key;
use crate::manifest::Manifest;
use crate::progress::Progress;
use crate::store::StoreRead;

/// What a look at the location found.
#[derive(Debug, Default)]
pub(super) struct References {
    /// Keys that published or reserved backups refer to, as far as they matter.
    pub(super) keys: HashSet<Key>,
    /// What published backups own outside the location, by name.
    pub(super) external: HashSet<String>,
    /// Backups that published ones build on.
    pub(super) parents: HashSet<Uuid>,
    /// Tombstones met.
    pub(super) tombstones: Vec<Key>,
    /// Neighbourhoods of documents that could not be read, which may refer to anything there.
    unreadable: BTreeSet<String>,
}

impl References {
    /// Looks at everything below `scope` but the `known` manifests, and leaves out those that are `going`. Remembers only
    /// keys that matter: all of them can be more than memory holds.
    pub(super) async fn collect(
        store: &dyn StoreRead,
        scope: &str,
        known: &BTreeSet<Key>,
        going: &HashSet<&Key>,
        matters: impl Fn(&Key) -> bool,
        progress: &dyn Progress,
    ) -> Result<Self, CoreError> {
        let mut references = Self::default();
        // What those that go refer to matters no more, so that none of them is read.
        let passed_over: BTreeSet<Key> = known.iter().chain(going.iter().copied()).cloned().collect();
        let mut found = Box::pin(walk(store, scope, &passed_over));
        while let Some(found) = found.next().await {
            match found? {
                Found::Backup(entry) => references.published(&entry.key, entry.manifest, &matters, progress)?,
                // Published, and about to go: it needs nothing any more.
                Found::Uses(key) if manifest_of_uses(&key).is_some_and(|manifest| going.contains(&manifest)) => {}
                Found::Uses(key) => references.reserved(store, &key, &matters, progress).await?,
                Found::Tombstone(key) => references.tombstones.push(key),
                Found::Claim | Found::Known(_) => {}
            }
        }
        Ok(references)
    }

    /// Whether the backup stays: something published or reserved builds on it, or what cannot be read may.
    pub(super) fn wants(&self, removal: &Removal) -> bool {
        self.keys.contains(&removal.manifest) || self.parents.contains(&removal.id) || self.may_need(&removal.manifest)
    }

    /// Whether something beside the backup with this manifest could not be read, and may need it or its objects.
    pub(super) fn may_need(&self, manifest: &Key) -> bool {
        self.unreadable.contains(neighbourhood(manifest))
    }

    /// What a backup that stays after all refers to stays too.
    pub(super) fn keep(&mut self, removal: &Removal) {
        self.keys.extend(removal.parts.keys().cloned());
        self.external.extend(removal.external.iter().map(ToString::to_string));
    }

    fn published(
        &mut self,
        key: &Key,
        manifest: Result<Manifest, FormatError>,
        matters: &impl Fn(&Key) -> bool,
        progress: &dyn Progress,
    ) -> Result<(), CoreError> {
        match manifest {
            Ok(manifest) => {
                self.external.extend(manifest.external.iter().map(ToString::to_string));
                self.keys.extend(manifest.parts.into_iter().map(|part| part.key).filter(matters));
                self.parents.extend(manifest.parent);
            }
            Err(error) if error.is_newer() => return Err(error.into()),
            Err(error) if error.is_unreadable() => {
                self.unreadable.insert(neighbourhood(key).to_owned());
                progress.warn(format!("{error}; what lies beside it is not deleted"));
            }
            Err(error) => progress.warn(format!("{error}; the objects it refers to are unknown")),
        }
        Ok(())
    }

    async fn reserved(
        &mut self,
        store: &dyn StoreRead,
        key: &Key,
        matters: &impl Fn(&Key) -> bool,
        progress: &dyn Progress,
    ) -> Result<(), CoreError> {
        match names::read::<Uses>(store, key).await {
            Ok(uses) => self.keys.extend(uses.keys.into_iter().filter(matters)),
            Err(CoreError::Store(error)) if error.is_not_found() => {
                // Published since it was listed, and so not among what was listed: the manifest says the same.
                let Some(at) = manifest_of_uses(key) else { return Ok(()) };
                let manifest = match catalogue::read(store, &at).await {
                    Ok(manifest) => Ok(manifest),
                    Err(CoreError::Format(error)) => Err(error),
                    Err(CoreError::Store(error)) if error.is_not_found() => return Ok(()),
                    Err(CoreError::Store(error)) => Err(unreadable(&at, error)?),
                    Err(error) => return Err(error),
                };
                self.published(&at, manifest, matters, progress)?;
            }
            Err(CoreError::Store(error)) => self.published(key, Err(unreadable(key, error)?), matters, progress)?,
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
