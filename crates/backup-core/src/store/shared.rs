//! A shared store is a store, so that wrappers also take an `Arc`.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use super::{
    ByteStream, DeleteOutcome, ListingOrder, Multipart, ObjectMeta, PutOptions, StoreDelete, StoreRead, StoreResult,
    StoreWrite, UnfinishedUpload, Version,
};
use crate::key::Key;

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: StoreRead + ?Sized> StoreRead for Arc<S> {
    async fn head(&self, key: &Key) -> StoreResult<ObjectMeta> {
        (**self).head(key).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> StoreResult<ByteStream> {
        (**self).get(key, range).await
    }

    fn list(&self, prefix: &str, after: Option<&Key>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        (**self).list(prefix, after)
    }

    async fn list_children(&self, prefix: &str) -> StoreResult<Vec<String>> {
        (**self).list_children(prefix).await
    }

    async fn list_names(&self, prefix: &str) -> StoreResult<Vec<String>> {
        (**self).list_names(prefix).await
    }

    async fn versions(&self, keys: &[Key]) -> StoreResult<Vec<Option<Version>>> {
        (**self).versions(keys).await
    }

    fn describe(&self) -> String {
        (**self).describe()
    }

    fn unfollowed(&self) -> Vec<String> {
        (**self).unfollowed()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: StoreWrite + ?Sized> StoreWrite for Arc<S> {
    async fn put(&self, key: &Key, body: Bytes, options: &PutOptions) -> StoreResult<()> {
        (**self).put(key, body, options).await
    }

    async fn multipart(&self, key: &Key, options: &PutOptions) -> StoreResult<Box<dyn Multipart>> {
        (**self).multipart(key, options).await
    }

    async fn make_durable(&self, keys: &[Key]) -> StoreResult<()> {
        (**self).make_durable(keys).await
    }

    async fn now(&self) -> StoreResult<jiff::Timestamp> {
        (**self).now().await
    }

    async fn listing_order(&self) -> StoreResult<ListingOrder> {
        (**self).listing_order().await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: StoreDelete + ?Sized> StoreDelete for Arc<S> {
    async fn delete(&self, keys: &[Key]) -> StoreResult<Vec<DeleteOutcome>> {
        (**self).delete(keys).await
    }

    async fn unfinished(&self, prefix: &str) -> StoreResult<Vec<UnfinishedUpload>> {
        (**self).unfinished(prefix).await
    }

    async fn abort_unfinished(&self, upload: &UnfinishedUpload) -> StoreResult<()> {
        (**self).abort_unfinished(upload).await
    }
}
