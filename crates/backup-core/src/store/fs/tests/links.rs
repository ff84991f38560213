//! Links, FIFOs and whatever else is neither file nor folder: never followed, never waited for, always told of.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::fs::{CWD, Mode, RenameFlags, mkfifoat, renameat_with};

use super::*;

/// How long anything may take that must not wait for somebody to write into a FIFO.
const LIMIT: Duration = Duration::from_secs(10);

/// A location beside a folder that is none of its business.
struct Place {
    folder: tempfile::TempDir,
    store: FsStore,
}

impl Place {
    fn new(step_by_step: bool) -> Self {
        let (folder, store) = store();
        std::fs::create_dir_all(folder.path().join("outside/deep")).unwrap();
        for file in ["manifest.json", "deep/pack", ".lastgood-tmp-0123456789abcdef0123456789abcdef-x"] {
            std::fs::write(folder.path().join("outside").join(file), b"precious").unwrap();
        }
        let store = match step_by_step {
            true => {
                let opened = Root::open_at(&root(&folder), "location".to_owned()).unwrap();
                FsStore { root: Arc::new(opened.step_by_step()) }
            }
            false => store,
        };
        Self { folder, store }
    }

    fn both() -> [Self; 2] {
        [Self::new(false), Self::new(true)]
    }

    fn root(&self) -> PathBuf {
        root(&self.folder)
    }

    fn link(&self, target: &str, name: &str) {
        symlink(target, self.root().join(name)).unwrap();
    }

    /// Everything outside, with its content.
    fn outside(&self) -> BTreeSet<(PathBuf, Vec<u8>)> {
        let outside = self.folder.path().join("outside");
        let folders = [outside.clone(), outside.join("deep")];
        let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
        entries
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.clone(), std::fs::read(path).unwrap_or_default()))
            .collect()
    }
}

fn refused<T: std::fmt::Debug>(result: StoreResult<T>, what: &str) {
    let error = result.expect_err(what);
    assert!(error.is_not_an_object(), "{what}: {error:?}");
}

#[tokio::test]
async fn w9_nothing_is_read_listed_written_or_deleted_through_a_link() {
    for place in Place::both() {
        let store = &place.store;
        put(store, "pg/shop/one/manifest.json").await;
        for (target, name) in [
            ("../outside", "pg/linked"),
            ("../../outside/manifest.json", "pg/shop/file"),
            ("../one", "pg/shop/one/again"),
            ("nowhere", "pg/shop/dangling"),
            (".", "pg/self"),
        ] {
            let target = if name == "pg/linked" { "../../outside" } else { target };
            place.link(target, name);
        }
        let before = place.outside();
        for key in ["pg/linked/manifest.json", "pg/linked", "pg/shop/file", "pg/shop/dangling", "pg/self/shop/file"]
            .map(super::key)
        {
            let create = PutOptions::new(PutMode::Create);
            refused(store.head(&key).await, "head");
            refused(store.get(&key, None).await.map(drop), "get");
            for mode in [PutMode::Create, PutMode::Replace, PutMode::IfMatch(Tag("x".to_owned()))] {
                refused(store.put(&key, Bytes::from_static(b"x"), &PutOptions::new(mode)).await, "put");
            }
            if let Ok(upload) = store.multipart(&key, &create).await {
                upload.part(1, Bytes::from_static(b"x")).await.unwrap();
                refused(upload.complete(1, &crate::digest::Sha256Digest::of(b"x"), 1).await, "complete");
            }
            let outcome = store.delete(std::slice::from_ref(&key)).await.unwrap().remove(0);
            refused(outcome.result, "delete");
        }
        assert_eq!(listed(store, "", None).await, ["pg/shop/one/manifest.json"]);
        assert_eq!(listed(store, "pg/linked/", None).await, Vec::<String>::new());
        assert_eq!(store.list_children("pg/").await.unwrap(), ["shop/"]);
        assert_eq!(store.list_children("pg/linked/").await.unwrap(), Vec::<String>::new());
        assert_eq!(store.unfinished("").await.unwrap(), []);
        let id = "pg/linked/.lastgood-tmp-0123456789abcdef0123456789abcdef-x".to_owned();
        let upload = UnfinishedUpload { key: super::key("pg/linked/x"), id, started: Timestamp::UNIX_EPOCH };
        refused(store.abort_unfinished(&upload).await, "abort");
        assert_eq!(place.outside(), before, "what is outside");
        for link in ["pg/linked", "pg/shop/file", "pg/shop/dangling", "pg/self", "pg/shop/one/again"] {
            assert!(place.root().join(link).is_symlink(), "`{link}` is gone");
            let told = format!("`{link}` is a link, which is not followed");
            assert!(store.unfollowed().contains(&told), "{told}: {:?}", store.unfollowed());
        }
    }
}

#[tokio::test]
async fn w9_the_lock_and_temporary_files_are_no_links() {
    for place in Place::both() {
        put(&place.store, "pg/one").await;
        place.link("../outside/manifest.json", ".lastgood-lock");
        place.link("../../outside/manifest.json", "pg/.lastgood-tmp-0123456789abcdef0123456789abcdef-one");
        let before = place.outside();
        let replace = PutOptions::new(PutMode::Replace);
        refused(place.store.put(&key("pg/one"), Bytes::from_static(b"x"), &replace).await, "replace");
        refused(place.store.delete(&[key("pg/one")]).await.unwrap().remove(0).result, "delete");
        assert_eq!(place.store.unfinished("").await.unwrap(), []);
        assert_eq!(place.outside(), before);
        assert_eq!(listed(&place.store, "", None).await, ["pg/one"]);
    }
}

