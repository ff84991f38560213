//! Looks up again what published and reserved backups refer to.

use std::collections::{BTreeSet, HashSet};

use futures_util::StreamExt;
use uuid::Uuid;

use super::names::{self, Uses};
use crate::catalogue::{Found, walk};
use crate::error::{CoreError, FormatError};
use crate::key::Key;
use crate::progress::Progress;
use crate::store::StoreRead;

/// What a look at the location found.
#[derive(Debug, Default)]
pub(super) struct References {
    /// Keys that published or reserved backups refer to, as far as they matter.
    pub(super) keys: HashSet<Key>,
    /// Backups that published ones build on.
    pub(super) parents: HashSet<Uuid>,
    /// Tombstones met.
    pub(super) tombstones: Vec<Key>,
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
        let mut found = Box::pin(walk(store, scope, known));
        while let Some(found) = found.next().await {
            match found? {
                Found::Backup(entry) if going.contains(&entry.key) => {}
                Found::Backup(entry) => match entry.manifest {
                    Ok(manifest) => {
                        references.keys.extend(manifest.parts.into_iter().map(|part| part.key).filter(&matters));
                        references.parents.extend(manifest.parent);
                    }
                    Err(error @ FormatError::Newer { .. }) => return Err(error.into()),
                    Err(error) => progress.warn(format!("{error}; the objects it refers to are unknown")),
                },
                Found::Uses(key) => references.reserved(store, &key, &matters).await?,
                Found::Tombstone(key) => references.tombstones.push(key),
                Found::Claim => {}
            }
        }
        Ok(references)
    }

    async fn reserved(
        &mut self,
        store: &dyn StoreRead,
        key: &Key,
        matters: &impl Fn(&Key) -> bool,
    ) -> Result<(), CoreError> {
        match names::read::<Uses>(store, key).await {
            Ok(uses) => self.keys.extend(uses.keys.into_iter().filter(matters)),
            Err(CoreError::Store(error)) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
