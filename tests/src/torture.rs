//! Torture: what a bad day may bring, at random moments, until the time is over. Every round can be had again by its number.

mod app;
mod beside;
mod clock;
mod cut;
mod dict;
mod full;
mod fuzz;
mod hostile;
mod kind;
mod names;
mod pg;
mod proxy;
mod report;
mod runs;
mod signals;
mod spoil;
mod stored;
mod table;

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backup_testkit::dice::Dice;
use backup_testkit::postgres::Cluster;
use clap::Parser;
use futures::FutureExt as _;

use self::kind::{Kind, Lane, Scene};
use self::report::{Count, Told};
use self::table::KINDS;
use crate::harness::world::cluster_options;
use crate::harness::{Failure, RowResult};
use crate::printer::{note, say};

/// Longest round. Commands have limits of their own; this one only keeps a fault in a round from hanging everything.
const ROUND_LIMIT: Duration = Duration::from_secs(900);

/// Shortest and longest time that one kind goes on before it is another's turn.
const TURN: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(60));

/// Failures after which a kind is given up: more of them say nothing new.
const FAILURES_MAX: u64 = 5;

/// Rounds after which a scene is set anew, so that what one leaves cannot add up for ever.
const SCENE_ROUNDS: u64 = 60;

/// How often a long run says how far it is.
const NEWS_EVERY: Duration = Duration::from_secs(300);

/// Kills, cuts, full disks and hostile input at random, against the built `lastgood` (`LASTGOOD_BIN`, or the one beside).
#[derive(Debug, Parser)]
#[command(name = "torture")]
struct Args {
    /// How long it goes on.
    #[arg(long, value_name = "N", default_value_t = 2.0)]
    minutes: f64,
    /// Where the random numbers of all rounds begin.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Only these kinds; `kill` means all whose names begin with `kill-`.
    #[arg(long, value_name = "KIND", value_delimiter = ',', num_args = 1..)]
    only: Vec<String>,
    /// Only this round of each kind, once.
    #[arg(long, value_name = "K")]
    round: Option<u64>,
    /// How many kinds run beside each other, each with a server of its own.
    #[arg(long, value_name = "N", default_value_t = 2)]
    lanes: usize,
    /// Writes a page about the run.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Keeps inputs of readers that are taken, or refused, as none before.
    #[arg(long)]
    keep_inputs: bool,
    /// Names the kinds and runs none.
    #[arg(long)]
    list: bool,
}

