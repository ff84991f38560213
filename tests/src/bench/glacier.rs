//! `bench glacier`: files in cold storage, each job against the least that anybody could do it with.

mod inventory;
mod small;
mod tree_hash;
mod upload;

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;
use rand::rngs::StdRng;
use rand::{RngCore as _, SeedableRng as _};

use super::measure::{self, Measurement};
use super::report::{Row, median, show, table};
use super::{machine, scale};
use crate::Outcome;
use crate::printer::say;

/// Bytes of one write of generated data.
const BLOCK_BYTES: usize = 1 << 20;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// The built example `cold_measure` of glacier-archive
    #[arg(long, value_name = "PROGRAM")]
    measure: PathBuf,
    /// A Python that has botocore
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// Size of the data: 1 is 4 GiB to hash, 2 GiB to upload, 100,000 files, a million archives
    #[arg(long, default_value_t = 1.0, value_parser = scale)]
    scale: f64,
    /// Runs of each; medians are compared
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// Only these jobs
    #[arg(long, value_enum)]
    only: Vec<Job>,
    /// Write the table, with machine and date, to this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Job {
    /// The tree hash of a file
    TreeHash,
    /// One archive, uploaded in parts
    Upload,
    /// Many small files, and the same again
    Small,
    /// What became of many retrievals
    Poll,
    /// An inventory
    Inventory,
}

/// What every job works with.
struct Bench<'a> {
    args: &'a Args,
    work: &'a Path,
    lastgood: PathBuf,
}

pub(super) fn run(args: &Args) -> Outcome {
    let work = tempfile::Builder::new().prefix("lastgood-bench-").tempdir()?;
    let bench = Bench { args, work: work.path(), lastgood: crate::lastgood_binary()? };
    let mut rows = Vec::new();
    for job in if args.only.is_empty() { Job::value_variants() } else { &args.only } {
        say(&format!("{job:?}"));
        let done = match job {
            Job::TreeHash => tree_hash::rows(&bench),
            Job::Upload => upload::rows(&bench),
            Job::Small => small::rows(&bench),
            Job::Poll => small::poll(&bench),
            Job::Inventory => inventory::rows(&bench),
        };
        rows.extend(done.map_err(|error| format!("{job:?}: {error}"))?);
    }
    let about = [format!("lastgood: {}", version(&bench.lastgood)?), format!("peer: {}", peer(&args.python)?)];
    let text = format!("{}\n{}", machine::description(&about), table(&rows));
    say(&format!("\n{text}"));
    if let Some(file) = &args.write {
        std::fs::write(file, format!("{}{text}", include_str!("glacier/page.md")))?;
        say(&format!("wrote `{}`", file.display()));
    }
    let missed = rows.iter().filter(|row| !row.met).count();
    say(&format!("{} met, {missed} not met", rows.len() - missed));
    if missed == 0 { Ok(()) } else { Err(format!("{missed} of {} targets were not met", rows.len()).into()) }
}

fn version(lastgood: &Path) -> Outcome<String> {
    let said = Command::new(lastgood).arg("--version").output()?;
    Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
}

/// Which botocore, on which Python.
fn peer(python: &Path) -> Outcome<String> {
    const SAY: &str =
        "import botocore, platform as p; print('botocore', botocore.__version__, 'on Python', p.python_version())";
    let said = Command::new(python).args(["-c", SAY]).output()?;
    match said.status.success() {
        true => Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned()),
        false => Err(format!("`{}` has no botocore; `cargo xtask bench glacier` installs it", python.display()).into()),
    }
}

impl Bench<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.work.join(name)
    }

    /// So many at this scale, and at least one.
    fn scaled(&self, count: f64) -> u64 {
        // Rounding is what is wanted, and counts are far from the limits of either type.
        (count * self.args.scale).round().max(1.0) as u64
    }

    /// A job of `cold_measure`.
    fn measure(&self, job: &str, file: &Path, rest: &[&str]) -> Command {
        let mut command = Command::new(&self.args.measure);
        command.arg(job).arg(file).args(rest);
        command
    }

    /// On one core, or on two.
    fn pinned(command: &Command, cores: &str) -> Command {
        let mut pinned = Command::new("taskset");
        pinned.args(["-c", cores]).arg(command.get_program()).args(command.get_args());
        pinned
    }

    /// Runs contenders in turn, whoever goes first changing from round to round, and tells each one's runs.
    fn in_turn(&self, contenders: &[(&str, &dyn Fn() -> Command)]) -> Outcome<Vec<Vec<Measurement>>> {
        let mut taken = vec![Vec::new(); contenders.len()];
        for round in 0..usize::from(self.args.rounds) {
            for turn in 0..contenders.len() {
                let at = (turn + round) % contenders.len();
                let (name, command) = contenders[at];
                let run = measure::run(vec![command()], None, None)?;
                show(round, name, &run);
                taken[at].push(run);
            }
        }
        Ok(taken)
    }
}

fn wall_s(runs: &[Measurement]) -> f64 {
    median(runs.iter().map(|run| run.wall_s))
}

fn peak_bytes(runs: &[Measurement]) -> u64 {
    runs.iter().map(|run| run.peak_bytes).max().unwrap_or_default()
}

/// A row of two times.
fn times(job: &str, against: &str, (ours, peer): (f64, f64), outcome: String, target: String, met: bool) -> Row {
    Row {
        job: job.to_owned(),
        against: against.to_owned(),
        ours: format!("{ours:.2} s"),
        peer: format!("{peer:.2} s"),
        outcome,
        target,
        met,
    }
}

/// A file of random bytes, the same for the same seed.
fn random_file(path: &Path, bytes: u64, seed: u64) -> Outcome {
    let mut random = StdRng::seed_from_u64(seed);
    let mut file = BufWriter::with_capacity(BLOCK_BYTES, File::create(path)?);
    let (mut block, mut left) = (vec![0; BLOCK_BYTES], bytes);
    while left > 0 {
        random.fill_bytes(&mut block);
        let now = left.min(BLOCK_BYTES as u64);
        file.write_all(&block[..usize::try_from(now)?])?;
        left -= now;
    }
    Ok(file.flush()?)
}
