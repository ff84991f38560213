//! Limits the number of concurrent requests.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    ByteStream, DeleteOutcome, Multipart, ObjectMeta, PutOptions, StoreDelete, StoreRead, StoreResult, StoreWrite,
    UnfinishedUpload,
};
use crate::digest::Sha256Digest;
use crate::key::Key;

/// A store that answers at most so many requests at once; the others wait in order.
///
/// A body counts until it is read to its end or dropped: whoever holds as many unread bodies as there are requests
/// allowed, and asks for another, waits forever. A listing counts only while it is asked for its next object.
#[derive(Debug)]
pub struct Limit<S> {
    store: S,
    permits: Arc<Semaphore>,
}

impl<S> Limit<S> {
    /// Wraps `store`; `requests_max` is at least 1.
    #[must_use]
    pub fn new(store: S, requests_max: usize) -> Self {
        Self { store, permits: Arc::new(Semaphore::new(requests_max.max(1))) }
    }

    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        permit(&self.permits).await
    }
}

/// Waits for a permit. The semaphore is never closed, so that there always is one in the end.
async fn permit(permits: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    permits.clone().acquire_owned().await.ok()
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: StoreRead> StoreRead for Limit<S> {
    async fn head(&self, key: &Key) -> StoreResult<ObjectMeta> {
        let _permit = self.permit().await;
        self.store.head(key).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> StoreResult<ByteStream> {
        let permit = self.permit().await;
        let body = self.store.get(key, range).await?;
        let held = stream::unfold(Some((body, permit)), |state| async move {
            let (mut body, permit) = state?;
            let chunk = body.next().await?;
            let rest = chunk.is_ok().then_some((body, permit));
            Some((chunk, rest))
        });
        Ok(held.boxed())
    }

    fn list(&self, prefix: &str, after: Option<&Key>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let listing = self.store.list(prefix, after);
        let limited = stream::unfold((listing, self.permits.clone()), |(mut listing, permits)| async move {
            let held = permit(&permits).await;
            let next = listing.next().await?;
            drop(held);
            Some((next, (listing, permits)))
        });
        limited.boxed()
    }

    async fn list_children(&self, prefix: &str) -> StoreResult<Vec<String>> {
        let _permit = self.permit().await;
        self.store.list_children(prefix).await
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
impl<S: StoreWrite> StoreWrite for Limit<S> {
    async fn put(&self, key: &Key, body: Bytes, options: &PutOptions) -> StoreResult<()> {
        let _permit = self.permit().await;
        self.store.put(key, body, options).await
    }

    async fn multipart(&self, key: &Key, options: &PutOptions) -> StoreResult<Box<dyn Multipart>> {
        let _permit = self.permit().await;
        let inner = self.store.multipart(key, options).await?;
        Ok(Box::new(LimitUpload { inner, permits: self.permits.clone() }))
    }

    async fn now(&self) -> StoreResult<jiff::Timestamp> {
        let _permit = self.permit().await;
        self.store.now().await
    }
}

#[derive(Debug)]
struct LimitUpload {
    inner: Box<dyn Multipart>,
    permits: Arc<Semaphore>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Multipart for LimitUpload {
    async fn part(&self, number: u32, body: Bytes) -> StoreResult<()> {
        let _permit = permit(&self.permits).await;
        self.inner.part(number, body).await
    }

    async fn complete(&self, parts: u32, digest: &Sha256Digest, bytes: u64) -> StoreResult<()> {
        let _permit = permit(&self.permits).await;
        self.inner.complete(parts, digest, bytes).await
    }

    async fn abort(&self) -> StoreResult<()> {
        let _permit = permit(&self.permits).await;
        self.inner.abort().await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: StoreDelete> StoreDelete for Limit<S> {
    async fn delete(&self, keys: &[Key]) -> StoreResult<Vec<DeleteOutcome>> {
        let _permit = self.permit().await;
        self.store.delete(keys).await
    }

    async fn unfinished(&self, prefix: &str) -> StoreResult<Vec<UnfinishedUpload>> {
        let _permit = self.permit().await;
        self.store.unfinished(prefix).await
    }

    async fn abort_unfinished(&self, upload: &UnfinishedUpload) -> StoreResult<()> {
        let _permit = self.permit().await;
        self.store.abort_unfinished(upload).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::TryStreamExt;

    use super::*;
    use crate::store::memory::MemoryStore;
    use crate::store::{PutMode, conformance};

    #[tokio::test]
    async fn conforms() {
        conformance::run(Arc::new(Limit::new(MemoryStore::new(), 1))).await;
    }

    #[tokio::test]
    async fn an_unread_body_keeps_the_next_request_waiting_and_a_read_one_does_not() {
        let store = Limit::new(MemoryStore::new(), 1);
        let key = Key::new("x").unwrap();
        store.put(&key, Bytes::from_static(b"body"), &PutOptions::new(PutMode::Create)).await.unwrap();
        let body = store.get(&key, None).await.unwrap();
        let second = tokio::time::timeout(Duration::from_millis(20), store.head(&key)).await;
        assert!(second.is_err(), "two requests at once");
        body.try_collect::<Vec<_>>().await.unwrap();
        store.head(&key).await.unwrap();
    }
}
