//! What the probe accepts, refuses and costs.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use super::*;
use crate::clock::FixedClock;
use crate::store::memory::MemoryStore;
use crate::store::{ByteStream, Multipart, ObjectMeta, StoreResult};

const CLOCK: FixedClock = FixedClock(Timestamp::UNIX_EPOCH);

/// Counts requests, and may overwrite where it should refuse.
#[derive(Debug, Default)]
struct Peer {
    inner: MemoryStore,
    ignores_conditions: bool,
    requests: AtomicUsize,
}

impl Peer {
    fn ignoring_conditions() -> Self {
        Self { ignores_conditions: true, ..Self::default() }
    }

    fn requests(&self) -> usize {
        self.requests.swap(0, Ordering::Relaxed)
    }

    fn count(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl StoreRead for Peer {
    async fn head(&self, key: &Key) -> StoreResult<ObjectMeta> {
        self.count();
        self.inner.head(key).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> StoreResult<ByteStream> {
        self.count();
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
}

#[async_trait]
impl StoreWrite for Peer {
    async fn put(&self, key: &Key, body: Bytes, options: &PutOptions) -> StoreResult<()> {
        self.count();
        let mode = if self.ignores_conditions { PutMode::Replace } else { options.mode.clone() };
        self.inner.put(key, body, &PutOptions { mode, ..options.clone() }).await
    }

    async fn multipart(&self, key: &Key, options: &PutOptions) -> StoreResult<Box<dyn Multipart>> {
        self.inner.multipart(key, options).await
    }

    async fn now(&self) -> StoreResult<Timestamp> {
        self.inner.now().await
    }
}

fn key() -> Key {
    Key::new(MARKER_KEY).unwrap()
}

#[tokio::test]
async fn the_first_run_proves_and_later_ones_ask_once() {
    let peer = Peer::default();
    let first = init(&peer, &CLOCK).await.unwrap();
    assert_eq!(first, Marker { format: 1, created_at: Timestamp::UNIX_EPOCH, atomic: true });
    assert_eq!(peer.requests(), 4, "read, create, refused create, note");
    assert_eq!(init(&peer, &CLOCK).await.unwrap(), first);
    assert_eq!(peer.requests(), 1);
    assert_eq!(check(&peer).await.unwrap(), Some(first));
}

#[tokio::test]
async fn c15_a_store_that_ignores_conditions_is_refused_every_time() {
    let peer = Peer::ignoring_conditions();
    for _ in 0..2 {
        let error = init(&peer, &CLOCK).await.unwrap_err();
        assert!(error.to_string().contains("does not support conditional writes"), "{error}");
        assert!(matches!(error, CoreError::Store(StoreError::Unsuitable { .. })));
    }
}

#[tokio::test]
async fn a_proof_cut_short_is_made_up_for() {
    let peer = Peer::ignoring_conditions();
    let half = Marker { format: 1, created_at: Timestamp::UNIX_EPOCH, atomic: false };
    put(&peer, &key(), &half, PutMode::Create).await.unwrap();
    init(&peer, &CLOCK).await.unwrap_err();

    let peer = Peer::default();
    put(&peer, &key(), &half, PutMode::Create).await.unwrap();
    assert!(init(&peer, &CLOCK).await.unwrap().atomic);
}

#[tokio::test]
async fn c8_a_newer_layout_is_refused_even_if_nothing_else_parses() {
    let peer = Peer::default();
    let newer = br#"{"format":2,"created_at":{"era":"later"}}"#;
    peer.put(&key(), Bytes::from_static(newer), &PutOptions::new(PutMode::Create)).await.unwrap();
    peer.requests();
    for error in [init(&peer, &CLOCK).await.unwrap_err(), check(&peer).await.map(drop).unwrap_err()] {
        assert!(matches!(error, CoreError::Format(FormatError::Newer { found: 2, supported: 1, .. })), "{error}");
    }
    assert_eq!(peer.requests(), 2, "nothing was written");
}

#[tokio::test]
async fn readers_write_nothing_and_take_an_unmarked_location() {
    let peer = Peer::default();
    assert_eq!(check(&peer).await.unwrap(), None);
    assert_eq!(peer.requests(), 1);
}

#[tokio::test]
async fn a_writer_makes_no_location() {
    let peer = Peer::default();
    let error = require(&peer).await.unwrap_err();
    assert!(matches!(error, CoreError::Store(StoreError::NotInitialized { .. })), "{error}");
    assert_eq!(peer.requests(), 1, "nothing was written");

    let made = init(&peer, &CLOCK).await.unwrap();
    peer.requests();
    assert_eq!(require(&peer).await.unwrap(), made);
    assert_eq!(peer.requests(), 1);
}

#[tokio::test]
async fn a_writer_makes_up_for_a_proof_cut_short() {
    let half = Marker { format: 1, created_at: Timestamp::UNIX_EPOCH, atomic: false };
    for (peer, passes) in [(Peer::ignoring_conditions(), false), (Peer::default(), true)] {
        put(&peer, &key(), &half, PutMode::Create).await.unwrap();
        assert_eq!(require(&peer).await.is_ok_and(|marker| marker.atomic), passes);
    }
}

#[tokio::test]
async fn two_first_runs_at_once_both_succeed() {
    let peer = Peer::default();
    let (one, two) = tokio::join!(init(&peer, &CLOCK), init(&peer, &CLOCK));
    assert!(one.unwrap().atomic && two.unwrap().atomic);
}
