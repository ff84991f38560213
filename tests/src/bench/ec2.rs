//! `bench ec2`: a trim plan of many snapshots from a file, beside reading that file alone; and a list of many snapshots.

mod export;

use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use backup_testkit::aws_fake::FakeOptions;
use backup_testkit::ec2_fake::Ec2Fake;
use backup_testkit::ec2_fake::seed::{ACCOUNT, RegionSeed, Seed, SnapshotSeed};
use backup_testkit::faults::{Action, Rule};
use jiff::{SignedDuration, Timestamp};
use serde::de::{SeqAccess, Visitor};
use serde_json::Value;

use super::measure::{self, Measurement};
use super::report::{Row, median, show, table};
use crate::Outcome;
use crate::printer::say;

/// How much longer than reading the file the plan may take.
const RATIO_MAX: f64 = 2.0;

/// How much memory the plan may take.
const PEAK_BYTES_MAX: u64 = 1 << 30;

/// How much longer than the smaller file a hundred times larger one may take: n log n from 10 k to 1 M.
const GROWTH_MAX: f64 = 150.0;

/// The page of a listing.
const PAGE: u64 = 1_000;

/// When the plan is made.
const NOW: &str = "2026-11-21T03:00:00Z";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Snapshots in the file
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(100..))]
    snapshots: u32,
    /// Volumes that they are of
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    volumes: u32,
    /// Snapshots in the region that is listed
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(100..))]
    listed: u32,
    /// Runs of each; medians are compared
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// GiB of the volume whose snapshot is exported
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    gib: u32,
    /// A Python that has dsnap and bsnap; without it nothing is exported
    #[arg(long)]
    python: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Outcome {
    let work = tempfile::Builder::new().prefix("lastgood-bench-").tempdir()?;
    let mut rows = trim(args, work.path())?;
    rows.push(list(args, work.path())?);
    if let Some(programs) = args.python.as_ref().and_then(|python| python.parent()) {
        let rounds = usize::from(args.rounds);
        rows.extend(export::rows(&export::Setting { gib: args.gib, rounds, programs, work: work.path() })?);
    }
    say(&format!("\n{}", table(&rows)));
    Ok(())
}

fn trim(args: &Args, work: &Path) -> Outcome<Vec<Row>> {
    let (large, small) = (work.join("large.json"), work.join("small.json"));
    say(&format!("writing {} snapshots of {} volumes", args.snapshots, args.volumes));
    write(&large, args.snapshots, args.volumes)?;
    write(&small, args.snapshots / 100, (args.volumes / 100).max(1))?;
    let (mut ours, mut alone, mut less) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..usize::from(args.rounds) {
        // Whoever goes first changes from round to round.
        let mut turns: Vec<(&str, Command, &mut Vec<Measurement>)> = vec![
            ("trim -n", plan(&large, work)?, &mut ours),
            ("reading alone", reader(&large)?, &mut alone),
            ("trim -n of a hundredth", plan(&small, work)?, &mut less),
        ];
        if round % 2 == 1 {
            turns.reverse();
        }
        for (name, command, taken) in turns {
            let run = measure::run(vec![command], None, None)?;
            show(round, name, &run);
            taken.push(run);
        }
    }
    let wall = |runs: &[Measurement]| median(runs.iter().map(|run| run.wall_s));
    let (plan_s, read_s, small_s) = (wall(&ours), wall(&alone), wall(&less));
    let peak = ours.iter().map(|run| run.peak_bytes).max().unwrap_or(0);
    let job = format!("trim -n of {} snapshots", args.snapshots);
    Ok(vec![
        row(&job, "reading each as JSON alone", (plan_s, read_s), plan_s / read_s, RATIO_MAX),
        row(&job, "a hundredth of them", (plan_s, small_s), plan_s / small_s, GROWTH_MAX),
        Row {
            job,
            against: "memory".to_owned(),
            ours: format!("{} MiB", peak >> 20),
            peer: String::new(),
            outcome: String::new(),
            target: format!("≤ {} MiB", PEAK_BYTES_MAX >> 20),
            met: peak <= PEAK_BYTES_MAX,
        },
    ])
}

fn row(job: &str, against: &str, (ours, peer): (f64, f64), ratio: f64, most: f64) -> Row {
    Row {
        job: job.to_owned(),
        against: against.to_owned(),
        ours: format!("{ours:.3} s"),
        peer: format!("{peer:.3} s"),
        outcome: format!("{ratio:.2}×"),
        target: format!("≤ {most}×"),
        met: ratio <= most,
    }
}

fn plan(file: &Path, work: &Path) -> Outcome<Command> {
    let mut command = Command::new(crate::lastgood_binary()?);
    command.args(["ec2", "trim", "-n", "--quiet", "--now", NOW, "--from-json"]).arg(file).current_dir(work);
    Ok(command)
}

/// This program again, which reads a file and does nothing with it.
fn reader(file: &Path) -> Outcome<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("read-snapshots").arg(file);
    Ok(command)
}

