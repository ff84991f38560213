//! Writing and deleting: archives go to the vault in parts, which an interrupted upload sends once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use backup_core::StoreError;
use backup_core::digest::Sha256Digest;
use backup_core::key::Key;
use backup_core::store::{
    Bytes, DeleteOutcome, ListingOrder, Multipart, PutMode, PutOptions, StoreDelete, StoreResult, StoreWrite,
    UnfinishedUpload,
};
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;

use super::super::upload::Sent;
use super::super::wire::Hashes;
use super::{Inner, VaultStore, as_store};
use crate::error::{GlacierError, GlacierResult};
use crate::key::{is_archive, is_bundle};
use crate::tree_hash::{LEAF_BYTES, LeavesAndWhole, root};
use crate::vaulted::{Described, OpenUpload, Vaulted};

/// Archives deleted at once.
const DELETES_IN_FLIGHT: usize = 8;

/// The metadata that names what an object has in it.
const CONTENT: &str = "lastgood-content";

#[async_trait]
impl StoreWrite for VaultStore {
    async fn put(&self, key: &Key, body: Bytes, options: &PutOptions) -> StoreResult<()> {
        if !self.0.is_payload(key) {
            return self.0.hot.put(key, body, options).await;
        }
        // In parts even if it is one: a lost answer to `UploadArchive` would be a second archive.
        let mebibytes = body.len().div_ceil(LEAF_BYTES).max(1).next_power_of_two();
        let upload = self.begin(key, options, (mebibytes * LEAF_BYTES) as u64).await?;
        let (digest, bytes) = (Sha256Digest::of(&body), body.len() as u64);
        upload.part(1, body).await?;
        upload.complete(1, &digest, bytes).await
    }

    async fn multipart(&self, key: &Key, options: &PutOptions) -> StoreResult<Box<dyn Multipart>> {
        if !self.0.is_payload(key) {
            return self.0.hot.multipart(key, options).await;
        }
        Ok(Box::new(self.begin(key, options, options.part_bytes as u64).await?))
    }

    async fn make_durable(&self, keys: &[Key]) -> StoreResult<()> {
        // What the vault has, it has for good.
        let hot: Vec<Key> = keys.iter().filter(|key| !self.0.is_payload(key)).cloned().collect();
        self.0.hot.make_durable(&hot).await
    }

    async fn now(&self) -> StoreResult<Timestamp> {
        self.0.hot.now().await
    }

    async fn listing_order(&self) -> StoreResult<ListingOrder> {
        self.0.hot.listing_order().await
    }
}

impl VaultStore {
    /// Begins an upload, or goes on with the one that an earlier run began for the same key, which is the digest of the same
    /// content.
    async fn begin(&self, key: &Key, options: &PutOptions, part_bytes: u64) -> StoreResult<VaultUpload> {
        let failed = |error| as_store(error, key, "glacier:InitiateMultipartUpload");
        let inner = &self.0;
        if !matches!(options.mode, PutMode::Create) {
            return Err(StoreError::Invalid { what: format!("`{key}` is in a vault, where nothing is replaced") });
        }
        if inner.settled(key).await.map_err(failed)?.is_some() {
            return Err(StoreError::AlreadyExists { key: key.to_string() });
        }
        let open = inner.vaulted(key).upload.filter(|upload| upload.part_bytes == part_bytes);
        if let Some(upload) = open
            && let Some(sent) = inner.vault.sent(&upload.id).await.map_err(failed)?
        {
            return Ok(VaultUpload::new(inner, key, upload, sent));
        }
        let upload = self.fresh(key, options, part_bytes).await.map_err(failed)?;
        Ok(VaultUpload::new(inner, key, upload, Sent::new()))
    }

    async fn fresh(&self, key: &Key, options: &PutOptions, part_bytes: u64) -> GlacierResult<OpenUpload> {
        let file = options.metadata.get(CONTENT).filter(|_| is_archive(key)).cloned();
        let description = Described { lastgood: key.clone(), file }.text();
        let id = self.0.vault.begin_upload(&description, part_bytes).await?;
        let upload = OpenUpload { id, part_bytes, whole: None };
        self.0.note(key, Vaulted { upload: Some(upload.clone()), archive: None })?;
        Ok(upload)
    }
}

/// An upload of an archive.
#[derive(Debug)]
struct VaultUpload {
    inner: Arc<Inner>,
    key: Key,
    upload: OpenUpload,
    /// What the service had when it was begun.
    sent: Sent,
    /// The leaves of each part.
    leaves: Mutex<BTreeMap<u32, Vec<Sha256Digest>>>,
}

impl VaultUpload {
    fn new(inner: &Arc<Inner>, key: &Key, upload: OpenUpload, sent: Sent) -> Self {
        Self { inner: inner.clone(), key: key.clone(), upload, sent, leaves: Mutex::default() }
    }

