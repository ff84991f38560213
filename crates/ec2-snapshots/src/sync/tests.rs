//! Copies between two network namespaces with an `sshd` each: needs root.

mod namespace;

use std::path::Path;
use std::time::Duration;

use backup_core::run::Run;

use self::namespace::{Namespace, Pair};
use super::*;

/// One test at a time: records of dead runs are everybody's to clear up.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn end(host: &Namespace, volume: &str, mount: &Path) -> End {
    let (volume, mount) = (volume.to_owned(), mount.display().to_string());
    End { shell: host.shell(), address: host.address().to_owned(), port: 22, volume, mount }
}

fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_links_and_label_arrive_and_what_belongs_to_a_machine_does_not() {
    let _alone = ALONE.lock().await;
    let Some(pair) = Pair::new("ext4", "ext4") else { return };
    let (from, to) = (pair.source.disk(), pair.target.disk());
    pair.source.label("shop-data-000016");
    std::fs::write(from.join("file"), "one").unwrap();
    std::fs::hard_link(from.join("file"), from.join("linked")).unwrap();
    for folder in ["etc/ssh", "root", "tmp", "kept"] {
        std::fs::create_dir_all(from.join(folder)).unwrap();
    }
    for file in ["etc/ssh/ssh_host_rsa_key", "etc/ssh/moduli", "etc/ssh/sshd_config", "root/.bash_history", "tmp/x"] {
        std::fs::write(from.join(file), "of this machine").unwrap();
    }
    std::fs::write(to.join("old"), "gone").unwrap();
    let (source, target) = (end(&pair.source, "", from), end(&pair.target, "", to));
    let synced = sync(&source, &target, &Options::default(), &Run::silent()).await.unwrap();
    assert_eq!(synced.label.as_deref(), Some("shop-data-000016"));
    assert_eq!(pair.target.read_label(), "shop-data-000016");
    assert_eq!((read(&to.join("file")).as_deref(), read(&to.join("old"))), (Some("one"), None));
    assert!(to.join("etc/ssh/sshd_config").exists() && to.join("kept").exists());
    for left_out in ["etc/ssh/ssh_host_rsa_key", "etc/ssh/moduli", "root/.bash_history", "tmp/x"] {
        assert!(!to.join(left_out).exists(), "{left_out} was copied");
    }
    let links = std::os::unix::fs::MetadataExt::nlink(&std::fs::metadata(to.join("linked")).unwrap());
    assert_eq!(links, 2);
    // Nothing temporary is left, and the keys that were there are.
    pair.assert_clean();

    std::fs::write(to.join("theirs"), "kept").unwrap();
    let update = Options { delete: false, ..Options::default() };
    sync(&source, &target, &update, &Run::silent()).await.unwrap();
    assert!(to.join("theirs").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_that_is_too_long_and_a_place_that_is_no_mount_are_refused_before_anything() {
    let _alone = ALONE.lock().await;
    let Some(pair) = Pair::new("ext4", "xfs") else { return };
    let (from, to) = (pair.source.disk(), pair.target.disk());
    std::fs::write(from.join("file"), "one").unwrap();
    let folder = to.join("folder");
    std::fs::create_dir(&folder).unwrap();
    let refused = |mount: &Path| {
        let (source, target) = (end(&pair.source, "", from), end(&pair.target, "", mount));
        async move { sync(&source, &target, &Options::default(), &Run::silent()).await.unwrap_err().to_string() }
    };
    let text = refused(&folder).await;
    assert!(text.contains("is not a mount point") && text.ends_with("nothing was copied"), "{text}");
    let (nowhere, target) = (end(&pair.source, "", Path::new("/no/such/folder")), end(&pair.target, "", to));
    let missing = sync(&nowhere, &target, &Options::default(), &Run::silent()).await.unwrap_err();
    assert!(matches!(&missing, SyncError::Missing { what, .. } if what == "/no/such/folder"), "{missing}");
    pair.source.label("thirteen-byte");
    let text = refused(to).await;
    assert!(text.contains("has 13 bytes, and xfs has room for 12"), "{text}");
    assert!(!to.join("file").exists() && !folder.join("file").exists());
    pair.source.label("twelve-bytes");
    let (source, target) = (end(&pair.source, "", from), end(&pair.target, "", to));
    sync(&source, &target, &Options::default(), &Run::silent()).await.unwrap();
    assert_eq!(pair.target.read_label(), "twelve-bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_shows_another_key_is_not_written_to() {
    let _alone = ALONE.lock().await;
    let Some(pair) = Pair::new("ext4", "ext4") else { return };
    let (from, to) = (pair.source.disk(), pair.target.disk());
    std::fs::write(from.join("file"), "one").unwrap();
    // The keys that the destination has told us of are not those that its `sshd` shows.
    pair.target.forge_public_host_keys();
    let (source, target) = (end(&pair.source, "", from), end(&pair.target, "", to));
    let failed = sync(&source, &target, &Options::default(), &Run::silent()).await.unwrap_err();
    assert!(matches!(failed, SyncError::Send { code: 255, .. } | SyncError::Send { code: 12, .. }), "{failed}");
    assert!(!to.join("file").exists());
    pair.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_arrive_and_their_digest_is_read_back() {
    let _alone = ALONE.lock().await;
    let Some(pair) = Pair::new("ext4", "ext4") else { return };
    std::fs::write(pair.source.disk().join("file"), vec![7_u8; 3 << 20]).unwrap();
    pair.source.unmount();
    let options = Options { encrypted: true, ..Options::default() };
    let (source, target) = (
        end(&pair.source, pair.source.device(), Path::new("/")),
        end(&pair.target, pair.target.device(), Path::new("/")),
    );
    // Mounted: nothing is written over it.
    let refused = sync(&source, &target, &options, &Run::silent()).await.unwrap_err();
    assert!(matches!(&refused, SyncError::Door { said, .. } if said.contains("is in use")), "{refused}");
    pair.target.unmount();
    let synced = sync(&source, &target, &options, &Run::silent()).await.unwrap();
    assert_eq!(synced.sha256.map(|digest| digest.len()), Some(64));
    pair.target.mount();
    assert_eq!(std::fs::read(pair.target.disk().join("file")).unwrap(), vec![7_u8; 3 << 20]);
    pair.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_run_left_is_removed_and_a_run_that_ends_takes_its_key_along() {
    let _alone = ALONE.lock().await;
    let Some(pair) = Pair::new("ext4", "ext4") else { return };
    let (from, to) = (pair.source.disk(), pair.target.disk());
    std::fs::write(from.join("big"), vec![1_u8; 48 << 20]).unwrap();
    let (source, target) = (end(&pair.source, "", from), end(&pair.target, "", to));
    // We are gone in the middle of it: the ends of our connections tell both hosts.
    let copy = sync(&source, &target, &Options::default(), &Run::silent()).await;
    assert!(copy.is_ok(), "{copy:?}");
    let cut = tokio::time::timeout(Duration::from_millis(700), {
        let options = Options::default();
        let (source, target) = (source.clone(), target.clone());
        async move { sync(&source, &target, &options, &Run::silent()).await }
    });
    let _ = cut.await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    pair.assert_clean();
    // The programs themselves are killed: what they recorded is found by the next run.
    pair.target.leave_a_dead_door("deadbeef");
    assert!(pair.target.authorized_keys().contains("lastgood-sync-deadbeef"));
    sync(&source, &target, &Options::default(), &Run::silent()).await.unwrap();
    pair.assert_clean();
}
