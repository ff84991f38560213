//! Dumps to S3, against `pg_dump -Fc` piped into one upload.

use std::process::Command;

use super::context::{Context, SHOP, succeed, text};
use super::measure::{self, Measurement};
use super::peer::S3;
use super::report::{self, Row, times};
use crate::Outcome;
use crate::check;

/// Added to every request: a bucket in the same region answers a small request about as fast.
const DELAY_MS: u64 = 20;

/// How much faster than the peer it must be.
const FASTER_MIN: f64 = 3.0;

/// This program, whatever has happened to its file since it was started (proc(5)).
const SELF: &str = "/proc/self/exe";

/// Runs both in turn.
pub(crate) fn run(context: &Context) -> Outcome<Vec<Row>> {
    let s3 = S3::start(context.path(&format!("s3-{}", DELAY_MS)), DELAY_MS)?;
    let tables = check::tables(&context.server, SHOP)?;
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for round in 0..context.rounds {
        for is_ours in Context::order(round, [true, false]) {
            if is_ours {
                ours.push(lastgood(context, &s3, round)?);
            } else {
                peer.push(pg_dump(context, &s3, round, tables)?);
            }
        }
    }
    let faster = report::wall_s(&peer) / report::wall_s(&ours);
    let disk_bytes = ours.iter().map(|run| run.disk_bytes).max().unwrap_or_default();
    Ok(vec![
        Row {
            job: format!("dump to S3 ({DELAY_MS} ms added per request)"),
            against: "`pg_dump -Fc` piped into one upload".to_owned(),
            ours: times(&ours),
            peer: times(&peer),
            outcome: format!("{faster:.2}× faster"),
            target: format!("≥ {FASTER_MIN}× faster"),
            met: faster >= FASTER_MIN,
        },
        Row {
            job: "bytes on local disk when the location is S3, dump".to_owned(),
            against: "–".to_owned(),
            ours: format!("{disk_bytes} bytes"),
            peer: "–".to_owned(),
            outcome: String::new(),
            target: "0".to_owned(),
            met: disk_bytes == 0,
        },
    ])
}

/// Dumps with a working, home and temporary folder of its own, in which nothing may appear.
fn lastgood(context: &Context, s3: &S3, round: usize) -> Outcome<Measurement> {
    let prefix = format!("ours{round}");
    let mut command = context.dump(SHOP, &s3.url(&prefix));
    s3.point(&mut command);
    let run = context.diskless(round, "lastgood pg dump to S3", command, || s3.stored_bytes())?;
    s3.clear();
    Ok(run)
}

fn pg_dump(context: &Context, s3: &S3, round: usize, tables: usize) -> Outcome<Measurement> {
    let prefix = format!("peer{round}");
    let dump = context.program("pg_dump", &["-Fc", SHOP]);
    let mut upload = Command::new(SELF);
    upload.args(["upload", &format!("{}/shop.dump", s3.url(&prefix))]);
    s3.point(&mut upload);
    let name = "pg_dump -Fc | upload";
    let mut run =
        measure::run(vec![dump, upload], Some(&context.server), None).map_err(|error| format!("{name}: {error}"))?;
    run.output_bytes = s3.stored_bytes();
    report::show(round, name, &run);
    let fetched = context.path("fetched.dump");
    let mut download = Command::new(SELF);
    download.args(["download", &format!("{}/shop.dump", s3.url(&prefix)), text(&fetched)]);
    s3.point(&mut download);
    succeed(download)?;
    check::archive(&context.server, &fetched, tables)?;
    std::fs::remove_file(&fetched)?;
    s3.clear();
    Ok(run)
}
