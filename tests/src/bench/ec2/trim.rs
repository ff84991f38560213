//! A trim plan of many snapshots from a file, beside reading that file alone.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use serde::de::{SeqAccess, Visitor};
use serde_json::Value;

use super::{Args, NOW, at_most, memory};
use crate::Outcome;
use crate::bench::measure::{self, Measurement};
use crate::bench::report::{Row, median, show};
use crate::printer::say;

/// How much longer than reading the file the plan may take.
const RATIO_MAX: f64 = 2.0;

/// How much memory the plan may take.
const PEAK_BYTES_MAX: u64 = 1 << 30;

/// How much longer than the smaller file a hundred times larger one may take: n log n from 10 k to 1 M.
const GROWTH_MAX: f64 = 150.0;

/// Plans and reads in turn.
pub(super) fn rows(args: &Args, work: &Path) -> Outcome<Vec<Row>> {
    let (large, small) = (work.join("large.json"), work.join("small.json"));
    say(&format!("writing {} snapshots of {} volumes", args.snapshots, args.volumes));
    write(&large, args.snapshots, args.volumes)?;
    write(&small, args.snapshots / 100, (args.volumes / 100).max(1))?;
    let (mut plans, mut reads, mut less) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..usize::from(args.rounds) {
        // Whoever goes first changes from round to round.
        let mut turns: Vec<(&str, Command, &mut Vec<Measurement>)> = vec![
            ("trim -n", plan(&large, work)?, &mut plans),
            ("reading alone", reader(&large)?, &mut reads),
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
    let (plan_s, read_s, small_s) = (wall(&plans), wall(&reads), wall(&less));
    let peak = plans.iter().map(|run| run.peak_bytes).max().unwrap_or(0);
    let job = format!("trim -n of {} snapshots", args.snapshots);
    let (ours, alone) = (format!("{plan_s:.3} s"), format!("{read_s:.3} s"));
    Ok(vec![
        at_most(&job, "reading each as JSON alone", (&ours, &alone), plan_s / read_s, RATIO_MAX),
        at_most(&job, "a hundredth of them", (&ours, &format!("{small_s:.3} s")), plan_s / small_s, GROWTH_MAX),
        memory(&job, peak, PEAK_BYTES_MAX),
    ])
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
pub(crate) fn read(path: &PathBuf) -> Outcome {
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
