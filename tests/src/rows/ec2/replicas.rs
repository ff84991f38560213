//! Copies from instance to instance: the fake's instances are network namespaces with an `sshd`, and its volumes loop
//! devices, so that what is copied is really copied.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use backup_testkit::aws_fake::FakeOptions;
use backup_testkit::ec2_fake::Ec2Fake;
use backup_testkit::ec2_fake::content::Content;
use backup_testkit::ec2_fake::hardware::Hardware as _;
use backup_testkit::ec2_fake::model::Snapshot;
use backup_testkit::ec2_fake::seed::{Seed, SnapshotSeed};
use backup_testkit::namespaces::Namespaces;
use futures::future::BoxFuture;

use super::{calls, changes, ec2, under};
use crate::harness::{Area, Failure, Lastgood, Locations, Row, RowResult, World};
use crate::{ensure, ensure_eq};

const HERE: &str = "us-east-1";
const THERE: &str = "eu-west-1";
const FIRST: &str = "snap-0d000000000000001";
const SECOND: &str = "snap-0d000000000000002";
const UUID: &str = "5ca1ab1e-0000-4000-8000-0123456789ab";
const GIB: u64 = 1;

/// What each run may take: claims settle for 15 s, and what a dead run left is watched for 75 s.
const LIMIT: Duration = Duration::from_secs(300);

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    let row = |id: &str, title: &str, run: fn(&World) -> BoxFuture<'_, RowResult>| {
        Row::new(id, title, Area::Ec2, Locations::Folder, run)
    };
    vec![
        row("E-rsync", "files by rsync between temporary instances, then what changed; nothing is left", |world| {
            Box::pin(files(world))
        }),
        row("E-blocks", "a volume block by block between temporary instances", |world| Box::pin(blocks(world))),
        row("E-given", "files between two instances that are there, which stay as they were", |world| {
            Box::pin(given(world))
        }),
        row("E-rsync-twice", "two runs at once make one replica", |world| Box::pin(twice(world))),
        row("E-rsync-kill", "kill -9 amid a copy: what it left is found and removed", |world| Box::pin(killed(world))),
    ]
}

/// A fake whose instances can be logged in to, with a snapshot of a file system.
struct Site {
    fake: Ec2Fake,
    hosts: Arc<Namespaces>,
}

impl Site {
    fn new() -> RowResult<Self> {
        let hosts = Namespaces::new(Path::new("/run/lastgood")).map_err(Failure::Skipped)?;
        let mut seed = Seed::small();
        let snapshot = |id: &str, hour: u32| SnapshotSeed {
            id: id.to_owned(),
            volume: "vol-0d000000000000001".to_owned(),
            size_gib: Some(GIB),
            description: format!(
                r#"{{"Volume": "vol-0d000000000000001", "Region": "{HERE}", "Time": "2026-11-21T{hour:02}:00:00"}}"#
            ),
            tags: [("Earmarking".to_owned(), "production".to_owned())].into(),
            ..SnapshotSeed::default()
        };
        if let Some(region) = seed.regions.get_mut(HERE) {
            region.snapshots.push(snapshot(FIRST, 3));
        }
        let fake = Ec2Fake::start(&FakeOptions::default(), seed)?;
        let hosts = Arc::new(hosts);
        fake.wire(hosts.clone());
        let site = Self { fake, hosts };
        let content = site.file_system(|path| {
            std::fs::write(path.join("rows"), "one")?;
            std::fs::write(path.join("gone"), "soon")?;
            std::fs::hard_link(path.join("rows"), path.join("linked"))
        })?;
        site.fill(FIRST, content)?;
        Ok(site)
    }

    fn file_system(&self, change: impl FnOnce(&Path) -> std::io::Result<()>) -> RowResult<Content> {
        let make = ["mkfs.ext4", "-q", "-F", "-L", "shop-data", "-U", UUID];
        self.hosts.filled(GIB, &make, change).map_err(Failure::new)
    }

    fn fill(&self, id: &str, content: Content) -> RowResult {
        self.fake.world(|state| {
            let region = state.regions.get_mut(HERE);
            let snapshot = region.and_then(|region| region.snapshots.get_mut(id));
            snapshot.map(|snapshot| snapshot.content = content).ok_or_else(|| Failure::new("there is no such snapshot"))
        })
    }

