//! Checks of whole objects: read after write, conditions, ranges, deletion.

use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::future::join_all;

use super::folder::Folder;
use crate::error::StoreError;
use crate::pipeline::read_all;
use crate::store::{PutMode, PutOptions, SharedStore, Tag};

/// Writers that race for one key.
const RACERS: usize = 12;

/// Contract 2: what `put` wrote is what `head`, `get` and `list` show; `Replace` replaces it.
///
/// # Panics
/// Where the store breaks the contract.
pub async fn reads_what_was_written(store: &SharedStore) {
    let folder = Folder::new(store);
    for (name, body) in [("empty", &b""[..]), ("some", b"some bytes"), ("deep/er/than \"that\" é", b"x")] {
        folder.put(name, body).await;
        let key = folder.key(name);
        assert_eq!(folder.read(&key).await, body, "another body than was written");
        let meta = store.head(&key).await.expect("an object has a head");
        assert_eq!((&meta.key, meta.bytes), (&key, body.len() as u64));
        assert!(meta.tag.is_some(), "`head` must tell the version");
        let listed: Vec<_> = store.list(key.as_str(), None).try_collect().await.expect("an object is listed");
        assert_eq!(listed.iter().map(|meta| (&meta.key, meta.bytes)).collect::<Vec<_>>(), [(&key, meta.bytes)]);
    }
    let key = folder.key("some");
    let options = PutOptions::new(PutMode::Replace);
    store.put(&key, Bytes::from_static(b"other"), &options).await.expect("`Replace` replaces");
    assert_eq!(folder.read(&key).await, "other");
    folder.clear().await;
}

/// A key without object is `NotFound`, for `head` and `get`, with range and without.
///
/// # Panics
/// Where the store breaks the contract.
pub async fn what_is_not_there_is_not_found(store: &SharedStore) {
    let folder = Folder::new(store);
    folder.put("folder/object", b"x").await;
    for name in ["nothing", "folder", "folder/object/below"] {
        let key = folder.key(name);
        let head = store.head(&key).await;
        assert!(head.as_ref().is_err_and(StoreError::is_not_found), "head of {key}: {head:?}");
        for range in [None, Some(0..1)] {
            let error = match store.get(&key, range).await {
                Ok(body) => body.try_collect::<Vec<_>>().await.err(),
                Err(error) => Some(error),
            };
            assert!(error.as_ref().is_some_and(StoreError::is_not_found), "get of {key}: {error:?}");
        }
    }
    folder.clear().await;
}

/// A range gives exactly its bytes; one past the end is `Damaged`; one that ends before it starts is refused.
///
/// # Panics
/// Where the store breaks the contract.
pub async fn ranges_are_exact(store: &SharedStore) {
    let folder = Folder::new(store);
    folder.put("digits", b"0123456789").await;
    let key = folder.key("digits");
    let read = async |range| store.get(&key, Some(range)).await?.try_collect::<Vec<_>>().await.map(|all| all.concat());
    for (range, body) in [(0..10, &b"0123456789"[..]), (3..5, b"34"), (9..10, b"9"), (4..4, b""), (10..10, b"")] {
        assert_eq!(read(range.clone()).await.expect("a range within the object"), body, "{range:?}");
    }
    for range in [0..11, 9..12, 10..11, 20..30] {
        let result = read(range.clone()).await;
        assert!(matches!(result, Err(StoreError::Damaged { .. })), "{range:?} of 10 bytes: {result:?}");
    }
    let backwards = std::ops::Range { start: 5, end: 3 };
    assert!(matches!(read(backwards).await, Err(StoreError::Invalid { .. })), "a range that ends before it starts");
    folder.clear().await;
}

/// Contract 3: `Create` leaves what exists alone.
///
/// # Panics
/// Where the store breaks the contract.
pub async fn create_refuses_what_exists(store: &SharedStore) {
    let folder = Folder::new(store);
    folder.put("object", b"first").await;
    let key = folder.key("object");
    for body in [&b"second"[..], b""] {
        let result = store.put(&key, Bytes::from_static(body), &PutOptions::new(PutMode::Create)).await;
        assert!(matches!(result, Err(StoreError::AlreadyExists { .. })), "a second create: {result:?}");
    }
    assert_eq!(folder.read(&key).await, "first");
    folder.clear().await;
}

/// `IfMatch` replaces the version it names and no other, and creates nothing.
///
/// # Panics
/// Where the store breaks the contract.
pub async fn if_match_refuses_what_changed(store: &SharedStore) {
    let folder = Folder::new(store);
    folder.put("pointer", b"1").await;
    let (key, nothing) = (folder.key("pointer"), folder.key("nothing"));
    let put =
        async |key, body, tag| store.put(key, Bytes::from_static(body), &PutOptions::new(PutMode::IfMatch(tag))).await;
    let tag = async || store.head(&key).await.expect("the pointer exists").tag.expect("`head` tells the version");
    let first: Tag = tag().await;
    put(&key, b"2", first.clone()).await.expect("the version is the present one");
    let result = put(&key, b"3", first.clone()).await;
    assert!(matches!(result, Err(StoreError::Precondition { .. })), "an old version: {result:?}");
    let result = put(&nothing, b"3", first).await;
    assert!(matches!(result, Err(StoreError::Precondition { .. } | StoreError::NotFound { .. })), "{result:?}");
    assert!(store.head(&nothing).await.is_err(), "`IfMatch` created an object");
    assert_eq!(folder.read(&key).await, "2");
    let second = tag().await;
    put(&key, b"4", second).await.expect("the version is the present one");
    assert_eq!(folder.read(&key).await, "4");
    folder.clear().await;
}

