//! Exports: whole, incremental, resumed.

use backup_core::store::{StoreRead as _, list_all};
use backup_testkit::ec2_fake::content::Block;
use backup_testkit::faults::{Action, Rule};
use ec2_snapshots::blocks::{Parent, write_image};
use ec2_snapshots::{Ec2Error, ports};

use crate::world::{HERE, World, image};

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_every_block_and_becomes_the_image_of_the_volume() {
    let world = World::new().await;
    world.write(|content| content.put(2047, Block::text(b"the last one")));
    let snapshot = world.snapshot("snap-0000000a");
    let report = world.export(&snapshot, &Parent::Newest).await.unwrap();
    assert_eq!((report.existed, report.blocks, report.read, report.resumed), (false, 35, 35, 0));
    let stored = world.stored(&snapshot.id).await;
    let detail = stored.detail();
    assert_eq!((detail.volume_gib, detail.blocks, detail.tags["Name"].as_str()), (1, 35, "shop"));
    let path = world.path("shop.img");
    std::fs::write(world.path("shop.partial"), "somebody's own").unwrap();
    let written = write_image(&world.store, &stored, &path, &world.run).await.unwrap();
    assert_eq!((written.bytes, written.blocks), (1 << 30, 35));
    assert!(image(&path) == world.volume(HERE, "snap-0000000a"));
    assert_eq!(std::fs::read_to_string(world.path("shop.partial")).unwrap(), "somebody's own");
    let hidden = std::fs::read_dir(path.parent().unwrap()).unwrap().filter_map(Result::ok);
    assert!(hidden.into_iter().all(|entry| !entry.file_name().to_string_lossy().starts_with(".lastgood-tmp-")));
    {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = path.metadata().unwrap();
        // Zeros and what was never written are holes.
        assert!(metadata.blocks() * 512 < 40 * 512 * 1024, "{}", metadata.blocks());
        assert_eq!(metadata.mode() & 0o777, 0o600);
    }
    let again = write_image(&world.store, &stored, &path, &world.run).await.unwrap_err();
    assert!(matches!(again, Ec2Error::Io { .. }), "{again}");

    let calls = world.calls("GetSnapshotBlock");
    assert!(world.export(&snapshot, &Parent::Newest).await.unwrap().existed);
    assert_eq!(world.calls("GetSnapshotBlock"), calls);
}

