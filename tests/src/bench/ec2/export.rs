//! A snapshot exported block by block: ours beside dsnap and bsnap, at the latency of a region next door.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use backup_testkit::aws_fake::FakeOptions;
use backup_testkit::ec2_fake::Ec2Fake;
use backup_testkit::ec2_fake::content::{Block, Fill, RandomFill};
use backup_testkit::ec2_fake::seed::{ACCOUNT, RegionSeed, Seed, SnapshotSeed};
use jiff::{SignedDuration, Timestamp};

use super::{Args, memory};
use crate::Outcome;
use crate::bench::measure::{self, Measurement};
use crate::bench::report::{Row, median, show};

const REGION: &str = "us-east-1";
const VOLUME: &str = "vol-0aaaaaaaaaaaaaa12";
const FIRST: &str = "snap-0000000a";
const SECOND: &str = "snap-0000000b";

/// Added to each request.
const LATENCY: Duration = Duration::from_millis(20);

/// What a second export may read of what the first has read.
const SECOND_MAX: f64 = 0.012;

/// How much memory an export may take.
const PEAK_BYTES_MAX: u64 = 256 << 20;

/// Blocks of a GiB.
const BLOCKS_PER_GIB: u32 = 2048;

/// Where exports and images are written, if it is there: a disk is slower than blocks are read, and would be measured.
const IN_MEMORY: &str = "/dev/shm";

/// One block in so many changes between the two snapshots.
const CHANGED_EVERY: usize = 100;

