//! Freezes that go as they should, and those that are refused.

#![expect(clippy::print_stderr, reason = "a test that cannot run here says why")]

use std::time::{Duration, Instant};

use super::disk::{LoopDisk, ends_within, record_of, run};
use super::*;
use crate::freeze::plan::Refusal;

const MOMENT: Duration = Duration::from_millis(300);
const SOON: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_waits_until_the_thaw_on_each_kind_of_file_system() {
    let _alone = ALONE.lock().await;
    for kind in ["ext4", "xfs"] {
        let Some(disk) = LoopDisk::new(kind) else { return };
        let held = frozen(Here::new(), &[&disk], 30).await.unwrap();
        let mut writer = disk.writer();
        assert!(!ends_within(&mut writer, MOMENT), "{kind} was not frozen");
        assert!(record_of(&disk.path()).is_some() && held.left() <= Duration::from_secs(30));
        let thawed = held.thaw().await.unwrap();
        assert!(thawed.held && thawed.window >= MOMENT && !thawed.hook_failed, "{thawed:?}");
        assert!(ends_within(&mut writer, SOON), "{kind} stayed frozen");
        assert!(record_of(&disk.path()).is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_of_two_volumes_is_that_of_the_call() {
    let _alone = ALONE.lock().await;
    let (Some(one), Some(two)) = (LoopDisk::new("ext4"), LoopDisk::new("xfs")) else { return };
    assert!(one.writes_within(SOON) && two.writes_within(SOON));
    let held = frozen(Here::new(), &[&one, &two], 30).await.unwrap();
    let call = Duration::from_millis(100);
    tokio::time::sleep(call).await;
    let thawed = held.thaw().await.unwrap();
    // Machines that run other tests beside this one are slow now and then; the benchmark is exact.
    assert!(thawed.held && thawed.window < call + Duration::from_millis(500), "{thawed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_kind_of_transport_thaws_by_a_second_program() {
    let _alone = ALONE.lock().await;
    let Some(disk) = LoopDisk::new("ext4") else { return };
    let shell = Here::that_answers_at_the_end();
    let held = frozen(Arc::clone(&shell), &[&disk], 30).await.unwrap();
    let mut writer = disk.writer();
    assert!(!ends_within(&mut writer, MOMENT));
    // Its program has ended, and still it is not a dead run's.
    let found = crate::freeze::thaw(&*shell).await.unwrap();
    assert!(found.iter().any(|found| found.verdict == crate::freeze::Verdict::Live), "{found:?}");
    assert!(!ends_within(&mut writer, MOMENT));
    assert!(held.thaw().await.unwrap().held);
    assert!(ends_within(&mut writer, SOON) && record_of(&disk.path()).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sub_directory_and_a_bind_mount_are_refused_and_nothing_is_frozen() {
    let _alone = ALONE.lock().await;
    let (Some(disk), Some(good)) = (LoopDisk::new("ext4"), LoopDisk::new("ext4")) else { return };
    let inside = format!("{}/x", disk.path());
    std::fs::create_dir(&inside).unwrap();
    let bound = disk.beside("bound");
    std::fs::create_dir(&bound).unwrap();
    let bound = bound.display().to_string();
    assert!(run("mount", &["--bind", &inside, &bound]));
    let asked = [good.path(), inside.clone(), bound.clone(), "/".to_owned(), "/nowhere".to_owned()];
    let refused = Request::of(&*Here::new(), &asked, SOON, Hooks::default(), String::new()).await;
    assert!(run("umount", &[&bound]));
    let Err(FreezeError::Refused { refusals }) = refused else { panic!("{refused:?}") };
    let whole = disk.path();
    assert_eq!(
        refusals[..2],
        [
            Refusal::NotAMountPoint { path: inside.clone(), whole: whole.clone() },
            Refusal::NotAMountPoint { path: bound, whole: whole.clone() }
        ]
    );
    assert_eq!(refusals[2..], [Refusal::Root { path: "/".into() }, Refusal::Missing { path: "/nowhere".into() }]);
    assert_eq!(refusals[0].to_string(), format!("`{inside}` is not a mount point: freezing it would freeze `{whole}`"));
    assert!(disk.writes_within(SOON) && good.writes_within(SOON));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_holds_our_log_and_what_is_swapped_to_is_refused() {
    let _alone = ALONE.lock().await;
    let Some(disk) = LoopDisk::new("ext4") else { return };
    let log = format!("{}/lastgood.log", disk.path());
    std::fs::write(&log, "").unwrap();
    let shell = Process::local(vec![log.clone()]);
    let asked = [disk.path()];
    let refused = Request::of(&shell, &asked, SOON, Hooks::default(), String::new()).await;
    let Err(FreezeError::Refused { refusals }) = refused else { panic!("{refused:?}") };
    assert_eq!(refusals, [Refusal::Holds { path: disk.path(), file: log }]);

    let swap = format!("{}/swap", disk.path());
    std::fs::write(&swap, vec![0_u8; 1 << 20]).unwrap();
    assert!(run("chmod", &["600", &swap]) && run("mkswap", &[&swap]));
    if !run("swapon", &[&swap]) {
        eprintln!("not run: this machine does not swap to loop devices");
        return;
    }
    let refused = Request::of(&*Here::new(), &asked, SOON, Hooks::default(), String::new()).await;
    assert!(run("swapoff", &[&swap]));
    let Err(FreezeError::Refused { refusals }) = refused else { panic!("{refused:?}") };
    assert_eq!(refusals, [Refusal::Swap { path: disk.path(), file: swap }]);
}

#[tokio::test(flavor = "multi_thread")]
async fn e4_the_deadline_thaws_and_the_freeze_does_not_count() {
    let _alone = ALONE.lock().await;
    for shell in [Here::new(), Here::that_answers_at_the_end()] {
        let Some(disk) = LoopDisk::new("ext4") else { return };
        let begin = Instant::now();
        let held = frozen(shell, &[&disk], 2).await.unwrap();
        let mut writer = disk.writer();
        assert!(ends_within(&mut writer, SOON), "it stayed frozen past its deadline");
        assert!(begin.elapsed() > Duration::from_millis(900));
        assert!(!held.thaw().await.unwrap().held);
        assert!(record_of(&disk.path()).is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_frozen_by_another_program_is_not_thawed() {
    let _alone = ALONE.lock().await;
    let (Some(free), Some(theirs)) = (LoopDisk::new("ext4"), LoopDisk::new("ext4")) else { return };
    let request = asked(&[&free, &theirs], 30, Hooks::default()).await;
    assert!(run("fsfreeze", &["-f", &theirs.path()]));
    let busy = Held::freeze(Here::new(), &request).await;
    assert!(matches!(&busy, Err(FreezeError::Busy { mount, .. }) if *mount == theirs.path()), "{busy:?}");
    assert!(free.writes_within(SOON), "what was frozen before stayed so");
    let mut writer = theirs.writer();
    // Past a watchdog that might have been left.
    assert!(!ends_within(&mut writer, Duration::from_secs(2)), "theirs was thawed");
    assert!(record_of(&theirs.path()).is_none());
    assert!(run("fsfreeze", &["-u", &theirs.path()]) && ends_within(&mut writer, SOON));
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_run_around_the_freeze_and_a_failed_one_freezes_nothing() {
    let _alone = ALONE.lock().await;
    let Some(disk) = LoopDisk::new("ext4") else { return };
    let log = disk.beside("log").display().to_string();
    let hooks = |before: String| Hooks {
        before: Some(before),
        after: Some(format!("echo after >>'{log}'; dd if=/dev/zero of='{}/x' count=1 2>/dev/null", disk.path())),
        limit: Duration::from_secs(1),
    };
    let request = asked(&[&disk], 30, hooks(format!("echo before >>'{log}'"))).await;
    let held = Held::freeze(Here::new(), &request).await.unwrap();
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "before\n");
    let thawed = held.thaw().await.unwrap();
    assert!(thawed.held && !thawed.hook_failed && thawed.window < Duration::from_secs(1));
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "before\nafter\n");

    for (before, said) in [("echo no such database >&2; exit 3", "no such database"), ("sleep 60", "")] {
        std::fs::remove_file(&log).unwrap();
        let request = asked(&[&disk], 30, hooks(before.to_owned())).await;
        let begin = Instant::now();
        let failed = Held::freeze(Here::new(), &request).await.unwrap_err();
        assert!(matches!(&failed, FreezeError::Hook { said: words, .. } if words.contains(said)), "{failed:?}");
        assert!(begin.elapsed() < SOON * 2 && disk.writes_within(SOON));
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "after\n", "what was begun has to be ended");
    }
}