    async fn completed(&self, bytes: u64) -> GlacierResult<()> {
        let all: Vec<Sha256Digest> = {
            let parts = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
            parts.values().flatten().copied().collect()
        };
        let tree_hash = root(&all);
        if is_bundle(&self.key) {
            self.inner.catalogue.keep_leaves(&self.key, &all)?;
        }
        // From here on the archive may be there, whoever hears of it.
        let upload = OpenUpload { whole: Some((bytes, tree_hash)), ..self.upload.clone() };
        self.inner.note(&self.key, Vaulted { upload: Some(upload), archive: None })?;
        let archive = self.inner.vault.complete(&self.upload.id, bytes, tree_hash).await?;
        self.inner.vault.run.step("glacier.completed", self.key.as_str());
        self.inner.note(&self.key, Vaulted { upload: None, archive: Some(archive) })
    }
}

#[async_trait]
impl Multipart for VaultUpload {
    async fn part(&self, number: u32, body: Bytes) -> StoreResult<()> {
        let failed = |error| as_store(error, &self.key, "glacier:UploadMultipartPart");
        let start = u64::from(number.saturating_sub(1)) * self.upload.part_bytes;
        let hashed = body.clone();
        let hashing = tokio::task::spawn_blocking(move || LeavesAndWhole::of(&hashed)).await;
        let (leaves, whole) = hashing.map_err(|error| failed(GlacierError::internal(error)))?;
        let hashes = Hashes { tree: root(&leaves), whole };
        self.leaves.lock().unwrap_or_else(PoisonError::into_inner).insert(number, leaves);
        if self.sent.get(&start).is_some_and(|sent| *sent == hashes.tree.to_string()) {
            return Ok(());
        }
        self.inner.vault.send_part(&self.upload.id, start, body, hashes).await.map_err(failed)?;
        self.inner.vault.run.step("glacier.part", self.key.as_str());
        Ok(())
    }

    async fn complete(&self, parts: u32, _digest: &Sha256Digest, bytes: u64) -> StoreResult<()> {
        let held = self.leaves.lock().unwrap_or_else(PoisonError::into_inner).len();
        if held != usize::try_from(parts).unwrap_or(usize::MAX) {
            return Err(StoreError::Invalid { what: format!("{held} of {parts} parts of `{}` were sent", self.key) });
        }
        self.completed(bytes).await.map_err(|error| as_store(error, &self.key, "glacier:CompleteMultipartUpload"))
    }

    /// Gives nothing up: the service drops what is not completed after a day, and the next run need not send it again.
    async fn abort(&self) -> StoreResult<()> {
        Ok(())
    }
}

#[async_trait]
impl StoreDelete for VaultStore {
    async fn delete(&self, keys: &[Key]) -> StoreResult<Vec<DeleteOutcome>> {
        let shared = self.shared_ids();
        let each: Vec<_> = keys.iter().map(|key| self.outcome(key, &shared)).collect();
        Ok(stream::iter(each).buffered(DELETES_IN_FLIGHT).collect().await)
    }

    async fn unfinished(&self, prefix: &str) -> StoreResult<Vec<UnfinishedUpload>> {
        self.0.hot.unfinished(prefix).await
    }

    async fn abort_unfinished(&self, upload: &UnfinishedUpload) -> StoreResult<()> {
        self.0.hot.abort_unfinished(upload).await
    }
}

impl VaultStore {
    /// What the vault calls archives that several keys claim: a key is the digest of one content, so that all but one of them lie.
    fn shared_ids(&self) -> BTreeSet<String> {
        let known = self.0.known();
        let ids = known.values().filter_map(|vaulted| vaulted.archive.as_ref()).map(|archive| &archive.id);
        let mut seen = BTreeSet::new();
        ids.filter(|id| !seen.insert(*id)).cloned().collect()
    }

    async fn outcome(&self, key: &Key, shared: &BTreeSet<String>) -> DeleteOutcome {
        DeleteOutcome { key: key.clone(), result: self.gone(key, shared).await }
    }

    async fn gone(&self, key: &Key, shared: &BTreeSet<String>) -> StoreResult<()> {
        let failed = |error| as_store(error, key, "glacier:DeleteArchive");
        if let Some(archive) = self.0.archive(key).filter(|_| self.0.is_payload(key)) {
            if shared.contains(&archive.id) {
                let why = "manifests say that it is the archive of another content, too: nothing was deleted";
                return Err(failed(GlacierError::damaged(key, why)));
            }
            self.0.vault.delete(&archive.id).await.map_err(failed)?;
            return self.0.note(key, Vaulted::default()).map_err(failed);
        }
        let outcomes = self.0.hot.delete(std::slice::from_ref(key)).await?;
        outcomes.into_iter().try_for_each(|outcome| outcome.result)
    }
}
