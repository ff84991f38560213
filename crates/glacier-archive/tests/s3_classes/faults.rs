//! Bad luck: lost answers, no capacity, copies that expire in the middle, bytes that change on the way.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use backup_core::failure::{Class as Failing, Failure as _};
use backup_core::manifest::Outcome;
use backup_core::progress::{Event, Progress};
use backup_testkit::faults::{Action, Rule};
use backup_testkit::s3_server::Damage;
use glacier_archive::GlacierError;
use glacier_archive::class::{Class, Tier};
use glacier_archive::lifecycle::{Phase, Status};
use glacier_archive::plan::Limits;

use super::world::{World, hours};

/// Two archives, on a machine that lost its files.
async fn lost(class: Class) -> World {
    let world = World::new(class);
    world.fill();
    world.backup().await.unwrap();
    world.lose_everything();
    world.rebuild().await.unwrap();
    world.peer.clear_log();
    world
}

#[tokio::test]
async fn g4_an_answer_that_is_lost_is_one_retrieval() {
    let world = lost(Class::Glacier).await;
    world.peer.faults([Rule::new(Action::LoseResponse).on("RestoreObject").times(1)]);
    let retrieved = world.retrieve(Limits::default()).await.unwrap();
    assert_eq!((retrieved.requested, retrieved.failed.len()), (2, 0));
    let taken = world.peer.log().iter().filter(|call| call.op == "RestoreObject" && call.status == 202).count();
    let again = world.peer.log().iter().filter(|call| call.op == "RestoreObject" && call.status == 409).count();
    // The lost answer has no status in the log, or its own; what was repeated was refused.
    assert_eq!((again, taken <= 2), (1, true), "{:?}", world.peer.log());
    assert_eq!(world.status().await.status, Status::Pending);
}

#[tokio::test]
async fn without_capacity_nothing_is_tried_again_upgraded_or_forgotten() {
    let world = lost(Class::Glacier).await;
    let refuse = Action::Status { status: 503, code: "GlacierExpeditedRetrievalNotAvailable".to_owned() };
    world.peer.faults([Rule::new(refuse).on("RestoreObject")]);
    let expedited = Limits { tier: Some(Tier::Expedited), ..Limits::default() };
    let error = world.retrieve(expedited).await.unwrap_err();
    assert!(matches!(error, GlacierError::NoCapacity { .. }), "{error:?}");
    assert!(error.remedy().is_some());
    assert_eq!(world.calls("RestoreObject"), 2, "one of each archive");
    assert_eq!(world.status().await.status, Status::Available);
    world.peer.clear_faults();
    assert_eq!(world.retrieve(Limits::default()).await.unwrap().requested, 2);
}

#[tokio::test]
async fn expedited_is_refused_for_a_deep_archive_before_any_request() {
    let world = lost(Class::DeepArchive).await;
    let error = world.retrieve(Limits { tier: Some(Tier::Expedited), ..Limits::default() }).await.unwrap_err();
    assert!(matches!(&error, GlacierError::NoSuchTier { what } if what.contains("DEEP_ARCHIVE")), "{error:?}");
    assert_eq!((error.class(), world.calls("RestoreObject")), (Failing::Usage, 0));
    let dear = Limits { deadline: Some(hours(1)), ..Limits::default() };
    let error = world.retrieve(dear).await.unwrap_err();
    assert!(
        matches!(&error, GlacierError::OverLimit { what } if what.contains("Standard takes up to 12 h")),
        "{error}"
    );
    assert_eq!(world.calls("RestoreObject"), 0);
}

#[tokio::test]
async fn g3_a_copy_that_expired_is_available_again() {
    let world = lost(Class::Glacier).await;
    world.retrieve(Limits { days: Some(1), ..Limits::default() }).await.unwrap();
    world.pass(hours(12));
    assert_eq!(world.watch().await.status, Status::Ready);
    world.pass(hours(72));
    let fetched = world.fetch().await.unwrap();
    assert!(fetched.missing.contains_key(&Status::Available) && fetched.failed.is_empty(), "{fetched:?}");
    let standing = world.status().await;
    assert_eq!(standing.status, Status::Available);
    assert!(standing.files.iter().any(|file| file.reason.is_some()), "it says why");
    assert_eq!(world.retrieve(Limits::default()).await.unwrap().requested, 2);
}

#[tokio::test]
async fn a_copy_that_expires_between_check_and_read_costs_one_archive_and_is_not_forgotten() {
    let world = lost(Class::Glacier).await;
    world.retrieve(Limits::default()).await.unwrap();
    world.pass(hours(12));
    let gone = Action::Status { status: 403, code: "InvalidObjectState".to_owned() };
    world.peer.faults([Rule::new(gone).on("GetObject").where_key_contains("/archives/")]);
    let fetched = world.fetch().await.unwrap();
    assert_eq!(fetched.failed.len(), 1);
    assert!(fetched.failed[0].what.contains("has expired"), "{fetched:?}");
    assert!(fetched.contents > 0, "the rest is fetched");
    let phases: Vec<Phase> =
        world.state().catalogue().retrievals().unwrap().values().map(|known| known.phase).collect();
    assert_eq!(phases, [Phase::Available, Phase::Local]);
}

