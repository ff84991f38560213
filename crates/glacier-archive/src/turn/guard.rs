//! A store that deletes and writes only while a lease is held, by the stopwatch: it asks nobody.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use backup_core::StoreError;
use backup_core::failure::Reported;
use backup_core::key::Key;
use backup_core::lease::Lease;
use backup_core::store::{
    ByteStream, Bytes, DeleteOutcome, ListingOrder, Multipart, ObjectMeta, PutOptions, SharedStore, StoreDelete,
    StoreRead, StoreResult, StoreWrite, UnfinishedUpload,
};
use futures_util::stream::BoxStream;
use jiff::Timestamp;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Guarded {
    pub(super) inner: SharedStore,
    pub(super) lease: Arc<Lease>,
}

impl Guarded {
    fn check(&self, action: &str, key: &Key) -> StoreResult<()> {
        self.lease.check().map_err(|lost| StoreError::Other {
            key: key.to_string(),
            action: action.to_owned(),
            source: Reported::cause(lost),
        })
    }
}

#[async_trait]
impl StoreRead for Guarded {
    async fn head(&self, key: &Key) -> StoreResult<ObjectMeta> {
        self.inner.head(key).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> StoreResult<ByteStream> {
        self.inner.get(key, range).await
    }

    fn list(&self, prefix: &str, after: Option<&Key>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.inner.list(prefix, after)
    }

    async fn list_children(&self, prefix: &str) -> StoreResult<Vec<String>> {
        self.inner.list_children(prefix).await
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn unfollowed(&self) -> Vec<String> {
        self.inner.unfollowed()
    }
}

#[async_trait]
impl StoreWrite for Guarded {
    async fn put(&self, key: &Key, body: Bytes, options: &PutOptions) -> StoreResult<()> {
        self.check("write", key)?;
        self.inner.put(key, body, options).await
    }

    async fn multipart(&self, key: &Key, options: &PutOptions) -> StoreResult<Box<dyn Multipart>> {
        self.check("write", key)?;
        self.inner.multipart(key, options).await
    }

    async fn make_durable(&self, keys: &[Key]) -> StoreResult<()> {
        self.inner.make_durable(keys).await
    }

    async fn now(&self) -> StoreResult<Timestamp> {
        self.inner.now().await
    }

    async fn listing_order(&self) -> StoreResult<ListingOrder> {
        self.inner.listing_order().await
    }
}

#[async_trait]
impl StoreDelete for Guarded {
    async fn delete(&self, keys: &[Key]) -> StoreResult<Vec<DeleteOutcome>> {
        if let Some(first) = keys.first() {
            self.check("delete", first)?;
        }
        self.inner.delete(keys).await
    }

    async fn unfinished(&self, prefix: &str) -> StoreResult<Vec<UnfinishedUpload>> {
        self.inner.unfinished(prefix).await
    }

    async fn abort_unfinished(&self, upload: &UnfinishedUpload) -> StoreResult<()> {
        self.check("delete", &upload.key)?;
        self.inner.abort_unfinished(upload).await
    }
}
