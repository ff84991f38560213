//! `bench listing`: `pg ls` and `pg prune -n` of many dumps, this build and another in turn on one location.

use std::path::{Path, PathBuf};
use std::process::Command;

use backup_core::manifest::{Kind, Manifest, Tool};
use backup_core::source::Identity;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::measure::{self, Measurement};
use super::report::{Row, median, show, table};
use crate::Outcome;
use crate::printer::say;

/// How much slower than the other build we may be.
const RATIO_MAX: f64 = 1.02;

/// Tables in each manifest: what a small application has.
const TABLES: usize = 20;

/// What is timed.
const JOBS: [(&str, &[&str]); 2] =
    [("ls", &["pg", "ls", "--json"]), ("prune -n", &["pg", "prune", "--keep-daily", "7", "-n", "--json"])];

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Another build of the binary
    #[arg(long, value_name = "BINARY")]
    before: PathBuf,
    /// Dumps in the location
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    dumps: u32,
    /// Runs of each; medians are compared
    #[arg(long, default_value_t = 11, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
}

pub(super) fn run(args: &Args) -> Outcome {
    let ours = crate::lastgood_binary()?;
    let work = tempfile::Builder::new().prefix("lastgood-bench-").tempdir()?;
    let location = work.path().join("location");
    say(&format!("making {} dumps", args.dumps));
    fill(&location, args.dumps)?;
    let mut rows = Vec::new();
    for (job, arguments) in JOBS {
        let (mut now, mut before) = (Vec::new(), Vec::new());
        // One of each first, so that neither pays for what the page cache lacks.
        for binary in [&ours, &args.before] {
            once(binary, arguments, &location, work.path())?;
        }
        for round in 0..usize::from(args.rounds) {
            // Whoever goes first changes from round to round.
            let turns = [("this build", &ours, &mut now), ("the other build", &args.before, &mut before)];
            let mut turns: Vec<_> = turns.into_iter().collect();
            if round % 2 == 1 {
                turns.reverse();
            }
            for (name, binary, taken) in turns {
                let run = once(binary, arguments, &location, work.path())?;
                show(round, &format!("{job}, {name}"), &run);
                taken.push(run.wall_s);
            }
        }
        let [now, before] = [now, before].map(median);
        rows.push(Row {
            job: format!("{job} of {} dumps", args.dumps),
            against: "the other build".to_owned(),
            ours: format!("{now:.3} s"),
            peer: format!("{before:.3} s"),
            outcome: format!("{:.3}×", now / before),
            target: format!("≤ {RATIO_MAX}×"),
            met: now <= before * RATIO_MAX,
        });
    }
    say(&format!("\n{}", table(&rows)));
    Ok(())
}

fn once(binary: &Path, arguments: &[&str], location: &Path, folder: &Path) -> Outcome<Measurement> {
    let mut command = Command::new(binary);
    command.args(arguments).arg("--repo").arg(location).current_dir(folder).env_remove("LASTGOOD_REPO");
    measure::run(vec![command], None, None)
}

/// A location of so many dumps, three a day, of two configurations.
fn fill(location: &Path, dumps: u32) -> Outcome {
    std::fs::create_dir_all(location)?;
    std::fs::write(
        location.join("lastgood.json"),
        br#"{"format":1,"created_at":"2020-01-01T00:00:00Z","atomic":true}"#,
    )?;
    let begin: Timestamp = "2020-01-01T00:00:00Z".parse()?;
    for number in 0..dumps {
        let time = begin + SignedDuration::from_hours(8 * i64::from(number));
        let config = if number % 5 == 4 { "lite" } else { "nightly" };
        let folder = format!("pg/shop/{}-000000.{config}.dump", time.strftime("%Y-%m-%d-%H-%M-%S"));
        let folder = location.join(folder);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("manifest.json"), manifest(number, config, time)?.to_bytes()?)?;
    }
    Ok(())
}

fn manifest(number: u32, config: &str, time: Timestamp) -> Outcome<Manifest> {
    let tables: Vec<_> = (0..TABLES)
        .map(|table| {
            json!({"schema": "public", "name": format!("table_{table}"), "kind": "table", "columns": ["id", "note"], "rows": 1000,
                "content_bytes": 13_786, "row_hash": "bd56feaa18226320f7bd9a6022be44fe", "frames": [{"part": 0, "offset": 0,
                "length": 2681, "content_bytes": 13_786, "rows": 1000, "xxh3": "bd56feaa18226320f7bd9a6022be44fe",
                "blake3": "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"}]})
        })
        .collect();
    let detail = json!({"filters": {"excluded": [], "emptied": []}, "tables": tables});
    let mut manifest = Manifest::new(Kind::Pg, "shop", time, detail);
    manifest.identity = Some(Identity { id: "postgresql:7305118472310922021".to_owned(), host: "db1:5432".to_owned() });
    config.clone_into(&mut manifest.config);
    manifest.tool = Tool { name: "lastgood".to_owned(), version: "0.1.0".to_owned(), writer: "db1/1".to_owned() };
    manifest.sequence = u64::from(number) + 1;
    manifest.complete = Some(config == "nightly");
    manifest.counts = [("tables".to_owned(), TABLES as u64), ("rows".to_owned(), 1_000 * TABLES as u64)].into();
    Ok(manifest)
}
