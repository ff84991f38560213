//! `bench ec2`: every row of the table of what EBS snapshots must reach. Ends with an error if one misses.

mod export;
mod freeze;
mod list;
mod makespan;
mod trim;

use std::path::PathBuf;
use std::process::Command;

use clap::ValueEnum;

use super::machine;
use super::report::{self, Row};
use crate::Outcome;
use crate::printer::say;

pub(super) use self::trim::read;

/// When plans are made.
const NOW: &str = "2026-11-21T03:00:00Z";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Snapshots in the file of which a trim is planned
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
    /// A Python that has dsnap and bsnap
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// The folder of the built examples of ec2-snapshots
    #[arg(long, value_name = "FOLDER")]
    examples: PathBuf,
    /// A built coldsnap, to be measured as well
    #[arg(long, value_name = "PROGRAM")]
    coldsnap: Option<PathBuf>,
    /// Only these jobs
    #[arg(long, value_enum)]
    only: Vec<Job>,
    /// Write the table, with machine and date, to this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Job {
    /// Plans of many snapshots from a file
    Trim,
    /// A list of many snapshots
    List,
    /// Many copies in virtual time
    Makespan,
    /// Two volumes frozen for a set of snapshots
    Freeze,
    /// A snapshot exported block by block, twice
    Export,
}

pub(super) fn run(args: &Args) -> Outcome {
    let lastgood = crate::lastgood_binary()?;
    let version = Command::new(&lastgood).arg("--version").output()?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let folder = tempfile::Builder::new().prefix("lastgood-ec2-bench-").tempdir()?;
    let work = folder.path();
    let jobs = if args.only.is_empty() { Job::value_variants() } else { &args.only };
    let mut rows: Vec<Row> = Vec::new();
    for job in jobs {
        say(&format!("{job:?}"));
        let made = match job {
            Job::Trim => trim::rows(args, work),
            Job::List => list::row(args, work).map(|row| vec![row]),
            Job::Makespan => makespan::rows(args),
            Job::Freeze => freeze::row(args, work).map(|row| vec![row]),
            Job::Export => export::rows(args, work),
        };
        rows.extend(made.map_err(|error| format!("{job:?}: {error}"))?);
    }
    let about = machine::description(&[format!("lastgood: {version}")]);
    let text = format!("{about}\n{}", report::table(&rows));
    say(&format!("\n{text}"));
    let missed = rows.iter().filter(|row| !row.met).count();
    say(&format!("{} met, {missed} not met", rows.len() - missed));
    if let Some(file) = &args.write {
        std::fs::write(file, format!("{}{text}", include_str!("ec2/page.md")))?;
        say(&format!("wrote `{}`", file.display()));
    }
    if missed == 0 {
        Ok(())
    } else {
        Err(format!("{missed} of {} rows missed what they must reach", rows.len()).into())
    }
}

/// A row about a ratio, of which more is worse.
fn at_most(job: &str, against: &str, (ours, peer): (&str, &str), ratio: f64, most: f64) -> Row {
    Row {
        job: job.to_owned(),
        against: against.to_owned(),
        ours: ours.to_owned(),
        peer: peer.to_owned(),
        outcome: format!("{ratio:.2}×"),
        target: format!("≤ {most}×"),
        met: ratio <= most,
    }
}

/// A row about peak memory.
fn memory(job: &str, peak: u64, most: u64) -> Row {
    Row {
        job: job.to_owned(),
        against: "memory".to_owned(),
        ours: format!("{} MiB", peak >> 20),
        peer: String::new(),
        outcome: String::new(),
        target: format!("≤ {} MiB", most >> 20),
        met: peak <= most,
    }
}