/// Runs every contender in turn.
pub(super) fn rows(args: &Args, work: &Path) -> Outcome<Vec<Row>> {
    let memory_folder = Path::new(IN_MEMORY);
    let beside = if memory_folder.is_dir() { memory_folder } else { work };
    let held = tempfile::Builder::new().prefix("lastgood-ec2-bench-").tempdir_in(beside)?;
    let work = held.path();
    let fake = Ec2Fake::start(&FakeOptions::default(), seed(args.gib))?;
    change(&fake);
    fake.latency(LATENCY);
    let contenders = contenders(args);
    let mut taken: Vec<Vec<Measurement>> = contenders.iter().map(|_| Vec::new()).collect();
    let (mut ours, mut second_blocks) = (Vec::new(), 0);
    for round in 0..usize::from(args.rounds) {
        let turn = Turn { fake: &fake, folder: fresh(work)?, round };
        // Whoever goes first changes from round to round.
        let mut order: Vec<usize> = (0..=contenders.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for at in order {
            match contenders.get(at) {
                Some(contender) => {
                    taken[at].push(turn.measured(contender.name, turn.peer(contender))?);
                    turn.clear_images()?;
                }
                None => ours.push(turn.measured("export", turn.export(FIRST)?)?),
            }
        }
        fake.clear_log();
        turn.measured("export again", turn.export(SECOND)?)?;
        second_blocks = fake.log().iter().filter(|call| call.op == "GetSnapshotBlock").count();
    }
    let wall = |runs: &[Measurement]| median(runs.iter().map(|run| run.wall_s));
    let job = format!("export of {} GiB, half full", args.gib);
    let peak = ours.iter().map(|run| run.peak_bytes).max().unwrap_or(0);
    let blocks = args.gib * BLOCKS_PER_GIB / 2;
    let share = second_blocks as f64 / f64::from(blocks);
    let beside = contenders.iter().zip(&taken);
    let mut rows: Vec<Row> = beside.map(|(peer, runs)| against(&job, peer, wall(&ours), wall(runs))).collect();
    rows.push(Row {
        job: "again with 1 % changed".to_owned(),
        against: "blocks of the first".to_owned(),
        ours: second_blocks.to_string(),
        peer: blocks.to_string(),
        outcome: format!("{:.2} %", share * 100.0),
        target: format!("≤ {} %", SECOND_MAX * 100.0),
        met: share <= SECOND_MAX,
    });
    rows.push(memory(&job, peak, PEAK_BYTES_MAX));
    Ok(rows)
}

/// Another program that reads the same snapshot.
struct Contender {
    name: &'static str,
    program: PathBuf,
    words: Vec<&'static str>,
    /// How much faster than it we must be.
    ratio_min: f64,
}

fn contenders(args: &Args) -> Vec<Contender> {
    let beside = |program: &str| args.python.with_file_name(program);
    let mut all = vec![
        Contender { name: "dsnap 1.0.1", program: beside("dsnap"), words: vec!["get", FIRST], ratio_min: 2.0 },
        Contender {
            name: "bsnap 0.1.0",
            program: beside("bsnap"),
            words: vec!["--snapshot-id", FIRST, "--output-file", "bsnap.img"],
            ratio_min: 2.0,
        },
        Contender {
            name: "the SDK reading the blocks alone",
            program: args.examples.join("blocks_alone"),
            words: vec![REGION, FIRST],
            ratio_min: 0.8,
        },
    ];
    if let Some(program) = &args.coldsnap {
        let words = vec!["download", FIRST, "coldsnap.img"];
        all.push(Contender { name: "coldsnap 0.12", program: program.clone(), words, ratio_min: 1.0 });
    }
    all
}

fn against(job: &str, peer: &Contender, ours_s: f64, peer_s: f64) -> Row {
    let ratio = peer_s / ours_s;
    Row {
        job: job.to_owned(),
        against: peer.name.to_owned(),
        ours: format!("{ours_s:.1} s"),
        peer: format!("{peer_s:.1} s"),
        outcome: format!("{ratio:.2}×"),
        target: format!("≥ {}×", peer.ratio_min),
        met: ratio >= peer.ratio_min,
    }
}

/// Two snapshots of one volume, a day apart; they are equal at first.
fn seed(gib: u32) -> Seed {
    let random = Some(RandomFill { seed: 7, from: 0, to: gib * BLOCKS_PER_GIB, every: 2 });
    let snapshot = |id: &str, age_h: i64| SnapshotSeed {
        id: id.to_owned(),
        volume: VOLUME.to_owned(),
        size_gib: Some(u64::from(gib)),
        start: Some(Timestamp::now() - SignedDuration::from_hours(age_h)),
        content: Fill { random, ..Fill::default() },
        ..SnapshotSeed::default()
    };
    let snapshots = vec![snapshot(FIRST, 48), snapshot(SECOND, 24)];
    let mut seed = Seed::default();
    seed.regions.insert(REGION.to_owned(), RegionSeed { snapshots, ..RegionSeed::default() });
    seed
}

/// One block in a hundred of the second snapshot is another.
fn change(fake: &Ec2Fake) {
    fake.world(|state| {
        let region = state.regions.get_mut(REGION);
        if let Some(second) = region.and_then(|region| region.snapshots.get_mut(SECOND)) {
            let indexes: Vec<u32> = second.content.indexes(0).step_by(CHANGED_EVERY).collect();
            for index in indexes {
                second.content.put(index, Block::Random(u64::from(index) + (1 << 40)));
            }
        }
    });
}

fn fresh(work: &Path) -> Outcome<PathBuf> {
    let folder = work.join("round");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir(&folder)?;
    Ok(folder)
}

struct Turn<'a> {
    fake: &'a Ec2Fake,
    folder: PathBuf,
    round: usize,
}

impl Turn<'_> {
    fn export(&self, id: &str) -> Outcome<Command> {
        let mut command = Command::new(crate::lastgood_binary()?);
        command.args(["ec2", "export", id, "--region", REGION, "--init", "--quiet", "--to"]);
        command.arg(self.folder.join("location"));
        Ok(self.on_fake(command))
    }

    fn peer(&self, contender: &Contender) -> Command {
        let mut command = Command::new(&contender.program);
        command.args(&contender.words);
        self.on_fake(command)
    }

    fn on_fake(&self, mut command: Command) -> Command {
        command.current_dir(&self.folder).envs(self.fake.environment(ACCOUNT, REGION));
        command
    }

    /// Removes what a peer wrote: memory holds one of them at a time.
    fn clear_images(&self) -> Outcome {
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.is_file() {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn measured(&self, name: &str, command: Command) -> Outcome<Measurement> {
        let run = measure::run(vec![command], None, None).map_err(|error| format!("{name}: {error}"))?;
        show(self.round, name, &run);
        Ok(run)
    }
}
