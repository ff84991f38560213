//! `bench dict`: DictDB itself and our library in turn, on the same rows, each job in a process of its own.

mod jobs;

use std::path::PathBuf;
use std::process::Command;

use clap::ValueEnum;
use serde_json::Value;
use tempfile::TempDir;

use super::report::{self, Row, median};
use super::{SMOKE_SCALE, machine, scale};
use crate::Outcome;
use crate::printer::say;

/// What DictDB does in each job.
const PEER: &str = include_str!("dict/peer.py");

/// Records at scale 1.
const RECORDS: f64 = 1_000_000.0;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A Python that has DictDB
    #[arg(long, default_value = "python3")]
    python: String,
    /// The built example `measure` of dictstore-backup
    #[arg(long, value_name = "PROGRAM")]
    measure: PathBuf,
    /// Size of the store; 1 is a million small records
    #[arg(long, default_value_t = 1.0, value_parser = scale)]
    scale: f64,
    /// Runs of each contender; medians are compared
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// Only whether each job works: very few records, once, and no figure is compared with a target
    #[arg(long, conflicts_with_all = ["scale", "rounds", "write"])]
    smoke: bool,
    /// Only these jobs
    #[arg(long, value_enum)]
    only: Vec<Job>,
    /// Write the table, with machine and date, to this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Job {
    /// Full backup and load as JSON
    Json,
    /// Full backup and load as pickle
    Pickle,
    /// Deltas
    Delta,
    /// Writers during a full backup
    Writers,
    /// Memory during a full backup
    Memory,
    /// Inserting with changes noted
    Insert,
}

/// The two contenders and where they work.
struct Arena<'a> {
    args: &'a Args,
    work: TempDir,
}

impl Arena<'_> {
    fn records(&self, factor: f64) -> u64 {
        let scale = if self.args.smoke { SMOKE_SCALE } else { self.args.scale };
        (RECORDS * scale * factor).max(1.0) as u64
    }

    /// How often each contender runs.
    fn rounds(&self) -> u16 {
        if self.args.smoke { 1 } else { self.args.rounds }
    }

    /// An empty folder for one run.
    fn folder(&self, name: &str) -> Outcome<String> {
        let folder = self.work.path().join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        // Nobody pays for writing back what an earlier run left in memory.
        rustix::fs::sync();
        Ok(folder.display().to_string())
    }

    fn ours(&self, job: &str, records: u64, folder: &str, format: &str) -> Outcome<Value> {
        let mut command = Command::new(&self.args.measure);
        command.args([job, &records.to_string(), folder, format]);
        measured("ours", job, command)
    }

    fn peer(&self, job: &str, records: u64, folder: &str, format: &str) -> Outcome<Value> {
        let mut command = Command::new(&self.args.python);
        command.args(["-c", PEER, job, &records.to_string(), folder, format]);
        measured("DictDB", job, command)
    }
}

/// What a job prints; said to whoever watches.
fn measured(who: &str, job: &str, mut command: Command) -> Outcome<Value> {
    let ran = command.output().map_err(|error| format!("`{job}` of {who} cannot be started: {error}"))?;
    if !ran.status.success() {
        return Err(
            format!("`{job}` of {who} ended with {}: {}", ran.status, String::from_utf8_lossy(&ran.stderr)).into()
        );
    }
    let text = String::from_utf8(ran.stdout)?;
    say(&format!("  {who:<8} {job:<8} {}", text.trim()));
    Ok(serde_json::from_str(&text)?)
}

/// The median of one figure of several runs.
fn figure(runs: &[Value], name: &str) -> f64 {
    median(runs.iter().map(|run| run[name].as_f64().unwrap_or(f64::NAN)))
}

/// Runs the jobs and prints the table. No figure fails it.
pub(super) fn run(args: &Args) -> Outcome {
    let version = Command::new(&args.python)
        .args([
            "-c",
            "import importlib.metadata as m, platform as p; print(m.version('dctdb'), 'on Python', p.python_version())",
        ])
        .output()
        .map_err(|error| format!("`{}` cannot be started: {error}", args.python))?;
    if !version.status.success() {
        return Err(format!("`{}` has no DictDB; `cargo xtask bench dict` installs it", args.python).into());
    }
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let arena = Arena { args, work: tempfile::Builder::new().prefix("lastgood-dict-bench-").tempdir()? };
    let jobs = if args.only.is_empty() { Job::value_variants() } else { &args.only };
    let mut rows: Vec<Row> = Vec::new();
    for job in jobs {
        say(&format!("{job:?}"));
        rows.extend(jobs::run(*job, &arena).map_err(|error| format!("{job:?}: {error}"))?);
    }
    if args.smoke {
        say(&report::smoke(&rows));
        return Ok(());
    }
    let about = [format!("peer: DictDB {version}"), format!("records: {}, 3 fields each", arena.records(1.0))];
    let text = format!("{}\n{}", machine::description(&about), report::table(&rows));
    say(&format!("\n{text}"));
    let met = rows.iter().filter(|row| row.met).count();
    say(&format!("{met} met, {} not met", rows.len() - met));
    if let Some(file) = &args.write {
        std::fs::write(file, format!("{}{text}", include_str!("dict/page.md")))?;
        say(&format!("wrote `{}`", file.display()));
    }
    Ok(())
}