/// As `aws ec2 describe-snapshots` prints them, hourly, in django-fabfile's form.
fn write(path: &Path, snapshots: u32, volumes: u32) -> Outcome {
    let mut file = BufWriter::new(File::create(path)?);
    let now: Timestamp = NOW.parse()?;
    file.write_all(b"{\"Snapshots\": [")?;
    for number in 0..snapshots {
        let (volume, hour) = (number % volumes, i64::from(number / volumes));
        let time = now - SignedDuration::from_hours(hour);
        let described = time.strftime("%Y-%m-%dT%H:%M:%S");
        let comma = if number == 0 { "" } else { "," };
        write!(
            file,
            "{comma}\n    {{\"Description\": \"{{\\\"Volume\\\": \\\"vol-{volume:017}\\\", \\\"Region\\\": \\\"eu-west-1\\\", \
             \\\"Device\\\": \\\"/dev/sda1\\\", \\\"Instance\\\": \\\"i-{volume:017}\\\", \\\"Time\\\": \\\"{described}\\\"}}\", \
             \"Encrypted\": false, \"OwnerId\": \"111111111111\", \"Progress\": \"100%\", \"SnapshotId\": \
             \"snap-{number:017}\", \"StartTime\": \"{described}.000Z\", \"State\": \"completed\", \"VolumeId\": \
             \"vol-{volume:017}\", \"VolumeSize\": 8, \"StorageTier\": \"standard\", \"Tags\": [{{\"Key\": \"Earmarking\", \
             \"Value\": \"production\"}}]}}"
        )?;
    }
    file.write_all(b"\n], \"NextToken\": \"\"}\n")?;
    Ok(file.flush()?)
}

/// Reads each snapshot of the file as a JSON value, one by one: what any program does at least.
pub(super) fn read(path: &PathBuf) -> Outcome {
    let mut documents = serde_json::Deserializer::from_reader(BufReader::with_capacity(256 * 1024, File::open(path)?));
    let mut count = 0u64;
    Listing(&mut count).read(&mut documents)?;
    say(&format!("{count} snapshots"));
    Ok(())
}

struct Listing<'c>(&'c mut u64);

impl Listing<'_> {
    fn read<'de, D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        struct Fields<'c>(&'c mut u64);
        impl<'de> Visitor<'de> for Fields<'_> {
            type Value = ();

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a listing")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
                while let Some(name) = fields.next_key::<String>()? {
                    if name == "Snapshots" {
                        *self.0 += fields.next_value::<Counted>()?.0;
                    } else {
                        fields.next_value::<Value>()?;
                    }
                }
                Ok(())
            }
        }
        deserializer.deserialize_map(Fields(self.0))
    }
}

/// How many values a list has, each of which was read and dropped.
struct Counted(u64);

impl<'de> serde::Deserialize<'de> for Counted {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Counted;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Counted, A::Error> {
                let mut count = 0;
                while list.next_element::<Value>()?.is_some() {
                    count += 1;
                }
                Ok(Counted(count))
            }
        }
        deserializer.deserialize_seq(Each)
    }
}

/// A region with many snapshots, listed from a fake that throttles once.
fn list(args: &Args, work: &Path) -> Outcome<Row> {
    let now: Timestamp = NOW.parse()?;
    let snapshots = (0..args.listed).map(|number| SnapshotSeed {
        id: format!("snap-{number:017}"),
        volume: format!("vol-{:017}", number % 1_000),
        start: Some(now - SignedDuration::from_mins(i64::from(number))),
        ..SnapshotSeed::default()
    });
    let region = RegionSeed { snapshots: snapshots.collect(), ..RegionSeed::default() };
    let seed = Seed { regions: [("us-east-1".to_owned(), region)].into(), ..Seed::default() };
    let fake = Ec2Fake::start(&FakeOptions::default(), seed)?;
    let busy = Action::Status { status: 503, code: "RequestLimitExceeded".to_owned() };
    fake.faults([Rule { op: Some("DescribeSnapshots".to_owned()), skip: 2, times: 3, ..Rule::new(busy) }]);
    let mut command = Command::new(crate::lastgood_binary()?);
    command.args(["ec2", "ls", "--any", "--region", "us-east-1", "--quiet"]).current_dir(work);
    command.envs(fake.environment(ACCOUNT, "us-east-1"));
    let run = measure::run(vec![command], None, None)?;
    show(0, "ls", &run);
    let answered = fake.log().iter().filter(|call| call.op == "DescribeSnapshots" && call.status == 200).count() as u64;
    let least = u64::from(args.listed).div_ceil(PAGE);
    Ok(Row {
        job: format!("ls of {} snapshots, throttled 3 times", args.listed),
        against: "pages of 1000".to_owned(),
        ours: format!("{answered} calls, {:.3} s", run.wall_s),
        peer: format!("{least} calls"),
        outcome: format!("{} more", answered.saturating_sub(least)),
        target: "≤ 1 more".to_owned(),
        met: answered <= least + 1,
    })
}
