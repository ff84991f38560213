//! Counts the requests to a store, and logs each.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};
use serde::Serialize;

use super::{
    ByteStream, DeleteOutcome, ListingOrder, Multipart, ObjectMeta, PutOptions, StoreDelete, StoreRead, StoreResult,
    StoreWrite, UnfinishedUpload, Verb, Version,
};
use crate::digest::Sha256Digest;
use crate::failure::Failure as _;
use crate::key::Key;
use crate::units;

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

    /// `put 12 (2 failed, 3.4 MiB), get 3` of everything that was used.
    #[must_use]
    pub fn summary(&self) -> String {
        let one = |(verb, of): (Verb, VerbTraffic)| {
            let failed = (of.failed > 0).then(|| format!("{} failed", of.failed));
            let bytes = (of.bytes > 0).then(|| units::bytes(of.bytes));
            let more = [failed, bytes].into_iter().flatten().collect::<Vec<_>>().join(", ");
            let more = if more.is_empty() { more } else { format!(" ({more})") };
            format!("{} {}{more}", verb.as_str(), of.requests)
        };
        self.all().into_iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

/// One request under way. It is logged when it ends, or when whoever made it waits no longer.
#[derive(Debug)]
struct Request {
    traffic: Arc<Traffic>,
    verb: Verb,
    key: String,
    begun: Instant,
    bytes: u64,
    outcome: &'static str,
}

impl Request {
    fn begin(traffic: &Arc<Traffic>, verb: Verb, key: impl ToString, bytes: usize) -> Self {
        let cell = traffic.cell(verb);
        cell.requests.fetch_add(1, Ordering::Relaxed);
        cell.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        Self {
            traffic: Arc::clone(traffic),
            verb,
            key: key.to_string(),
            begun: Instant::now(),
            bytes: bytes as u64,
            outcome: "dropped",
        }
    }

    /// Notes how it ended.
    fn take<T>(&mut self, result: StoreResult<T>) -> StoreResult<T> {
        self.outcome = match &result {
            Ok(_) => "ok",
            Err(error) => {
                self.traffic.cell(self.verb).failed.fetch_add(1, Ordering::Relaxed);
                error.code()
            }
        };
        result
    }

    /// Ends with `result`.
    fn end<T>(mut self, result: StoreResult<T>) -> StoreResult<T> {
        self.take(result)
    }

    /// Takes note of a chunk of the body, or of how it broke off.
    fn chunk(&mut self, chunk: &StoreResult<Bytes>) {
        match chunk {
            Ok(chunk) => {
                self.bytes += chunk.len() as u64;
                self.traffic.cell(self.verb).bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            }
            Err(error) => {
                self.outcome = error.code();
                self.traffic.cell(self.verb).failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let Self { verb, key, begun, bytes, outcome, .. } = self;
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(operation = verb.as_str(), %key, bytes, ms, outcome, "request");
    }
}

/// The keys of one request. It may be for a thousand: the first and how many there are say enough.
fn several(keys: &[Key]) -> String {
    let first = keys.first().map_or("", Key::as_str);
    if keys.len() > 1 { format!("{first} and {} more", keys.len() - 1) } else { first.to_owned() }
}

/// A store that counts its requests and logs each of them at the level `debug`: operation, key, bytes, duration, outcome. What
/// they were in all is logged at the level `info` when it is dropped.
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

impl<S> Drop for Observe<S> {
    fn drop(&mut self) {
        let requests = self.traffic.summary();
        if !requests.is_empty() {
            tracing::info!(requests, "requests to the store");
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: StoreRead> StoreRead for Observe<S> {
    async fn head(&self, key: &Key) -> StoreResult<ObjectMeta> {
        let request = Request::begin(&self.traffic, Verb::Head, key, 0);
        request.end(self.store.head(key).await)
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> StoreResult<ByteStream> {
        let mut request = Request::begin(&self.traffic, Verb::Get, key, 0);
        let body = request.take(self.store.get(key, range).await)?;
        // The request goes with the body: what is not read to its end is logged as far as it was read.
        Ok(body.inspect(move |chunk| request.chunk(chunk)).boxed())
    }

    fn list(&self, prefix: &str, after: Option<&Key>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let mut request = Request::begin(&self.traffic, Verb::List, prefix, 0);
        request.outcome = "ok";
        let listing = self.store.list(prefix, after);
        listing.map(move |next| if next.is_err() { request.take(next) } else { next }).boxed()
    }

    async fn list_children(&self, prefix: &str) -> StoreResult<Vec<String>> {
        let request = Request::begin(&self.traffic, Verb::ListChildren, prefix, 0);
        request.end(self.store.list_children(prefix).await)
    }

    async fn list_names(&self, prefix: &str) -> StoreResult<Vec<String>> {
        let request = Request::begin(&self.traffic, Verb::ListChildren, prefix, 0);
        request.end(self.store.list_names(prefix).await)
    }

    async fn versions(&self, keys: &[Key]) -> StoreResult<Vec<Option<Version>>> {
        let request = Request::begin(&self.traffic, Verb::Head, several(keys), 0);
        request.end(self.store.versions(keys).await)
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
        let request = Request::begin(&self.traffic, Verb::Put, key, body.len());
        request.end(self.store.put(key, body, options).await)
    }

    async fn multipart(&self, key: &Key, options: &PutOptions) -> StoreResult<Box<dyn Multipart>> {
        let request = Request::begin(&self.traffic, Verb::Begin, key, 0);
        let inner = request.end(self.store.multipart(key, options).await)?;
        Ok(Box::new(ObserveUpload { inner, key: key.clone(), traffic: self.traffic.clone() }))
    }

    async fn make_durable(&self, keys: &[Key]) -> StoreResult<()> {
        let request = Request::begin(&self.traffic, Verb::MakeDurable, several(keys), 0);
        request.end(self.store.make_durable(keys).await)
    }

    async fn now(&self) -> StoreResult<jiff::Timestamp> {
        let request = Request::begin(&self.traffic, Verb::Now, "", 0);
        request.end(self.store.now().await)
    }

    async fn listing_order(&self) -> StoreResult<ListingOrder> {
        let request = Request::begin(&self.traffic, Verb::Order, "", 0);
        request.end(self.store.listing_order().await)
    }
}

#[derive(Debug)]
struct ObserveUpload {
    inner: Box<dyn Multipart>,
    key: Key,
    traffic: Arc<Traffic>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Multipart for ObserveUpload {
    async fn part(&self, number: u32, body: Bytes) -> StoreResult<()> {
        let request = Request::begin(&self.traffic, Verb::Part, format_args!("{} part {number}", self.key), body.len());
        request.end(self.inner.part(number, body).await)
    }

    async fn complete(&self, parts: u32, digest: &Sha256Digest, bytes: u64) -> StoreResult<()> {
        let request = Request::begin(&self.traffic, Verb::Complete, &self.key, 0);
        request.end(self.inner.complete(parts, digest, bytes).await)
    }

    async fn abort(&self) -> StoreResult<()> {
        let request = Request::begin(&self.traffic, Verb::Abort, &self.key, 0);
        request.end(self.inner.abort().await)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: StoreDelete> StoreDelete for Observe<S> {
    async fn delete(&self, keys: &[Key]) -> StoreResult<Vec<DeleteOutcome>> {
        let request = Request::begin(&self.traffic, Verb::Delete, several(keys), 0);
        request.end(self.store.delete(keys).await)
    }

    async fn unfinished(&self, prefix: &str) -> StoreResult<Vec<UnfinishedUpload>> {
        let request = Request::begin(&self.traffic, Verb::Unfinished, prefix, 0);
        request.end(self.store.unfinished(prefix).await)
    }

    async fn abort_unfinished(&self, upload: &UnfinishedUpload) -> StoreResult<()> {
        let request = Request::begin(&self.traffic, Verb::AbortUnfinished, &upload.key, 0);
        request.end(self.store.abort_unfinished(upload).await)
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
        assert_eq!(traffic.summary(), "get 1 (2 B), put 2 (1 failed, 8 B)");
    }
}