/// Runs what the command line asks for; fails unless nothing failed.
#[must_use]
pub fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    match runtime.map_err(Failure::from).and_then(|runtime| runtime.block_on(run(args))) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Failure::Failed(why) | Failure::Skipped(why)) => {
            note(&format!("error: {why}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> RowResult<bool> {
    let kinds = chosen(&args.only)?;
    if args.list {
        for kind in kinds {
            say(&format!("{:<14} {}", kind.name, kind.what));
        }
        return Ok(true);
    }
    crate::lastgood_binary().map_err(|error| Failure::new(error.to_string()))?;
    let begun = Instant::now();
    let limit = Duration::from_secs_f64(args.minutes.max(0.0) * 60.0);
    let lanes = args.lanes.clamp(1, kinds.len());
    say(&format!("seed {}, {} min, {} kinds", args.seed, args.minutes, kinds.len()));
    let args = Arc::new(args);
    let mut running = Vec::new();
    for number in 0..lanes {
        let own: Vec<&'static Kind> = kinds.iter().copied().skip(number).step_by(lanes).collect();
        running.push(tokio::spawn(lane(own, Arc::clone(&args), begun, limit)));
    }
    let mut counts = Vec::new();
    for lane in running {
        counts.extend(lane.await??);
    }
    counts.sort_by_key(|count| KINDS.iter().position(|kind| kind.name == count.name));
    let told = Told { seed: args.seed, elapsed: begun.elapsed(), counts };
    for line in told.lines() {
        say(&line);
    }
    if let Some(page) = &args.report {
        std::fs::write(page, told.page()?)?;
        say(&format!("wrote {}", page.display()));
    }
    // Where everything must run, what could not be run is no success.
    let strict = std::env::var("CI").is_ok_and(|value| value == "true" || value == "1");
    Ok(told.counts.iter().all(|count| count.failures == 0 && !(strict && count.skipped.is_some())))
}

fn chosen(only: &[String]) -> RowResult<Vec<&'static Kind>> {
    let means = |wanted: &str, kind: &Kind| kind.name == wanted || kind.name.starts_with(&format!("{wanted}-"));
    for wanted in only {
        if !KINDS.iter().any(|kind| means(wanted, kind)) {
            return Err(Failure::new(format!("there is no kind `{wanted}`; --list names them")));
        }
    }
    Ok(KINDS.iter().filter(|kind| only.is_empty() || only.iter().any(|wanted| means(wanted, kind))).collect())
}

/// Runs kinds in turn until the time is over.
async fn lane(kinds: Vec<&'static Kind>, args: Arc<Args>, begun: Instant, limit: Duration) -> RowResult<Vec<Count>> {
    let cluster = Arc::new(Cluster::start(cluster_options())?);
    let lane = Lane { cluster, seed: args.seed, keep_inputs: args.keep_inputs };
    let turn = limit.div_f64((kinds.len() * 2) as f64).clamp(TURN.0, TURN.1);
    let mut turns: Vec<Turn> = kinds.into_iter().map(Turn::new).collect();
    let mut news = Instant::now();
    loop {
        for one in &mut turns {
            let until = if args.round.is_some() { begun } else { (Instant::now() + turn).min(begun + limit) };
            one.goes_on(&lane, args.round, until).await;
            if args.round.is_none() && begun.elapsed() >= limit {
                break;
            }
        }
        if news.elapsed() > NEWS_EVERY {
            news = Instant::now();
            note(&format!("after {} min:", begun.elapsed().as_secs() / 60));
            turns.iter().for_each(|turn| note(&turn.count.line()));
        }
        let is_over = args.round.is_some() || begun.elapsed() >= limit || turns.iter().all(Turn::is_given_up);
        if is_over {
            return Ok(turns.into_iter().map(|turn| turn.count).collect());
        }
    }
}

/// A kind with what it has set up.
struct Turn {
    kind: &'static Kind,
    scene: Option<Box<dyn Scene>>,
    /// Rounds of the scene.
    rounds: u64,
    next: u64,
    count: Count,
}

impl Turn {
    fn new(kind: &'static Kind) -> Self {
        Self { kind, scene: None, rounds: 0, next: 0, count: Count::new(kind.name, kind.what) }
    }

    fn is_given_up(&self) -> bool {
        self.count.failures >= FAILURES_MAX || self.count.skipped.is_some()
    }

    /// At least one round.
    async fn goes_on(&mut self, lane: &Lane, only: Option<u64>, until: Instant) {
        while !self.is_given_up() {
            let round = only.unwrap_or(self.next);
            self.next += 1;
            let begun = Instant::now();
            match self.one(lane, round).await {
                Ok(()) => {}
                Err(Failure::Skipped(why)) => {
                    say(&format!("skip  {}: {why}", self.kind.name));
                    self.count.skipped = Some(why);
                }
                Err(Failure::Failed(why)) => self.failed(round, &why),
            }
            self.count.elapsed += begun.elapsed();
            if Instant::now() >= until {
                return;
            }
        }
    }

    async fn one(&mut self, lane: &Lane, round: u64) -> RowResult {
        if self.rounds >= SCENE_ROUNDS {
            self.scene = None;
        }
        let set = match self.scene.take() {
            Some(scene) => Ok(scene),
            None => {
                self.rounds = 0;
                caught((self.kind.set)(lane, self.kind.name)).await
            }
        };
        let scene = self.scene.insert(set.map_err(|failure| failure.within("before the first round"))?);
        self.rounds += 1;
        let mut dice = Dice::new(lane.seed, self.kind.name, round);
        let done = caught(scene.round(&mut dice)).await?;
        self.count.rounds += done.rounds;
        self.count.midway += done.midway;
        Ok(())
    }

    fn failed(&mut self, round: u64, why: &str) {
        self.count.failures += 1;
        let mut text = why.to_owned();
        if let Some(command) = self.scene.take().and_then(|scene| scene.last_command()) {
            text.push_str("\nthe last command was:\n");
            text.push_str(&command);
        }
        say(&format!("FAIL  {}, round {round}", self.kind.name));
        for line in text.lines() {
            say(&format!("      {line}"));
        }
        self.count.first.get_or_insert((round, text));
    }
}

/// A panic of ours or a round without end fails only that round.
async fn caught<T>(work: impl Future<Output = RowResult<T>>) -> RowResult<T> {
    match tokio::time::timeout(ROUND_LIMIT, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(result)) => result,
        // It was printed with its place.
        Ok(Err(_)) => Err(Failure::new("it panicked")),
        Err(_) => Err(Failure::new(format!("it took longer than {} s", ROUND_LIMIT.as_secs()))),
    }
}
