//! The acceptance run: chooses rows, runs each on its locations, prints a line a run and the tally.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backup_testkit::postgres::Cluster;
use clap::Parser;
use futures::FutureExt as _;

use crate::harness::world::cluster_options;
use crate::harness::{Failure, Row, RowResult, Where, World};
use crate::printer::{note, say};
use crate::rows;

/// Longest run of one row. Rows have limits of their own; this one only keeps a fault in a row from hanging everything.
const ROW_LIMIT: Duration = Duration::from_secs(1_800);

/// Width of the column of titles.
const TITLE_CHARS: usize = 72;

/// Drives the built `lastgood` (`LASTGOOD_BIN`, or the one beside this program) through the acceptance rows.
#[derive(Debug, Parser)]
#[command(name = "e2e")]
struct Args {
    /// Only these areas (core, retention, truth, dict, app, ec2, pg, versions, stores, kill, differential) or rows (P8).
    #[arg(long, value_name = "AREA|ROW", value_delimiter = ',', num_args = 1..)]
    only: Vec<String>,
    /// Only the differential check, of this SQL file.
    #[arg(long, value_name = "FILE")]
    sql: Vec<PathBuf>,
    /// Only on this kind of location.
    #[arg(long, value_name = "folder|s3")]
    location: Option<String>,
    /// Keeps the folder and databases of a row that failed, and the server until Ctrl-C.
    #[arg(long)]
    keep: bool,
    /// Names the rows and runs none.
    #[arg(long)]
    list: bool,
}

/// Runs what the command line asks for; fails unless everything passed.
#[must_use]
pub fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    match runtime.map_err(Failure::from).and_then(|runtime| runtime.block_on(run(&args))) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            note(&format!("error: {}", reason(&failure)));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> RowResult<bool> {
    let rows = chosen(args)?;
    if args.list {
        for row in &rows {
            say(&format!("{:<12} {:<13} {}", row.id, row.area.name(), row.title));
        }
        return Ok(true);
    }
    let mut suite = Suite::start(args.keep)?;
    for row in &rows {
        for location in row.locations.each() {
            if args.location.as_deref().is_none_or(|wanted| wanted == location.name()) {
                suite.run(row, *location).await;
            }
        }
    }
    suite.finish().await
}

fn chosen(args: &Args) -> RowResult<Vec<Row>> {
    if !args.sql.is_empty() {
        return args.sql.iter().map(|file| rows::differential::of_file(file)).collect();
    }
    let mut rows = rows::all()?;
    for wanted in &args.only {
        if !rows.iter().any(|row| row.matches(wanted)) {
            return Err(Failure::new(format!("there is no row or area `{wanted}`; --list names them")));
        }
    }
    rows.retain(|row| args.only.is_empty() || args.only.iter().any(|wanted| row.matches(wanted)));
    Ok(rows)
}

/// One acceptance run.
struct Suite {
    cluster: Arc<Cluster>,
    keep: bool,
    /// Whether a row that cannot be run counts as failed.
    strict: bool,
    passed: usize,
    failed: usize,
    skipped: usize,
    /// Of those skipped, how many CI must not skip.
    needed: usize,
    /// A line for each row that failed or was skipped.
    not_passed: Vec<String>,
}

impl Suite {
    fn start(keep: bool) -> RowResult<Self> {
        // Said once, and not by every row.
        crate::lastgood_binary().map_err(|error| Failure::new(error.to_string()))?;
        let cluster = Arc::new(Cluster::start(cluster_options())?);
        let strict = std::env::var("CI").is_ok_and(|value| value == "true" || value == "1");
        Ok(Self { cluster, keep, strict, passed: 0, failed: 0, skipped: 0, needed: 0, not_passed: Vec::new() })
    }

    async fn run(&mut self, row: &Row, location: Where) {
        let begun = Instant::now();
        let (result, world) = match self.world(row, location) {
            Ok(world) => {
                let run = async {
                    world.init().await?;
                    (row.run)(&world).await
                };
                let result = tokio::time::timeout(ROW_LIMIT, AssertUnwindSafe(run).catch_unwind()).await;
                let late = || Err(Failure::new(format!("it took longer than {} s", ROW_LIMIT.as_secs())));
                let result = match result {
                    Ok(Ok(result)) => result,
                    // It was printed with its place. The rows after it still run.
                    Ok(Err(_)) => Err(Failure::new("it panicked")),
                    Err(_) => late(),
                };
                (result, Some(world))
            }
            Err(failure) => (Err(failure), None),
        };
        let title: String = row.title.chars().take(TITLE_CHARS).collect();
        let seconds = begun.elapsed().as_secs_f64();
        let line = format!("{:<12} {title:<TITLE_CHARS$} {seconds:>6.1} s   ({})", row.id, location.name());
        match &result {
            Ok(()) => {
                self.passed += 1;
                say(&format!("ok    {line}"));
            }
            Err(Failure::Skipped(why)) => {
                self.skipped += 1;
                self.needed += usize::from(!row.elective);
                self.not_passed.push(format!("skip  {line}: {why}"));
                say(&format!("skip  {line}: {why}"));
            }
            Err(Failure::Failed(why)) => {
                self.failed += 1;
                self.not_passed.push(format!("FAIL  {line}: {}", why.lines().next().unwrap_or_default()));
                say(&format!("FAIL  {line}"));
                explain(why, world.as_ref());
            }
        }
        if let Some(world) = world {
            self.clear_away(world, matches!(result, Err(Failure::Failed(_))));
        }
    }

    fn world(&self, row: &Row, location: Where) -> RowResult<World> {
        let cluster = match row.own_server {
            true => Arc::new(Cluster::start(cluster_options())?),
            false => Arc::clone(&self.cluster),
        };
        World::new(&row.id, cluster, location)
    }

    fn clear_away(&self, world: World, failed: bool) {
        if failed && self.keep {
            say(&format!("      kept: {} and its databases", world.keep().display()));
            return;
        }
        // A server that a row left stopped has nothing to clear; one it shares must be clean for the next row.
        if let Err(failure) = world.clear_server()
            && Arc::ptr_eq(world.cluster(), &self.cluster)
        {
            note(&format!("error: databases could not be dropped: {}", reason(&failure)));
        }
    }

    async fn finish(self) -> RowResult<bool> {
        let skipped = if self.skipped > 0 { format!(", {} skipped", self.skipped) } else { String::new() };
        // Said again at the end, where it is seen: a log may be kept from its end only.
        for line in &self.not_passed {
            say(line);
        }
        say(&format!("{} passed, {} failed{skipped}", self.passed, self.failed));
        if self.strict && self.needed > 0 {
            say("a skipped row counts as failed, since CI is set");
        }
        if self.failed == 0 {
            rows::versions::write_if_asked()?;
            rows::stores::write_if_asked()?;
        }
        if self.keep && self.failed > 0 {
            for (name, value) in self.cluster.env() {
                say(&format!("export {name}={value}"));
            }
            say("the server stays until Ctrl-C");
            tokio::signal::ctrl_c().await?;
        }
        Ok(self.failed == 0 && !(self.strict && self.needed > 0))
    }
}

fn reason(failure: &Failure) -> &str {
    match failure {
        Failure::Failed(why) | Failure::Skipped(why) => why,
    }
}

/// Shows why a row failed and what its last command did.
fn explain(why: &str, world: Option<&World>) {
    for line in why.lines() {
        say(&format!("      {line}"));
    }
    let Some(command) = world.and_then(World::last_command) else { return };
    say("      the last command was:");
    for line in command.lines() {
        say(&format!("        {line}"));
    }
}
