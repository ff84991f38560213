//! `fuzz`: feeds one reader of stored bytes with changed inputs, again and again, and says what became of it.

mod corpus;
mod readers;
mod rounds;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::corpus::Corpus;
use crate::readers::Reader;
use crate::rounds::{Rounds, Tally};

/// Memory that this program may take: a reader that wants more for inputs of some kilobytes is at fault.
const MEMORY_BYTES_MAX: u64 = 4 << 30;

/// Feeds a reader with changed inputs. Prints one line of JSON.
#[derive(Debug, Parser)]
#[command(name = "fuzz")]
struct Args {
    /// The reader: manifest, pack, archive, conninfo, tarball, pickle or json.
    reader: String,
    /// Where the random numbers of all rounds begin.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Only this round.
    #[arg(long)]
    round: Option<u64>,
    /// How long it goes on.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    seconds: u64,
    /// Only this file, as it is.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Folder with a folder of inputs for each reader.
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus"))]
    corpus: PathBuf,
    /// Adds inputs to that folder that are read, or refused, as none before.
    #[arg(long)]
    keep: bool,
    /// Folder for an input that makes the reader fail, and for the number of the round under way.
    #[arg(long, value_name = "DIR")]
    failed: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(tally) => {
            // With stdout closed there is nobody to tell; the status still says it.
            let _ = writeln!(std::io::stdout(), "{}", tally.json());
            if tally.failure.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(what) => {
            let _ = writeln!(std::io::stderr(), "error: {what}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> Result<Tally, String> {
    let reader = Reader::named(&args.reader).ok_or_else(|| {
        let names: Vec<&str> = Reader::ALL.iter().map(|reader| reader.name).collect();
        format!("there is no reader `{}`: there are {}", args.reader, names.join(", "))
    })?;
    let limit = rustix::process::Rlimit { current: Some(MEMORY_BYTES_MAX), maximum: Some(MEMORY_BYTES_MAX) };
    rustix::process::setrlimit(rustix::process::Resource::As, limit).map_err(|errno| format!("no limit: {errno}"))?;
    let corpus = Corpus::read(&args.corpus, reader.name).map_err(|error| format!("the corpus: {error}"))?;
    let mut rounds = Rounds::new(reader, args.seed, corpus, args.failed.clone())?;
    if let Some(file) = &args.input {
        let input = std::fs::read(file).map_err(|error| format!("`{}`: {error}", file.display()))?;
        rounds.one(args.round.unwrap_or_default(), input);
    } else if let Some(round) = args.round {
        rounds.numbered(round);
    } else {
        rounds.until(Duration::from_secs(args.seconds), args.keep)?;
    }
    Ok(rounds.ended())
}
