//! How long writers wait while two volumes are frozen for a set of snapshots.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use backup_testkit::aws_fake::FakeOptions;
use backup_testkit::ec2_fake::Ec2Fake;
use backup_testkit::ec2_fake::seed::{ACCOUNT, InstanceSeed, RegionSeed, Seed, VolumeSeed};

use super::Args;
use crate::Outcome;
use crate::bench::measure;
use crate::bench::report::{Row, median, show};
use crate::harness::{Failure, LoopDisk};
use crate::printer::say;

const INSTANCE: &str = "i-0ccccccccccccccc1";
const REGION: &str = "us-east-1";

/// What each request takes at least, so that the window has something to hold.
const CALL: Duration = Duration::from_millis(400);

/// How much longer than the call a writer may wait.
const MORE_MAX: Duration = Duration::from_millis(100);

/// Between two writes.
const WRITE_EVERY: Duration = Duration::from_millis(1);

/// Two writers, one a file system: the longest that either waited counts, by its own clock.
pub(super) fn row(args: &Args, work: &Path) -> Outcome<Row> {
    let disks = [disk(work, "ext4")?, disk(work, "xfs")?];
    let fake = Ec2Fake::start(&FakeOptions::default(), seed(&disks))?;
    fake.latency(CALL);
    let mut windows = Vec::new();
    for round in 0..usize::from(args.rounds) {
        let writers = disks.iter().map(Writer::start).collect::<Outcome<Vec<_>>>()?;
        let mut command = Command::new(crate::lastgood_binary()?);
        command.args(["ec2", "snapshot", INSTANCE, "--consistent", "fs", "--via", "local", "--quiet"]);
        command.args(["--region", REGION]).current_dir(work).envs(fake.environment(ACCOUNT, REGION));
        let run = measure::run(vec![command], None, None);
        let longest = writers.into_iter().map(Writer::stop).max().unwrap_or_default();
        show(round, "snapshot of two volumes", &run?);
        say(&format!("    the longest write took {:.0} ms", longest.as_secs_f64() * 1e3));
        if longest < CALL {
            return Err("no writer waited for the call: nothing was frozen".into());
        }
        windows.push(longest.as_secs_f64() * 1e3);
    }
    let (window_ms, call_ms) = (median(windows), CALL.as_secs_f64() * 1e3);
    let more_ms = window_ms - call_ms;
    Ok(Row {
        job: "freeze window, ext4 and XFS".to_owned(),
        against: "the call to CreateSnapshots alone".to_owned(),
        ours: format!("{window_ms:.0} ms"),
        peer: format!("{call_ms:.0} ms"),
        outcome: format!("{more_ms:.0} ms more"),
        target: format!("≤ {} ms more", MORE_MAX.as_millis()),
        met: more_ms <= MORE_MAX.as_secs_f64() * 1e3,
    })
}

fn disk(work: &Path, kind: &str) -> Outcome<LoopDisk> {
    LoopDisk::new(work, kind).map_err(|failure| match failure {
        Failure::Failed(what) | Failure::Skipped(what) => format!("{kind}: {what}").into(),
    })
}

/// An instance whose data volumes are these disks.
fn seed(disks: &[LoopDisk]) -> Seed {
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
    seed.regions.insert(REGION.to_owned(), RegionSeed { instances: vec![instance], ..RegionSeed::default() });
    seed
}

/// Writes a byte again and again.
struct Writer {
    done: Arc<AtomicBool>,
    thread: JoinHandle<Duration>,
}

impl Writer {
    fn start(disk: &LoopDisk) -> Outcome<Self> {
        let file = File::create(disk.at().join("written"))?;
        let done = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&done);
        let thread = thread::spawn(move || {
            let mut longest = Duration::ZERO;
            while !stop.load(Ordering::Relaxed) {
                let begin = Instant::now();
                if file.write_all_at(b"x", 0).is_err() {
                    break;
                }
                longest = longest.max(begin.elapsed());
                thread::sleep(WRITE_EVERY);
            }
            longest
        });
        Ok(Self { done, thread })
    }

    /// The longest that a write took.
    fn stop(self) -> Duration {
        self.done.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}
