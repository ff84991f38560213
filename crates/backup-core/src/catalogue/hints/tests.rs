//! A hint spares reading, and never says what is not there.

use std::ops::Range;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use jiff::Timestamp;

use super::*;
use crate::catalogue::{Entry, Told, recall};
use crate::manifest::{Kind, Manifest};
use crate::store::memory::MemoryStore;
use crate::store::{
    ByteStream, ObjectMeta, PutMode, PutOptions, StoreDelete as _, StoreRead, StoreResult, StoreWrite as _,
};

const MANIFESTS: usize = MANIFESTS_MIN + 10;

/// A store that tells versions, and counts what is read.
#[derive(Debug, Default)]
struct Counting {
    inner: MemoryStore,
    read: AtomicUsize,
}

#[async_trait]
impl StoreRead for Counting {
    async fn head(&self, key: &Key) -> StoreResult<ObjectMeta> {
        self.inner.head(key).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> StoreResult<ByteStream> {
        let body = self.inner.get(key, range).await?;
        self.read.fetch_add(1, Ordering::Relaxed);
        Ok(body)
    }

    fn list(&self, prefix: &str, after: Option<&Key>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.inner.list(prefix, after)
    }

    async fn list_children(&self, prefix: &str) -> StoreResult<Vec<String>> {
        self.inner.list_children(prefix).await
    }

    async fn versions(&self, keys: &[Key]) -> StoreResult<Vec<Option<Version>>> {
        let mut versions = Vec::new();
        for key in keys {
            versions.push(self.inner.head(key).await.ok().and_then(|found| found.tag).map(|tag| Version(tag.0)));
        }
        Ok(versions)
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

impl Counting {
    async fn put(&self, number: usize, body: Bytes) {
        self.inner.put(&key(number), body, &PutOptions::new(PutMode::Replace)).await.unwrap();
    }

    /// What a listing says, and how many manifests it read.
    async fn listed(&self, hints: &mut Hints<String>) -> (Vec<(Key, String)>, usize) {
        let before = self.read.load(Ordering::Relaxed);
        let mut told = recall(self, "pg/", hints, tell).await.unwrap();
        told.sort();
        (told, self.read.load(Ordering::Relaxed) - before)
    }
}

fn key(number: usize) -> Key {
    Key::new(format!("pg/shop/{number:04}.dump/manifest.json")).unwrap()
}

fn manifest(config: &str) -> Bytes {
    let mut manifest = Manifest::new(Kind::Pg, "shop", Timestamp::UNIX_EPOCH, serde_json::Value::Null);
    config.clone_into(&mut manifest.config);
    manifest.to_bytes().unwrap()
}

fn tell(entry: Entry) -> Option<Told<String>> {
    let lasting = entry.manifest.is_ok();
    Some(Told { what: entry.manifest.map_or_else(|fault| fault.to_string(), |manifest| manifest.config), lasting })
}

/// A location of so many manifests, and the folder of its hints, which does not exist yet.
async fn location(manifests: usize) -> (Counting, tempfile::TempDir, PathBuf) {
    let (store, cache) = (Counting::default(), tempfile::tempdir().unwrap());
    for number in 0..manifests {
        store.put(number, manifest(&format!("config {number}"))).await;
    }
    let folder = cache.path().join("cache/lastgood");
    (store, cache, folder)
}

fn open(folder: &Path) -> Hints<String> {
    Hints::open(folder, "test-1", "/srv/backups")
}

/// A listing that keeps what it told.
async fn kept(store: &Counting, folder: &Path) -> (Vec<(Key, String)>, usize) {
    let mut hints = open(folder);
    let listed = store.listed(&mut hints).await;
    hints.keep().unwrap();
    listed
}

fn file(folder: &Path) -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[tokio::test]
async fn what_did_not_change_is_not_read_again_and_what_did_is() {
    let (store, _cache, folder) = location(MANIFESTS).await;
    let (first, read) = kept(&store, &folder).await;
    assert_eq!(read, MANIFESTS);
    assert_eq!(kept(&store, &folder).await, (first.clone(), 0));

    store.put(3, manifest("another")).await;
    store.put(MANIFESTS, manifest("new")).await;
    store.inner.delete(&[key(5)]).await.unwrap();
    let (second, read) = kept(&store, &folder).await;
    assert_eq!(read, 2);
    assert_eq!(second, store.listed(&mut Hints::none()).await.0, "as without any hint");
    assert!(second.contains(&(key(3), "another".to_owned())) && !second.iter().any(|(at, _)| *at == key(5)));
    assert_eq!(kept(&store, &folder).await, (second, 0));
}

#[tokio::test]
async fn what_cannot_be_used_is_looked_at_each_time() {
    let (store, _cache, folder) = location(MANIFESTS).await;
    store.put(7, Bytes::from_static(b"{\"format\":1}")).await;
    kept(&store, &folder).await;
    let (told, read) = kept(&store, &folder).await;
    assert_eq!((told.len(), read), (MANIFESTS, 1));
}

#[tokio::test]
async fn only_its_owner_can_read_it_and_little_is_not_worth_it() {
    let (store, cache, folder) = location(MANIFESTS_MIN - 1).await;
    kept(&store, &folder).await;
    assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 0);

    let (store, _cache, folder) = location(MANIFESTS_MIN).await;
    kept(&store, &folder).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&file(&folder))), (0o700, 0o600));

    // One that shrank is not left as it was.
    for number in 1..MANIFESTS_MIN {
        store.inner.delete(&[key(number)]).await.unwrap();
    }
    kept(&store, &folder).await;
    assert_eq!(open(&folder).known.len(), 1);
}