/// Contract 3: of concurrent creations of one key exactly one succeeds, and its bytes are there.
///
/// # Panics
/// Where the store breaks the contract.
pub async fn concurrent_creates_have_one_winner(store: &SharedStore) {
    let folder = Folder::new(store);
    for round in 0..3 {
        let key = folder.key(&format!("race-{round}"));
        let racers = (0..RACERS).map(|racer| {
            let (store, key) = (store.clone(), key.clone());
            tokio::spawn(async move { store.put(&key, body_of(round, racer), &PutOptions::new(PutMode::Create)).await })
        });
        let results: Vec<_> = join_all(racers).await.into_iter().map(|result| result.expect("no panic")).collect();
        let winners: Vec<usize> = (0..RACERS).filter(|racer| results[*racer].is_ok()).collect();
        assert_eq!(winners.len(), 1, "{results:?}");
        let lost = |result: &Result<(), StoreError>| matches!(result, Ok(()) | Err(StoreError::AlreadyExists { .. }));
        assert!(results.iter().all(lost), "{results:?}");
        assert_eq!(folder.read(&key).await, body_of(round, winners[0]), "the object is not the winner's");
    }
    folder.clear().await;
}

/// Of concurrent `IfMatch` with one version exactly one succeeds.
///
/// # Panics
/// Where the store breaks the contract.
pub async fn concurrent_replacements_have_one_winner(store: &SharedStore) {
    let folder = Folder::new(store);
    folder.put("pointer", b"first").await;
    let key = folder.key("pointer");
    for round in 0..3 {
        let tag = store.head(&key).await.expect("the pointer exists").tag.expect("`head` tells the version");
        let racers = (0..RACERS).map(|racer| {
            let (store, key, mode) = (store.clone(), key.clone(), PutMode::IfMatch(tag.clone()));
            tokio::spawn(async move { store.put(&key, body_of(round, racer), &PutOptions::new(mode)).await })
        });
        let results: Vec<_> = join_all(racers).await.into_iter().map(|result| result.expect("no panic")).collect();
        let winners: Vec<usize> = (0..RACERS).filter(|racer| results[*racer].is_ok()).collect();
        assert_eq!(winners.len(), 1, "{results:?}");
        assert_eq!(folder.read(&key).await, body_of(round, winners[0]), "the object is not the winner's");
    }
    folder.clear().await;
}

/// Different in every round: where versions follow from the content, the same body again would be the same version.
fn body_of(round: usize, racer: usize) -> Bytes {
    format!("round {round}, racer {racer}").into()
}

/// Contract 7, and one outcome a key, in order.
///
/// # Panics
/// Where the store breaks the contract.
pub async fn deleting_what_is_not_there_succeeds(store: &SharedStore) {
    let folder = Folder::new(store);
    folder.put("one", b"1").await;
    let keys = [folder.key("nothing"), folder.key("one"), folder.key("one/below")];
    for _ in 0..2 {
        let outcomes = store.delete(&keys).await.expect("deletion");
        assert_eq!(outcomes.iter().map(|outcome| &outcome.key).collect::<Vec<_>>(), keys.iter().collect::<Vec<_>>());
        assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()), "{outcomes:?}");
    }
    assert!(store.head(&keys[1]).await.is_err_and(|error| error.is_not_found()));
    assert!(store.delete(&[]).await.expect("deleting nothing").is_empty());
    folder.clear().await;
}

/// Contracts 1 and 9: a `put` whose future is dropped left the whole object or none.
///
/// # Panics
/// Where the store breaks the contract.
pub async fn dropped_puts_leave_nothing_half_done(store: &SharedStore) {
    let folder = Folder::new(store);
    let body = Bytes::from(vec![7; 256 * 1024]);
    for delay_us in [0, 50, 200, 1_000, 4_000, 16_000] {
        let key = folder.key(&format!("dropped-{delay_us}"));
        let options = PutOptions::new(PutMode::Create);
        let put = store.put(&key, body.clone(), &options);
        let done = tokio::time::timeout(std::time::Duration::from_micros(delay_us), put).await;
        match read_all(&**store, &key, u64::MAX).await {
            Ok(found) => assert_eq!(found, body, "half an object after {delay_us} µs"),
            Err(error) => assert!(error.is_not_found() && done.is_err(), "after {delay_us} µs: {error:?}, {done:?}"),
        }
    }
    // What was dropped may still be under way: it must not appear after the folder was cleared.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    folder.clear().await;
}