    /// A later snapshot of the same volume.
    fn second(&self, content: Content) -> RowResult {
        self.fake.world(|state| {
            let region = state.regions.get_mut(HERE).ok_or_else(|| Failure::new("there is no such region"))?;
            let first = region.snapshots.get(FIRST).cloned().ok_or_else(|| Failure::new("there is no first one"))?;
            let description = first.description.replace("T03:", "T04:");
            let second = Snapshot { id: SECOND.to_owned(), description, content, ..first };
            region.snapshots.insert(SECOND.to_owned(), second);
            Ok(())
        })
    }

    /// The replicas of `source`.
    fn replicas(&self, source: &str) -> Vec<Snapshot> {
        let of = |own: &&Snapshot| own.tags.get("lastgood:src-snapshot").is_some_and(|tag| tag == source);
        self.fake.world(|state| state.regions[THERE].snapshots.values().filter(of).cloned().collect())
    }

    fn replica(&self, source: &str) -> RowResult<Snapshot> {
        let mut replicas = self.replicas(source);
        ensure_eq!(replicas.len(), 1, "replicas");
        replicas.pop().ok_or_else(|| Failure::new("there is no replica"))
    }

    /// Whatever a run made for a while and is still there.
    fn temporary(&self) -> Vec<String> {
        let now = jiff::Timestamp::now();
        self.fake.world(|state| {
            let mut left = Vec::new();
            for region in state.regions.values() {
                let tagged = |tags: &backup_testkit::ec2_fake::Tags| tags.contains_key("lastgood:temporary");
                let instances = region.instances.values();
                let there = instances.filter(|own| tagged(&own.tags) && own.state(now).0 != "terminated");
                left.extend(there.map(|own| own.id.clone()));
                left.extend(region.volumes.values().filter(|own| tagged(&own.tags)).map(|own| own.id.clone()));
                left.extend(region.keys.keys().cloned());
                left.extend(region.groups.keys().cloned());
            }
            left
        })
    }

    fn ensure_clean(&self) -> RowResult {
        let left = self.temporary();
        ensure!(left.is_empty(), "{left:?} are left");
        Ok(())
    }

    fn replicate<'w>(&self, world: &'w World, mode: &str) -> Lastgood<'w> {
        let arguments = ["replicate", "--from", "us-e", "--to", THERE, "--mode", mode];
        ec2(world, &self.fake, arguments).limit(LIMIT)
    }

    fn temporarily<'w>(&self, world: &'w World, mode: &str) -> Lastgood<'w> {
        self.replicate(world, mode).args(["--ssh-from", "10.214.0.0/16", "--ssh-user", "root"])
    }
}

