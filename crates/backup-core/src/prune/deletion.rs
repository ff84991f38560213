//! Deletes many objects and records which could not be deleted.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Failure, PruneOutcome};
use crate::error::{CoreError, StoreError};
use crate::key::Key;
use crate::progress::{Event, Progress};
use crate::store::Store;

/// Keys of one call: what S3's `DeleteObjects` takes (AWS, "DeleteObjects").
const BATCH_KEYS: usize = 1_000;

/// Deletes through a store on behalf of one prune.
#[derive(Debug)]
pub(super) struct Deletion<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) progress: &'a dyn Progress,
    pub(super) outcome: PruneOutcome,
}

impl Deletion<'_> {
    /// Deletes `keys`; returns those that are still there, each noted as a failure.
    pub(super) async fn delete(&mut self, keys: &[Key]) -> HashSet<Key> {
        let mut left = HashSet::new();
        for batch in keys.chunks(BATCH_KEYS) {
            match self.store.delete(batch).await {
                Ok(outcomes) => {
                    for outcome in outcomes {
                        match outcome.result {
                            Ok(()) => self.outcome.objects += 1,
                            Err(error) => {
                                self.fail(&outcome.key, &Arc::new(error));
                                left.insert(outcome.key);
                            }
                        }
                    }
                }
                Err(error) => {
                    let error = Arc::new(error);
                    batch.iter().for_each(|key| self.fail(key, &error));
                    left.extend(batch.iter().cloned());
                }
            }
            self.progress.event(Event::Advance { bytes: 0, items: batch.len() as u64 });
        }
        left
    }

    /// Makes durable what was written or deleted at `keys`, all at once.
    ///
    /// # Errors
    /// What the store says.
    pub(super) async fn make_durable(&self, keys: &[Key]) -> Result<(), StoreError> {
        if keys.is_empty() { Ok(()) } else { self.store.make_durable(keys).await }
    }

    /// What was done.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if that is nothing, because somebody else holds the location's lock.
    pub(super) fn ended(self) -> Result<PruneOutcome, CoreError> {
        let PruneOutcome { removed, objects, failures, .. } = &self.outcome;
        let locked = |failure: &Failure| match &*failure.error {
            StoreError::Locked { location, holder, seconds } => {
                Some(StoreError::Locked { location: location.clone(), holder: holder.clone(), seconds: *seconds })
            }
            _ => None,
        };
        // The first one waited for it.
        match failures.first().and_then(locked) {
            Some(error) if removed.is_empty() && *objects == 0 && failures.iter().all(|one| locked(one).is_some()) => {
                Err(error.into())
            }
            _ => Ok(self.outcome),
        }
    }

    /// Notes that something could not be done to `key`.
    pub(super) fn fail(&mut self, key: &Key, error: &Arc<StoreError>) {
        self.outcome.failures.push(Failure { key: key.clone(), error: Arc::clone(error) });
    }
}
