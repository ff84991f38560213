//! What a store must be able to do so that archives can be retrieved from it: the port, and stores that are never cold.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use backup_core::key::Key;
use backup_core::store::{SharedStore, StoreRead as _};
use futures_util::TryStreamExt as _;

use crate::class::{Class, Tier};
use crate::copy_state::CopyState;
use crate::error::GlacierResult;

/// What became of the request for a retrieval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requested {
    /// It was taken, and is paid for.
    Taken {
        /// What the service calls it, where it has a name.
        job: Option<String>,
    },
    /// One is running already.
    Running,
    /// The archive can be read anyway.
    Readable,
}

/// What a service says of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Whether it can be read.
    pub copy: CopyState,
    /// What it calls the retrieval, where that has a name.
    pub job: Option<String>,
    /// Why the last retrieval failed, if nothing came after it.
    pub failed: Option<String>,
    /// The class that it is kept in now, where the service says. A bucket's rules may have moved it.
    pub class: Option<Class>,
}

impl From<CopyState> for Told {
    fn from(copy: CopyState) -> Self {
        Self { copy, job: None, failed: None, class: None }
    }
}

/// Asks for retrievals, and what became of them.
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
    async fn list(&self, prefix: &str) -> GlacierResult<BTreeMap<Key, Told>>;

    /// Whether one archive can be read.
    ///
    /// # Errors
    /// What the store says.
    async fn look(&self, key: &Key) -> GlacierResult<Told>;

    /// Whether the same request twice is one retrieval, whenever they arrive. Where it is not, the service has to be asked in
    /// between, and long enough after the first.
    fn is_repeatable(&self) -> bool {
        true
    }
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

    async fn list(&self, prefix: &str) -> GlacierResult<BTreeMap<Key, Told>> {
        let objects = self.0.list(prefix, None).map_ok(|object| (object.key, READABLE.into()));
        Ok(objects.try_collect().await?)
    }

    async fn look(&self, key: &Key) -> GlacierResult<Told> {
        self.0.head(key).await?;
        Ok(READABLE.into())
    }
}
