//! Consistent snapshots of this machine, with file systems on loop devices. A writer on a frozen one survives SIGKILL: the
//! guard of a disk thaws it from outside.

use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use backup_testkit::aws_fake::FakeOptions;
use backup_testkit::ec2_fake::Ec2Fake;
use backup_testkit::ec2_fake::seed::{InstanceSeed, RegionSeed, Seed, VolumeSeed};
use futures::future::BoxFuture;

use super::{calls, ec2};
use crate::harness::loop_disk::run;
use crate::harness::{Area, Failure, Locations, LoopDisk, Row, RowResult, World};
use crate::{ensure, ensure_eq};

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    let row = |id: &str, title: &str, run: fn(&World) -> BoxFuture<'_, RowResult>| {
        Row::new(id, title, Area::Ec2, Locations::Folder, run)
    };
    vec![
        row("E-freeze", "a writer on ext4 and XFS waits for the call and no longer", |world| Box::pin(window(world))),
        row("E1", "CreateSnapshots fails inside the freeze: thawed within a second", |world| {
            Box::pin(failing_call(world))
        }),
        row("E2", "kill -9 while frozen: thawed at once", |world| Box::pin(killed(world))),
        row("E3", "what must not be frozen is refused, and what others froze stays", |world| Box::pin(refused(world))),
        row("E-freeze-elsewhere", "a named mount point on none of the instance's volumes is told", |world| {
            Box::pin(elsewhere(world))
        }),
        row("E4", "the call hangs past the deadline: thawed, and only crash-consistent", |world| {
            Box::pin(hanging_call(world))
        }),
        row("E-thaw", "program and watchdog killed, and unmounted: found by the record", |world| {
            Box::pin(thawed(world))
        }),
    ]
}

const INSTANCE: &str = "i-0ccccccccccccccc1";
const SNAPSHOT: [&str; 6] = ["snapshot", INSTANCE, "--consistent", "fs", "--via", "local"];

/// What a thawed writer needs at most.
const SOON: Duration = Duration::from_secs(5);

