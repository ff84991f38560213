//! The storage classes of S3, against a strict peer with a clock of its own.

#[path = "s3_classes/faults.rs"]
mod faults;
#[path = "s3_classes/kills.rs"]
mod kills;
#[path = "s3_classes/world.rs"]
mod world;

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::time::{Duration, SystemTime};

use glacier_archive::class::{Class, Tier};
use glacier_archive::lifecycle::Status;
use glacier_archive::pattern::Only;
use glacier_archive::plan::Limits;

use world::{World, hours};

#[tokio::test]
async fn everything_is_lost_and_comes_back_byte_by_byte() {
    for (class, bundles, ready_after) in
        [(Class::Glacier, true, hours(12)), (Class::DeepArchive, true, hours(48)), (Class::Glacier, false, hours(12))]
    {
        let mut world = World::new(class);
        world.settings.bundles = bundles;
        let originals = world.fill();
        let written = world.backup().await.unwrap();
        assert_eq!((written.files, written.failed.len()), (originals.len() as u64, 0));
        let archives = if bundles { 2 } else { originals.len() as u64 - 2 };
        assert_eq!(written.objects, archives, "one content under two names, and an empty file");

        world.lose_everything();
        let rebuilt = world.rebuild().await.unwrap();
        assert_eq!((rebuilt.backups, rebuilt.files), (1, originals.len() as u64));
        assert_eq!(world.status().await.status, Status::Available);
        world.peer.clear_log();
        let plan = world.plan(Limits::default()).await.unwrap();
        assert_eq!((plan.objects, plan.chosen), (archives, Some(Tier::Bulk)));
        assert_eq!(world.calls("RestoreObject"), 0, "a plan requests nothing");

        let retrieved = world.retrieve(Limits::default()).await.unwrap();
        assert_eq!((retrieved.requested, retrieved.failed.len()), (archives, 0));
        assert_eq!(world.status().await.status, Status::Pending);
        let early = world.fetch().await.unwrap();
        assert!(!early.is_complete() && early.expected.is_some(), "{early:?}");
        assert_eq!(early.missing[&Status::Pending], originals.len() as u64 - 1, "an empty file needs no archive");
        let again = world.retrieve(Limits::default()).await.unwrap();
        assert_eq!((again.requested, world.calls("RestoreObject")), (0, archives), "nothing is paid twice");

        world.pass(ready_after);
        assert_eq!(world.watch().await.status, Status::Ready);
        let fetched = world.fetch().await.unwrap();
        assert!(fetched.is_complete(), "{fetched:?}");
        let restored = world.restore(false).await.unwrap();
        assert!(restored.is_complete() && restored.placed == originals.len() as u64, "{restored:?}");
        world.check(&originals);
        assert_eq!(world.status().await.status, Status::Exists);
        let next = world.backup().await.unwrap();
        assert_eq!((next.objects, next.files), (0, originals.len() as u64), "each file is archived once");
    }
}

#[tokio::test]
async fn a_second_run_reads_no_file_and_stores_none() {
    let world = World::new(Class::Glacier);
    let originals = world.fill();
    world.backup().await.unwrap();
    // Other bytes, and nothing by which a file is recognised differs: whoever reads them notices.
    let path = world.files().join("a/1.pdf");
    let (modified, length) = (std::fs::metadata(&path).unwrap().modified().unwrap(), originals["a/1.pdf"].len());
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    std::io::Write::write_all(&mut &file, &vec![b'#'; length]).unwrap();
    file.set_modified(modified).unwrap();
    world.peer.clear_log();
    let second = world.backup().await.unwrap();
    assert_eq!((second.unchanged, second.objects, second.failed.len()), (originals.len() as u64, 0, 0));
    let puts: Vec<String> =
        world.peer.log().into_iter().filter(|call| call.op == "PutObject").map(|call| call.key).collect();
    assert!(puts.iter().all(|key| !key.contains("/bundles/") && !key.contains("/archives/")), "{puts:?}");
}

