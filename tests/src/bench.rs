//! `bench pg`: ours and the peers in turn, in one run, on the same data; nothing here fails because of a time.

pub(crate) mod before;
mod context;
mod data;
mod dict;
mod dump;
mod ec2;
mod glacier;
mod incremental;
mod listing;
mod machine;
mod measure;
mod memory;
mod object;
mod objects;
mod peer;
mod pgclone;
mod process;
mod report;
mod restore;
mod s3;
mod swap;
mod tables;
mod upload;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand, ValueEnum};

use self::context::Context;
use self::report::Row;
use crate::Outcome;
use crate::printer::{note, say};
use crate::server::Server;

/// Settings of a server that is used in earnest: memory for its size, few checkpoints, and durable.
const SERVER_CONF: [&str; 4] =
    ["shared_buffers = 1GB", "max_wal_size = 8GB", "checkpoint_timeout = 30min", "maintenance_work_mem = 64MB"];

/// How much data a smoke run has: enough for several workers, and made in seconds.
const SMOKE_SCALE: f64 = 0.01;

/// Speed and memory of lastgood against the peers, on this machine
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// PostgreSQL: dump, restore, swap, memory
    Pg(PgArgs),
    /// django-pgclone case by case: what it does, what we do, and what became of the data
    Pgclone(PgcloneArgs),
    /// Stores in memory: DictDB beside us
    Dict(dict::Args),
    /// Records of an application: backup, restore, memory
    Object(ObjectArgs),
    /// EBS snapshots: plans, lists, copies, freezing and exporting; a row that misses its target is an error
    Ec2(ec2::Args),
    /// Files in cold storage: hashing, uploading, small files, polls, inventories
    Glacier(glacier::Args),
    /// Listings and pruning of many dumps: this build beside another
    Listing(listing::Args),
    /// Dumps of a database that changed a little, beside full ones
    Incremental(incremental::Args),
    /// A file of snapshots, read and dropped
    #[command(hide = true)]
    ReadSnapshots { file: PathBuf },
    /// The peer's upload: standard input to one object
    #[command(hide = true)]
    Upload { url: String },
    /// The object back, to check it
    #[command(hide = true)]
    Download { url: String, file: PathBuf },
}

#[derive(Debug, clap::Args)]
struct PgArgs {
    /// Size of the data; 1 is about 800 MB
    #[arg(long, default_value_t = 1.0, value_parser = scale)]
    scale: f64,
    /// Runs of each contender; medians are compared
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// Only these jobs
    #[arg(long, value_enum)]
    only: Vec<Job>,
    /// Only whether each job works: very little data, once, and no figure is compared with a target
    #[arg(long, conflicts_with_all = ["scale", "rounds", "write"])]
    smoke: bool,
    /// Another build of the binary, instead of the peers: how long each takes to dump and to restore, and its peak memory.
    /// With `cargo xtask bench`, also a revision of git, which is built first
    #[arg(long, value_name = "BINARY", conflicts_with_all = ["only", "write"])]
    before: Option<PathBuf>,
    /// Workers of ours, if not as many as it takes by itself; pg_dump -Fc and pg_restore from a pipe have one
    #[arg(long)]
    jobs: Option<usize>,
    /// Write the table, with machine and date, to this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct PgcloneArgs {
    /// A Python that has django-pgclone
    #[arg(long, default_value = "python3")]
    python: String,
    /// Size of the data of the timed cases; 1 is about 800 MB
    #[arg(long, default_value_t = 0.25, value_parser = scale)]
    scale: f64,
    /// Write the table, with machine and date, to this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct ObjectArgs {
    /// A Python that has gludb
    #[arg(long, default_value = "python3")]
    python: String,
    /// Records that we back up and restore
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    records: u64,
    /// Records that gludb backs up: it holds them all in memory
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    peer_records: u64,
    /// Mebibytes of records for the measurement of memory
    #[arg(long, default_value_t = 10_240, value_parser = clap::value_parser!(u64).range(1..))]
    memory_mib: u64,
    /// Runs of each contender; medians are compared
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// Write the table, with machine and date, to this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Job {
    Dump,
    S3,
    Restore,
    Swap,
    Memory,
    Tables,
    Objects,
}

