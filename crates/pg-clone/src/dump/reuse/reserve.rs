//! Reserves packs of earlier dumps, as long as the dump that will name them is not published.

use std::convert::Infallible;
use std::time::Duration;

use backup_core::error::{CoreError, StoreError};
use backup_core::key::Key;
use backup_core::prune;
use backup_core::store::SharedStore;

use crate::error::PgResult;

/// How often a reservation is written again. A dump that stores little looks abandoned once nothing of it is new for a day.
const AGAIN_AFTER: Duration = Duration::from_secs(60 * 60);

/// Objects that no prune deletes, until they are released or count as abandoned.
#[derive(Debug)]
pub(in crate::dump) struct Reserved {
    store: SharedStore,
    manifest: Key,
    keys: Vec<Key>,
}

impl Reserved {
    /// Reserves `keys`, which `owners` name, for the dump that will be published as `manifest`; or says which owner is gone or
    /// about to go. Then the word that was written stays until it is written anew or [released](Self::release_of).
    ///
    /// # Errors
    /// What the store says.
    pub(super) async fn take(
        store: &SharedStore,
        manifest: &Key,
        keys: Vec<Key>,
        owners: &[Key],
    ) -> PgResult<Result<Self, Key>> {
        match prune::reserve(&**store, manifest, &keys, owners).await {
            Ok(()) => Ok(Ok(Self { store: store.clone(), manifest: manifest.clone(), keys })),
            Err(CoreError::Store(StoreError::NotFound { key })) => {
                let going = owners.iter().find(|owner| owner.as_str() == key).or(owners.first());
                Ok(Err(going.unwrap_or(manifest).clone()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Keeps the reservation from looking abandoned; never returns.
    pub(in crate::dump) async fn keep(&self) -> Infallible {
        loop {
            tokio::time::sleep(AGAIN_AFTER).await;
            // If it fails now, it is tried again long before a day has passed.
            drop(prune::reserve(&*self.store, &self.manifest, &self.keys, &[]).await);
        }
    }

    /// Takes it back: the manifest says the same now. What stays of it does no harm beside a manifest.
    pub(in crate::dump) async fn release(&self) {
        Self::release_of(&self.store, &self.manifest).await;
    }

    /// Takes back what was said for the dump that will be published as `manifest`.
    pub(super) async fn release_of(store: &SharedStore, manifest: &Key) {
        drop(prune::release(&**store, manifest).await);
    }
}