#[tokio::test]
async fn g1_archived_names_are_immutable_and_new_ones_are_added() {
    let world = World::new(Class::Glacier);
    let originals = world.fill();
    world.backup().await.unwrap();
    std::fs::write(world.files().join("a/1.pdf"), "another content").unwrap();
    std::fs::write(world.files().join("new"), "new").unwrap();
    std::fs::write(world.files().join("copy"), &originals["large.bin"]).unwrap();
    let touched = std::fs::File::options().write(true).open(world.files().join("b/2.pdf")).unwrap();
    touched.set_modified(SystemTime::now() + Duration::from_secs(9)).unwrap();
    let next = world.backup().await.unwrap();
    let failed: Vec<&str> = next.failed.iter().map(|failed| failed.name.as_str()).collect();
    assert_eq!(failed, ["a/1.pdf"]);
    assert!(next.failed[0].what.contains("give the new content a new name"), "{:?}", next.failed);
    // Two files more, one of an archived content; of the changed one it has what was archived.
    assert_eq!((next.files, next.objects), (originals.len() as u64 + 2, 1));
    assert_eq!(next.outcome, backup_core::manifest::Outcome::Partial);
    std::fs::write(world.files().join("b/2.pdf"), vec![b'?'; originals["b/2.pdf"].len()]).unwrap();
    let third = world.backup().await.unwrap();
    assert_eq!((third.files, third.failed.len()), (next.files, 2), "also if only its digest tells");
    world.lose_everything();
    world.rebuild().await.unwrap();
    world.retrieve(Limits::default()).await.unwrap();
    world.pass(hours(12));
    assert!(world.fetch().await.unwrap().is_complete());
    world.restore(false).await.unwrap();
    world.check(&originals);
}

#[tokio::test]
async fn a_catalogue_of_last_week_archives_nothing_again() {
    let world = World::new(Class::Glacier);
    world.fill();
    world.backup().await.unwrap();
    let image = world.image();
    for name in ["later", "later still"] {
        std::fs::write(world.files().join(name), name).unwrap();
        assert_eq!(world.backup().await.unwrap().objects, 1);
    }
    world.restore_image(&image);
    let again = world.backup().await.unwrap();
    assert_eq!((again.objects, again.failed.len()), (0, 0), "both were archived by a machine that was this one");
    // What it stored itself it need not read.
    world.peer.clear_log();
    world.backup().await.unwrap();
    let read = world.peer.log().into_iter().filter(|call| call.op == "GetObject" && call.key.contains("catalogue"));
    assert_eq!(read.count(), 0);
}

#[tokio::test]
async fn one_file_is_retrieved_without_the_others_and_moves_little() {
    let mut world = World::new(Class::Glacier);
    let originals = world.fill();
    world.backup().await.unwrap();
    world.lose_everything();
    world.only = Only::of(vec!["1.pdf".to_owned()]);
    world.rebuild().await.unwrap();
    let retrieved = world.retrieve(Limits { tier: Some(Tier::Expedited), ..Limits::default() }).await.unwrap();
    assert_eq!(retrieved.requested, 1);
    world.pass(Duration::from_secs(300));
    let fetched = world.fetch().await.unwrap();
    assert!(fetched.is_complete() && fetched.bytes <= 2 * 1024 * 1024, "{fetched:?}");
    let restored = world.restore(false).await.unwrap();
    assert_eq!((restored.placed, restored.is_complete()), (1, true));
    let found = std::fs::read(world.files().join("a/1.pdf")).unwrap();
    assert_eq!(found, originals["a/1.pdf"]);
    // The rest of its bundle is still readable, and paid for.
    world.only = Only::of(vec!["2.pdf".to_owned()]);
    assert_eq!(world.retrieve(Limits::default()).await.unwrap().requested, 0);
    assert!(world.fetch().await.unwrap().is_complete());
}

#[tokio::test]
async fn what_is_read_at_once_needs_no_retrieval() {
    let world = World::new(Class::GlacierIr);
    let originals = world.fill();
    world.backup().await.unwrap();
    world.lose_everything();
    world.rebuild().await.unwrap();
    assert_eq!(world.retrieve(Limits::default()).await.unwrap().requested, 0);
    assert!(world.fetch().await.unwrap().is_complete());
    world.restore(false).await.unwrap();
    world.check(&originals);
    assert_eq!(world.calls("RestoreObject"), 0);
}

