//! Counts the requests to a store.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};
use serde::Serialize;

use super::{
    ByteStream, DeleteOutcome, Multipart, ObjectMeta, PutOptions, StoreDelete, StoreRead, StoreResult, StoreWrite,
    UnfinishedUpload, Verb,
};
use crate::digest::Sha256Digest;
use crate::key::Key;

/// What was asked of a store so far.
#[derive(Debug, Default)]
pub struct Traffic {
    cells: [Cell; Verb::ALL.len()],
}

#[derive(Debug, Default)]
struct Cell {
    requests: AtomicU64,
    failed: AtomicU64,
    bytes: AtomicU64,
}

/// What was asked of one kind of operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VerbTraffic {
    /// Operations begun.
    pub requests: u64,
    /// Operations that failed; a body that breaks off counts.
    pub failed: u64,
    /// Bytes of bodies sent or received.
    pub bytes: u64,
}

impl Traffic {
    /// The numbers of `verb` so far.
    #[must_use]
    pub fn of(&self, verb: Verb) -> VerbTraffic {
        let cell = self.cell(verb);
        VerbTraffic {
            requests: cell.requests.load(Ordering::Relaxed),
            failed: cell.failed.load(Ordering::Relaxed),
            bytes: cell.bytes.load(Ordering::Relaxed),
        }
    }

    /// The numbers of every operation that was used.
    #[must_use]
    pub fn all(&self) -> BTreeMap<Verb, VerbTraffic> {
        Verb::ALL.into_iter().map(|verb| (verb, self.of(verb))).filter(|(_, of)| of.requests > 0).collect()
    }

    /// Requests that could have changed something: none in a dry run.
    #[must_use]
    pub fn mutating_requests(&self) -> u64 {
        Verb::ALL.into_iter().filter(|verb| verb.mutates()).map(|verb| self.of(verb).requests).sum()
    }

    fn cell(&self, verb: Verb) -> &Cell {
        // `Verb::ALL` has the order of the enum.
        &self.cells[verb as usize]
    }

    fn begin(&self, verb: Verb, bytes: usize) {
        let cell = self.cell(verb);
        cell.requests.fetch_add(1, Ordering::Relaxed);
        cell.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn end<T>(&self, verb: Verb, result: StoreResult<T>) -> StoreResult<T> {
        if result.is_err() {
            self.cell(verb).failed.fetch_add(1, Ordering::Relaxed);
        }
        result
    }
}

/// A store that counts.
#[derive(Debug)]
pub struct Observe<S> {
    store: S,
    traffic: Arc<Traffic>,
}

impl<S> Observe<S> {
    /// Wraps `store`.
    #[must_use]
    pub fn new(store: S) -> Self {
        Self { store, traffic: Arc::default() }
    }

