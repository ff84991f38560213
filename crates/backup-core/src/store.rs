//! The three store traits and their contract.
//!
//! # Contract
//!
//! Implementations promise the following, and the suite in `store::conformance` (feature `conformance`) checks it:
//!
//! 1. **Atomic.** An object is visible whole or not at all, whatever happens to writer, machine or network.
//! 2. **Read after write.** After `put` or `complete` returned, `head`, `get` and `list` show the object.
//! 3. **Conditional create.** Of any number of concurrent [`PutMode::Create`] of one key exactly one succeeds; the others
//!    fail with [`StoreError::AlreadyExists`]. A store that cannot do this is unsuitable: see [`crate::probe`].
//! 4. **Ambiguity is reported.** An error whose request may have taken effect has [`StoreError::is_ambiguous`].
//! 5. **Durable.** When `put` or `complete` returns, the object survives a power failure. What is written with
//!    [`PutOptions::volatile`] or deleted does so when [`StoreWrite::make_durable`] returned; until then a power failure may
//!    leave the object empty, take it, or bring a deleted one back.
//! 6. **Lists in key order**, each key once, bounded memory whatever the number of keys.
//! 7. **Deleting a missing object succeeds.**
//! 8. **Parts** may come in any order, concurrently and repeatedly; all but the last have exactly
//!    [`PutOptions::part_bytes`] bytes. An upload neither completed nor aborted is never visible as an object.
//! 9. Futures may be dropped at any await: nothing incomplete becomes visible.
//! 10. **Whole or an error**: a listing that may be incomplete is an error, and so is one that would not end.
//! 11. **Only its own objects**: links are not followed, and their targets not read, listed, replaced or deleted. Requesting
//!     one by its key gives [`StoreError::NotAnObject`], never [`StoreError::NotFound`].
//! 12. **One clock.** [`StoreWrite::now`] advances, and tells every caller on every machine the same time: the difference
//!     between two answers exceeds the time between the two requests by less than [`CLOCK_BOUND`].

#[cfg(any(test, feature = "fault"))]
pub mod fault;
pub mod fs;
pub mod limit;
pub mod memory;
pub mod observe;
#[cfg(feature = "retry")]
pub mod retry;
mod rules;
#[cfg(feature = "s3")]
pub mod s3;
mod shared;
mod verb;

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;

pub use self::verb::Verb;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
/// What bodies are made of: whoever reads or writes a store needs no other crate for it.
pub use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;
use crate::error::StoreError;
use crate::key::Key;

/// Result of a store operation.
pub type StoreResult<T> = Result<T, StoreError>;

/// An object's body as it arrives.
pub type ByteStream = BoxStream<'static, StoreResult<Bytes>>;

/// All objects whose keys begin with `prefix`, in key order: for folders known to be small.
///
/// # Errors
/// What the store says.
pub async fn list_all(store: &dyn StoreRead, prefix: &str) -> StoreResult<Vec<ObjectMeta>> {
    store.list(prefix, None).try_collect().await
}

/// Smallest part size S3 accepts for all but the last part (AWS, "Amazon S3 multipart upload limits").
pub const PART_BYTES_MIN: usize = 5 * 1024 * 1024;

/// Most parts of one upload (AWS, "Amazon S3 multipart upload limits").
pub const PARTS_MAX: u32 = 10_000;

/// How exactly a store's clock is told: a second, which HTTP does not divide, and one more by which the servers of one store
/// may differ.
pub const CLOCK_BOUND: Duration = Duration::from_secs(2);

/// An opaque version of an object's content, as [`PutMode::IfMatch`] wants it (S3: the ETag).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(pub String);

/// By what a reader knows again what it read before: see [`StoreRead::versions`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub String);

/// What is known of an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Its key, relative to the location.
    pub key: Key,
    /// Its size in bytes.
    pub bytes: u64,
    /// When the store says it was last written.
    pub modified: jiff::Timestamp,
    /// Its version; absent where the store's listing has none.
    pub tag: Option<Tag>,
}

