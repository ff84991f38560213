//! A store that gives way between any two steps, refuses to delete or to read what it is told to, has only so much room, and
//! remembers old times.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use jiff::SignedDuration;

use crate::error::StoreError;
use crate::key::Key;
use crate::store::memory::MemoryStore;
use crate::store::{
    ByteStream, DeleteOutcome, Multipart, ObjectMeta, PutOptions, StoreDelete, StoreRead, StoreResult, StoreWrite,
    UnfinishedUpload,
};

/// How long ago what is aged was written: longer than the grace period.
pub(super) const AGE: SignedDuration = SignedDuration::from_hours(48);

/// Most times a step gives way: enough for any other task's whole operation to fit in between.
const YIELDS_MAX: u64 = 12;

/// SplitMix64 (Steele, Lea, Flood 2014): a different order for every seed, the same for the same one.
#[derive(Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) inner: MemoryStore,
    random: Option<Mutex<Random>>,
    refused: Mutex<HashSet<Key>>,
    aged: Mutex<HashSet<Key>>,
    denied: Mutex<HashSet<Key>>,
    room: Mutex<Option<usize>>,
}

impl Peer {
    /// Does as it is told, at once.
    pub(super) fn prompt() -> Self {
        Self {
            inner: MemoryStore::new(),
            random: None,
            refused: Mutex::default(),
            aged: Mutex::default(),
            denied: Mutex::default(),
            room: Mutex::default(),
        }
    }

    /// Gives way at random points, the same for the same seed.
    pub(super) fn interleaving(seed: u64) -> Self {
        Self { random: Some(Mutex::new(Random(seed))), ..Self::prompt() }
    }

    /// From now on, everything there is was written long ago.
    pub(super) async fn age(&self) {
        let keys: Vec<Key> = self.inner.list("", None).map_ok(|object| object.key).try_collect().await.unwrap();
        self.aged.lock().unwrap().extend(keys);
    }

    /// Refuses to delete these until told otherwise.
    pub(super) fn refuse(&self, keys: impl IntoIterator<Item = Key>) {
        *self.refused.lock().unwrap() = keys.into_iter().collect();
    }

    /// Lets nobody read these until told otherwise.
    pub(super) fn deny(&self, keys: impl IntoIterator<Item = Key>) {
        *self.denied.lock().unwrap() = keys.into_iter().collect();
    }

    /// From now on there is room for as many objects as there are, and for no more.
    pub(super) async fn fill(&self) {
        *self.room.lock().unwrap() = Some(self.count());
    }

    /// There is room for one more.
    pub(super) fn grow(&self) {
        if let Some(room) = self.room.lock().unwrap().as_mut() {
            *room += 1;
        }
    }

    fn count(&self) -> usize {
        self.inner.list("", None).collect::<Vec<_>>().now_or_never().unwrap_or_default().len()
    }

    fn is_full(&self) -> bool {
        let room = *self.room.lock().unwrap();
        room.is_some_and(|room| self.count() >= room)
    }

    async fn give_way(&self) {
        let times = self.random.as_ref().map_or(0, |random| random.lock().unwrap().below(YIELDS_MAX));
        for _ in 0..times {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl StoreRead for Peer {
    async fn head(&self, key: &Key) -> StoreResult<ObjectMeta> {
        self.give_way().await;
        self.inner.head(key).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> StoreResult<ByteStream> {
        self.give_way().await;
        if self.denied.lock().unwrap().contains(key) {
            let (key, action) = (key.to_string(), "read".to_owned());
            return Err(StoreError::PermissionDenied { key, action, help: "".into(), source: "scripted".into() });
        }
        let body = self.inner.get(key, range).await;
        self.give_way().await;
        body
    }

    fn list(&self, prefix: &str, after: Option<&Key>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let aged = self.aged.lock().unwrap().clone();
        let listed = self.inner.list(prefix, after).map_ok(move |mut object| {
            if aged.contains(&object.key) {
                object.modified -= AGE;
            }
            object
        });
        // A listing is a moment of the past by the time it is read.
        let whole: Vec<_> = listed.collect().now_or_never().unwrap_or_default();
        stream::once(tokio::task::yield_now()).flat_map(move |()| stream::iter(take(&whole))).boxed()
    }

    async fn list_children(&self, prefix: &str) -> StoreResult<Vec<String>> {
        self.give_way().await;
        let children = self.inner.list_children(prefix).await;
        self.give_way().await;
        children
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

fn take(listed: &[StoreResult<ObjectMeta>]) -> Vec<StoreResult<ObjectMeta>> {
    listed.iter().map(|object| Ok(object.as_ref().unwrap().clone())).collect()
}

#[async_trait]
impl StoreWrite for Peer {
    async fn put(&self, key: &Key, body: Bytes, options: &PutOptions) -> StoreResult<()> {
        self.give_way().await;
        if self.is_full() && self.inner.head(key).await.is_err() {
            return Err(StoreError::NoSpace { key: key.to_string(), bytes_needed: 1, source: "scripted".into() });
        }
        let result = self.inner.put(key, body, options).await;
        self.aged.lock().unwrap().remove(key);
        self.give_way().await;
        result
    }

    async fn multipart(&self, key: &Key, options: &PutOptions) -> StoreResult<Box<dyn Multipart>> {
        self.inner.multipart(key, options).await
    }

    async fn make_durable(&self, keys: &[Key]) -> StoreResult<()> {
        self.give_way().await;
        self.inner.make_durable(keys).await
    }

    async fn now(&self) -> StoreResult<jiff::Timestamp> {
        self.inner.now().await
    }
}

#[async_trait]
impl StoreDelete for Peer {
    async fn delete(&self, keys: &[Key]) -> StoreResult<Vec<DeleteOutcome>> {
        let mut outcomes = Vec::new();
        // One by one, as a batch need not be atomic.
        for key in keys {
            self.give_way().await;
            if self.refused.lock().unwrap().contains(key) {
                let source = "scripted".into();
                let error = StoreError::Other { key: key.to_string(), action: "delete".to_owned(), source };
                outcomes.push(DeleteOutcome { key: key.clone(), result: Err(error) });
                continue;
            }
            outcomes.extend(self.inner.delete(std::slice::from_ref(key)).await?);
        }
        Ok(outcomes)
    }

    async fn unfinished(&self, prefix: &str) -> StoreResult<Vec<UnfinishedUpload>> {
        self.inner.unfinished(prefix).await
    }

    async fn abort_unfinished(&self, upload: &UnfinishedUpload) -> StoreResult<()> {
        self.inner.abort_unfinished(upload).await
    }
}
