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

/// An error about a key.
type Fault = fn(&str) -> StoreError;

/// Counts requests, and may overwrite where it should refuse.
#[derive(Debug, Default)]
struct Peer {
    inner: MemoryStore,
    ignores_conditions: bool,
    /// What it answers to conditions, so many times.
    refuses_conditions: Option<(Fault, usize)>,
    refused: AtomicUsize,
    order: Option<ListingOrder>,
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
        if let (Some((error, times)), PutMode::Create) = (self.refuses_conditions, &options.mode)
            && self.refused.fetch_add(1, Ordering::Relaxed) < times
        {
            return Err(error(key.as_str()));
        }
        let mode = if self.ignores_conditions { PutMode::Replace } else { options.mode.clone() };
        self.inner.put(key, body, &PutOptions { mode, ..options.clone() }).await
    }

    async fn multipart(&self, key: &Key, options: &PutOptions) -> StoreResult<Box<dyn Multipart>> {
        self.inner.multipart(key, options).await
    }

    async fn make_durable(&self, keys: &[Key]) -> StoreResult<()> {
        self.inner.make_durable(keys).await
    }

    async fn now(&self) -> StoreResult<Timestamp> {
        self.inner.now().await
    }

    async fn listing_order(&self) -> StoreResult<ListingOrder> {
        self.order.ok_or_else(|| StoreError::NotFound { key: "order".to_owned() })
    }
}

fn key() -> Key {
    Key::new(MARKER_KEY).unwrap()
}

#[tokio::test]
async fn the_first_run_proves_and_later_ones_ask_once() {
    let peer = Peer::default();
    let first = init(&peer, &CLOCK).await.unwrap();
    assert_eq!(first, Marker { format: 1, created_at: Timestamp::UNIX_EPOCH, atomic: true, listing: None });
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

fn unsupported(_: &str) -> StoreError {
    StoreError::Unsupported { action: "s3:PutObject".to_owned(), source: "501 NotImplemented".into() }
}

fn failing(key: &str) -> StoreError {
    let (key, action) = (key.to_owned(), "s3:PutObject".to_owned());
    StoreError::Busy { key, action, source: "500 InternalError".into() }
}

#[tokio::test]
async fn c15_a_store_that_fails_at_conditions_is_refused_in_words() {
    for error in [unsupported as fn(&str) -> StoreError, failing] {
        let peer = Peer { refuses_conditions: Some((error, usize::MAX)), ..Peer::default() };
        for _ in 0..2 {
            let refused = init(&peer, &CLOCK).await.unwrap_err();
            let said = refused.to_string();
            assert!(
                said.contains("does not support conditional writes") && said.contains("with one it answers `50"),
                "{said}"
            );
            assert!(!check(&peer).await.unwrap().unwrap().atomic);
        }
    }
    // One that failed for a while is none of those, whether at the first create or at the second.
    for is_second in [false, true] {
        let peer = Peer { refuses_conditions: Some((failing, 1)), ..Peer::default() };
        if is_second {
            let half = Marker { format: 1, created_at: Timestamp::UNIX_EPOCH, atomic: false, listing: None };
            put(&peer, &key(), &half, PutMode::Replace).await.unwrap();
        }
        assert!(init(&peer, &CLOCK).await.unwrap().atomic);
    }
}

#[tokio::test]
async fn the_order_of_listings_is_noted_once_and_need_not_be_known() {
    let peer = Peer { order: Some(ListingOrder::ByFolder), ..Peer::default() };
    assert_eq!(init(&peer, &CLOCK).await.unwrap().listing, Some(ListingOrder::ByFolder));
    assert_eq!(check(&peer).await.unwrap().unwrap().listing, Some(ListingOrder::ByFolder));

    let mut peer = Peer::default();
    let made = init(&peer, &CLOCK).await.unwrap();
    assert_eq!((made.atomic, made.listing), (true, None), "a store that does not tell");
    assert_eq!(with_order(&peer, made.clone()).await, made);
    peer.order = Some(ListingOrder::ByKey);
    assert_eq!(with_order(&peer, made).await.listing, Some(ListingOrder::ByKey));
    assert_eq!(check(&peer).await.unwrap().unwrap().listing, Some(ListingOrder::ByKey));
}

#[tokio::test]
async fn an_order_of_a_newer_version_is_no_error() {
    let peer = Peer::default();
    let newer = br#"{"format":1,"created_at":"2026-11-21T03:00:00Z","atomic":true,"listing":"by_moon"}"#;
    peer.put(&key(), Bytes::from_static(newer), &PutOptions::new(PutMode::Create)).await.unwrap();
    assert_eq!(check(&peer).await.unwrap().unwrap().listing, Some(ListingOrder::Other));
}

#[tokio::test]
async fn a_proof_cut_short_is_made_up_for() {
    let peer = Peer::ignoring_conditions();
    let half = Marker { format: 1, created_at: Timestamp::UNIX_EPOCH, atomic: false, listing: None };
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
    let half = Marker { format: 1, created_at: Timestamp::UNIX_EPOCH, atomic: false, listing: None };
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
