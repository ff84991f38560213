//! What can go wrong with blocks and tokens on their way.

use std::time::Duration;

use backup_testkit::faults::{Action, Rule};
use ec2_snapshots::Ec2Error;
use ec2_snapshots::blocks::{Parent, Sample, VerifyOptions, verify, write_image};

use crate::world::{HERE, World, image, is_damage};

async fn exported_all_the_same(world: &World, id: &str) {
    let snapshot = world.snapshot(id);
    world.export(&snapshot, &Parent::None).await.unwrap();
    let path = world.path("image");
    write_image(&world.store, &world.stored(&snapshot.id).await, &path, &world.run).await.unwrap();
    assert!(image(&path) == world.volume(HERE, id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_was_damaged_on_its_way_is_read_again() {
    let world = World::new().await;
    world.fake.faults([
        Rule::new(Action::FlipLastByte).on("GetSnapshotBlock").times(2),
        Rule::new(Action::TruncateBody { bytes: 1000 }).on("GetSnapshotBlock").times(2),
        Rule::new(Action::Status { status: 400, code: "RequestThrottledException".to_owned() })
            .on("GetSnapshotBlock")
            .times(3),
        Rule::new(Action::DropBefore).on("ListSnapshotBlocks").times(1),
    ]);
    exported_all_the_same(&world, "snap-0000000a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_stays_damaged_is_said_and_nothing_is_published() {
    let world = World::new().await;
    let snapshot = world.snapshot("snap-0000000a");
    world.fake.world(|state| {
        let region = state.regions.get_mut(HERE).unwrap();
        region.snapshots.get_mut("snap-0000000a").unwrap().damaged.insert(16);
    });
    let error = world.export(&snapshot, &Parent::None).await.unwrap_err();
    assert!(matches!(&error, Ec2Error::Damaged { what } if what.contains("block 16 of snap-0000000a")), "{error}");
    world.fake.world(|state| {
        state.regions.get_mut(HERE).unwrap().snapshots.get_mut("snap-0000000a").unwrap().damaged.clear();
    });
    let report = world.export(&snapshot, &Parent::None).await.unwrap();
    assert!(report.resumed > 0, "{report:?}");
}

fn refused(world: &World) -> usize {
    world.fake.log().iter().filter(|call| call.code.as_deref() == Some("ValidationException")).count()
}

/// Each call makes the world a second older: tokens of blocks expire while blocks are read.
#[tokio::test(flavor = "multi_thread")]
async fn expired_tokens_of_blocks_are_asked_for_anew() {
    let world = World::new().await;
    world.fill(300);
    world.fake.settings(|settings| settings.block_token_s = 200);
    world.fake.clock().set_rate(0);
    world.fake.clock().set_step(Duration::from_secs(1));
    exported_all_the_same(&world, "snap-0000000a").await;
    assert!(refused(&world) > 0);
}

/// Tokens of pages expire while the blocks of the page before are compared.
#[tokio::test(flavor = "multi_thread")]
async fn a_listing_whose_token_has_expired_is_begun_anew() {
    let world = World::new().await;
    world.fill(300);
    world.snapshot("snap-0000000a");
    let replica = world.replica("snap-0000000b", |_| {});
    world.fake.settings(|settings| {
        settings.page_max = 100;
        settings.block_page_token_s = 20;
    });
    world.fake.clock().set_rate(0);
    world.fake.clock().set_step(Duration::from_secs(1));
    let options = VerifyOptions { snapshot: "snap-0000000a".into(), replica, sample: Sample::All, seed: 7 };
    let report = verify(&world.here, &world.there, &options, &world.run).await.unwrap();
    assert!(report.is_equal() && report.compared == 334, "{report:?}");
    assert!(refused(&world) > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_pages_are_passed_over() {
    let world = World::new().await;
    world.fake.settings(|settings| settings.empty_pages = true);
    exported_all_the_same(&world, "snap-0000000a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_right_is_named_at_once() {
    let world = World::new().await;
    let snapshot = world.snapshot("snap-0000000a");
    let denied = Action::Status { status: 403, code: "AccessDeniedException".to_owned() };
    world.fake.faults([Rule::new(denied).on("GetSnapshotBlock")]);
    let begin = std::time::Instant::now();
    let error = world.export(&snapshot, &Parent::None).await.unwrap_err();
    assert!(matches!(&error, Ec2Error::Denied { source } if source.action == "ebs:GetSnapshotBlock"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn c6_a_damaged_pack_is_not_made_an_image_of() {
    let world = World::new().await;
    let snapshot = world.snapshot("snap-0000000a");
    world.export(&snapshot, &Parent::None).await.unwrap();
    let stored = world.stored(&snapshot.id).await;
    let pack = stored.manifest.parts.iter().find(|part| part.role == "blocks").unwrap();
    let file = world.path("location").join(pack.key.as_str());
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let path = world.path("image");
    let error = write_image(&world.store, &stored, &path, &world.run).await.unwrap_err();
    assert!(is_damage(&error), "{error}");
    assert!(!path.exists());
}
