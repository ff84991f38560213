//! A location within a location: packs of rows in a folder of archives and in a cold class, everything else in a folder
//! that is always readable, and the marker of the outer location.

use std::ops::Range;

use async_trait::async_trait;
use backup_core::StoreError;
use backup_core::key::Key;
use backup_core::probe::MARKER_KEY;
use backup_core::store::{
    ByteStream, Bytes, DeleteOutcome, ListingOrder, Multipart, ObjectMeta, PutOptions, SharedStore, StoreDelete,
    StoreRead, StoreResult, StoreWrite, UnfinishedUpload,
};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::objects::{archived, inner_name, outer_name};
use crate::class::Class;
use crate::key;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Beneath {
    inner: SharedStore,
    /// The folders of packs and of everything else.
    folders: [String; 2],
    /// The class that packs are written in.
    class: Option<Class>,
}

impl Beneath {
    pub(super) fn new(inner: SharedStore, name: &str, class: Option<Class>) -> Self {
        Self { inner, folders: key::database(name), class }
    }

    /// The key in the outer location.
    pub(super) fn outer(&self, key: &Key) -> StoreResult<Key> {
        if key.as_str() == MARKER_KEY {
            return Ok(key.clone());
        }
        let [packs, others] = &self.folders;
        let folder = if archived(key) { packs } else { others };
        Key::new(format!("{folder}{}", outer_name(key.as_str())))
            .map_err(|error| StoreError::Invalid { what: error.to_string() })
    }

    fn options(&self, key: &Key, options: &PutOptions) -> PutOptions {
        let class = self.class.filter(|_| archived(key)).map(|class| class.as_str().to_owned());
        options.clone().storage_class(class.or_else(|| options.storage_class.clone()))
    }
}

/// The key without its folder; nothing outside of both is ever listed.
fn inner(folders: &[String; 2], key: &Key) -> StoreResult<Key> {
    let below = folders.iter().find_map(|folder| key.as_str().strip_prefix(folder.as_str()));
    Key::new(inner_name(below.unwrap_or(key.as_str()))).map_err(|error| StoreError::Invalid { what: error.to_string() })
}

#[async_trait]
impl StoreRead for Beneath {
    async fn head(&self, key: &Key) -> StoreResult<ObjectMeta> {
        let found = self.inner.head(&self.outer(key)?).await?;
        Ok(ObjectMeta { key: key.clone(), ..found })
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> StoreResult<ByteStream> {
        self.inner.get(&self.outer(key)?, range).await
    }

    fn list(&self, prefix: &str, after: Option<&Key>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        // The objects of some dumps: a few each and a pack for some tens of MiB.
        let lists = self.folders.clone().map(|folder| self.inner.list(&format!("{folder}{prefix}"), None));
        let (folders, after) = (self.folders.clone(), after.cloned());
        let all = async move {
            let mut all = Vec::new();
            for listed in lists {
                let found: Vec<ObjectMeta> = listed.try_collect().await?;
                for object in found {
                    all.push(ObjectMeta { key: inner(&folders, &object.key)?, ..object });
                }
            }
            all.retain(|object| after.as_ref().is_none_or(|after| object.key > *after));
            all.sort_by(|one, other| one.key.cmp(&other.key));
            Ok(stream::iter(all.into_iter().map(Ok)))
        };
        stream::once(all).try_flatten().boxed()
    }

    async fn list_children(&self, prefix: &str) -> StoreResult<Vec<String>> {
        let mut children = Vec::new();
        for folder in &self.folders {
            let found = self.inner.list_children(&format!("{folder}{prefix}")).await?;
            children.extend(found.iter().map(|child| inner_name(child)));
        }
        children.sort();
        children.dedup();
        Ok(children)
    }

    fn describe(&self) -> String {
        format!("{} (in {})", self.inner.describe(), self.folders[1])
    }

    fn unfollowed(&self) -> Vec<String> {
        self.inner.unfollowed()
    }
}

#[async_trait]
impl StoreWrite for Beneath {
    async fn put(&self, key: &Key, body: Bytes, options: &PutOptions) -> StoreResult<()> {
        self.inner.put(&self.outer(key)?, body, &self.options(key, options)).await
    }

    async fn multipart(&self, key: &Key, options: &PutOptions) -> StoreResult<Box<dyn Multipart>> {
        self.inner.multipart(&self.outer(key)?, &self.options(key, options)).await
    }

    async fn make_durable(&self, keys: &[Key]) -> StoreResult<()> {
        let outer = keys.iter().map(|key| self.outer(key)).collect::<StoreResult<Vec<Key>>>()?;
        self.inner.make_durable(&outer).await
    }