/// When a write may take effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PutMode {
    /// Only if there is no object of that key.
    #[default]
    Create,
    /// Whether there is one or not.
    Replace,
    /// Only if the object still has this version.
    IfMatch(Tag),
}

/// How an object is to be written.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PutOptions {
    /// When the write may take effect.
    pub mode: PutMode,
    /// S3 storage class such as `STANDARD_IA`; stores without classes ignore it.
    pub storage_class: Option<String>,
    /// Object lock: not to be deleted before this time. Stores without locks refuse it.
    pub lock_until: Option<jiff::Timestamp>,
    /// User metadata; only a hint for people, never read back by lastgood.
    pub metadata: BTreeMap<String, String>,
    /// The object need not outlive a power failure yet: what it holds is durable elsewhere, or [`StoreWrite::make_durable`]
    /// follows. Stores to which all writes cost the same ignore it.
    pub volatile: bool,
    /// Bytes of every part but the last, for [`StoreWrite::multipart`].
    pub part_bytes: usize,
}

impl PutOptions {
    /// Options that write in `mode` with 8 MiB parts.
    #[must_use]
    pub fn new(mode: PutMode) -> Self {
        Self { mode, part_bytes: 8 * 1024 * 1024, ..Self::default() }
    }

    /// The storage class of S3, such as `STANDARD_IA`.
    #[must_use]
    pub fn storage_class(mut self, class: impl Into<Option<String>>) -> Self {
        self.storage_class = class.into();
        self
    }

    /// Not to be deleted before this time.
    #[must_use]
    pub fn lock_until(mut self, time: impl Into<Option<jiff::Timestamp>>) -> Self {
        self.lock_until = time.into();
        self
    }

    /// Adds an entry of user metadata.
    #[must_use]
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }

    /// Whether the object need not outlive a power failure.
    #[must_use]
    pub fn volatile(mut self, volatile: bool) -> Self {
        self.volatile = volatile;
        self
    }

    /// Bytes of every part but the last.
    #[must_use]
    pub fn part_bytes(mut self, bytes: usize) -> Self {
        self.part_bytes = bytes;
        self
    }
}

/// An upload begun and not completed: it costs money and is not an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnfinishedUpload {
    /// The key it would get.
    pub key: Key,
    /// The store's name of the upload.
    pub id: String,
    /// When it began or, where the store tells, when its newest part came: since then nobody is known to have touched it.
    pub started: jiff::Timestamp,
}

/// What became of one key of a [`StoreDelete::delete`].
#[derive(Debug)]
pub struct DeleteOutcome {
    /// The key.
    pub key: Key,
    /// Gone, or why not.
    pub result: StoreResult<()>,
}

