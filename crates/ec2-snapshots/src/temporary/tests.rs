//! Leftovers of dead runs, against EC2 in memory, in the runtime's time.

use std::sync::Arc;
use std::time::Duration;

use backup_core::run::Run;
use tokio::time::Instant;

use super::*;
use crate::model::{Attachment, Volume, VolumeState};
use crate::ports::{Cloud, Group, KeyPair};
use crate::test_world::cloud::MemoryCloud;
use crate::test_world::instance;

const HERE: &str = "eu-west-1";

fn volume(id: &str, run: &str, on: Option<&str>) -> Volume {
    let attachment = |on: &str| Attachment { instance: on.into(), device: "/dev/sdf".to_owned() };
    Volume {
        id: id.into(),
        region: HERE.parse().unwrap(),
        zone: format!("{HERE}a"),
        state: VolumeState::Available,
        size_gib: 1,
        encrypted: false,
        snapshot: None,
        created: None,
        attachments: on.map(attachment).into_iter().collect(),
        tags: tags(run),
    }
}

/// A region with everything that the run `dead` may have left: its volume is attached to an instance that is not its own.
fn world() -> MemoryCloud {
    let cloud = MemoryCloud::new(&[HERE]);
    let mut world = cloud.world();
    let mut own = instance("i-1", &["/dev/sda1"]);
    own.tags = tags("dead");
    world.instances = vec![own];
    world.volumes = vec![volume("vol-1", "dead", Some("i-1")), volume("vol-2", "dead", Some("i-9"))];
    world.keys = vec![KeyPair { name: name("dead"), tags: tags("dead") }];
    world.groups = vec![Group { id: "sg-1".to_owned(), tags: tags("dead") }];
    drop(world);
    cloud
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_run_left_is_found_after_a_while_and_removed_in_order() {
    let cloud = world();
    let begin = Instant::now();
    let (dead, failures) = super::dead(&cloud, &cloud.names(), &Run::silent()).await.unwrap();
    assert!(begin.elapsed() >= Duration::from_secs(75) && failures.is_empty());
    assert_eq!(dead.len(), 5, "{dead:?}");
    assert!(cloud.changes().is_empty(), "looking changed something: {:?}", cloud.changes());
    remove(&cloud, &HERE.parse().unwrap(), &dead, &Run::silent()).await.unwrap();
    let world = cloud.world();
    assert!(world.keys.is_empty() && world.groups.is_empty());
    assert!(world.volumes.iter().all(|volume| volume.state == VolumeState::Deleted));
    let at = |what: &str| world.log.iter().position(|line| line.ends_with(what)).unwrap();
    assert!(at("ec2:TerminateInstances i-1") < at("ec2:DeleteVolume vol-1"));
    assert!(
        at("ec2:DeleteVolume vol-1") < at("ec2:DeleteVolume vol-2"),
        "the mounted one is taken away by force, later"
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_that_goes_on_keeps_what_it_has_made() {
    let cloud = world();
    let region = HERE.parse().unwrap();
    let beacon = Beacon::start(vec![cloud.machines(&region)]);
    beacon.add(&region, "vol-2");
    let begin = Instant::now();
    let (dead, _) = super::dead(&cloud, &cloud.names(), &Run::silent()).await.unwrap();
    assert!(dead.is_empty() && begin.elapsed() < Duration::from_secs(30), "{dead:?}");
    drop(beacon);
    assert_eq!(super::dead(&cloud, &cloud.names(), &Run::silent()).await.unwrap().0.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_waited_for_where_nothing_is() {
    let cloud = Arc::new(MemoryCloud::new(&[HERE]));
    let begin = Instant::now();
    assert!(super::dead(&*cloud, &cloud.names(), &Run::silent()).await.unwrap().0.is_empty());
    assert!(begin.elapsed() < Duration::from_secs(1));
}
