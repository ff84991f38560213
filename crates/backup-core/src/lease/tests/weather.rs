//! A store whose clock is told coarsely, and whose requests and answers are lost, late, slow or doubled, by dice.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::stream::BoxStream;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::clock::{Stopwatch, Timestamp};
use crate::error::StoreError;
use crate::key::Key;
use crate::store::memory::MemoryStore;
use crate::store::{
    ByteStream, Multipart, ObjectMeta, PutMode, PutOptions, StoreDelete as _, StoreRead, StoreResult, StoreWrite, Tag,
};

/// Longest a request or an answer is on its way: longer than a lease lasts.
const LATE_MAX: Duration = Duration::from_secs(25);

/// Dice that fall the same for the same seed (SplitMix64).
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    pub(super) fn time(&mut self, below: Duration) -> Duration {
        Duration::from_millis(self.below(u64::try_from(below.as_millis()).unwrap().max(1)))
    }
}

/// A stopwatch that runs fast or slow.
#[derive(Debug)]
pub(super) struct Drifting {
    begin: Instant,
    per_mille: i32,
}

impl Drifting {
    pub(super) fn new(per_mille: i32) -> Self {
        Self { begin: Instant::now(), per_mille }
    }
}

impl Stopwatch for Drifting {
    fn elapsed(&self) -> Duration {
        self.begin.elapsed() * u32::try_from(1_000 + self.per_mille).unwrap() / 1_000
    }
}

/// The store. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Weather {
    inner: MemoryStore,
    begin: Instant,
    is_bad: bool,
    ignores_conditions: bool,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    dice: Dice,
    /// The greatest generation that was stored under each key.
    generations: BTreeMap<Key, u64>,
    faults: Vec<String>,
}

impl Weather {
    pub(super) fn fair() -> Self {
        let state = State { dice: Dice::new(0), generations: BTreeMap::new(), faults: Vec::new() };
        let (inner, begin, state) = (MemoryStore::new(), Instant::now(), Arc::new(Mutex::new(state)));
        Self { inner, begin, is_bad: false, ignores_conditions: false, state }
    }

    pub(super) fn bad(seed: u64) -> Self {
        let fair = Self::fair();
        fair.state.lock().unwrap().dice = Dice::new(seed);
        Self { is_bad: true, ..fair }
    }

    pub(super) fn lawless() -> Self {
        Self { ignores_conditions: true, ..Self::fair() }
    }

    /// What was stored and must not have been.
    pub(super) fn faults(&self) -> Vec<String> {
        self.state.lock().unwrap().faults.clone()
    }

    pub(super) fn remove(&self, key: &Key) {
        let removed = self.inner.delete(std::slice::from_ref(key)).now_or_never();
        assert!(removed.unwrap().unwrap()[0].result.is_ok());
    }

    pub(super) async fn tag(&self, key: &Key) -> Tag {
        self.inner.head(key).await.unwrap().tag.unwrap()
    }

    fn throw(&self, bound: u64) -> u64 {
        self.state.lock().unwrap().dice.below(bound)
    }

    fn delay(&self) -> Duration {
        self.state.lock().unwrap().dice.time(LATE_MAX)
    }

    /// Some requests and answers take their time.
    async fn way(&self) {
        if self.is_bad {
            match self.throw(20) {
                0 => sleep(self.delay()).await,
                _ => sleep(Duration::from_millis(self.throw(100))).await,
            }
        }
    }

    async fn reading<T>(&self, key: &Key, read: impl Future<Output = StoreResult<T>>) -> StoreResult<T> {
        self.way().await;
        let read = read.await;
        self.way().await;
        if self.is_bad && self.throw(25) == 0 { Err(lost(key)) } else { read }
    }

    async fn apply(&self, key: &Key, body: Bytes, options: &PutOptions) -> StoreResult<()> {
        let mode = if self.ignores_conditions { PutMode::Replace } else { options.mode.clone() };
        let fields: Value = serde_json::from_slice(&body).unwrap_or_default();
        let generation = fields["generation"].as_u64().or_else(|| fields["lease"]["generation"].as_u64());
        self.inner.put(key, body, &PutOptions { mode, ..options.clone() }).await?;
        let mut state = self.state.lock().unwrap();
        let (before, generation) = (state.generations.get(key).copied(), generation.unwrap_or_default());
        if before.is_some_and(|before| generation < before) && !self.ignores_conditions {
            state.faults.push(format!("`{key}` has generation {generation} after {before:?}"));
        }
        state.generations.insert(key.clone(), generation);
        Ok(())
    }

    /// The same again, later.
    fn apply_later(&self, key: &Key, body: Bytes, options: &PutOptions) {
        let (store, key, options, delay) = (self.clone(), key.clone(), options.clone(), self.delay());
        tokio::spawn(async move {
            sleep(delay).await;
            drop(store.apply(&key, body, &options).await);
        });
    }
}

fn lost(key: &Key) -> StoreError {
    StoreError::Unreachable { key: key.to_string(), action: "ask".to_owned(), source: "the answer was lost".into() }
}

#[async_trait]
impl StoreRead for Weather {
    async fn head(&self, key: &Key) -> StoreResult<ObjectMeta> {
        self.reading(key, self.inner.head(key)).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> StoreResult<ByteStream> {
        self.reading(key, self.inner.get(key, range)).await
    }

    fn list(&self, prefix: &str, after: Option<&Key>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.inner.list(prefix, after)
    }

    async fn list_children(&self, prefix: &str) -> StoreResult<Vec<String>> {
        self.inner.list_children(prefix).await
    }

    fn describe(&self) -> String {
        "weather".to_owned()
    }
}

#[async_trait]
impl StoreWrite for Weather {
    async fn put(&self, key: &Key, body: Bytes, options: &PutOptions) -> StoreResult<()> {
        self.way().await;
        match if self.is_bad { self.throw(20) } else { 20 } {
            // The request is lost, or only late.
            0 | 1 => Err(lost(key)),
            2 | 3 => {
                self.apply_later(key, body, options);
                Err(lost(key))
            }
            // The answer is lost.
            4 | 5 => {
                drop(self.apply(key, body, options).await);
                Err(lost(key))
            }
            // The request arrives twice.
            6 | 7 => {
                self.apply_later(key, body.clone(), options);
                self.apply(key, body, options).await
            }
            _ => {
                let put = self.apply(key, body, options).await;
                self.way().await;
                put
            }
        }
    }

    async fn multipart(&self, key: &Key, options: &PutOptions) -> StoreResult<Box<dyn Multipart>> {
        self.inner.multipart(key, options).await
    }

    /// As servers tell it in HTTP: to the second, each server up to a second behind.
    async fn make_durable(&self, keys: &[Key]) -> StoreResult<()> {
        self.inner.make_durable(keys).await
    }

    async fn now(&self) -> StoreResult<Timestamp> {
        self.way().await;
        let behind = if self.is_bad { self.throw(1_000) } else { 0 };
        let passed = i64::try_from(self.begin.elapsed().as_millis()).unwrap() - i64::try_from(behind).unwrap();
        let told = Timestamp::from_second(1_000_000 + passed.div_euclid(1_000)).unwrap();
        self.way().await;
        Ok(told)
    }
}
