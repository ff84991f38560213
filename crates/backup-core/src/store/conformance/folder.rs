//! A folder of its own for one check.

use bytes::Bytes;

use crate::key::Key;
use crate::store::{PART_BYTES_MIN, PutMode, PutOptions, SharedStore};

/// A folder of its own for one check.
pub(super) struct Folder<'a> {
    pub(super) store: &'a SharedStore,
    name: String,
}

impl<'a> Folder<'a> {
    pub(super) fn new(store: &'a SharedStore) -> Self {
        Self { store, name: format!("conformance-{}", uuid::Uuid::now_v7().simple()) }
    }

    pub(super) fn prefix(&self) -> String {
        format!("{}/", self.name)
    }

    pub(super) fn key(&self, below: &str) -> Key {
        Key::new(format!("{}/{below}", self.name)).expect("the checks use valid keys")
    }

    pub(super) async fn put(&self, below: &str, body: &'static [u8]) {
        let options = PutOptions::new(PutMode::Create);
        let key = self.key(below);
        self.store.put(&key, Bytes::from_static(body), &options).await.expect("a new object can be created");
    }

    pub(super) async fn read(&self, key: &Key) -> Bytes {
        crate::pipeline::read_all(&**self.store, key, u64::MAX).await.expect("an object can be read")
    }

    /// Removes everything and checks that nothing, finished or not, is left.
    pub(super) async fn clear(self) {
        use futures_util::TryStreamExt;
        let prefix = self.prefix();
        let found: Vec<_> = self.store.list(&prefix, None).try_collect().await.expect("the folder can be listed");
        let keys: Vec<Key> = found.into_iter().map(|meta| meta.key).collect();
        for outcome in self.store.delete(&keys).await.expect("objects can be deleted") {
            outcome.result.expect("each object can be deleted");
        }
        for upload in self.store.unfinished(&prefix).await.expect("unfinished uploads can be listed") {
            self.store.abort_unfinished(&upload).await.expect("an unfinished upload can be aborted");
        }
        let left: Vec<_> = self.store.list(&prefix, None).try_collect().await.expect("the folder can be listed");
        assert!(left.is_empty(), "deleted objects are still listed: {left:?}");
    }
}

/// Options for uploads with the smallest parts that every store takes.
pub(super) fn small_parts(mode: PutMode) -> PutOptions {
    PutOptions { part_bytes: PART_BYTES_MIN, ..PutOptions::new(mode) }
}
