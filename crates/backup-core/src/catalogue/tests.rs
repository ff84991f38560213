//! What is found, what wins and what is never hidden.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::error::FormatError;
use crate::manifest::{Kind, Outcome, Tool};
use crate::store::memory::MemoryStore;
use crate::store::{ByteStream, ObjectMeta, PutMode, PutOptions, StoreWrite};

fn manifest(sequence: u64, second: i64) -> Manifest {
    Manifest {
        format: FORMAT,
        id: Uuid::from_u128(u128::from(sequence) << 64 | u128::from(second.unsigned_abs())),
        kind: Kind::Pg,
        source: "shop".to_owned(),
        identity: None,
        config: "nightly".to_owned(),
        created_at: Timestamp::from_second(second).unwrap(),
        started_at: Timestamp::from_second(second).unwrap(),
        tool: Tool { name: "lastgood".to_owned(), version: "0.1.0".to_owned(), writer: format!("db1/{sequence}") },
        parent: None,
        sequence,
        outcome: Outcome::Good,
        complete: None,
        parts: Vec::new(),
        counts: std::collections::BTreeMap::new(),
        tags: Vec::new(),
        encryption: None,
        requires: Vec::new(),
        external: Vec::new(),
        detail: serde_json::Value::Null,
        unknown: serde_json::Map::new(),
    }
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn backup_key(name: &str) -> Key {
    key(&format!("pg/shop/{name}.dump/manifest.json"))
}

fn pointer() -> Key {
    key("pg/shop/latest.json")
}

async fn write(store: &MemoryStore, at: &str, body: &'static [u8]) {
    store.put(&key(at), Bytes::from_static(body), &PutOptions::new(PutMode::Replace)).await.unwrap();
}

/// Leaves the newest folders out of listings, as an eventually consistent listing does.
#[derive(Debug)]
struct LaggingListing {
    inner: MemoryStore,
    hidden: &'static str,
}

#[async_trait]
impl StoreRead for LaggingListing {
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
        let mut children = self.inner.list_children(prefix).await?;
        children.retain(|child| !child.contains(self.hidden));
        Ok(children)
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

#[tokio::test]
async fn both_layouts_are_found_in_key_order_and_nothing_else() {
    let store = MemoryStore::new();
    for at in ["pg/shop/b.dump/manifest.json", "pg/shop/a.dump/manifest.json", "app/notes/x.tar.gz.manifest.json"] {
        publish(&store, &key(at), &manifest(1, 10), &pointer()).await.unwrap();
    }
    write(&store, "pg/shop/c.dump/data/p00000.pack", b"no manifest, no backup").await;
    write(&store, "pg/shop/a.dump/data/manifest.json", b"inside a backup").await;
    write(&store, "pg/shop/old.dump", b"a plain file").await;
    write(&store, "app/notes/notmanifest.json", b"{}").await;
    let keys = |entries: Vec<Entry>| entries.into_iter().map(|entry| entry.key.to_string()).collect::<Vec<_>>();
    assert_eq!(
        keys(list(&store, "").await.unwrap()),
        ["app/notes/x.tar.gz.manifest.json", "pg/shop/a.dump/manifest.json", "pg/shop/b.dump/manifest.json"]
    );
    assert_eq!(keys(list(&store, "app/").await.unwrap()).len(), 1);
    assert_eq!(keys(list(&store, "nothing/").await.unwrap()).len(), 0);
}

#[tokio::test]
async fn a_damaged_manifest_is_shown_with_what_is_wrong() {
    let store = MemoryStore::new();
    publish(&store, &backup_key("a"), &manifest(1, 10), &pointer()).await.unwrap();
    write(&store, backup_key("b").as_str(), b"{\"format\":1").await;
    write(&store, backup_key("c").as_str(), b"{\"format\":9}").await;
    let entries = list(&store, "pg/").await.unwrap();
    assert!(entries[0].manifest.is_ok());
    assert!(matches!(entries[1].manifest, Err(FormatError::Invalid { .. })));
    assert!(matches!(entries[2].manifest, Err(FormatError::Newer { found: 9, .. })));
    assert!(entries[0].complete().is_some() && entries[1].complete().is_none());
}

#[tokio::test]
async fn many_manifests_are_all_read() {
    let store = MemoryStore::new();
    for n in 1..=500 {
        publish(&store, &backup_key(&format!("{n:03}")), &manifest(n, 10), &pointer()).await.unwrap();
    }
    assert_eq!(list(&store, "pg/").await.unwrap().len(), 500);
    assert_eq!(next_sequence(&store, "pg/shop/", &pointer()).await.unwrap(), 501);
}

#[tokio::test]
async fn c4_of_two_writers_of_one_key_one_wins_and_both_are_named() {
    let store = MemoryStore::new();
    publish(&store, &backup_key("a"), &manifest(1, 10), &pointer()).await.unwrap();
    let error = publish(&store, &backup_key("a"), &manifest(2, 11), &pointer()).await.unwrap_err();
    assert!(matches!(&error, CoreError::Taken { ours, theirs, .. } if ours == "db1/2" && theirs == "db1/1"), "{error}");
    let text = error.to_string();
    assert!(text.contains("db1/1") && text.contains("db1/2"), "{text}");
    assert_eq!(read(&store, &backup_key("a")).await.unwrap().sequence, 1);
}

#[tokio::test]
async fn c3_publishing_the_same_bytes_again_is_no_error() {
    let store = MemoryStore::new();
    for _ in 0..2 {
        let published = publish(&store, &backup_key("a"), &manifest(1, 10), &pointer()).await.unwrap();
        assert!(published.pointer_fault.is_none() && published.manifest_bytes > 100);
    }
}

#[tokio::test]
async fn c11_a_listing_that_omits_the_newest_does_no_harm() {
    let store = MemoryStore::new();
    for (n, name) in [(1, "a"), (2, "b"), (3, "new")] {
        publish(&store, &backup_key(name), &manifest(n, 10), &pointer()).await.unwrap();
    }
    let lagging = LaggingListing { inner: store, hidden: "new" };
    assert_eq!(list(&lagging, "pg/shop/").await.unwrap().len(), 2, "the listing really omits it");
    let Backup { key, manifest: newest } =
        newest(&lagging, "pg/shop/", &pointer(), Manifest::is_complete).await.unwrap().unwrap();
    assert_eq!((key, newest.sequence), (backup_key("new"), 3));
    assert_eq!(next_sequence(&lagging, "pg/shop/", &pointer()).await.unwrap(), 4);
}

#[tokio::test]
async fn c13_the_sequence_orders_before_the_clock() {
    let store = MemoryStore::new();
    publish(&store, &backup_key("ahead"), &manifest(1, 7_200), &pointer()).await.unwrap();
    publish(&store, &backup_key("corrected"), &manifest(2, 60), &pointer()).await.unwrap();
    let key = newest(&store, "pg/shop/", &pointer(), Manifest::is_complete).await.unwrap().unwrap().key;
    assert_eq!(key, backup_key("corrected"));
}

#[tokio::test]
async fn the_pointer_is_only_a_hint() {
    let store = MemoryStore::new();
    publish(&store, &backup_key("a"), &manifest(2, 10), &pointer()).await.unwrap();
    publish(&store, &backup_key("slow"), &manifest(1, 5), &pointer()).await.unwrap();
    let at = read_pointer(&store, &pointer()).await.unwrap().unwrap();
    assert_eq!(at.manifest, backup_key("a"), "a slower, older run does not set it back");

    let found =
        async || newest(&store, "pg/shop/", &pointer(), Manifest::is_complete).await.unwrap().map(|backup| backup.key);
    for nonsense in [&b"not json"[..], br#"{"format":1}"#, br#"{"format":1,"manifest":"../x","sequence":1}"#] {
        write(&store, "pg/shop/latest.json", nonsense).await;
        assert_eq!(found().await, Some(backup_key("a")));
    }
    let gone = br#"{"format":1,"manifest":"pg/shop/gone.dump/manifest.json","sequence":9,"created_at":"2026-01-01T00:00:00Z"}"#;
    write(&store, "pg/shop/latest.json", gone).await;
    assert_eq!(found().await, Some(backup_key("a")));
}

#[tokio::test]
async fn partial_backups_are_listed_and_never_latest() {
    let store = MemoryStore::new();
    let partial = Manifest { outcome: Outcome::Partial, ..manifest(5, 50) };
    publish(&store, &backup_key("p"), &partial, &pointer()).await.unwrap();
    let left_out = Manifest { complete: Some(false), ..manifest(6, 60) };
    publish(&store, &backup_key("q"), &left_out, &pointer()).await.unwrap();
    assert_eq!(newest(&store, "pg/shop/", &pointer(), Manifest::is_complete).await.unwrap(), None);
    assert!(read_pointer(&store, &pointer()).await.unwrap().is_none());
    publish(&store, &backup_key("a"), &manifest(1, 10), &pointer()).await.unwrap();
    assert_eq!(
        newest(&store, "pg/shop/", &pointer(), Manifest::is_complete).await.unwrap().unwrap().key,
        backup_key("a")
    );
    assert_eq!(list(&store, "pg/").await.unwrap().len(), 3);
}

#[tokio::test]
async fn reading_a_backup_that_is_not_there_says_so() {
    let error = read(&MemoryStore::new(), &backup_key("a")).await.unwrap_err();
    assert!(matches!(error, CoreError::Store(StoreError::NotFound { .. })));
}