    /// The counters; they go on counting.
    #[must_use]
    pub fn traffic(&self) -> Arc<Traffic> {
        self.traffic.clone()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: StoreRead> StoreRead for Observe<S> {
    async fn head(&self, key: &Key) -> StoreResult<ObjectMeta> {
        self.traffic.begin(Verb::Head, 0);
        self.traffic.end(Verb::Head, self.store.head(key).await)
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> StoreResult<ByteStream> {
        self.traffic.begin(Verb::Get, 0);
        let body = self.traffic.end(Verb::Get, self.store.get(key, range).await)?;
        let traffic = self.traffic.clone();
        let counted = body.inspect(move |chunk| {
            let cell = traffic.cell(Verb::Get);
            let (counter, amount) = chunk.as_ref().map_or((&cell.failed, 1), |chunk| (&cell.bytes, chunk.len() as u64));
            counter.fetch_add(amount, Ordering::Relaxed);
        });
        Ok(counted.boxed())
    }

    fn list(&self, prefix: &str, after: Option<&Key>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.traffic.begin(Verb::List, 0);
        let traffic = self.traffic.clone();
        let counted = self.store.list(prefix, after).map(move |next| traffic.end(Verb::List, next));
        counted.boxed()
    }

    async fn list_children(&self, prefix: &str) -> StoreResult<Vec<String>> {
        self.traffic.begin(Verb::ListChildren, 0);
        self.traffic.end(Verb::ListChildren, self.store.list_children(prefix).await)
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
impl<S: StoreWrite> StoreWrite for Observe<S> {
    async fn put(&self, key: &Key, body: Bytes, options: &PutOptions) -> StoreResult<()> {
        self.traffic.begin(Verb::Put, body.len());
        self.traffic.end(Verb::Put, self.store.put(key, body, options).await)
    }

    async fn multipart(&self, key: &Key, options: &PutOptions) -> StoreResult<Box<dyn Multipart>> {
        self.traffic.begin(Verb::Begin, 0);
        let inner = self.traffic.end(Verb::Begin, self.store.multipart(key, options).await)?;
        Ok(Box::new(ObserveUpload { inner, traffic: self.traffic.clone() }))
    }

    async fn now(&self) -> StoreResult<jiff::Timestamp> {
        self.traffic.begin(Verb::Now, 0);
        self.traffic.end(Verb::Now, self.store.now().await)
    }
}

#[derive(Debug)]
struct ObserveUpload {
    inner: Box<dyn Multipart>,
    traffic: Arc<Traffic>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Multipart for ObserveUpload {
    async fn part(&self, number: u32, body: Bytes) -> StoreResult<()> {
        self.traffic.begin(Verb::Part, body.len());
        self.traffic.end(Verb::Part, self.inner.part(number, body).await)
    }

    async fn complete(&self, parts: u32, digest: &Sha256Digest, bytes: u64) -> StoreResult<()> {
        self.traffic.begin(Verb::Complete, 0);
        self.traffic.end(Verb::Complete, self.inner.complete(parts, digest, bytes).await)
    }

    async fn abort(&self) -> StoreResult<()> {
        self.traffic.begin(Verb::Abort, 0);
        self.traffic.end(Verb::Abort, self.inner.abort().await)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: StoreDelete> StoreDelete for Observe<S> {
    async fn delete(&self, keys: &[Key]) -> StoreResult<Vec<DeleteOutcome>> {
        self.traffic.begin(Verb::Delete, 0);
        self.traffic.end(Verb::Delete, self.store.delete(keys).await)
    }

    async fn unfinished(&self, prefix: &str) -> StoreResult<Vec<UnfinishedUpload>> {
        self.traffic.begin(Verb::Unfinished, 0);
        self.traffic.end(Verb::Unfinished, self.store.unfinished(prefix).await)
    }

    async fn abort_unfinished(&self, upload: &UnfinishedUpload) -> StoreResult<()> {
        self.traffic.begin(Verb::AbortUnfinished, 0);
        self.traffic.end(Verb::AbortUnfinished, self.store.abort_unfinished(upload).await)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;

    use super::*;
    use crate::store::memory::MemoryStore;
    use crate::store::{PutMode, conformance};

    #[tokio::test]
    async fn conforms() {
        conformance::run(Arc::new(Observe::new(MemoryStore::new()))).await;
    }

    #[test]
    fn every_verb_has_its_own_cell() {
        assert!(Verb::ALL.into_iter().enumerate().all(|(index, verb)| verb as usize == index));
    }

    #[tokio::test]
    async fn requests_failures_and_bytes_are_counted() {
        let store = Observe::new(MemoryStore::new());
        let key = Key::new("x").unwrap();
        let options = PutOptions::new(PutMode::Create);
        store.put(&key, Bytes::from_static(b"body"), &options).await.unwrap();
        store.put(&key, Bytes::from_static(b"body"), &options).await.unwrap_err();
        store.get(&key, Some(1..3)).await.unwrap().try_collect::<Vec<_>>().await.unwrap();
        let traffic = store.traffic();
        assert_eq!(traffic.of(Verb::Put), VerbTraffic { requests: 2, failed: 1, bytes: 8 });
        assert_eq!(traffic.of(Verb::Get), VerbTraffic { requests: 1, failed: 0, bytes: 2 });
        assert_eq!(traffic.mutating_requests(), 2);
        assert_eq!(traffic.all().len(), 2);
    }
}