#[tokio::test]
async fn g6_bytes_that_change_are_read_again_and_never_placed() {
    let world = lost(Class::GlacierIr).await;
    world.peer.faults([Rule::new(Action::FlipLastByte).on("GetObject").where_key_contains("/archives/").times(1)]);
    assert!(world.fetch().await.unwrap().is_complete(), "the second attempt is good");
    // Now the archive itself.
    let world = lost(Class::GlacierIr).await;
    let key = world.peer.keys().into_iter().find(|key| key.contains("/archives/")).unwrap();
    assert!(world.peer.damage(&key, &Damage::Flip { offset: 77 }));
    let fetched = world.fetch().await.unwrap();
    assert!(fetched.failed.len() == 1 && fetched.failed[0].what.contains("SHA-256"), "{fetched:?}");
    let restored = world.restore(false).await.unwrap();
    assert!(!world.files().join("large.bin").exists());
    assert_eq!((restored.missing.len(), restored.placed), (1, 5));
    let local = std::fs::read_dir(world.state().local()).unwrap();
    let names: Vec<String> = local.map(|file| file.unwrap().file_name().to_string_lossy().into_owned()).collect();
    assert!(names.iter().all(|name| name.len() == 64), "nothing unverified is left: {names:?}");
}

#[tokio::test]
async fn g9_a_busy_service_is_asked_again() {
    let world = lost(Class::Glacier).await;
    let busy = |op: &str| Rule::new(Action::Status { status: 503, code: "SlowDown".to_owned() }).on(op).times(2);
    world.peer.faults([busy("ListObjectsV2"), busy("RestoreObject"), busy("HeadObject")]);
    assert_eq!(world.retrieve(Limits::default()).await.unwrap().requested, 2);
    assert_eq!(world.calls("RestoreObject"), 4);
}

#[tokio::test]
async fn c10_who_may_not_retrieve_is_told_which_action_to_allow() {
    let world = lost(Class::Glacier).await;
    let denied = Action::Status { status: 403, code: "AccessDenied".to_owned() };
    world.peer.faults([Rule::new(denied).on("RestoreObject")]);
    let error = world.retrieve(Limits::default()).await.unwrap_err();
    let help = format!("{:?}", error.remedy());
    assert!(help.contains("s3:RestoreObject") && help.contains("arn:aws:s3:::"), "{help}");
    assert_eq!(world.status().await.status, Status::Available, "it was surely not taken");
}

#[tokio::test]
async fn a_server_that_lists_no_retrievals_is_asked_for_each() {
    let world = lost(Class::Glacier).await;
    world.retrieve(Limits::default()).await.unwrap();
    world.pass(Duration::from_secs(61));
    world.peer.hide_restore_status(true);
    world.peer.clear_log();
    assert_eq!(world.watch().await.status, Status::Pending);
    assert_eq!(world.calls("HeadObject"), 2);
    world.pass(hours(12));
    assert_eq!(world.watch().await.status, Status::Ready);
}

/// Appends to a file just before it is stored, so many times.
#[derive(Debug)]
struct GrowsBeforeUpload {
    path: PathBuf,
    left: AtomicUsize,
}

impl Progress for GrowsBeforeUpload {
    fn event(&self, event: Event) {
        let is_here = matches!(event, Event::Step { name: "glacier.archive", .. });
        let takes = |left: usize| left.checked_sub(1);
        if is_here && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, takes).is_ok() {
            let mut file = std::fs::OpenOptions::new().append(true).open(&self.path).unwrap();
            file.write_all(b"more").unwrap();
        }
    }
}

/// Puts a link in the place of a file just before it is stored, or nothing.
#[derive(Debug)]
struct ReplacedBeforeUpload {
    path: PathBuf,
    by_link: bool,
}

impl Progress for ReplacedBeforeUpload {
    fn event(&self, event: Event) {
        if matches!(event, Event::Step { name: "glacier.archive", .. })
            && std::fs::remove_file(&self.path).is_ok()
            && self.by_link
        {
            std::os::unix::fs::symlink("/etc/passwd", &self.path).unwrap();
        }
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_told_once_and_one_that_is_gone_is_no_failure() {
    for (by_link, failures) in [(true, 1), (false, 0)] {
        let mut world = World::new(Class::GlacierIr);
        let originals = world.fill();
        world.progress = Arc::new(ReplacedBeforeUpload { path: world.files().join("large.bin"), by_link });
        let written = world.backup().await.unwrap();
        assert_eq!(
            (written.failed.len(), written.files),
            (failures, originals.len() as u64 - 1),
            "{:?}",
            written.failed
        );
    }
}

#[tokio::test]
async fn g2_a_file_that_changes_while_it_is_archived_is_read_once_more_and_then_left_out() {
    for (times, archived) in [(1, true), (9, false)] {
        let mut world = World::new(Class::GlacierIr);
        let originals = world.fill();
        let path = world.files().join("large.bin");
        world.progress = Arc::new(GrowsBeforeUpload { path: path.clone(), left: AtomicUsize::new(times) });
        let written = world.backup().await.unwrap();
        let failed: Vec<_> = written.failed.iter().map(|failed| (failed.name.as_str(), failed.what.as_str())).collect();
        if archived {
            assert_eq!((failed.len(), written.outcome), (0, Outcome::Good));
            let content = std::fs::read(&path).unwrap();
            assert_eq!(content.len(), originals["large.bin"].len() + 4);
            world.lose_everything();
            world.rebuild().await.unwrap();
            world.fetch().await.unwrap();
            world.restore(false).await.unwrap();
            assert!(std::fs::read(&path).unwrap() == content, "what was archived is what it was at last");
        } else {
            assert_eq!(failed, [("large.bin", "it changed while it was read")]);
            assert_eq!((written.outcome, written.files), (Outcome::Partial, originals.len() as u64 - 1));
        }
    }
}
