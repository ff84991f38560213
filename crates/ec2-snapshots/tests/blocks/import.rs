//! Exports brought back as snapshots.

use std::time::Duration;

use backup_testkit::ec2_fake::content::Block;
use backup_testkit::faults::{Action, Rule};
use ec2_snapshots::Ec2Error;
use ec2_snapshots::blocks::{ImportOptions, ImportReport, Parent, Stored, import, plan_import};
use ec2_snapshots::model::SnapshotId;

use crate::world::{HERE, THERE, VOLUME, World};

fn options() -> ImportOptions {
    ImportOptions { parent: None, encrypted: false, kms_key: None, description: None, timeout_minutes: 60 }
}

async fn imported(world: &World, stored: Stored, parent: Option<(SnapshotId, Stored)>) -> ImportReport {
    let (id, parent) = parent.unzip();
    let plan = plan_import(&world.store, stored, parent, &ImportOptions { parent: id, ..options() }).await.unwrap();
    let report = import(&world.there, &world.store, &plan, &world.run).await.unwrap();
    assert_eq!(report.written, plan.write);
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_comes_back_in_another_region_and_then_what_changed() {
    let world = World::new().await;
    world.fill(100);
    let first = world.snapshot("snap-0000000a");
    world.export(&first, &Parent::Newest).await.unwrap();
    let report = imported(&world, world.stored(&first.id).await, None).await;
    assert_eq!(report.written, 134);
    let here = world.volume(HERE, "snap-0000000a");
    assert!(world.volume(THERE, report.snapshot.as_str()) == here);
    // EC2 gives it an arbitrary volume ID and the time of now: only tags say what it is.
    let tags = world.fake.world(|state| state.regions[THERE].snapshots[report.snapshot.as_str()].tags.clone());
    let tag = |name: &str| tags.get(name).map(String::as_str);
    assert_eq!((tag("lastgood:src-volume"), tag("lastgood:src-region")), (Some(VOLUME), Some(HERE)));
    assert_eq!(tag("lastgood:time"), Some(&*first.start_time.to_string()));

    world.write(|content| {
        content.put(100, Block::text(b"changed"));
        content.discard(101);
    });
    let second = world.snapshot("snap-0000000b");
    world.export(&second, &Parent::Newest).await.unwrap();
    let parent = (report.snapshot, world.stored(&first.id).await);
    let report = imported(&world, world.stored(&second.id).await, Some(parent)).await;
    assert_eq!(report.written, 2);
    let there = world.volume(THERE, report.snapshot.as_str());
    assert!(there == world.volume(HERE, "snap-0000000b"));
}

/// awslabs/coldsnap #43: for two minutes the new snapshot "does not exist". Answers that get lost change nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_snapshot_is_waited_for_and_lost_answers_make_no_second_one() {
    let world = World::new().await;
    let snapshot = world.snapshot("snap-0000000a");
    world.export(&snapshot, &Parent::Newest).await.unwrap();
    world.fake.settings(|settings| settings.direct_not_yet_ms = 120_000);
    world.fake.clock().set_rate(60);
    world.fake.faults([
        Rule::new(Action::LoseResponse).on("StartSnapshot").times(1),
        Rule::new(Action::LoseResponse).on("PutSnapshotBlock").skip(40).times(3),
        Rule::new(Action::LoseResponse).on("CompleteSnapshot").times(1),
    ]);
    let report = imported(&world, world.stored(&snapshot.id).await, None).await;
    assert!(world.volume(THERE, report.snapshot.as_str()) == world.volume(HERE, "snap-0000000a"));
    assert_eq!(world.fake.world(|state| state.regions[THERE].snapshots.len()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_go_together_is_refused_before_anything_is_begun() {
    let world = World::new().await;
    let snapshot = world.snapshot("snap-0000000a");
    world.export(&snapshot, &Parent::Newest).await.unwrap();
    let stored = world.stored(&snapshot.id).await;
    let parent = Some("snap-0000000a".into());
    for options in [
        ImportOptions { parent: parent.clone(), encrypted: true, ..options() },
        ImportOptions { parent, kms_key: Some("k".to_owned()), ..options() },
        ImportOptions { kms_key: Some("k".to_owned()), ..options() },
        ImportOptions { timeout_minutes: 9, ..options() },
        ImportOptions { timeout_minutes: 4321, ..options() },
    ] {
        let error = plan_import(&world.store, stored.clone(), Some(stored.clone()), &options).await.unwrap_err();
        assert!(matches!(error, Ec2Error::Usage { .. }), "{error}");
    }
    assert_eq!(world.calls("StartSnapshot"), 0);
}

/// EBS direct APIs reference, "StartSnapshot": the quota is HTTP 402, and an unencrypted parent under encryption by default
/// a ValidationException that says so.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_refuses_is_told() {
    let world = World::new().await;
    let snapshot = world.snapshot("snap-0000000a");
    world.export(&snapshot, &Parent::Newest).await.unwrap();
    let stored = world.stored(&snapshot.id).await;
    world.fake.settings(|settings| settings.direct_open_max = 0);
    let plan = plan_import(&world.store, stored.clone(), None, &options()).await.unwrap();
    let begin = std::time::Instant::now();
    let error = import(&world.there, &world.store, &plan, &world.run).await.unwrap_err();
    let quota = ec2_snapshots::ports::direct::QUOTA;
    assert!(matches!(&error, Ec2Error::Refused { source } if source.is(quota)), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(2));
    world.fake.settings(|settings| settings.direct_open_max = 100);
    world.fake.world(|state| state.regions.get_mut(HERE).unwrap().encryption_by_default = true);
    let with = ImportOptions { parent: Some(snapshot.id.clone()), ..options() };
    let plan = plan_import(&world.store, stored.clone(), Some(stored), &with).await.unwrap();
    let error = import(&world.here, &world.store, &plan, &world.run).await.unwrap_err();
    assert!(error.to_string().contains("Encryption by default"), "{error}");
}
