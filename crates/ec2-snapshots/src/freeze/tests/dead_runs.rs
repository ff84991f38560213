//! Runs that are killed, at each step and with their watchdog.

use std::time::Duration;

use super::disk::{LoopDisk, ends_within, gone_within, record_of, run};
use super::*;
use crate::freeze::{Verdict, thaw};

const MOMENT: Duration = Duration::from_millis(300);
const SOON: Duration = Duration::from_secs(6);

fn watchdog_of(disk: &LoopDisk) -> String {
    let record = record_of(&disk.path()).unwrap();
    std::fs::read_to_string(record.join("armed")).unwrap().trim().to_owned()
}

/// Kills the watchdog with its subshells.
fn kill_watchdog(disk: &LoopDisk) {
    assert!(run("kill", &["-9", "--", &format!("-{}", watchdog_of(disk))]));
}

/// Freezes, and kills the program in the middle of it.
async fn freeze_and_kill(disk: &LoopDisk, place: &'static str) {
    let ended = frozen(Here::killed_at(place), &[disk], 60).await;
    let Ok(held) = ended else { return };
    let _ = tokio::time::timeout(SOON, held.thaw()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e2_a_run_whose_end_of_the_line_is_gone_is_thawed_at_once() {
    let _alone = ALONE.lock().await;
    let Some(disk) = LoopDisk::new("xfs") else { return };
    let held = frozen(Here::new(), &[&disk], 60).await.unwrap();
    let mut writer = disk.writer();
    assert!(!ends_within(&mut writer, MOMENT));
    // What the end of our process does to the program: its input ends.
    drop(held);
    assert!(ends_within(&mut writer, Duration::from_secs(1)), "it stayed frozen");
    assert!(gone_within(&disk.path(), SOON));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_each_step_nothing_stays_frozen() {
    let _alone = ALONE.lock().await;
    for place in ["begin", "recorded", "armed", "hooked", "freezing", "frozen", "thawed", "released"] {
        let Some(disk) = LoopDisk::new("ext4") else { return };
        freeze_and_kill(&disk, place).await;
        assert!(disk.writes_within(SOON), "killed at {place}: it stayed frozen");
        if place == "recorded" {
            // There was no watchdog yet: whoever looks next clears up.
            let found = thaw(&*Here::new()).await.unwrap();
            assert!(found.iter().any(|found| found.verdict == Verdict::Clean && found.what.ends_with(&disk.path())));
        }
        assert!(gone_within(&disk.path(), SOON), "killed at {place}: its record is left");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_watchdog_the_program_thaws_and_the_other_way_round() {
    let _alone = ALONE.lock().await;
    let Some(disk) = LoopDisk::new("ext4") else { return };
    let held = frozen(Here::new(), &[&disk], 60).await.unwrap();
    kill_watchdog(&disk);
    assert!(held.thaw().await.unwrap().held);
    assert!(disk.writes_within(SOON) && record_of(&disk.path()).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_program_and_watchdog_dead_the_record_is_enough() {
    let _alone = ALONE.lock().await;
    for (kind, unmounted) in [("ext4", false), ("ext4", true), ("xfs", true)] {
        let Some(disk) = LoopDisk::new(kind) else { return };
        let held = frozen(Here::new(), &[&disk], 60).await.unwrap();
        let record = record_of(&disk.path()).unwrap();
        let text = std::fs::read_to_string(record.join("record")).unwrap();
        let pid =
            text.lines().find_map(|line| line.strip_prefix("pid ")?.split(' ').next().map(str::to_owned)).unwrap();
        assert!(text.contains("by a test\n") && text.contains(disk.device()), "{text}");
        kill_watchdog(&disk);
        assert!(run("kill", &["-9", "--", &format!("-{pid}")]));
        let lost = held.thaw().await.unwrap_err();
        assert!(matches!(lost, FreezeError::Lost { .. }), "{lost}");
        let mut writer = None;
        if unmounted {
            disk.unmount();
        } else {
            writer = Some(disk.writer());
            assert!(!ends_within(writer.as_mut().unwrap(), MOMENT));
        }
        let found = thaw(&*Here::new()).await.unwrap();
        let ours = found.iter().find(|found| found.what.ends_with(&disk.path())).unwrap();
        assert!(ours.what.contains(disk.device()), "{ours:?}");
        let expected = if unmounted { Verdict::ThawedUnmounted } else { Verdict::Thawed };
        assert_eq!(ours.verdict, expected, "{kind}, unmounted: {unmounted}");
        if unmounted {
            disk.mount();
        }
        assert!(writer.is_none_or(|mut writer| ends_within(&mut writer, SOON)));
        assert!(disk.writes_within(SOON) && record_of(&disk.path()).is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_detached_while_frozen_is_thawed_by_its_descriptor() {
    let _alone = ALONE.lock().await;
    let Some(disk) = LoopDisk::new("ext4") else { return };
    let held = frozen(Here::new(), &[&disk], 60).await.unwrap();
    assert!(run("umount", &["-l", &disk.path()]));
    assert!(held.thaw().await.unwrap().held);
    disk.mount();
    assert!(disk.writes_within(SOON));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_watchdog_runs_the_hook_that_a_dead_run_owes() {
    let _alone = ALONE.lock().await;
    let Some(disk) = LoopDisk::new("ext4") else { return };
    let log = disk.beside("log").display().to_string();
    let hooks = Hooks { after: Some(format!("echo after >>'{log}'")), ..Hooks::default() };
    let request = asked(&[&disk], 60, hooks).await;
    let _ = Held::freeze(Here::killed_at("freezing"), &request).await;
    assert!(disk.writes_within(SOON) && gone_within(&disk.path(), SOON));
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "after\n");
}
