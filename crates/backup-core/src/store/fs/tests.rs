//! What only the folder store promises: modes, temporary names, what is left after harm.

mod links;

use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt};

use futures_util::TryStreamExt;
use jiff::Timestamp;

use super::*;
use crate::store::{PutMode, Tag};

fn store() -> (tempfile::TempDir, FsStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = FsStore::create(folder.path().join("location")).unwrap();
    (folder, store)
}

fn root(folder: &tempfile::TempDir) -> std::path::PathBuf {
    folder.path().join("location")
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

async fn put(store: &FsStore, text: &str) {
    store.put(&key(text), Bytes::from_static(b"body"), &PutOptions::new(PutMode::Create)).await.unwrap();
}

async fn listed(store: &FsStore, prefix: &str, after: Option<&str>) -> Vec<String> {
    let after = after.map(key);
    let metas: Vec<_> = store.list(prefix, after.as_ref()).try_collect().await.unwrap();
    metas.into_iter().map(|meta| meta.key.into()).collect()
}

fn mode_of(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn what_it_makes_is_its_owners_alone() {
    let (folder, store) = store();
    put(&store, "pg/shop/one").await;
    let root = &root(&folder);
    assert_eq!(mode_of(root), 0o700);
    assert_eq!(mode_of(&root.join("pg/shop")), 0o700);
    assert_eq!(mode_of(&root.join("pg/shop/one")), 0o600);
}

#[tokio::test]
async fn c1_what_a_killed_writer_left_is_no_object_and_is_swept() {
    let (_folder, store) = store();
    let left = Temp::create(&store.root, &key("pg/one.dump")).unwrap();
    left.write_at(b"half", 0).unwrap();
    // A killed process runs no destructor.
    std::mem::forget(left);
    put(&store, "pg/two").await;
    assert_eq!(listed(&store, "", None).await, ["pg/two"]);
    assert_eq!(store.list_children("pg/").await.unwrap(), ["two"]);
    let found = store.unfinished("pg/").await.unwrap();
    assert_eq!(found.iter().map(|upload| upload.key.as_str()).collect::<Vec<_>>(), ["pg/one.dump"]);
    assert_eq!(store.unfinished("app/").await.unwrap(), []);
    store.abort_unfinished(&found[0]).await.unwrap();
    store.abort_unfinished(&found[0]).await.unwrap();
    assert_eq!(store.unfinished("").await.unwrap(), []);
    put(&store, "pg/one.dump").await;
}

#[tokio::test]
async fn sweeping_removes_nothing_but_temporary_files() {
    let (folder, store) = store();
    std::fs::write(folder.path().join("outside"), b"precious").unwrap();
    put(&store, "precious").await;
    for id in ["precious", "../outside", ".lastgood-lock"] {
        let upload = UnfinishedUpload { key: key("x"), id: id.to_owned(), started: Timestamp::UNIX_EPOCH };
        assert!(store.abort_unfinished(&upload).await.is_err(), "{id}");
    }
    assert!(folder.path().join("outside").exists());
    store.head(&key("precious")).await.unwrap();
}

#[tokio::test]
async fn folders_sort_where_their_keys_do() {
    let (_folder, store) = store();
    for name in ["a/b", "a.b", "a-b", "a0", "ab/c", "a/b.c"] {
        put(&store, name).await;
    }
    assert_eq!(listed(&store, "", None).await, ["a-b", "a.b", "a/b", "a/b.c", "a0", "ab/c"]);
    assert_eq!(listed(&store, "a", Some("a.b")).await, ["a/b", "a/b.c", "a0", "ab/c"]);
    assert_eq!(listed(&store, "a/", Some("a/b")).await, ["a/b.c"]);
    assert_eq!(listed(&store, "../", None).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_emptied_folder_goes_and_a_key_cannot_be_folder_and_object() {
    let (folder, store) = store();
    put(&store, "a/b/c").await;
    let error = store.put(&key("a/b"), Bytes::new(), &PutOptions::new(PutMode::Create)).await.unwrap_err();
    assert!(matches!(error, StoreError::Invalid { .. }), "{error:?}");
    let error = store.put(&key("a/b/c/d"), Bytes::new(), &PutOptions::new(PutMode::Create)).await.unwrap_err();
    assert!(matches!(error, StoreError::Invalid { .. }), "{error:?}");
    assert!(store.head(&key("a/b/c/d")).await.unwrap_err().is_not_found());
    assert!(store.head(&key("a")).await.unwrap_err().is_not_found());
    let outcomes = store.delete(&[key("a"), key("a/b/c")]).await.unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()));
    assert!(!root(&folder).join("a").exists());
}

#[tokio::test]
async fn a_file_cut_short_while_it_is_read_is_damaged() {
    let (folder, store) = store();
    let body = Bytes::from(vec![7; READ_BYTES * 3]);
    store.put(&key("big"), body, &PutOptions::new(PutMode::Create)).await.unwrap();
    let mut stream = store.get(&key("big"), None).await.unwrap();
    stream.try_next().await.unwrap();
    File::options().write(true).open(root(&folder).join("big")).unwrap().set_len(READ_BYTES as u64 + 5).unwrap();
    let error = stream.try_collect::<Vec<_>>().await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
}

#[tokio::test]
async fn a_missing_folder_is_no_location() {
    let folder = tempfile::tempdir().unwrap();
    let error = FsStore::open(folder.path().join("nowhere")).unwrap_err();
    assert!(matches!(error, StoreError::NoLocation { .. }), "{error:?}");
    std::fs::write(folder.path().join("file"), b"").unwrap();
    assert!(matches!(FsStore::open(folder.path().join("file")), Err(StoreError::NoLocation { .. })));
}

#[test]
fn c12_a_full_disk_is_told_with_the_bytes_needed() {
    for errno in [rustix::io::Errno::NOSPC, rustix::io::Errno::DQUOT] {
        let error = failed("pg/x", "write", 42, errno.into());
        assert!(matches!(error, StoreError::NoSpace { bytes_needed: 42, .. }), "{error:?}");
    }
    let error = failed("pg/x", "write", 42, rustix::io::Errno::ROFS.into());
    assert!(matches!(error, StoreError::PermissionDenied { .. }), "{error:?}");
}

#[tokio::test]
async fn c12_a_refused_write_leaves_no_temporary_file() {
    let (folder, store) = store();
    let blocked = root(&folder).join("blocked");
    std::fs::DirBuilder::new().mode(0o700).create(&blocked).unwrap();
    put(&store, "blocked/there").await;
    let options = PutOptions::new(PutMode::Create);
    store.put(&key("blocked/there"), Bytes::from_static(b"other"), &options).await.unwrap_err();
    let upload = store.multipart(&key("blocked/big"), &options).await.unwrap();
    upload.part(1, Bytes::from_static(b"x")).await.unwrap();
    drop(upload);
    let names: Vec<_> = std::fs::read_dir(&blocked).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["there"]);
}

#[tokio::test]
async fn versions_written_in_quick_succession_differ() {
    let (_folder, store) = store();
    let mut seen: Vec<Tag> = Vec::new();
    for _ in 0..200 {
        store.put(&key("pointer"), Bytes::from_static(b"same"), &PutOptions::new(PutMode::Replace)).await.unwrap();
        let tag = store.head(&key("pointer")).await.unwrap().tag.unwrap();
        assert!(!seen.contains(&tag), "{tag:?}");
        seen.push(tag);
    }
}

#[tokio::test]
async fn many_are_deleted_with_their_folders_and_what_is_beside_them_stays() {
    let (folder, store) = store();
    let options = PutOptions::new(PutMode::Create).volatile(true);
    let mut keys = Vec::new();
    for number in 0..150 {
        for name in ["data/deep/p0", "data/p1", "schema"] {
            let key = key(&format!("pg/shop/{number}.dump/{name}"));
            store.put(&key, Bytes::from_static(b"body"), &options).await.unwrap();
            keys.push(key);
        }
    }
    store.make_durable(&keys).await.unwrap();
    put(&store, "pg/shop/7.dump/data/kept").await;
    keys.push(key("pg/shop/missing/too"));
    let outcomes = store.delete(&keys).await.unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()));
    assert_eq!(outcomes.into_iter().map(|outcome| outcome.key).collect::<Vec<_>>(), keys);
    store.make_durable(&keys).await.unwrap();
    assert_eq!(listed(&store, "", None).await, ["pg/shop/7.dump/data/kept"]);
    let left: Vec<_> =
        std::fs::read_dir(root(&folder).join("pg/shop")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["7.dump"]);
    // Nobody has the lock any more.
    store.put(&key("pg/shop/7.dump/data/kept"), Bytes::new(), &PutOptions::new(PutMode::Replace)).await.unwrap();
}

#[tokio::test]
async fn empty_folders_are_names_and_no_children() {
    let (folder, store) = store();
    put(&store, "pg/shop/full/object").await;
    std::fs::create_dir_all(root(&folder).join("pg/shop/empty/deeper")).unwrap();
    assert_eq!(store.list_children("pg/shop/").await.unwrap(), ["full/"]);
    assert_eq!(store.list_names("pg/shop/").await.unwrap(), ["empty/", "full/"]);
    assert_eq!(store.list_names("pg/none/").await.unwrap(), Vec::<String>::new());
    assert!(matches!(store.list_names("pg").await, Err(StoreError::Invalid { .. })));
}