/// awslabs/coldsnap #395: a block of zeros that was written is not one that was never written.
#[tokio::test(flavor = "multi_thread")]
async fn written_zeros_are_blocks_and_equal_blocks_are_stored_once() {
    let world = World::new().await;
    world.write(|content| (500..700).for_each(|index| content.put(index, Block::Zero)));
    let snapshot = world.snapshot("snap-0000000a");
    let report = world.export(&snapshot, &Parent::None).await.unwrap();
    assert_eq!(report.blocks, 234);
    // 33 blocks that differ, 32 of which do not compress; zeros add next to nothing.
    assert!(report.stored_bytes < 34 * 512 * 1024, "{}", report.stored_bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_export_reads_what_changed_and_needs_no_more() {
    let world = World::new().await;
    world.fill(150);
    let first = world.snapshot("snap-0000000a");
    let whole = world.export(&first, &Parent::Newest).await.unwrap();
    world.write(|content| {
        content.put(100, Block::text(b"changed"));
        content.put(900, Block::text(b"new"));
        content.discard(101);
    });
    let second = world.snapshot("snap-0000000b");
    world.fake.clear_log();
    let report = world.export(&second, &Parent::Newest).await.unwrap();
    assert_eq!((report.read, report.blocks), (2, whole.blocks));
    assert_eq!(world.calls("GetSnapshotBlock"), 2);
    assert!(report.stored_bytes < whole.stored_bytes / 80, "{} of {}", report.stored_bytes, whole.stored_bytes);
    let stored = world.stored(&second.id).await;
    assert_eq!(stored.detail().builds_on.as_ref(), Some(&first.id));
    let path = world.path("second.img");
    write_image(&world.store, &stored, &path, &world.run).await.unwrap();
    assert!(image(&path) == world.volume(HERE, "snap-0000000b"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_that_ebs_no_longer_has_is_done_without_unless_it_was_asked_for() {
    let world = World::new().await;
    let first = world.snapshot("snap-0000000a");
    world.export(&first, &Parent::Newest).await.unwrap();
    world.fake.world(|state| state.regions.get_mut(HERE).unwrap().snapshots.remove("snap-0000000a"));
    let second = world.snapshot("snap-0000000b");
    let asked = world.export(&second, &Parent::Of(first.id.clone())).await.unwrap_err();
    assert!(matches!(&asked, Ec2Error::Refused { source } if source.fault == ports::Fault::Missing), "{asked}");
    let report = world.export(&second, &Parent::Newest).await.unwrap();
    assert_eq!((report.read, report.blocks), (34, 34));
    let unknown = world.export(&second, &Parent::Of("snap-0000000c".into())).await;
    assert!(unknown.is_ok_and(|report| report.existed));
}

/// Credentials that expire in the middle: what was read is kept, and the next run reads only the rest.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_credentials_expire_is_gone_on_with() {
    let world = World::new().await;
    world.fill(150);
    let snapshot = world.snapshot("snap-0000000a");
    let expired = Action::Status { status: 403, code: "ExpiredTokenException".to_owned() };
    world.fake.faults([Rule::new(expired).on("GetSnapshotBlock").skip(100)]);
    let error = world.export(&snapshot, &Parent::Newest).await.unwrap_err();
    assert!(matches!(error, Ec2Error::Credentials { .. }), "{error}");
    assert!(list_all(&*world.store, "").await.unwrap().iter().all(|object| object.key.name() != "manifest.json"));
    world.fake.clear_faults();
    world.fake.clear_log();
    let report = world.export(&snapshot, &Parent::Newest).await.unwrap();
    assert!(report.resumed >= 90 && report.resumed + report.read == report.blocks, "{report:?}");
    assert_eq!(world.calls("GetSnapshotBlock") as u64, report.read);
    let path = world.path("resumed.img");
    write_image(&world.store, &world.stored(&snapshot.id).await, &path, &world.run).await.unwrap();
    assert!(image(&path) == world.volume(HERE, "snap-0000000a"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_cancelled_publishes_nothing_and_is_gone_on_with() {
    let world = World::new().await;
    world.fill(300);
    let snapshot = world.snapshot("snap-0000000a");
    world.fake.latency(std::time::Duration::from_millis(200));
    let cancel = world.run.cancel.clone();
    let stopping = tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        cancel.cancel();
    });
    let error = world.export(&snapshot, &Parent::Newest).await.unwrap_err();
    assert!(matches!(error, Ec2Error::Interrupted), "{error}");
    stopping.await.unwrap();
    world.fake.latency(std::time::Duration::ZERO);
    let run = backup_core::run::Run::silent();
    let plan =
        ec2_snapshots::blocks::plan_export(&world.here, &world.store, snapshot, &Parent::Newest, &run).await.unwrap();
    let report = ec2_snapshots::blocks::export(&world.here, &world.store, &plan, &run).await.unwrap();
    assert_eq!(report.resumed + report.read, 334);
    world.store.head(&plan.key.manifest().unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_than_64_blocks_are_on_their_way_at_once() {
    let world = World::new().await;
    world.fill(200);
    let snapshot = world.snapshot("snap-0000000a");
    world.fake.latency(std::time::Duration::from_millis(10));
    world.fake.clear_log();
    world.export(&snapshot, &Parent::None).await.unwrap();
    let peak = world.fake.peak_in_flight();
    assert!((8..=64).contains(&peak), "{peak}");
}