fn ends_within(child: &mut Child, limit: Duration) -> RowResult<bool> {
    let begin = Instant::now();
    while begin.elapsed() < limit {
        if child.try_wait()?.is_some() {
            return Ok(true);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(false)
}

fn writes(disk: &LoopDisk) -> RowResult<bool> {
    ends_within(&mut disk.writer()?, SOON)
}

/// An instance whose data volumes are these disks.
fn fake(disks: &[&LoopDisk]) -> RowResult<Ec2Fake> {
    let volume = |at: usize, device: &str| VolumeSeed {
        id: format!("vol-0cccccccccccccc{at:02}"),
        device: device.to_owned(),
        size_gib: Some(1),
        ..VolumeSeed::default()
    };
    let data = disks.iter().enumerate().map(|(at, disk)| volume(at + 2, disk.device()));
    let volumes = std::iter::once(volume(1, "/dev/sda1")).chain(data).collect();
    let instance = InstanceSeed { id: INSTANCE.to_owned(), volumes, ..InstanceSeed::default() };
    let mut seed = Seed::default();
    seed.regions.insert("us-east-1".to_owned(), RegionSeed { instances: vec![instance], ..RegionSeed::default() });
    Ok(Ec2Fake::start(&FakeOptions::default(), seed)?)
}

/// E-freeze.
pub(super) async fn window(world: &World) -> RowResult {
    for kind in ["ext4", "xfs"] {
        let disk = LoopDisk::new(world.folder(), kind)?;
        let fake = fake(&[&disk])?;
        fake.latency(Duration::from_millis(400));
        ec2(world, &fake, SNAPSHOT).arg("-n").ok().await?;
        let mut snapshot = ec2(world, &fake, SNAPSHOT).env("LASTGOOD_PROGRESS", "json").start()?;
        snapshot.wait_for("ec2.frozen").await?;
        let begin = Instant::now();
        let ended = ends_within(&mut disk.writer()?, SOON)?;
        let waited = begin.elapsed();
        ensure!(ended && waited > Duration::from_millis(200), "a writer on {kind} waited {waited:?}");
        snapshot.finish().await?.expect_code(0)?;
        let listed = ec2(world, &fake, ["ls", "--json"]).ok().await?.json()?;
        for snapshot in listed["snapshots"].as_array().into_iter().flatten() {
            let root = snapshot["tags"]["lastgood:device"] == "/dev/sda1";
            let level = if root { "crash" } else { "fs" };
            ensure_eq!(snapshot["tags"]["lastgood:consistency"], level, "the level of a snapshot");
        }
        ensure_eq!(listed["snapshots"].as_array().map(Vec::len), Some(2), "snapshots");
    }
    Ok(())
}

/// E3.
pub(super) async fn refused(world: &World) -> RowResult {
    let disk = LoopDisk::new(world.folder(), "ext4")?;
    let fake = fake(&[&disk])?;
    let inside = format!("{}/x", disk.path());
    std::fs::create_dir(&inside)?;
    let said =
        format!("`{inside}` is not a mount point: freezing it would freeze `{}`; nothing was frozen", disk.path());
    for flags in [vec!["-n"], vec![]] {
        ec2(world, &fake, SNAPSHOT).args(["--freeze", &inside]).args(flags).fails(1).await?.says(&said)?;
    }
    ec2(world, &fake, SNAPSHOT).args(["--freeze", "/"]).fails(1).await?.says("`/` cannot be frozen")?;
    let own = [&SNAPSHOT[..3], &["app", "--via", "local"]].concat();
    ec2(world, &fake, own).fails(2).await?.says("`app` needs a hook")?;
    ensure_eq!(calls(&fake, "CreateSnapshots"), 0, "snapshots begun");
    ensure!(writes(&disk)?, "it was frozen");
    ensure!(run("fsfreeze", &["-f", &disk.path()]), "fsfreeze failed");
    ec2(world, &fake, SNAPSHOT).fails(11).await?.says("is frozen by another program")?;
    ensure!(!ends_within(&mut disk.writer()?, Duration::from_secs(2))?, "what another program froze was thawed");
    Ok(())
}

/// A mount point is named that is not on a volume of the instance.
pub(super) async fn elsewhere(world: &World) -> RowResult {
    let folder = world.folder().join("other");
    std::fs::create_dir(&folder)?;
    let (disk, other) = (LoopDisk::new(world.folder(), "ext4")?, LoopDisk::new(&folder, "ext4")?);
    let fake = fake(&[&disk])?;
    let told = "cannot be seen whether";
    for flags in [vec!["-n"], vec![]] {
        let snapshot = |path: &str| ec2(world, &fake, SNAPSHOT).args(["--freeze", path]).args(flags.clone());
        snapshot(&disk.path()).ok().await?.never_says(told)?;
        snapshot(&other.path()).ok().await?.says(told)?.says(&other.path())?;
    }
    Ok(())
}

/// E1.
pub(super) async fn failing_call(world: &World) -> RowResult {
    let disk = LoopDisk::new(world.folder(), "ext4")?;
    let fake = fake(&[&disk])?;
    let refuse = backup_testkit::faults::Action::Status { status: 400, code: "SnapshotLimitExceeded".to_owned() };
    let op = Some("CreateSnapshots".to_owned());
    fake.faults([backup_testkit::faults::Rule { op, ..backup_testkit::faults::Rule::new(refuse) }]);
    ec2(world, &fake, SNAPSHOT).fails(1).await?.says("SnapshotLimitExceeded")?;
    ensure!(ends_within(&mut disk.writer()?, Duration::from_secs(1))?, "it was not thawed within a second");
    Ok(())
}

/// E2.
pub(super) async fn killed(world: &World) -> RowResult {
    let disk = LoopDisk::new(world.folder(), "xfs")?;
    let fake = fake(&[&disk])?;
    ec2(world, &fake, SNAPSHOT).env("LASTGOOD_CRASH_AT", "ec2.frozen").run().await?.expect_killed()?;
    ensure!(writes(&disk)?, "it stayed frozen");
    // Its connection ended, and with it the freeze: there is nothing left to thaw.
    tokio::time::sleep(Duration::from_millis(300)).await;
    ec2(world, &fake, ["thaw", "local"]).ok().await?.says("Nothing was left frozen on local")?;
    Ok(())
}

/// E4.
pub(super) async fn hanging_call(world: &World) -> RowResult {
    let disk = LoopDisk::new(world.folder(), "ext4")?;
    let fake = fake(&[&disk])?;
    let op = Some("CreateSnapshots".to_owned());
    let hang = backup_testkit::faults::Action::Delay { ms: 6000 };
    fake.faults([backup_testkit::faults::Rule { op, times: 1, ..backup_testkit::faults::Rule::new(hang) }]);
    let mut snapshot = ec2(world, &fake, SNAPSHOT).args(["--freeze-deadline", "3s"]).start()?;
    let begin = Instant::now();
    while !is_frozen(&disk) {
        ensure!(begin.elapsed() < SOON, "it was never frozen");
        ensure!(!snapshot.has_ended()?, "it ended before it froze");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ensure!(ends_within(&mut disk.writer()?, Duration::from_secs(4))?, "it stayed frozen past its deadline");
    snapshot.finish().await?.expect_code(3)?.says("only `crash`-consistent")?;
    Ok(())
}

/// Whether a record on this machine says so.
fn is_frozen(disk: &LoopDisk) -> bool {
    let folders = std::fs::read_dir("/run/lastgood").into_iter().flatten().flatten();
    let names = |folder: &Path| {
        std::fs::read_to_string(folder.join("record")).is_ok_and(|text| text.contains(&disk.path()))
            && folder.join("frozen.0").exists()
    };
    folders.map(|entry| entry.path()).any(|folder| names(&folder))
}

/// E-thaw.
pub(super) async fn thawed(world: &World) -> RowResult {
    let disk = LoopDisk::new(world.folder(), "ext4")?;
    let fake = fake(&[&disk])?;
    fake.latency(Duration::from_millis(800));
    let mut snapshot = ec2(world, &fake, SNAPSHOT).env("LASTGOOD_PROGRESS", "json").start()?;
    snapshot.wait_for("ec2.frozen").await?;
    let record = std::fs::read_dir("/run/lastgood")?.flatten().map(|entry| entry.path());
    let record = record
        .filter(|folder| folder.join("frozen.0").exists())
        .find(|folder| std::fs::read_to_string(folder.join("record")).is_ok_and(|text| text.contains(&disk.path())));
    let record = record.ok_or_else(|| Failure::new("there is no record"))?;
    let text = std::fs::read_to_string(record.join("record"))?;
    let pid = text.lines().find_map(|line| line.strip_prefix("pid ")?.split(' ').next()).unwrap_or_default().to_owned();
    let watchdog = std::fs::read_to_string(record.join("armed"))?;
    for group in [watchdog.trim(), &pid] {
        ensure!(run("kill", &["-9", "--", &format!("-{group}")]), "the group {group} cannot be killed");
    }
    snapshot.signal(rustix::process::Signal::KILL)?;
    snapshot.finish().await?.expect_killed()?;
    // Killed programs keep the file system busy until the kernel has put their files away.
    let mut unmounted = run("umount", &[&disk.path()]);
    for _ in 0..50 {
        if unmounted {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        unmounted = run("umount", &[&disk.path()]);
    }
    ensure!(unmounted, "it cannot be unmounted");
    let said = ec2(world, &fake, ["thaw", "local"]).ok().await?;
    said.says(disk.device())?.says("which was unmounted while frozen: mount it again")?;
    disk.mount()?;
    ensure!(writes(&disk)?, "it stayed frozen");
    Ok(())
}