/// Reading. Whoever holds only this cannot change anything.
#[async_trait]
pub trait StoreRead: fmt::Debug + Send + Sync + 'static {
    /// What is known of the object; [`StoreError::NotFound`] if there is none.
    async fn head(&self, key: &Key) -> StoreResult<ObjectMeta>;

    /// The object's bytes, or those of `range`. A range that ends past the object is an error
    /// ([`StoreError::Damaged`]), a short body too: a reader never gets fewer bytes than it asked for without an error.
    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> StoreResult<ByteStream>;

    /// The objects whose keys begin with `prefix` (plain text), after the key `after`, in key order.
    fn list(&self, prefix: &str, after: Option<&Key>) -> BoxStream<'static, StoreResult<ObjectMeta>>;

    /// The first path segments below `prefix` (which is empty or ends in `/`), in order, each once: folders
    /// with a final `/`, objects without.
    async fn list_children(&self, prefix: &str) -> StoreResult<Vec<String>>;

    /// As [`StoreRead::list_children`], but folders that hold no object may be among them: for whoever looks into each
    /// anyway.
    async fn list_names(&self, prefix: &str) -> StoreResult<Vec<String>> {
        self.list_children(prefix).await
    }

    /// The version of each of `keys`, in order. It changes with whatever is written there, whoever writes it. `None` for
    /// what is no object or was written only just now, and for all of them where looking costs as much as reading.
    async fn versions(&self, keys: &[Key]) -> StoreResult<Vec<Option<Version>>> {
        Ok(vec![None; keys.len()])
    }

    /// Where this is, for people: `s3://bucket/prefix`, a path, `mem:`.
    fn describe(&self) -> String;

    /// What was met so far that is neither an object nor a folder of objects, a sentence each: links in a folder, which
    /// are not followed. For people, who have to hear of it; a store that has no such thing has nothing to tell.
    fn unfollowed(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Writing. Whoever holds only this and [`StoreRead`] cannot delete.
#[async_trait]
pub trait StoreWrite: StoreRead {
    /// Writes a whole object.
    async fn put(&self, key: &Key, body: Bytes, options: &PutOptions) -> StoreResult<()>;

    /// Begins an upload in parts.
    async fn multipart(&self, key: &Key, options: &PutOptions) -> StoreResult<Box<dyn Multipart>>;

    /// Makes durable what was written to these keys with [`PutOptions::volatile`], and that what was deleted there is gone.
    /// However many they are, it costs about as much as one durable write where the store can do that.
    async fn make_durable(&self, keys: &[Key]) -> StoreResult<()>;

    /// What time it is by the store's own clock, which may be wrong. A folder may have to write to know.
    async fn now(&self) -> StoreResult<jiff::Timestamp>;

    /// In which order the store itself lists. A store of which that is not known may have to write an object, and delete it,
    /// to know.
    async fn listing_order(&self) -> StoreResult<ListingOrder> {
        Ok(ListingOrder::ByKey)
    }
}

/// In which order a store lists by itself. [`StoreRead::list`] is in key order whatever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ListingOrder {
    /// By key, as S3 does.
    ByKey,
    /// Folder by folder: what is in `a/` comes before `a-b`. What it lists is sorted here.
    ByFolder,
    /// One that a newer version knows.
    #[serde(other)]
    Other,
}

/// An upload in parts. Dropping it without [`Multipart::complete`] aborts it as far as is possible without waiting.
#[async_trait]
pub trait Multipart: fmt::Debug + Send + Sync {
    /// Stores part `number` (from 1). Idempotent; parts may be sent concurrently.
    async fn part(&self, number: u32, body: Bytes) -> StoreResult<()>;

    /// Makes the object of the `parts` parts visible, if [`PutOptions::mode`] allows. `digest` and `bytes` are those of
    /// the whole object; a retrying wrapper uses them to recognise its own earlier success.
    async fn complete(&self, parts: u32, digest: &Sha256Digest, bytes: u64) -> StoreResult<()>;

    /// Gives the upload up and frees what it stored. Idempotent.
    async fn abort(&self) -> StoreResult<()>;
}

/// Deleting, and clearing away what uploads left.
#[async_trait]
pub trait StoreDelete: fmt::Debug + Send + Sync + 'static {
    /// Deletes the keys; one outcome each, in order. A key that is not there counts as deleted.
    async fn delete(&self, keys: &[Key]) -> StoreResult<Vec<DeleteOutcome>>;

    /// Uploads begun under `prefix` and neither completed nor aborted; [`StoreError::Unsupported`] where the store cannot tell.
    async fn unfinished(&self, prefix: &str) -> StoreResult<Vec<UnfinishedUpload>>;

    /// Aborts one of [`StoreDelete::unfinished`]. Idempotent.
    async fn abort_unfinished(&self, upload: &UnfinishedUpload) -> StoreResult<()>;
}

/// All three powers together.
pub trait Store: StoreWrite + StoreDelete {}

impl<T: StoreWrite + StoreDelete> Store for T {}

/// A shared store.
pub type SharedStore = Arc<dyn Store>;
