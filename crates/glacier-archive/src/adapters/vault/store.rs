//! A location whose archives are in a vault: everything else stays where it can be read at once.

mod cold;
mod read;
mod write;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use backup_core::failure::Reported;
use backup_core::key::Key;
use backup_core::store::SharedStore;
use backup_core::{CoreError, StoreError};

use super::jobs::{JobState, VaultJob};
use super::{Vault, VaultArchive};
use crate::catalogue::Catalogue;
use crate::cold::ColdStore;
use crate::error::{GlacierError, GlacierResult};
use crate::vaulted::{Vaulted, job_key};

/// A store that keeps archives of one name in a vault, and everything else in a location beside it. Cloning it is cheap.
///
/// Its archives have keys as in any store. What the service calls each of them is in the catalogue of this machine, which is
/// written through, and in the manifests of the location.
#[derive(Clone, Debug)]
pub struct VaultStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hot: SharedStore,
    beside: Arc<dyn ColdStore>,
    vault: Vault,
    catalogue: Arc<dyn Catalogue>,
    /// The folders whose objects go to the vault.
    payloads: Vec<String>,
    known: Mutex<BTreeMap<Key, Vaulted>>,
    /// As they were listed last.
    jobs: Mutex<Option<Vec<VaultJob>>>,
}

impl VaultStore {
    /// The archives called `name` in `vault`, beside the location `hot`, whose own archives are retrieved by `beside`: those that
    /// were made before the vault was used. `seen` is what manifests say, for a machine that lost its catalogue.
    ///
    /// # Errors
    /// As of the catalogue.
    pub fn new(
        (hot, beside): (SharedStore, Arc<dyn ColdStore>),
        vault: Vault,
        catalogue: Arc<dyn Catalogue>,
        name: &str,
        seen: BTreeMap<Key, VaultArchive>,
    ) -> GlacierResult<Self> {
        let mut known = catalogue.vaulted()?;
        for (key, archive) in seen {
            known.entry(key).or_default().archive.get_or_insert(archive);
        }
        let payloads = crate::key::payloads(name).into();
        let (known, jobs) = (Mutex::new(known), Mutex::new(None));
        Ok(Self(Arc::new(Inner { hot, beside, vault, catalogue, payloads, known, jobs })))
    }

    /// The vault.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.0.vault
    }
}

impl Inner {
    fn is_payload(&self, key: &Key) -> bool {
        self.payloads.iter().any(|folder| key.as_str().starts_with(folder))
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Key, Vaulted>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn vaulted(&self, key: &Key) -> Vaulted {
        self.known().get(key).cloned().unwrap_or_default()
    }

    fn archive(&self, key: &Key) -> Option<VaultArchive> {
        self.known().get(key).and_then(|vaulted| vaulted.archive.clone())
    }

    /// Notes what is known of an archive, on the disk first.
    fn note(&self, key: &Key, vaulted: Vaulted) -> GlacierResult<()> {
        self.catalogue.keep_vaulted(key, &vaulted)?;
        if vaulted.is_empty() {
            self.known().remove(key);
        } else {
            self.known().insert(key.clone(), vaulted);
        }
        Ok(())
    }

    /// The archive, also if the answer to its completion was lost: completing an upload again tells what it became.
    async fn settled(&self, key: &Key) -> GlacierResult<Option<VaultArchive>> {
        let vaulted = self.vaulted(key);
        if let Some(archive) = vaulted.archive {
            return Ok(Some(archive));
        }
        let upload = vaulted.upload.and_then(|upload| Some((upload.id, upload.whole?)));
        let Some((upload, (bytes, tree_hash))) = upload else { return Ok(None) };
        match self.vault.complete(&upload, bytes, tree_hash).await {
            Ok(archive) => {
                self.note(key, Vaulted { upload: None, archive: Some(archive.clone()) })?;
                Ok(Some(archive))
            }
            // The service gave it up after a day without parts.
            Err(GlacierError::Core(CoreError::Store(StoreError::NotFound { .. }))) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn cached(&self) -> MutexGuard<'_, Option<Vec<VaultJob>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn list_jobs(&self) -> GlacierResult<Vec<VaultJob>> {
        let jobs = self.vault.jobs().await?;
        *self.cached() = Some(jobs.clone());
        Ok(jobs)
    }

    /// Those that were listed last: a listing is a page of fifty a request.
    async fn jobs(&self) -> GlacierResult<Vec<VaultJob>> {
        let listed = self.cached().clone();
        match listed {
            Some(jobs) => Ok(jobs),
            None => self.list_jobs().await,
        }
    }

    /// A job whose output has this range of the archive.
    async fn ready_job(
        &self,
        key: &Key,
        archive: &VaultArchive,
        range: &Range<u64>,
    ) -> GlacierResult<Option<VaultJob>> {
        let has = |job: &VaultJob| {
            let retrieved = job.range.clone().unwrap_or(0..archive.bytes);
            matches!(job.state, JobState::Succeeded { .. })
                && is_of(job, key, archive)
                && retrieved.start <= range.start
                && range.end <= retrieved.end
        };
        let latest = |jobs: Vec<VaultJob>| jobs.into_iter().filter(|job| has(job)).max_by_key(|job| job.created);
        if let Some(job) = latest(self.jobs().await?) {
            return Ok(Some(job));
        }
        // One that is ready since.
        Ok(latest(self.list_jobs().await?))
    }
}

/// Whether a job retrieves this archive, whoever requested it.
fn is_of(job: &VaultJob, key: &Key, archive: &VaultArchive) -> bool {
    let is_described = || job.description.as_deref().and_then(job_key).as_ref() == Some(key);
    job.archive.as_ref().map_or_else(is_described, |id| *id == archive.id)
}

/// As an error of a store.
fn as_store(error: GlacierError, key: &Key, action: &str) -> StoreError {
    match error {
        GlacierError::Core(CoreError::Store(error)) => error,
        GlacierError::Damaged { why, .. } => StoreError::Damaged { key: key.to_string(), what: why },
        other => StoreError::Other { key: key.to_string(), action: action.to_owned(), source: Reported::cause(other) },
    }
}