#[tokio::test]
async fn w9_a_fifo_in_the_place_of_a_file_keeps_nobody_waiting() {
    for place in Place::both() {
        put(&place.store, "pg/one/pack").await;
        for name in ["pg/one/manifest.json", ".lastgood-lock"] {
            let _ = std::fs::remove_file(place.root().join(name));
            mkfifoat(CWD, place.root().join(name), Mode::RUSR | Mode::WUSR).unwrap();
        }
        let fifo = key("pg/one/manifest.json");
        let looks = async {
            refused(place.store.head(&fifo).await, "head");
            refused(place.store.get(&fifo, None).await.map(drop), "get");
            refused(place.store.delete(std::slice::from_ref(&fifo)).await.unwrap().remove(0).result, "delete");
            // The lock is one, too.
            place.store.delete(&[key("pg/one/pack")]).await.unwrap().remove(0).result.unwrap_err();
            assert_eq!(listed(&place.store, "", None).await, ["pg/one/pack"]);
        };
        tokio::time::timeout(LIMIT, looks).await.expect("nobody waits");
        let told = "`pg/one/manifest.json` is a FIFO, which is not read".to_owned();
        assert!(place.store.unfollowed().contains(&told), "{:?}", place.store.unfollowed());
    }
}

#[tokio::test]
async fn w9_the_root_itself_may_be_a_link() {
    let (folder, store) = store();
    put(&store, "pg/one").await;
    symlink("location", folder.path().join("link")).unwrap();
    let through = FsStore::open(folder.path().join("link")).unwrap();
    assert_eq!(listed(&through, "", None).await, ["pg/one"]);
    // It was resolved when it was opened.
    std::fs::remove_file(folder.path().join("link")).unwrap();
    put(&through, "pg/two").await;
    assert_eq!(listed(&store, "", None).await, ["pg/one", "pg/two"]);
    assert_eq!(through.unfollowed(), Vec::<String>::new());
}

#[tokio::test]
async fn w9_a_folder_swapped_for_a_link_during_an_upload_leads_nowhere() {
    for place in Place::both() {
        put(&place.store, "pg/shop/other").await;
        let upload =
            place.store.multipart(&key("pg/shop/manifest.json"), &PutOptions::new(PutMode::Create)).await.unwrap();
        upload.part(1, Bytes::from_static(b"ours")).await.unwrap();
        let before = place.outside();
        std::fs::rename(place.root().join("pg/shop"), place.root().join("pg/moved")).unwrap();
        place.link("../../outside", "pg/shop");
        // It becomes an object where it was begun, wherever that is by now.
        upload.complete(1, &crate::digest::Sha256Digest::of(b"ours"), 4).await.unwrap();
        assert_eq!(std::fs::read(place.root().join("pg/moved/manifest.json")).unwrap(), b"ours");
        assert_eq!(place.outside(), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn w9_no_race_leads_out_of_the_location() {
    for place in Place::both() {
        place.link("../../outside", "link");
        std::fs::create_dir_all(place.root().join("pg/shop")).unwrap();
        let before = place.outside();
        let (folder, link) = (place.root().join("pg/shop"), place.root().join("link"));
        let stop = Arc::new(AtomicBool::new(false));
        let swapping = {
            let stop = stop.clone();
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    // A folder for a link, and back, each as one step. The folder may just not be there.
                    let _ = renameat_with(CWD, &folder, CWD, &link, RenameFlags::EXCHANGE);
                    let _ = std::fs::create_dir(&folder);
                }
            })
        };
        let mut refusals = 0;
        for round in 0..400 {
            let keys = ["pg/shop/manifest.json", "pg/shop/deep/pack"].map(key);
            for key in &keys {
                let written =
                    place.store.put(key, Bytes::from_static(b"ours"), &PutOptions::new(PutMode::Replace)).await;
                refusals += usize::from(written.is_err_and(|error| error.is_not_an_object()));
                if let Ok(mut body) = place.store.get(key, None).await {
                    while let Some(chunk) = body.try_next().await.unwrap() {
                        assert_eq!(chunk, "ours", "round {round}: read through a link");
                    }
                }
            }
            let shown: Vec<_> = place.store.list("pg/", None).try_collect().await.unwrap();
            assert!(shown.iter().all(|meta| meta.bytes == 4), "round {round}: listed through a link: {shown:?}");
            place.store.delete(&keys).await.unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        swapping.join().unwrap();
        assert!(refusals > 0, "the swapped folder was never met, so that the test shows nothing");
        assert_eq!(place.outside(), before, "what is outside");
    }
}

#[tokio::test]
async fn a_folder_conforms_without_the_kernels_help() {
    let folder = tempfile::tempdir().unwrap();
    let opened = Root::open_at(folder.path(), "location".to_owned()).unwrap().step_by_step();
    crate::store::conformance::run(Arc::new(FsStore { root: Arc::new(opened) })).await;
}
