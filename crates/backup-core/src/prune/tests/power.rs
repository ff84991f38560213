//! Power failures in the middle of a prune: of what was not durable some is lost, and of what is published nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures_util::future::select;
use futures_util::stream::BoxStream;
use jiff::SignedDuration;

use super::interleaved::later;
use super::peer::Random;
use super::*;
use crate::document;
use crate::error::StoreError;
use crate::progress::Silent;
use crate::prune::{GRACE, PruneOutcome, PrunePlan, apply, clear, folder_layout, incomplete, names};
use crate::run::Run;
use crate::store::memory::MemoryStore;
use crate::store::{ByteStream, DeleteOutcome, Multipart, ObjectMeta, StoreDelete, StoreResult, UnfinishedUpload};

const SEEDS: u64 = 600;

/// Most times a prune is let go on before the power fails: about as many as a whole one takes.
const POLLS_MAX: u64 = 130;

/// What a store does when it is told to make something durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disk {
    Obeys,
    /// It says that it did.
    Lies,
    Fails,
}

/// A store that holds back deletions, and volatile objects, until they are made durable.
#[derive(Debug)]
struct HoldsBack {
    inner: MemoryStore,
    disk: Disk,
    /// What the disk has of keys whose last change it may lack.
    held: Mutex<BTreeMap<Key, Option<Bytes>>>,
    /// Volatile objects that are being written now, and most of them at once.
    writing: AtomicUsize,
    most: AtomicUsize,
    /// How often something was made durable.
    waits: AtomicUsize,
}

impl HoldsBack {
    fn new(disk: Disk) -> Self {
        let (writing, most, waits) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        Self { inner: MemoryStore::new(), disk, held: Mutex::default(), writing, most, waits }
    }

    async fn content(&self, key: &Key) -> Option<Bytes> {
        document::read(&self.inner, key, 1_000_000).await.ok()
    }

    async fn hold_back(&self, key: &Key) {
        let before = self.content(key).await;
        self.held.lock().unwrap().entry(key.clone()).or_insert(before);
    }

    /// The power fails: of what was held back each is there, or empty, or as it was before. Returns which keys that were.
    async fn fail(&self, random: &mut Random) -> BTreeSet<Key> {
        let held = std::mem::take(&mut *self.held.lock().unwrap());
        let keys = held.keys().cloned().collect();
        for (key, before) in held {
            let written = self.content(&key).await.is_some();
            let left = match random.below(3) {
                0 => continue,
                1 if written => Some(Bytes::new()),
                _ => before,
            };
            match left {
                Some(body) => self.inner.put(&key, body, &PutOptions::new(PutMode::Replace)).await.unwrap(),
                None => drop(self.inner.delete(&[key]).await.unwrap()),
            }
        }
        keys
    }
}