    async fn now(&self) -> StoreResult<jiff::Timestamp> {
        self.inner.now().await
    }

    async fn listing_order(&self) -> StoreResult<ListingOrder> {
        self.inner.listing_order().await
    }
}

#[async_trait]
impl StoreDelete for Beneath {
    async fn delete(&self, keys: &[Key]) -> StoreResult<Vec<DeleteOutcome>> {
        let outer = keys.iter().map(|key| self.outer(key)).collect::<StoreResult<Vec<Key>>>()?;
        let deleted = self.inner.delete(&outer).await?;
        let named = |outcome: DeleteOutcome| {
            Ok(DeleteOutcome { key: inner(&self.folders, &outcome.key)?, result: outcome.result })
        };
        deleted.into_iter().map(named).collect()
    }

    async fn unfinished(&self, prefix: &str) -> StoreResult<Vec<UnfinishedUpload>> {
        let mut found = Vec::new();
        for folder in &self.folders {
            found.extend(self.inner.unfinished(&format!("{folder}{prefix}")).await?);
        }
        let named =
            |upload: UnfinishedUpload| Ok(UnfinishedUpload { key: inner(&self.folders, &upload.key)?, ..upload });
        found.into_iter().map(named).collect()
    }

    async fn abort_unfinished(&self, upload: &UnfinishedUpload) -> StoreResult<()> {
        let outer = UnfinishedUpload { key: self.outer(&upload.key)?, ..upload.clone() };
        self.inner.abort_unfinished(&outer).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use backup_core::clock::SystemClock;
    use backup_core::probe;
    use backup_core::store::memory::MemoryStore;
    use backup_core::store::{PutMode, list_all};

    use super::*;

    fn key(text: &str) -> Key {
        Key::new(text).unwrap()
    }

    #[tokio::test]
    async fn what_is_written_lies_in_both_folders_and_nothing_else_is_seen() {
        let outer: SharedStore = Arc::new(MemoryStore::new());
        let beneath = Beneath::new(outer.clone(), "x", None);
        assert!(probe::require(&beneath).await.is_err(), "no location yet");
        probe::init(&*outer, &SystemClock).await.unwrap();
        probe::require(&beneath).await.unwrap();
        outer.put(&key("pg/other"), Bytes::from_static(b"o"), &PutOptions::new(PutMode::Create)).await.unwrap();
        for name in ["pg/shop/manifest.json", "pg/shop/1.pack"] {
            beneath.put(&key(name), Bytes::from_static(b"x"), &PutOptions::new(PutMode::Create)).await.unwrap();
        }
        for there in ["glacier/x/database/pg/shop/1.pack", "glacier/x/dumps/pg/shop/dump.json"] {
            outer.head(&key(there)).await.unwrap();
        }
        let listed = |all: Vec<ObjectMeta>| all.into_iter().map(|object| object.key.to_string()).collect::<Vec<_>>();
        assert_eq!(listed(list_all(&beneath, "pg/").await.unwrap()), ["pg/shop/1.pack", "pg/shop/manifest.json"]);
        let rest = beneath.list("pg/", Some(&key("pg/shop/1.pack"))).try_collect().await.unwrap();
        assert_eq!(listed(rest), ["pg/shop/manifest.json"]);
        assert_eq!(beneath.list_children("pg/shop/").await.unwrap(), ["1.pack", "manifest.json"]);
        assert_eq!(beneath.list_children("pg/").await.unwrap(), ["shop/"]);
        let manifest = key("pg/shop/manifest.json");
        assert_eq!(beneath.head(&manifest).await.unwrap().key, manifest);
        let deleted = beneath.delete(&[key("pg/shop/1.pack")]).await.unwrap();
        assert_eq!(deleted[0].key, key("pg/shop/1.pack"));
        assert!(beneath.head(&key("pg/shop/1.pack")).await.unwrap_err().is_not_found());
    }

    #[test]
    fn only_packs_are_written_in_the_class() {
        let outer: SharedStore = Arc::new(MemoryStore::new());
        let beneath = Beneath::new(outer, "x", Some(Class::DeepArchive));
        let class = |name: &str| beneath.options(&key(name), &PutOptions::new(PutMode::Create)).storage_class;
        assert_eq!(class("pg/shop/1.default.dump/data/p00000.pack").as_deref(), Some("DEEP_ARCHIVE"));
        assert_eq!(class("pg/shop/1.default.dump/manifest.json"), None);
    }
}
