//! A set is begun once, a level that was missed is said, and nothing stays frozen.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;

use super::*;
use crate::model::Instance;
use crate::ports::Frozen;
use crate::snapshot::{Request, plan, prepare};
use crate::test_world::cloud::{MemoryCloud, When};
use crate::test_world::instance;

fn world() -> MemoryCloud {
    let cloud = MemoryCloud::new(&["eu-west-1", "us-east-1"]);
    let mut there = instance("i-2", &["/dev/sda1"]);
    there.region = "us-east-1".parse().unwrap();
    let both = [instance("i-1", &["/dev/sda1", "/dev/sdf"]), there].map(|mut instance| {
        instance.tags.set("Earmarking", "production");
        instance
    });
    cloud.world().instances = both.into();
    cloud
}

fn tagged(consistency: Consistency) -> Request {
    let tag = Some(("Earmarking".to_owned(), "production".to_owned()));
    Request { tag, consistency, ..Request::default() }
}

async fn snapshot(
    cloud: &MemoryCloud,
    request: &Request,
    quiesce: Option<&dyn Quiesce>,
    wait: Option<Duration>,
) -> Ec2Result<Done> {
    let silent = Run::silent();
    let prepared = prepare(cloud, &cloud.names(), request, &silent).await?;
    let plan = plan(prepared, request, silent.clock.now(), SetId::generate)?;
    assert_eq!(cloud.changes(), [""; 0], "a plan changes nothing");
    run(cloud, plan, quiesce, wait, &silent).await
}

fn creations(cloud: &MemoryCloud) -> usize {
    cloud.changes().iter().filter(|line| line.contains("ec2:CreateSnapshots")).count()
}

