//! A store whose process is stopped at the worst moment: after everything was checked, before the request is sent.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use backup_core::key::Key;
use backup_core::store::{
    ByteStream, Bytes, ListingOrder, Multipart, ObjectMeta, PutOptions, SharedStore, StoreRead, StoreResult,
    StoreWrite, Version,
};
use futures::stream::BoxStream;
use jiff::Timestamp;
use rustix::process::{Signal, getpid, kill_process};

/// Stops this process, as `SIGSTOP` from outside would, before one object is written.
#[derive(Debug)]
pub struct StopBeforePut {
    store: SharedStore,
    key: Key,
    armed: AtomicBool,
}

impl StopBeforePut {
    /// Wraps `store`; nothing happens until [`StopBeforePut::arm`].
    #[must_use]
    pub fn new(store: SharedStore, key: Key) -> Self {
        Self { store, key, armed: AtomicBool::new(false) }
    }

    /// The next `put` of the object stops the process first. It goes on, with that very request, after `SIGCONT`.
    pub fn arm(&self) {
        self.armed.store(true, Ordering::Release);
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl StoreRead for StopBeforePut {
    async fn head(&self, key: &Key) -> StoreResult<ObjectMeta> {
        self.store.head(key).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> StoreResult<ByteStream> {
        self.store.get(key, range).await
    }

    fn list(&self, prefix: &str, after: Option<&Key>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.store.list(prefix, after)
    }

    async fn list_children(&self, prefix: &str) -> StoreResult<Vec<String>> {
        self.store.list_children(prefix).await
    }

    async fn list_names(&self, prefix: &str) -> StoreResult<Vec<String>> {
        self.store.list_names(prefix).await
    }

    async fn versions(&self, keys: &[Key]) -> StoreResult<Vec<Option<Version>>> {
        self.store.versions(keys).await
    }

    fn describe(&self) -> String {
        self.store.describe()
    }

    fn unfollowed(&self) -> Vec<String> {
        self.store.unfollowed()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl StoreWrite for StopBeforePut {
    async fn put(&self, key: &Key, body: Bytes, options: &PutOptions) -> StoreResult<()> {
        if *key == self.key && self.armed.swap(false, Ordering::AcqRel) {
            kill_process(getpid(), Signal::STOP).expect("a process may stop itself");
        }
        self.store.put(key, body, options).await
    }

    async fn multipart(&self, key: &Key, options: &PutOptions) -> StoreResult<Box<dyn Multipart>> {
        self.store.multipart(key, options).await
    }

    async fn make_durable(&self, keys: &[Key]) -> StoreResult<()> {
        self.store.make_durable(keys).await
    }

    async fn now(&self) -> StoreResult<Timestamp> {
        self.store.now().await
    }

    async fn listing_order(&self) -> StoreResult<ListingOrder> {
        self.store.listing_order().await
    }
}
