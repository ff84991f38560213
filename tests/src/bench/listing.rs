//! `bench listing`: `pg ls` and `pg prune` of many dumps, this build and another in turn on one location.

mod deletions;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::measure::{self, Measurement};
use super::report::{self, Row, median, mib, show, table};
use crate::Outcome;
use crate::many::{self, Content};
use crate::printer::say;

/// How much slower than the other build we may be where nothing was to become faster.
const SAME: f64 = 1.02;

/// What a listing may take that keeps a hint for the next one.
const KEEPING: f64 = 1.1;

/// What a listing may take that was kept a hint.
const HINTED: f64 = 0.3;

/// What deleting may take.
const DELETING: f64 = 0.1;

/// Until what was written is old enough to be told from what is written in the same moment.
const SETTLES: Duration = Duration::from_secs(4);

const LS: &[&str] = &["pg", "ls", "--json"];
const PLAN: &[&str] = &["pg", "prune", "--keep-daily", "7", "-n", "--json"];

/// What a run of ours finds of a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hint {
    /// It may not have one.
    Never,
    /// None yet: it keeps one.
    Missing,
    /// That of the run before.
    Kept,
}

/// What is timed: what it is, the command, what ours finds of a hint, and how it may compare.
const JOBS: [(&str, &[&str], Hint, f64); 4] = [
    ("ls, without hints", LS, Hint::Never, SAME),
    ("ls, no hint yet", LS, Hint::Missing, KEEPING),
    ("ls, with a hint", LS, Hint::Kept, HINTED),
    ("prune -n", PLAN, Hint::Never, SAME),
];

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Another build of the binary
    #[arg(long, value_name = "BINARY")]
    before: PathBuf,
    /// Dumps in the location
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    dumps: u32,
    /// Runs of each listing; medians are compared
    #[arg(long, default_value_t = 11, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// Dumps that are deleted; 0 for none
    #[arg(long, default_value_t = 5_000)]
    deleted: u32,
    /// Runs of each deletion, each of a location of its own; medians are compared
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    deletions: u16,
}

/// What one build ran.
type Runs = Vec<Measurement>;

pub(super) fn run(args: &Args) -> Outcome {
    let ours = crate::lastgood_binary()?;
    let work = tempfile::Builder::new().prefix("lastgood-bench-").tempdir()?;
    let mut rows = listings(args, &ours, work.path())?;
    if args.deleted > 0 {
        rows.push(deletions::run(args, &ours, work.path())?);
    }
    say(&format!("\n{}", table(&rows)));
    Ok(())
}

fn listings(args: &Args, ours: &Path, work: &Path) -> Outcome<Vec<Row>> {
    let location = work.join("location");
    say(&format!("making {} dumps", args.dumps));
    many::fill(&location, args.dumps, Content::Manifest)?;
    std::thread::sleep(SETTLES);
    same_with_and_without(ours, &location, work)?;
    let mut rows = Vec::new();
    for (job, arguments, hint, ratio_max) in JOBS {
        let of_ours = || once(ours, arguments, &location, work, hint);
        let of_other = || once(&args.before, arguments, &location, work, Hint::Never);
        let job = format!("{job} of {} dumps", args.dumps);
        // One of each first, so that neither pays for what the page cache lacks.
        of_ours()?;
        of_other()?;
        let runs = in_turns(args.rounds.into(), &job, of_ours, of_other)?;
        rows.push(row(job, runs, ratio_max));
    }
    Ok(rows)
}

/// Whoever goes first changes from round to round.
fn in_turns(
    rounds: usize,
    job: &str,
    ours: impl Fn() -> Outcome<Measurement>,
    other: impl Fn() -> Outcome<Measurement>,
) -> Outcome<[Runs; 2]> {
    let (mut now, mut before) = (Runs::new(), Runs::new());
    for round in 0..rounds {
        for is_ours in if round % 2 == 1 { [false, true] } else { [true, false] } {
            let (name, run) = if is_ours { ("this build", ours()?) } else { ("the other build", other()?) };
            show(round, &format!("{job}, {name}"), &run);
            if is_ours { &mut now } else { &mut before }.push(run);
        }
    }
    Ok([now, before])
}

fn row(job: String, runs: [Runs; 2], ratio_max: f64) -> Row {
    let figure = |runs: &Runs| {
        let peak = median(runs.iter().map(|run| run.peak_bytes as f64));
        format!("{:.3} s, {}", report::wall_s(runs), mib(peak as u64))
    };
    let [ours, peer] = [&runs[0], &runs[1]].map(figure);
    let ratio = report::wall_s(&runs[0]) / report::wall_s(&runs[1]);
    Row {
        job,
        against: "the other build".to_owned(),
        ours,
        peer,
        outcome: format!("{ratio:.3}×"),
        target: format!("≤ {ratio_max}×"),
        met: ratio <= ratio_max,
    }
}

fn once(binary: &Path, arguments: &[&str], location: &Path, work: &Path, hint: Hint) -> Outcome<Measurement> {
    let cache = work.join("cache");
    if hint == Hint::Missing && cache.exists() {
        std::fs::remove_dir_all(&cache)?;
    }
    measure::run(vec![command(binary, arguments, location, work, hint)], None, None)
}

fn command(binary: &Path, arguments: &[&str], location: &Path, work: &Path, hint: Hint) -> Command {
    let mut command = Command::new(binary);
    command.args(arguments).arg("--repo").arg(location).current_dir(work).env_remove("LASTGOOD_REPO");
    command.env("XDG_CACHE_HOME", work.join("cache"));
    command.env("LASTGOOD_HINTS", if hint == Hint::Never { "never" } else { "auto" });
    command
}

/// What is fast and says something else is not what is to be measured.
fn same_with_and_without(ours: &Path, location: &Path, work: &Path) -> Outcome {
    let said = |hint: Hint| command(ours, LS, location, work, hint).output().map(|output| output.stdout);
    let expected = said(Hint::Never)?;
    for hint in [Hint::Missing, Hint::Kept] {
        if said(hint)? != expected {
            return Err(format!("`pg ls` says something else: {hint:?}").into());
        }
    }
    Ok(())
}