#[tokio::test(start_paused = true)]
async fn each_instance_gets_one_set_with_its_lineage() {
    let cloud = world();
    let done = snapshot(&cloud, &tagged(Consistency::Crash), None, None).await.unwrap();
    assert_eq!((done.sets.len(), done.failures.len(), creations(&cloud)), (2, 0, 2));
    let world = cloud.world();
    assert_eq!(world.snapshots.len(), 3);
    for snapshot in &world.snapshots {
        assert_eq!(snapshot.tags.get(lineage::SRC_VOLUME), Some(snapshot.volume.as_str()));
        assert_eq!(snapshot.tags.get(lineage::CONSISTENCY), Some("crash"));
        assert_eq!(snapshot.tags.get("Earmarking"), Some("production"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_looked_for_by_tag_and_makes_no_second_set() {
    let cloud = world();
    cloud.world().faults.push_back(("ec2:CreateSnapshots", When::After, Fault::NoAnswer, ""));
    // E6: what was made is not listed at first.
    cloud.world().blind_listings = 3;
    let done = snapshot(&cloud, &tagged(Consistency::Crash), None, None).await.unwrap();
    assert_eq!((done.sets.len(), done.failures.len()), (2, 0), "{:?}", done.failures);
    assert_eq!((creations(&cloud), cloud.world().snapshots.len()), (2, 3));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_never_arrived_is_sent_once_more_after_looking() {
    let cloud = world();
    cloud.world().faults.push_back(("ec2:CreateSnapshots", When::Before, Fault::NoAnswer, ""));
    let done = snapshot(&cloud, &tagged(Consistency::Crash), None, None).await.unwrap();
    assert_eq!((done.sets.len(), creations(&cloud), cloud.world().snapshots.len()), (2, 3, 3));
}

#[tokio::test(start_paused = true)]
async fn what_fails_for_one_instance_does_not_stop_the_others() {
    let cloud = world();
    cloud.world().faults.push_back(("ec2:CreateSnapshots", When::Before, Fault::Denied, "UnauthorizedOperation"));
    let done = snapshot(&cloud, &tagged(Consistency::Crash), None, None).await.unwrap();
    assert_eq!((done.sets.len(), done.failures.len()), (1, 1));
    assert!(matches!(done.failures[0].error, Ec2Error::Denied { .. }));
    cloud.world().faults.push_back(("ec2:DescribeInstances", When::Before, Fault::Denied, "UnauthorizedOperation"));
    let prepared = prepare(&cloud, &cloud.names(), &tagged(Consistency::Crash), &Run::silent()).await.unwrap();
    assert_eq!((prepared.found.len(), prepared.failures.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_new_snapshot_that_is_not_known_yet_is_tagged_later() {
    let cloud = world();
    for _ in 0..8 {
        cloud.world().faults.push_back(("ec2:CreateTags", When::Before, Fault::Missing, "InvalidSnapshot.NotFound"));
    }
    let done = snapshot(&cloud, &tagged(Consistency::Crash), None, None).await.unwrap();
    assert_eq!((done.sets.len(), done.failures.len()), (2, 0), "{:?}", done.failures);
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_with_the_state_or_after_its_time() {
    let wait = Some(Duration::from_secs(600));
    let cloud = world();
    cloud.world().becomes = Some(SnapshotState::Completed);
    let done = snapshot(&cloud, &tagged(Consistency::Crash), None, wait).await.unwrap();
    assert!(done.sets.iter().flat_map(|set| &set.snapshots).all(|one| one.state == SnapshotState::Completed));

    let cloud = world();
    cloud.world().becomes = Some(SnapshotState::Error);
    let done = snapshot(&cloud, &tagged(Consistency::Crash), None, wait).await.unwrap();
    assert!(done.failures.iter().all(|failed| matches!(failed.error, Ec2Error::Broken { .. })), "{:?}", done.failures);
    assert_eq!((done.sets.len(), done.failures.len()), (2, 2));

    let begin = tokio::time::Instant::now();
    let done = snapshot(&world(), &tagged(Consistency::Crash), None, wait).await.unwrap();
    assert!(done.failures.iter().all(|failed| matches!(failed.error, Ec2Error::NotFinished { .. })));
    assert!(begin.elapsed() < Duration::from_secs(700), "{:?}", begin.elapsed());
}

/// Counts what is frozen; says that `reached` was the level.
#[derive(Debug)]
struct Freezer {
    frozen: Arc<AtomicU32>,
    reached: Consistency,
}

#[derive(Debug)]
struct Ice {
    frozen: Arc<AtomicU32>,
    reached: Consistency,
}

#[async_trait]
impl Quiesce for Freezer {
    async fn check(&self, _instance: &Instance, _level: Consistency) -> Ec2Result<()> {
        Ok(())
    }

    async fn freeze(&self, _instance: &Instance, _level: Consistency) -> Ec2Result<Box<dyn Frozen>> {
        self.frozen.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(Ice { frozen: Arc::clone(&self.frozen), reached: self.reached }))
    }
}

#[async_trait]
impl Frozen for Ice {
    fn left(&self) -> Duration {
        Duration::from_secs(30)
    }

    async fn thaw(self: Box<Self>) -> Ec2Result<Consistency> {
        self.frozen.fetch_sub(1, Ordering::SeqCst);
        Ok(self.reached)
    }
}

fn freezer(reached: Consistency) -> (Freezer, Arc<AtomicU32>) {
    let frozen = Arc::new(AtomicU32::new(0));
    (Freezer { frozen: Arc::clone(&frozen), reached }, frozen)
}

#[tokio::test(start_paused = true)]
async fn e1_a_call_that_fails_inside_a_freeze_leaves_nothing_frozen() {
    let cloud = world();
    for _ in 0..2 {
        cloud.world().faults.push_back(("ec2:CreateSnapshots", When::Before, Fault::Refused, "SnapshotLimitExceeded"));
    }
    let (freezer, frozen) = freezer(Consistency::Fs);
    let done = snapshot(&cloud, &tagged(Consistency::Fs), Some(&freezer), None).await.unwrap();
    assert_eq!((done.sets.len(), done.failures.len(), frozen.load(Ordering::SeqCst)), (0, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_is_busy_is_waited_for_outside_of_the_freeze() {
    let cloud = world();
    for _ in 0..3 {
        let code = "SnapshotCreationPerVolumeRateExceeded";
        cloud.world().faults.push_back(("ec2:CreateSnapshots", When::Before, Fault::Throttled, code));
    }
    let (freezer, frozen) = freezer(Consistency::Fs);
    let begin = tokio::time::Instant::now();
    let done = snapshot(&cloud, &tagged(Consistency::Fs), Some(&freezer), None).await.unwrap();
    assert_eq!((done.sets.len(), done.failures.len(), frozen.load(Ordering::SeqCst)), (2, 0, 0), "{:?}", done.failures);
    assert!(done.sets.iter().all(|set| set.consistency == Consistency::Fs));
    assert!(begin.elapsed() >= Duration::from_secs(15), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_level_that_was_reached_is_tagged_and_a_lower_one_than_asked_for_fails() {
    for (reached, failures) in [(Consistency::Fs, 0), (Consistency::Crash, 2)] {
        let cloud = world();
        let (freezer, frozen) = freezer(reached);
        let done = snapshot(&cloud, &tagged(Consistency::Fs), Some(&freezer), None).await.unwrap();
        assert_eq!((done.failures.len(), frozen.load(Ordering::SeqCst)), (failures, 0));
        let world = cloud.world();
        // The first device of each instance is its root, which is never frozen.
        let of = |root: bool| world.snapshots.iter().filter(move |one| (one.volume.as_str() == "vol-sda1") == root);
        assert!(of(true).all(|one| one.tags.has(lineage::CONSISTENCY, "crash")) && of(true).count() > 0);
        assert!(of(false).all(|one| one.tags.has(lineage::CONSISTENCY, reached.name())) && of(false).count() > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn without_anything_that_freezes_no_level_above_crash_is_promised() {
    let cloud = world();
    let done = snapshot(&cloud, &tagged(Consistency::App), None, None).await.unwrap();
    assert_eq!((done.sets.len(), done.failures.len(), creations(&cloud)), (0, 2, 0));
}
