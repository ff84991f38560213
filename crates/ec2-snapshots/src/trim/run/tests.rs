//! What a trim asks for and changes, on EC2 in memory.

use backup_core::retention::{Policy, Rule};
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::error::Ec2Error;
use crate::lineage;
use crate::model::{Image, Snapshot, SnapshotState};
use crate::ports::Fault;
use crate::test_world::cloud::{MemoryCloud, When};
use crate::test_world::snapshot;
use crate::trim::{Request, Scope, plan_of, prepare};

fn now() -> Timestamp {
    "2026-11-21T03:00:00Z".parse().unwrap()
}

fn world(count: usize) -> MemoryCloud {
    let cloud = MemoryCloud::new(&["eu-west-1", "us-east-1"]);
    cloud.world().snapshots = (0..count)
        .map(|at| {
            let mut snapshot = snapshot(&format!("snap-{at}"), "vol-1", "2026-11-21T03:00:00Z");
            snapshot.start_time = now() - SignedDuration::from_hours(i64::try_from(at).unwrap());
            snapshot.tags.set(lineage::SET, format!("set-{at}"));
            snapshot
        })
        .collect();
    cloud
}

fn request(cloud: &MemoryCloud) -> Request {
    Request { regions: cloud.names(), scope: Scope::default(), policy: Policy::new(vec![Rule::Last(1)]) }
}

async fn trimmed(cloud: &MemoryCloud, request: &Request) -> (TrimPlan, Deleted) {
    let silent = Run::silent();
    let mut prepared = prepare(cloud, &cloud.names(), request, &silent).await.unwrap();
    let plan = plan_of(cloud, &mut prepared, request, now(), &silent).await.unwrap();
    assert_eq!(cloud.changes(), [""; 0], "a plan changes nothing");
    let deleted = run(cloud, &plan, prepared.failures, &silent).await.unwrap();
    (plan, deleted)
}

fn left(cloud: &MemoryCloud) -> Vec<String> {
    cloud.world().snapshots.iter().map(|snapshot| snapshot.id.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn what_the_plan_shows_is_what_goes() {
    let cloud = world(4);
    let (plan, deleted) = trimmed(&cloud, &request(&cloud)).await;
    assert_eq!((plan.deleted().count(), deleted.deleted.len(), deleted.failures.len()), (3, 3, 0));
    assert_eq!(deleted.in_recycle_bin, Some(0));
    assert_eq!(left(&cloud), ["snap-0"]);
}

#[tokio::test(start_paused = true)]
async fn e8_r8_one_that_is_in_use_ends_nothing_and_a_second_run_goes_on() {
    let cloud = world(4);
    cloud.world().faults.push_back(("ec2:DeleteSnapshot", When::Before, Fault::Refused, "InvalidSnapshot.InUse"));
    let (_, deleted) = trimmed(&cloud, &request(&cloud)).await;
    assert_eq!((deleted.deleted.len(), deleted.failures.len(), left(&cloud).len()), (2, 1, 2));
    cloud.world().log.clear();
    let (_, deleted) = trimmed(&cloud, &request(&cloud)).await;
    assert_eq!((deleted.deleted.len(), deleted.failures.len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_a_deletion_is_no_failure() {
    let cloud = world(2);
    cloud.world().faults.push_back(("ec2:DeleteSnapshot", When::After, Fault::NoAnswer, ""));
    let (_, deleted) = trimmed(&cloud, &request(&cloud)).await;
    assert_eq!((deleted.deleted.len(), deleted.failures.len()), (1, 0), "{:?}", deleted.failures);
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_missing_is_asked_for_once() {
    let cloud = world(5);
    for _ in 0..5 {
        cloud.world().faults.push_back(("ec2:DeleteSnapshot", When::Before, Fault::Denied, "UnauthorizedOperation"));
    }
    let begin = tokio::time::Instant::now();
    let (_, deleted) = trimmed(&cloud, &request(&cloud)).await;
    assert_eq!((deleted.deleted.len(), deleted.failures.len(), cloud.changes().len()), (0, 1, 1));
    assert!(begin.elapsed() < std::time::Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn images_locks_shares_and_copies_under_way_protect() {
    let cloud = world(6);
    {
        let mut world = cloud.world();
        let image = Image { id: "ami-7".into(), name: "web".to_owned(), snapshots: vec!["snap-1".into()] };
        world.images.insert("eu-west-1".parse().unwrap(), vec![image]);
        world.locked = vec!["snap-2".into()];
        world.shared = vec!["snap-3".into()];
        let mut copy: Snapshot = snapshot("snap-9", "vol-ffffffff", "2026-11-21T02:59:00Z");
        copy.region = "us-east-1".parse().unwrap();
        copy.state = SnapshotState::Pending;
        copy.tags.extend([(lineage::SRC_SNAPSHOT, "snap-4"), (lineage::SRC_VOLUME, "vol-1")]);
        world.snapshots.push(copy);
    }
    let (plan, _) = trimmed(&cloud, &request(&cloud)).await;
    let reasons: Vec<String> = plan.kept().map(|one| format!("{}: {}", one.id, one.reasons.join("; "))).collect();
    assert_eq!(left(&cloud), ["snap-0", "snap-1", "snap-2", "snap-3", "snap-4", "snap-9"], "{reasons:?}");
    for expected in ["in use by ami-7", "locked", "shared with other accounts", "being copied to us-east-1"] {
        assert!(reasons.iter().any(|reason| reason.contains(expected)), "{expected}: {reasons:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_region_that_cannot_be_listed_does_not_stop_the_others() {
    let cloud = world(3);
    cloud.world().faults.push_back(("ec2:DescribeSnapshots", When::Before, Fault::Denied, "UnauthorizedOperation"));
    let (_, deleted) = trimmed(&cloud, &request(&cloud)).await;
    assert_eq!(deleted.failures.len(), 1);
    assert!(matches!(deleted.failures[0].error, Ec2Error::Denied { .. }));
}