#[tokio::test]
async fn g8_a_file_of_another_content_stays_unless_it_is_to_be_repaired() {
    let world = World::new(Class::GlacierIr);
    let originals = world.fill();
    world.backup().await.unwrap();
    world.lose_everything();
    world.rebuild().await.unwrap();
    // One of another size, and one of the same.
    std::fs::create_dir_all(world.files().join("a")).unwrap();
    std::fs::write(world.files().join("a/1.pdf"), "mine").unwrap();
    std::fs::write(world.files().join("twin"), vec![b'?'; originals["twin"].len()]).unwrap();
    world.fetch().await.unwrap();
    let restored = world.restore(false).await.unwrap();
    assert_eq!(restored.differing, ["a/1.pdf", "twin"]);
    assert_eq!(std::fs::read(world.files().join("a/1.pdf")).unwrap(), b"mine");
    let repaired = world.restore(true).await.unwrap();
    // What looks right by its size was not fetched, and so cannot be put in its place yet.
    assert_eq!(repaired.set_aside.len() + repaired.differing.len(), 2, "{repaired:?}");
    let aside = world.files().join("a").join(&repaired.set_aside[0]);
    assert_eq!(std::fs::read(aside).unwrap(), b"mine");
    assert_eq!(std::fs::read(world.files().join("a/1.pdf")).unwrap(), originals["a/1.pdf"]);
}

#[tokio::test]
async fn a_restore_keeps_mode_and_time() {
    let world = World::new(Class::GlacierIr);
    world.fill();
    let path = world.files().join("a/1.pdf");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let then = SystemTime::UNIX_EPOCH + Duration::from_nanos(1_500_000_000_123_456_789);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
    // As cameras and archives of others have it.
    let (old, long_ago) = (world.files().join("b/2.pdf"), SystemTime::UNIX_EPOCH - Duration::from_nanos(1_500_000_000));
    std::fs::File::options().write(true).open(&old).unwrap().set_modified(long_ago).unwrap();
    world.backup().await.unwrap();
    world.lose_everything();
    world.rebuild().await.unwrap();
    world.fetch().await.unwrap();
    world.restore(false).await.unwrap();
    let metadata = std::fs::metadata(&path).unwrap();
    assert_eq!((metadata.mode() & 0o7777, metadata.modified().unwrap()), (0o640, then));
    assert_eq!(std::fs::metadata(&old).unwrap().modified().unwrap(), long_ago);
}

#[tokio::test]
async fn polling_takes_a_request_a_thousand_archives() {
    let mut world = World::new(Class::Glacier);
    world.settings.bundles = false;
    std::fs::create_dir_all(world.files()).unwrap();
    for at in 0..40 {
        std::fs::write(world.files().join(at.to_string()), format!("file {at}")).unwrap();
    }
    world.backup().await.unwrap();
    world.lose_everything();
    world.rebuild().await.unwrap();
    world.retrieve(Limits::default()).await.unwrap();
    world.peer.clear_log();
    assert_eq!(world.watch().await.counts[&Status::Pending], 40);
    let is_of_archives = |key: &str| key.contains("/archives/") || key.contains("/bundles/");
    let log = world.peer.log();
    let lists = log.iter().filter(|call| call.op == "ListObjectsV2" && is_of_archives(&call.key)).count();
    assert_eq!((lists, world.calls("HeadObject")), (2, 0));
}

#[tokio::test]
async fn a_budget_of_bytes_an_hour_is_kept() {
    let mut world = World::new(Class::Glacier);
    world.settings.bundles = false;
    std::fs::create_dir_all(world.files()).unwrap();
    for at in 0..5 {
        std::fs::write(world.files().join(at.to_string()), format!("{at:1000}")).unwrap();
    }
    world.backup().await.unwrap();
    world.lose_everything();
    world.rebuild().await.unwrap();
    let limits = Limits { bytes_per_hour: Some(2000), ..Limits::default() };
    for (passed, requested, waiting) in [(0, 2, 3), (0, 0, 3), (1, 2, 1), (1, 1, 0)] {
        world.pass(hours(passed));
        let retrieved = world.retrieve(limits).await.unwrap();
        assert_eq!((retrieved.requested, retrieved.waiting), (requested, waiting));
    }
}