impl Job {
    fn run(self, context: &Context) -> Outcome<Vec<Row>> {
        match self {
            Self::Dump => dump::run(context),
            Self::S3 => s3::run(context),
            Self::Restore => restore::run(context),
            Self::Swap => swap::run(context),
            Self::Memory => memory::run(context),
            Self::Tables => tables::run(context),
            Self::Objects => objects::run(context),
        }
    }
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(scale) if (0.001..=1_000.0).contains(&scale) => Ok(scale),
        _ => Err("a number from 0.001 to 1000".to_owned()),
    }
}

/// Runs the benchmark that the command line asks for.
#[must_use]
pub fn main() -> ExitCode {
    let outcome = match Args::parse().what {
        What::Pg(args) => pg(&args),
        What::Pgclone(args) => pgclone::run(&args.python, args.scale, args.write.as_ref()),
        What::Dict(args) => dict::run(&args),
        What::Object(args) => object::run(&args),
        What::Ec2(args) => ec2::run(&args),
        What::Glacier(args) => glacier::run(&args),
        What::Listing(args) => listing::run(&args),
        What::Incremental(args) => incremental::run(&args),
        What::ReadSnapshots { file } => ec2::read(&file),
        What::Upload { url } => runtime().and_then(|runtime| runtime.block_on(upload::run(&url))),
        What::Download { url, file } => runtime().and_then(|runtime| runtime.block_on(upload::back(&url, &file))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn runtime() -> Outcome<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

fn pg(args: &PgArgs) -> Outcome {
    let lastgood = crate::lastgood_binary()?;
    let version = Command::new(&lastgood).arg("--version").output()?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let context = Context {
        server: Server::start(&SERVER_CONF, true)?,
        lastgood,
        work: tempfile::Builder::new().prefix("lastgood-bench-").tempdir()?,
        scale: if args.smoke { SMOKE_SCALE } else { args.scale },
        rounds: if args.smoke { 1 } else { args.rounds.into() },
        jobs: args.jobs,
        runtime: runtime()?,
    };
    let rows = match &args.before {
        Some(before) => {
            data::shop(&context.server, context.scale)?;
            before::run(&context, before)?
        }
        None => against_peers(&context, &args.only)?,
    };
    if args.smoke {
        say(&report::smoke(&rows));
        return Ok(());
    }
    let text = format!("{}\n{}", machine::description(&about(&context.server, &version)), report::table(&rows));
    say(&format!("\n{text}"));
    let met = rows.iter().filter(|row| row.met).count();
    say(&format!("{met} met, {} not met", rows.len() - met));
    if let Some(file) = &args.write {
        std::fs::write(file, page(&text))?;
        say(&format!("wrote `{}`", file.display()));
    }
    Ok(())
}

/// Each job, against the programs that others wrote.
fn against_peers(context: &Context, only: &[Job]) -> Outcome<Vec<Row>> {
    let jobs = if only.is_empty() { Job::value_variants() } else { only };
    if jobs.iter().any(|job| ![Job::Tables, Job::Objects].contains(job)) {
        data::shop(&context.server, context.scale)?;
    }
    let mut rows = Vec::new();
    for job in jobs {
        say(&format!("{job:?}"));
        rows.extend(job.run(context).map_err(|error| format!("{job:?}: {error}"))?);
    }
    Ok(rows)
}

/// Versions, for the page.
fn about(server: &Server, lastgood: &str) -> [String; 2] {
    [format!("PostgreSQL: {}", server.version()), format!("lastgood: {lastgood}")]
}

/// The page of docs that holds the table.
fn page(text: &str) -> String {
    format!("{}\n{text}", include_str!("bench/page.md"))
}