#[tokio::test]
async fn a_file_that_is_not_as_it_was_written_is_no_hint_and_is_written_anew() {
    let (store, cache, folder) = location(MANIFESTS).await;
    let (told, _) = kept(&store, &folder).await;
    let whole = fs::read(file(&folder)).unwrap();
    let forged = String::from_utf8(whole.clone()).unwrap().replace("config 9", "forged 9").into_bytes();
    let half = whole[..whole.len() / 2].to_vec();
    for body in [forged, half, whole[..whole.len() - 1].to_vec(), Vec::new(), b"\n".to_vec(), vec![0xff; 5_000]] {
        fs::write(file(&folder), body).unwrap();
        assert_eq!(kept(&store, &folder).await, (told.clone(), MANIFESTS));
        assert_eq!(kept(&store, &folder).await, (told.clone(), 0));
    }
    // What others can write they may have written.
    for (path, mode) in [(file(&folder), 0o620), (folder.clone(), 0o777)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(store.listed(&mut open(&folder)).await, (told.clone(), MANIFESTS), "{mode:o}");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode & 0o700)).unwrap();
    }
    // A link is not read, and what it leads to not written.
    let elsewhere = cache.path().join("elsewhere");
    fs::rename(file(&folder), &elsewhere).unwrap();
    let at = open(&folder).at.unwrap();
    symlink(&elsewhere, &at).unwrap();
    assert_eq!(kept(&store, &folder).await, (told.clone(), MANIFESTS));
    assert!(fs::symlink_metadata(&at).unwrap().is_file());
    assert_eq!(fs::read(&elsewhere).unwrap(), whole);
}

#[tokio::test]
async fn a_hint_is_of_one_location_and_one_program() {
    let (store, _cache, folder) = location(MANIFESTS).await;
    kept(&store, &folder).await;
    for (of, location) in [("test-1", "/srv/other"), ("test-2", "/srv/backups")] {
        let mut other = Hints::open(&folder, of, location);
        assert_eq!(store.listed(&mut other).await.1, MANIFESTS);
    }
    let mut other = open(&folder);
    other.header.program = "another".to_owned();
    assert!(read::<String>(&other.at.unwrap(), &other.header).is_none());
    // As if two names had the same digest.
    let at = Hints::<String>::open(&folder, "test-1", "/srv/other").at.unwrap();
    fs::rename(file(&folder), &at).unwrap();
    assert_eq!(store.listed(&mut Hints::open(&folder, "test-1", "/srv/other")).await.1, MANIFESTS);
}

#[tokio::test]
async fn several_at_once_leave_one_whole_file_and_nothing_else() {
    let (store, _cache, folder) = location(MANIFESTS).await;
    let mut all: Vec<Hints<String>> = (0..8).map(|_| open(&folder)).collect();
    for hints in &mut all {
        store.listed(hints).await;
    }
    let kept: Vec<_> = all.into_iter().map(|hints| std::thread::spawn(move || hints.keep())).collect();
    kept.into_iter().for_each(|kept| kept.join().unwrap().unwrap());
    file(&folder);
    assert_eq!(store.listed(&mut open(&folder)).await.1, 0);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_an_error_for_the_log_alone() {
    let (store, cache, _) = location(MANIFESTS).await;
    let folder = cache.path().join("file");
    fs::write(&folder, "x").unwrap();
    let mut hints = open(&folder);
    assert_eq!(store.listed(&mut hints).await.1, MANIFESTS);
    hints.keep().unwrap_err();
    assert_eq!(fs::read(&folder).unwrap(), b"x");
}

#[tokio::test]
async fn files_do_not_pile_up() {
    let (store, _cache, folder) = location(MANIFESTS).await;
    for number in 0..FILES_MAX + 3 {
        let mut hints = Hints::open(&folder, "test-1", &format!("/srv/{number}"));
        store.listed(&mut hints).await;
        hints.keep().unwrap();
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), FILES_MAX);
    let last = format!("/srv/{}", FILES_MAX + 2);
    assert_eq!(store.listed(&mut Hints::open(&folder, "test-1", &last)).await.1, 0, "the newest stay");
}
