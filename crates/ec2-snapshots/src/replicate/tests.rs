//! Replication against a region in memory whose clock is the runtime's.

mod region;

use std::time::Duration;

use backup_core::run::Run;

use self::region::{Harm, World, Worlds};
use super::*;
use crate::lineage;
use crate::model::{Snapshot, SnapshotState};
use crate::ports::{CallError, Ec2, Fault};
use crate::test_world::snapshot;

const NOW: &str = "2026-11-21T12:00:00Z";

fn originals(count: usize) -> Vec<Snapshot> {
    (0..count).map(|at| snapshot(&format!("snap-{at:04}"), &format!("vol-{at:04}"), "2026-11-21T11:00:00Z")).collect()
}

fn cloud(from: &World, to: &World) -> Worlds {
    Worlds(vec![from.clone(), to.clone()])
}

fn planned(from: &World, to: &World) -> Plan {
    plan(from.name(), to.name(), &from.all(), &to.all(), &Wish::default(), NOW.parse().unwrap())
}

fn two(count: usize) -> (World, World) {
    (World::new("eu-west-1", originals(count)), World::new("us-east-1", Vec::new()))
}

#[tokio::test(start_paused = true)]
async fn copies_bear_their_lineage_and_a_second_run_has_nothing_to_do() {
    let (from, to) = two(30);
    to.allow(5);
    let done = replicate(&planned(&from, &to), &cloud(&from, &to), &Options::default(), &Run::silent()).await.unwrap();
    assert!(done.is_complete() && done.snapshots.len() == 30);
    let copies = to.all();
    assert_eq!(copies.len(), 30);
    assert!(copies.iter().all(|copy| copy.state == SnapshotState::Completed));
    assert_eq!(copies[0].tags.get(lineage::SRC_VOLUME), Some("vol-0000"));
    assert_eq!(copies[0].tags.get(lineage::SRC_REGION), Some("eu-west-1"));
    assert_eq!((done.slots, to.most_at_once()), (Some(5), 5));
    assert!(planned(&from, &to).pending.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_makes_no_second_copy() {
    let (from, to) = two(4);
    for harm in [Harm::LostAnswer, Harm::LostAnswer, Harm::LostRequest] {
        to.harm(harm);
    }
    let done = replicate(&planned(&from, &to), &cloud(&from, &to), &Options::default(), &Run::silent()).await.unwrap();
    assert!(done.is_complete(), "{done:?}");
    assert_eq!(to.all().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_died_is_taken_over() {
    let (from, to) = two(6);
    let plan = planned(&from, &to);
    let run = Run::silent();
    let stop = run.cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(20)).await;
        stop.cancel();
    });
    let stopped = replicate(&plan, &cloud(&from, &to), &Options::default(), &run).await;
    assert!(matches!(stopped, Err(crate::Ec2Error::Interrupted)));
    let begun = to.all().len();
    assert!(begun > 0);
    // By a plan that knows nothing of it, as that of another machine.
    let done = replicate(&plan, &cloud(&from, &to), &Options::default(), &Run::silent()).await.unwrap();
    assert!(done.is_complete());
    assert_eq!(to.all().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn two_machines_at_once_leave_one_copy_of_each() {
    let (from, to) = two(12);
    // Both look before either's copies can be seen.
    to.show_after(Duration::from_secs(3));
    to.allow(7);
    let plan = planned(&from, &to);
    let (options, regions) = (Options::default(), cloud(&from, &to));
    let (one, other) = (Run::silent(), Run::silent());
    let (one, other) =
        tokio::join!(replicate(&plan, &regions, &options, &one), replicate(&plan, &regions, &options, &other));
    assert!(one.unwrap().is_complete() && other.unwrap().is_complete());
    let mut sources: Vec<String> =
        to.all().iter().filter_map(|copy| copy.tags.get(lineage::SRC_SNAPSHOT).map(str::to_owned)).collect();
    sources.sort();
    let all = sources.len();
    sources.dedup();
    assert_eq!((sources.len(), all), (12, 12));
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_turns_out_as_an_error_is_tried_once_more() {
    let (from, to) = two(3);
    to.fail_copies_of("snap-0001", 1);
    let done = replicate(&planned(&from, &to), &cloud(&from, &to), &Options::default(), &Run::silent()).await.unwrap();
    assert!(done.is_complete());
    assert_eq!(to.all().len(), 4);

    let (from, to) = two(3);
    to.fail_copies_of("snap-0001", 9);
    let done = replicate(&planned(&from, &to), &cloud(&from, &to), &Options::default(), &Run::silent()).await.unwrap();
    assert!(!done.is_complete());
    let Outcome::Failed { why } = &done.snapshots[&"snap-0001".into()] else { panic!("{done:?}") };
    assert!(why.contains("Given key ID is not accessible"), "{why}");
    assert_eq!(to.all().len(), 4);
    // Nor is it tried a third time by the next run.
    let passed = planned(&from, &to).passed;
    assert!(passed.iter().any(|passed| matches!(passed.reason, Reason::GaveUp { .. })), "{passed:?}");
}

#[tokio::test(start_paused = true)]
async fn an_original_that_is_not_complete_is_waited_for_while_others_are_copied() {
    let mut sources = originals(3);
    sources[0].state = SnapshotState::Pending;
    let (from, to) = (World::new("eu-west-1", sources), World::new("us-east-1", Vec::new()));
    from.complete_at("snap-0000", Duration::from_secs(300));
    to.refuse_pending_of(&from);
    let done = replicate(&planned(&from, &to), &cloud(&from, &to), &Options::default(), &Run::silent()).await.unwrap();
    assert!(done.is_complete(), "{done:?}");
}

#[tokio::test(start_paused = true)]
async fn a_missing_right_ends_it_at_once() {
    let (from, to) = two(3);
    let denied = CallError {
        action: "ec2:CopySnapshot",
        region: to.name().clone(),
        fault: Fault::Denied,
        code: "UnauthorizedOperation".to_owned(),
        message: "not allowed".to_owned(),
    };
    to.harm(Harm::Answer(denied));
    let begin = tokio::time::Instant::now();
    let failed =
        replicate(&planned(&from, &to), &cloud(&from, &to), &Options::default(), &Run::silent()).await.unwrap_err();
    assert!(failed.to_string().contains("ec2:CopySnapshot"), "{failed}");
    assert!(begin.elapsed() < Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn every_region_goes_to_the_primary_and_all_of_that_to_the_secondary() {
    let in_region = |name: &str, id: &str, volume: &str| {
        let snapshot = Snapshot { region: name.parse().unwrap(), ..snapshot(id, volume, "2026-11-21T11:00:00Z") };
        World::new(name, vec![snapshot])
    };
    let worlds = [
        in_region("eu-west-1", "snap-e", "vol-e"),
        in_region("us-east-1", "snap-u", "vol-u"),
        in_region("ap-south-1", "snap-a", "vol-a"),
        in_region("sa-east-1", "snap-s", "vol-s"),
    ];
    let cloud = Worlds(worlds.to_vec());
    let (primary, secondary) = ("us-east-1".parse().unwrap(), "ap-south-1".parse().unwrap());
    let legs = Legs { primary, secondary };
    let wish = Wish::default();
    let stages = all_regions(&cloud, &legs, &wish, &Options::default(), &Run::silent()).await.unwrap();
    assert!(stages.iter().all(|(plan, done)| done.is_complete() && plan.unread.is_empty()));
    let copies = |world: &World| {
        let mut sources: Vec<String> =
            world.all().iter().filter_map(|copy| copy.tags.get(lineage::SRC_VOLUME).map(str::to_owned)).collect();
        sources.sort();
        sources
    };
    assert_eq!(copies(&worlds[1]), ["vol-a", "vol-e", "vol-s"]);
    // Its own volume is not copied back to it.
    assert_eq!(copies(&worlds[2]), ["vol-e", "vol-s", "vol-u"]);
    assert!(copies(&worlds[0]).is_empty() && copies(&worlds[3]).is_empty());
    // Again, and nothing is left to do.
    let stages = all_regions(&cloud, &legs, &wish, &Options::default(), &Run::silent()).await.unwrap();
    assert!(stages.iter().all(|(plan, _)| plan.pending.is_empty()));
}
