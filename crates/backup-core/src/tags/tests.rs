//! Tests of tags, on a store in memory and in a folder.

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::store::fs::FsStore;
use crate::store::memory::MemoryStore;

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn texts(tags: &[&str]) -> Vec<String> {
    tags.iter().map(ToString::to_string).collect()
}

fn adding(tags: &[&str]) -> Change {
    Change { add: texts(tags), remove: Vec::new() }
}

/// A folder with one backup, which was made with the tag `first`.
async fn store() -> MemoryStore {
    let store = MemoryStore::new();
    let manifest = key("pg/shop/a.dump/manifest.json");
    store.put(&manifest, Bytes::from_static(b"{}"), &PutOptions::new(PutMode::Create)).await.unwrap();
    store
}

async fn changed(store: &dyn StoreWrite, wanted: &Change) -> Result<Changed, CoreError> {
    let (folder, manifest, original) = (key("pg/shop"), key("pg/shop/a.dump/manifest.json"), texts(&["first"]));
    change(store, Tagged { folder: &folder, name: "a.dump", manifest: &manifest, original: &original }, wanted).await
}

async fn now(store: &dyn StoreRead) -> Vec<String> {
    Tags::read(store, &key("pg/shop")).await.unwrap().of("a.dump", &texts(&["first"]))
}

#[test]
fn a_change_keeps_order_and_repeats_nothing() {
    let both = Change { add: texts(&["b", "c", "b"]), remove: texts(&["a", "c"]) };
    assert_eq!(both.of(&texts(&["a", "b", "c", "d"])), ["b", "c", "d"]);
    assert_eq!(both.of(&[]), ["b", "c"]);
    assert_eq!(Change::default().of(&texts(&["x", "x"])), ["x"]);
}

#[test]
fn texts_that_are_no_tags_are_refused() {
    let long = "x".repeat(TAG_BYTES_MAX + 1);
    for wrong in ["", " a", "a\n", long.as_str()] {
        assert!(fault(wrong).is_some(), "{wrong:?}");
    }
    for right in ["a", "release=1.2 rc", "=", &long[1..]] {
        assert_eq!(fault(right), None, "{right:?}");
    }
    assert!(fault_in(&texts(&["a", ""])).is_some(), "one that is none");
    let many: Vec<String> = (0..=TAGS_MAX).map(|at| at.to_string()).collect();
    assert!(fault_in(&many).is_some() && fault_in(&many[1..]).is_none() && fault_in(&[]).is_none());
}

#[tokio::test]
async fn tags_come_and_go_and_the_last_state_wins() {
    let store = store().await;
    assert_eq!(now(&store).await, ["first"], "as it was made");
    let added = changed(&store, &adding(&["keep", "env=prod"])).await.unwrap();
    assert_eq!(added, Changed { tags: texts(&["first", "keep", "env=prod"]), written: true, doomed: false });
    assert!(!changed(&store, &adding(&["keep"])).await.unwrap().written, "it has it already");
    let removed = Change { add: Vec::new(), remove: texts(&["first", "keep"]) };
    changed(&store, &removed).await.unwrap();
    assert_eq!(now(&store).await, ["env=prod"], "the tag it was made with can be taken, too");
    let back = Change { add: texts(&["first"]), remove: texts(&["env=prod"]) };
    changed(&store, &back).await.unwrap();
    assert!(!Tags::read(&store, &key("pg/shop")).await.unwrap().knows("a.dump"), "as it was made again");
}

#[tokio::test]
async fn many_changes_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(FsStore::open(folder.path()).unwrap());
    let manifest = key("pg/shop/a.dump/manifest.json");
    store.put(&manifest, Bytes::from_static(b"{}"), &PutOptions::new(PutMode::Create)).await.unwrap();
    let tasks = (0..8).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { changed(&*store, &adding(&[&format!("t{number}")])).await.map(drop) })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap().unwrap();
    }
    let mut tags = now(&*store).await;
    tags.sort_unstable();
    assert_eq!(tags, ["first", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7"]);
}

#[tokio::test]
async fn what_a_prune_has_begun_to_delete_is_told_and_what_is_gone_is_an_error() {
    let store = store().await;
    let tombstone = key("pg/shop/a.dump/deleted.json");
    store.put(&tombstone, Bytes::from_static(b"{}"), &PutOptions::new(PutMode::Create)).await.unwrap();
    assert!(changed(&store, &adding(&["keep"])).await.unwrap().doomed);
    let empty = MemoryStore::new();
    let gone = changed(&empty, &adding(&["keep"])).await.unwrap_err();
    assert!(matches!(&gone, CoreError::Store(error) if error.is_not_found()), "{gone:?}");
}

#[tokio::test]
async fn a_document_of_a_newer_version_is_refused_and_a_field_of_one_is_kept() {
    let store = store().await;
    let at = key("pg/shop/tags.json");
    let write = async |text: &'static str| {
        store.put(&at, Bytes::from_static(text.as_bytes()), &PutOptions::new(PutMode::Replace)).await.unwrap();
    };
    write(r#"{"format":2,"backups":{}}"#).await;
    for refused in
        [changed(&store, &adding(&["keep"])).await.map(drop), Tags::read(&store, &key("pg/shop")).await.map(drop)]
    {
        assert!(matches!(&refused, Err(CoreError::Format(FormatError::Newer { .. }))), "{refused:?}");
    }
    write(r#"{"format":1,"backups":{"b.dump":["x"]},"later":true}"#).await;
    changed(&store, &adding(&["keep"])).await.unwrap();
    let stored = document::read(&store, &at, DOCUMENT_BYTES_MAX).await.unwrap();
    let stored: Value = serde_json::from_slice(&stored).unwrap();
    assert_eq!(stored["later"], true);
    assert_eq!(stored["backups"]["b.dump"][0], "x", "of another backup");
    forget(&store, &key("pg/shop"), &texts(&["b.dump"])).await.unwrap();
    let tags = Tags::read(&store, &key("pg/shop")).await.unwrap();
    assert!(tags.knows("a.dump") && !tags.knows("b.dump"));
}
