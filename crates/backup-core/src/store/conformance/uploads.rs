//! Checks of uploads in parts: any order, conditions, holes, what is left of the unfinished.

use bytes::Bytes;
use futures_util::future::try_join_all;

use super::folder::{Folder, small_parts};
use crate::digest::Sha256Digest;
use crate::error::StoreError;
use crate::key::Key;
use crate::store::{Multipart, PART_BYTES_MIN, PutMode, SharedStore};

/// Bytes of the last, shorter part.
const LAST_BYTES: usize = 100_000;

struct Body {
    parts: Vec<Bytes>,
    digest: Sha256Digest,
    bytes: u64,
}

/// A body whose parts differ, its last part shorter.
fn body(parts: u8) -> Body {
    let bytes = |number| if number == parts { LAST_BYTES } else { PART_BYTES_MIN };
    let parts: Vec<Bytes> = (1..=parts).map(|number| vec![number; bytes(number)].into()).collect();
    let whole = parts.concat();
    Body { digest: Sha256Digest::of(&whole), bytes: whole.len() as u64, parts }
}

async fn begin(store: &SharedStore, key: &Key, mode: PutMode) -> Box<dyn Multipart> {
    store.multipart(key, &small_parts(mode)).await.expect("an upload can begin")
}

async fn send(upload: &dyn Multipart, body: &Body) {
    for (number, part) in (1..).zip(&body.parts) {
        upload.part(number, part.clone()).await.expect("a part is taken");
    }
}

async fn is_absent(store: &SharedStore, key: &Key) -> bool {
    store.head(key).await.is_err_and(|error| error.is_not_found())
}

/// Contracts 2 and 8: concurrent parts in any order, one of them twice, make the object, which was invisible before.
///
/// # Panics
/// Where the store breaks the contract.
pub async fn parts_come_in_any_order_and_repeatedly(store: &SharedStore) {
    let folder = Folder::new(store);
    let (key, body) = (folder.key("big"), body(3));
    let upload = begin(store, &key, PutMode::Create).await;
    upload.part(2, Bytes::from(vec![99; PART_BYTES_MIN])).await.expect("a part is taken");
    let sent = [3, 1, 2].map(|number: u32| upload.part(number, body.parts[number as usize - 1].clone()));
    try_join_all(sent).await.expect("parts are taken");
    assert!(is_absent(store, &key).await, "an upload is visible before it is complete");
    upload.complete(3, &body.digest, body.bytes).await.expect("the upload completes");
    assert_eq!(Sha256Digest::of(&folder.read(&key).await), body.digest, "another body than was sent");
    let border = PART_BYTES_MIN as u64;
    let range = store.get(&key, Some(border - 1..border + 1)).await.expect("a range across parts");
    let range: Vec<Bytes> = futures_util::TryStreamExt::try_collect(range).await.expect("a range across parts");
    assert_eq!(range.concat(), [1, 2]);
    folder.clear().await;
}

/// Contract 3, for uploads: of two uploads of one key that both began before either was complete, one succeeds.
///
/// # Panics
/// Where the store breaks the contract.
pub async fn completes_respect_their_mode(store: &SharedStore) {
    let folder = Folder::new(store);
    let (key, winner, loser) = (folder.key("race"), body(2), body(1));
    let uploads = [begin(store, &key, PutMode::Create).await, begin(store, &key, PutMode::Create).await];
    send(&*uploads[0], &winner).await;
    send(&*uploads[1], &loser).await;
    uploads[0].complete(2, &winner.digest, winner.bytes).await.expect("the first completes");
    let result = uploads[1].complete(1, &loser.digest, loser.bytes).await;
    assert!(matches!(result, Err(StoreError::AlreadyExists { .. })), "the second: {result:?}");
    uploads[1].abort().await.expect("the loser can be aborted");
    assert_eq!(store.head(&key).await.expect("the winner's object").bytes, winner.bytes);
    let replacing = begin(store, &key, PutMode::Replace).await;
    send(&*replacing, &loser).await;
    replacing.complete(1, &loser.digest, loser.bytes).await.expect("`Replace` replaces");
    assert_eq!(Sha256Digest::of(&folder.read(&key).await), loser.digest);
    folder.clear().await;
}

/// Contract 8: an upload that lacks a part does not become an object.
///
/// # Panics
/// Where the store breaks the contract.
pub async fn uploads_with_holes_are_refused(store: &SharedStore) {
    let folder = Folder::new(store);
    let (key, body) = (folder.key("hole"), body(3));
    let upload = begin(store, &key, PutMode::Create).await;
    upload.part(1, body.parts[0].clone()).await.expect("a part is taken");
    upload.part(3, body.parts[2].clone()).await.expect("a part is taken");
    upload.complete(3, &body.digest, body.bytes).await.expect_err("part 2 is missing");
    assert!(is_absent(store, &key).await);
    upload.part(0, Bytes::from_static(b"x")).await.expect_err("parts begin with 1");
    upload.abort().await.expect("an upload can be aborted");
    folder.clear().await;
}

/// Contract 8: an aborted upload is no object, takes no more, and can be aborted again.
///
/// # Panics
/// Where the store breaks the contract.
pub async fn aborted_uploads_are_gone(store: &SharedStore) {
    let folder = Folder::new(store);
    let (key, body) = (folder.key("aborted"), body(2));
    let upload = begin(store, &key, PutMode::Create).await;
    send(&*upload, &body).await;
    upload.abort().await.expect("an upload can be aborted");
    upload.abort().await.expect("an upload can be aborted again");
    upload.complete(2, &body.digest, body.bytes).await.expect_err("an aborted upload cannot complete");
    assert!(is_absent(store, &key).await);
    assert_eq!(store.unfinished(&folder.prefix()).await.expect("uploads can be listed"), []);
    folder.clear().await;
}

/// Contracts 8 and 9: an upload that is dropped never becomes visible.
///
/// # Panics
/// Where the store breaks the contract.
pub async fn dropped_uploads_are_never_visible(store: &SharedStore) {
    let folder = Folder::new(store);
    let (key, body) = (folder.key("dropped"), body(2));
    let upload = begin(store, &key, PutMode::Create).await;
    send(&*upload, &body).await;
    drop(upload);
    assert!(is_absent(store, &key).await);
    folder.put("dropped", b"later").await;
    assert_eq!(folder.read(&key).await, "later");
    folder.clear().await;
}

/// Uploads begun and neither completed nor aborted are listed by key, in their folder only, and can be swept.
///
/// # Panics
/// Where the store breaks the contract.
pub async fn unfinished_uploads_are_listed_and_swept(store: &SharedStore) {
    let folder = Folder::new(store);
    let (key, body) = (folder.key("pg/unfinished.pack"), body(2));
    let upload = begin(store, &key, PutMode::Create).await;
    upload.part(1, body.parts[0].clone()).await.expect("a part is taken");
    let found = store.unfinished(&folder.prefix()).await.expect("uploads can be listed");
    // A retried beginning may have left a second one.
    assert!(!found.is_empty() && found.iter().all(|found| found.key == key), "{found:?}");
    let elsewhere = store.unfinished(&format!("{}app/", folder.prefix())).await.expect("uploads can be listed");
    assert_eq!(elsewhere, []);
    for found in &found {
        store.abort_unfinished(found).await.expect("an upload can be swept");
        store.abort_unfinished(found).await.expect("an upload can be swept again");
    }
    assert_eq!(store.unfinished(&folder.prefix()).await.expect("uploads can be listed"), []);
    upload.complete(1, &body.digest, body.bytes).await.expect_err("a swept upload cannot complete");
    drop(upload);
    folder.clear().await;
}