/// What `blkid` says of an image.
fn blkid(image: &str, what: &str) -> String {
    let output = std::process::Command::new("blkid").args(["-p", "-o", "value", "-s", what, image]).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// E-rsync.
pub(super) async fn files(world: &World) -> RowResult {
    let site = Site::new()?;
    let planned = site.temporarily(world, "rsync").arg("-n").ok().await?;
    planned
        .says("start a temporary instance in us-east-1")?
        .says(&format!("rsync  {FIRST} onto a new volume of 1 GiB"))?;
    ensure!(changes(&site.fake).is_empty(), "a dry run changed something: {:?}", changes(&site.fake));
    under(&site.fake, "replicate-instances")?;
    site.temporarily(world, "rsync").ok().await?.says("Copied 1 snapshot to eu-west-1")?;
    site.ensure_clean()?;
    let replica = site.replica(FIRST)?;
    ensure_eq!(replica.tags.get("lastgood:copied-by").map(String::as_str), Some("rsync"), "what made it");
    ensure_eq!(replica.tags.get("Earmarking").map(String::as_str), Some("production"), "the tag of the original");
    ensure!(replica.description.contains("T03:00:00"), "the description is `{}`", replica.description);
    let (label, uuid, links, rows) = site
        .hosts
        .looked_at(GIB, &replica.content, |path, image| {
            let links = std::fs::metadata(path.join("linked")).map(|file| file.nlink()).unwrap_or_default();
            let rows = std::fs::read_to_string(path.join("rows")).unwrap_or_default();
            (blkid(image, "LABEL"), blkid(image, "UUID"), links, rows)
        })
        .map_err(Failure::new)?;
    ensure_eq!((label.as_str(), uuid.as_str(), links, rows.as_str()), ("shop-data", UUID, 2, "one"), "the replica");
    // The next one begins with the replica.
    site.second(site.file_system(|path| std::fs::write(path.join("rows"), "two"))?)?;
    let onto = format!("rsync  {SECOND} onto a volume of {}", replica.id);
    site.temporarily(world, "rsync").arg("-n").ok().await?.says(&onto)?;
    site.temporarily(world, "rsync").ok().await?.says("Copied 1 snapshot to eu-west-1")?;
    let second = site.replica(SECOND)?;
    let look = |path: &Path, _: &str| (std::fs::read_to_string(path.join("rows")).ok(), path.join("gone").exists());
    let (rows, gone) = site.hosts.looked_at(GIB, &second.content, look).map_err(Failure::new)?;
    ensure_eq!((rows.as_deref(), gone), (Some("two"), false), "what changed");
    site.ensure_clean()?;
    site.temporarily(world, "rsync").ok().await?.says("Copied 0 snapshots to eu-west-1; 1 had a copy already")?;
    Ok(())
}

/// E-blocks.
pub(super) async fn blocks(world: &World) -> RowResult {
    let site = Site::new()?;
    under(&site.fake, "replicate-instances")?;
    site.temporarily(world, "blocks").ok().await?.says("Copied 1 snapshot to eu-west-1")?;
    site.ensure_clean()?;
    let original = site.fake.world(|state| state.regions[HERE].snapshots[FIRST].content.clone());
    let differing = original.differing(&site.replica(FIRST)?.content, 0);
    ensure!(!original.is_empty() && differing.is_empty(), "the blocks {differing:?} differ");
    Ok(())
}

/// E-given.
pub(super) async fn given(world: &World) -> RowResult {
    let site = Site::new()?;
    let ends = [(HERE, "i-0aaaaaaaaaaaaaaa1"), (THERE, "i-0bbbbbbbbbbbbbbb1")];
    for (region, id) in ends {
        let address = site.hosts.boot(id, None).map_err(Failure::new)?;
        site.fake.world(|state| {
            let instance = state.regions.get_mut(region).and_then(|region| region.instances.get_mut(id));
            if let Some(instance) = instance {
                instance.address = Some(address);
            }
        });
    }
    let config = site.hosts.ssh_config(&ends.map(|(_, id)| id)).map_err(Failure::new)?;
    let before = ends.map(|(_, id)| site.hosts.left_on(id));
    let ssh = format!("ssh -F {}", config.display());
    let instances = ["--from-instance", ends[0].1, "--to-instance", ends[1].1, "--ssh-command", &ssh];
    let run = || site.replicate(world, "rsync").args(instances);
    run().arg("-n").ok().await?.says(&format!("use   {} in us-east-1", ends[0].1))?;
    run().ok().await?.says("Copied 1 snapshot to eu-west-1")?;
    ensure_eq!(calls(&site.fake, "RunInstances"), 0, "instances started");
    site.replica(FIRST)?;
    site.ensure_clean()?;
    ensure!(ends.map(|(_, id)| site.hosts.left_on(id)) == before, "something is left on the instances");
    Ok(())
}

/// E-rsync-twice.
pub(super) async fn twice(world: &World) -> RowResult {
    let site = Site::new()?;
    let runs = [site.temporarily(world, "rsync").start()?, site.temporarily(world, "rsync").start()?];
    let mut left = 0;
    for run in runs {
        let ended = run.finish().await?.expect_code(0)?;
        left += usize::from(ended.transcript().contains("left to another run"));
    }
    site.replica(FIRST)?;
    ensure_eq!(left, 1, "runs that left it to the other one");
    site.ensure_clean()
}

/// E-rsync-kill.
pub(super) async fn killed(world: &World) -> RowResult {
    let site = Site::new()?;
    let kill = |step: &str| site.temporarily(world, "rsync").env("LASTGOOD_CRASH_AT", step);
    kill("sync.send").run().await?.expect_killed()?;
    ensure!(!site.temporary().is_empty() && site.replicas(FIRST).is_empty(), "it was killed too early or too late");
    under(&site.fake, "clean-broken")?;
    let clean = |flag: &str| ec2(world, &site.fake, ["clean-broken", flag]).limit(LIMIT);
    clean("-n").ok().await?.says("remove  instance i-")?;
    ensure!(!site.temporary().is_empty(), "a dry run removed something");
    clean("--yes").ok().await?.says("of replications that died")?;
    site.ensure_clean()?;
    site.fake.policy(None);
    // The snapshot is begun, and nobody has heard of it.
    kill("transfer.snapshotted").run().await?.expect_killed()?;
    ensure!(!site.temporary().is_empty(), "it was killed too late");
    let next = site.temporarily(world, "rsync").ok().await?;
    next.says("a run that died has left")?.says("1 had a copy already")?;
    site.replica(FIRST)?;
    site.ensure_clean()
}
