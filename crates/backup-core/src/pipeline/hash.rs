//! Hashes a stream of parts in order, beside the tasks that upload them.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::budget::Reservation;
use crate::digest::{Sha256Digest, Sha256Hasher};
use crate::error::StoreError;
use crate::store::StoreResult;

/// Up to this size hashing takes less time than handing it to another thread and back is worth.
const INLINE_BYTES: usize = 64 * 1024;

/// A digest in the making, at most one part behind.
#[derive(Debug)]
pub(super) enum OrderedHasher {
    Idle(Sha256Hasher),
    Busy(JoinHandle<Sha256Hasher>),
}

impl Default for OrderedHasher {
    fn default() -> Self {
        Self::Idle(Sha256Hasher::default())
    }
}

impl OrderedHasher {
    /// Takes `part` after all before it. Waits for the one before, so that no more than one is held here; `held` is its
    /// share of the budget.
    pub(super) async fn update(&mut self, part: Bytes, held: Option<Arc<Reservation>>) -> StoreResult<()> {
        let mut hasher = self.settle().await?;
        *self = if part.len() <= INLINE_BYTES {
            hasher.update(&part);
            Self::Idle(hasher)
        } else {
            Self::Busy(tokio::task::spawn_blocking(move || {
                hasher.update(&part);
                drop((part, held));
                hasher
            }))
        };
        Ok(())
    }

    /// The digest of all parts taken.
    pub(super) async fn finish(mut self) -> StoreResult<Sha256Digest> {
        Ok(self.settle().await?.finish())
    }

    async fn settle(&mut self) -> StoreResult<Sha256Hasher> {
        match self {
            Self::Idle(hasher) => Ok(std::mem::take(hasher)),
            // It fails only when the runtime shuts down.
            Self::Busy(task) => task.await.map_err(|error| StoreError::Other {
                key: String::new(),
                action: "hash".to_owned(),
                source: error.into(),
            }),
        }
    }
}
