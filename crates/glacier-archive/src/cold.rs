//! What a store must be able to do so that archives can be retrieved from it: the port, and stores that are never cold.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use backup_core::key::Key;
use backup_core::store::{SharedStore, StoreRead as _};
use futures_util::TryStreamExt as _;

use crate::class::Tier;
use crate::copy_state::CopyState;
use crate::error::GlacierResult;

/// What became of the request for a retrieval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requested {
    /// It was taken, and is paid for.
    Taken,
    /// One is running already.
    Running,
    /// The archive can be read anyway.
    Readable,
}

/// Asks for retrievals, and what became of them. Asking again is free of harm: the same request twice is one retrieval.
#[async_trait]
pub trait ColdStore: fmt::Debug + Send + Sync {
    /// Requests a retrieval whose copy stays for `days` days. Costs money.
    ///
    /// # Errors
    /// [`GlacierError::NoCapacity`](crate::GlacierError::NoCapacity) if it was surely not taken and may be later; what the
    /// store says.
    async fn request(&self, key: &Key, tier: Tier, days: u32) -> GlacierResult<Requested>;

    /// Everything below `prefix`, and whether it can be read. An archive of which a listing says nothing is told as
    /// [`CopyState::Cold`]: [`ColdStore::look`] knows better.
    ///
    /// # Errors
    /// What the store says.
    async fn list(&self, prefix: &str) -> GlacierResult<BTreeMap<Key, CopyState>>;

    /// Whether one archive can be read.
    ///
    /// # Errors
    /// What the store says.
    async fn look(&self, key: &Key) -> GlacierResult<CopyState>;
}

/// A store without cold classes, such as a folder: everything can be read at any time.
#[derive(Debug)]
pub struct NeverCold(pub SharedStore);

const READABLE: CopyState = CopyState::Readable { until: None };

#[async_trait]
impl ColdStore for NeverCold {
    async fn request(&self, key: &Key, _tier: Tier, _days: u32) -> GlacierResult<Requested> {
        self.look(key).await.map(|_| Requested::Readable)
    }

    async fn list(&self, prefix: &str) -> GlacierResult<BTreeMap<Key, CopyState>> {
        let objects = self.0.list(prefix, None).map_ok(|object| (object.key, READABLE));
        Ok(objects.try_collect().await?)
    }

    async fn look(&self, key: &Key) -> GlacierResult<CopyState> {
        self.0.head(key).await?;
        Ok(READABLE)
    }
}