#[async_trait]
impl StoreRead for HoldsBack {
    async fn head(&self, key: &Key) -> StoreResult<ObjectMeta> {
        tokio::task::yield_now().await;
        self.inner.head(key).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> StoreResult<ByteStream> {
        tokio::task::yield_now().await;
        self.inner.get(key, range).await
    }

    fn list(&self, prefix: &str, after: Option<&Key>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.inner.list(prefix, after)
    }

    async fn list_children(&self, prefix: &str) -> StoreResult<Vec<String>> {
        tokio::task::yield_now().await;
        self.inner.list_children(prefix).await
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

#[async_trait]
impl StoreWrite for HoldsBack {
    async fn put(&self, key: &Key, body: Bytes, options: &PutOptions) -> StoreResult<()> {
        let writing = self.writing.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(writing, Ordering::Relaxed);
        tokio::task::yield_now().await;
        let before = self.content(key).await;
        let put = self.inner.put(key, body, options).await;
        self.writing.fetch_sub(1, Ordering::Relaxed);
        put?;
        let mut held = self.held.lock().unwrap();
        if options.volatile {
            held.entry(key.clone()).or_insert(before);
        } else {
            held.remove(key);
        }
        Ok(())
    }

    async fn multipart(&self, key: &Key, options: &PutOptions) -> StoreResult<Box<dyn Multipart>> {
        self.inner.multipart(key, options).await
    }

    async fn make_durable(&self, keys: &[Key]) -> StoreResult<()> {
        tokio::task::yield_now().await;
        self.waits.fetch_add(1, Ordering::Relaxed);
        match self.disk {
            Disk::Obeys => self.held.lock().unwrap().retain(|key, _| !keys.contains(key)),
            Disk::Lies => {}
            Disk::Fails => {
                let (key, action) = (keys[0].to_string(), "make durable".to_owned());
                return Err(StoreError::Other { key, action, source: "scripted".into() });
            }
        }
        Ok(())
    }

    async fn now(&self) -> StoreResult<Timestamp> {
        self.inner.now().await
    }
}

#[async_trait]
impl StoreDelete for HoldsBack {
    async fn delete(&self, keys: &[Key]) -> StoreResult<Vec<DeleteOutcome>> {
        let mut outcomes = Vec::new();
        for key in keys {
            tokio::task::yield_now().await;
            self.hold_back(key).await;
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

async fn prune(store: &HoldsBack, now: Timestamp) -> PruneOutcome {
    let entries = entries(store).await;
    let plan = PrunePlan::new(&entries, &keep_last(&entries, 1)).unwrap();
    let outcome = apply(store, &plan, SCOPE, &[], &Run::silent()).await.unwrap();
    let left = incomplete(store, SCOPE, folder_layout(3, ".dump"), now, GRACE).await.unwrap();
    clear(store, &left, SCOPE, &Silent).await.unwrap();
    outcome
}

/// Parts that a published backup lacks.
async fn lost(store: &HoldsBack) -> usize {
    let mut lost = 0;
    for entry in entries(&store.inner).await {
        for part in entry.manifest.unwrap().parts {
            lost += usize::from(store.content(&part.key).await.is_none_or(|stored| stored != body(&part.key)));
        }
    }
    lost
}

/// A location whose prune is cut short, and how it stands then: what is lost, and what was held back.
async fn cut_short(seed: u64, disk: Disk) -> (HoldsBack, usize, BTreeSet<Key>) {
    let store = HoldsBack::new(disk);
    let mut random = Random(seed);
    for sequence in 1..=5 {
        backup(&store.inner, &format!("old{sequence}"), sequence, &["p0", "p1"]).await;
    }
    let borrowed = [part_key("old2", "p0"), part_key("old6", "p")];
    put(&store.inner, &borrowed[1]).await;
    publish(&store.inner, "old6", &manifest("old6", 6, &borrowed)).await;
    let polls = random.below(POLLS_MAX);
    drop(select(pin!(prune(&store, Timestamp::now())), pin!(later(polls, async {}))).await);
    let held = store.fail(&mut random).await;
    let lost = lost(&store).await;
    (store, lost, held)
}

#[test]
fn a_power_failure_at_any_step_loses_nothing_that_is_published_and_the_rest_goes_later() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (mut marks, mut manifests, mut parts) = (0, 0, 0);
    for seed in 0..SEEDS {
        runtime.block_on(async {
            let (store, lost, held) = cut_short(seed, Disk::Obeys).await;
            assert_eq!(lost, 0, "seed {seed}");
            marks += u64::from(held.iter().any(names::is_tombstone));
            manifests += u64::from(held.iter().any(catalogue::is_manifest));
            parts += u64::from(held.iter().any(|key| key.as_str().contains("/data/")));
            for days in [0, 2, 4, 6, 8] {
                let now = Timestamp::now() + SignedDuration::from_hours(24 * days);
                assert!(prune(&store, now).await.is_complete(), "seed {seed}");
                assert_readable(&store.inner, &format!("seed {seed}")).await;
            }
            let expected = ["latest.json", "old2.dump/data/p0", "old6.dump/data/p", "old6.dump/manifest.json"]
                .map(|name| format!("pg/shop/{name}"));
            assert_eq!(objects(&store.inner).await, expected, "seed {seed}");
        });
    }
    assert!([marks, manifests, parts].iter().all(|count| *count >= SEEDS / 50), "{marks} {manifests} {parts}");
}

#[test]
fn a_disk_that_only_says_so_would_lose_parts_of_what_comes_back() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let losses = (0..SEEDS).filter(|seed| runtime.block_on(cut_short(*seed, Disk::Lies)).1 > 0).count();
    assert!(losses > 0, "the test above can never fail");
}

#[tokio::test]
async fn nothing_is_deleted_under_a_mark_that_the_disk_does_not_take() {
    let store = HoldsBack::new(Disk::Fails);
    for (sequence, name) in [(1, "a"), (2, "b")] {
        backup(&store.inner, name, sequence, &["p0"]).await;
    }
    let outcome = prune(&store, Timestamp::now()).await;
    assert_eq!((outcome.removed.len(), outcome.failures.len()), (0, 1), "{outcome:?}");
    assert_readable(&store.inner, "after").await;
    assert_eq!(entries(&store.inner).await.len(), 2);
}

#[tokio::test]
async fn a_hundred_wait_as_often_as_one_and_are_marked_side_by_side() {
    let mut waits = Vec::new();
    for backups in [1, 100] {
        let store = HoldsBack::new(Disk::Obeys);
        for sequence in 0..=backups {
            backup(&store.inner, &format!("old{sequence}"), sequence, &["p0"]).await;
        }
        let outcome = prune(&store, Timestamp::now()).await;
        assert!(outcome.is_complete() && outcome.removed.len() as u64 == backups, "{outcome:?}");
        waits.push(store.waits.into_inner());
        let most = store.most.into_inner();
        assert!(most <= catalogue::CONCURRENCY && (backups == 1 || most > 1), "{most} at once");
    }
    assert_eq!(waits, [2, 2]);
}

#[tokio::test]
async fn an_empty_tombstone_or_reservation_is_none() {
    let store = HoldsBack::new(Disk::Obeys);
    for (sequence, name) in [(1, "a"), (2, "b"), (3, "c")] {
        backup(&store.inner, name, sequence, &["p0"]).await;
    }
    let never = names::uses_key(&manifest_key("never")).unwrap();
    for emptied in
        [names::tombstone_key(&manifest_key("a")).unwrap(), names::tombstone_key(&manifest_key("c")).unwrap(), never]
    {
        store.inner.put(&emptied, Bytes::new(), &PutOptions::new(PutMode::Create)).await.unwrap();
    }
    assert!(!names::is_removing(&store, &manifest_key("a")).await.unwrap());
    let outcome = prune(&store, Timestamp::now()).await;
    assert!(outcome.is_complete(), "{outcome:?}");
    assert_eq!(outcome.removed.len(), 2);
    // The one that stays loses its tombstone when that is old, as the reservation goes with what its writer left.
    for days in [2, 4] {
        prune(&store, Timestamp::now() + SignedDuration::from_hours(24 * days)).await;
    }
    assert_eq!(
        objects(&store.inner).await,
        ["pg/shop/c.dump/data/p0", "pg/shop/c.dump/manifest.json", "pg/shop/latest.json"]
    );
}
