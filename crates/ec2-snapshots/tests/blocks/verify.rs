//! Replicas compared with what they are replicas of.

use backup_testkit::ec2_fake::content::Block;
use backup_testkit::faults::{Action, Rule};
use ec2_snapshots::Ec2Error;
use ec2_snapshots::blocks::{Sample, VerifyOptions, VerifyReport, verify};
use ec2_snapshots::model::SnapshotId;

use crate::world::World;

async fn compared(world: &World, replica: SnapshotId, sample: Sample) -> VerifyReport {
    let options = VerifyOptions { snapshot: "snap-0000000a".into(), replica, sample, seed: 7 };
    verify(&world.here, &world.there, &options, &world.run).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_equal_replica_is_equal_and_a_sample_says_how_sure_that_is() {
    let world = World::new().await;
    world.fill(600);
    world.snapshot("snap-0000000a");
    let replica = world.replica("snap-0000000b", |_| {});
    let report = compared(&world, replica.clone(), Sample::All).await;
    assert!(report.is_equal() && report.compared == 634 && report.blocks == 634);
    assert!((report.confidence - 1.0).abs() < f64::EPSILON);
    world.fake.clear_log();
    let report = compared(&world, replica, Sample::PerMillion(10_000)).await;
    assert!(report.is_equal() && report.compared == 100, "{report:?}");
    assert_eq!(world.calls("GetSnapshotBlock"), 200);
    assert!((0.08..0.11).contains(&report.confidence), "{}", report.confidence);
    assert_eq!(world.fake.log().iter().filter(|call| call.mutating).count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn differences_are_found_and_named() {
    let world = World::new().await;
    world.snapshot("snap-0000000a");
    let replica = world.replica("snap-0000000b", |content| {
        content.put(20, Block::text(b"not what it was"));
        content.discard(1);
        content.put(700, Block::Zero);
    });
    let report = compared(&world, replica, Sample::All).await;
    let found = [&report.missing, &report.surplus, &report.differing].map(|found| (found.count, found.first.clone()));
    assert_eq!(found, [(1, vec![1]), (1, vec![700]), (1, vec![20])]);
    let error = report.into_result().unwrap_err();
    assert!(matches!(&error, Ec2Error::Differs { what } if what.contains("1 missing blocks (first: 1)")), "{error}");
}

/// Damage on the way is not a difference.
#[tokio::test(flavor = "multi_thread")]
async fn a_block_damaged_on_its_way_is_read_again() {
    let world = World::new().await;
    world.snapshot("snap-0000000a");
    let replica = world.replica("snap-0000000b", |_| {});
    world.fake.faults([Rule::new(Action::FlipLastByte).on("GetSnapshotBlock").times(3)]);
    assert!(compared(&world, replica, Sample::All).await.is_equal());
}
