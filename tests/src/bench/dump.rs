//! Dumps to a folder, against what django-pgclone runs and against the best pipe a user can build.

use std::fs;

use super::context::{Context, SHOP, text};
use super::measure::Measurement;
use super::report::{self, Row, times};
use crate::Outcome;
use crate::check;

#[derive(Clone, Copy, Debug)]
enum Contender {
    Lastgood,
    Custom,
    Pipe,
}

/// Runs all three in turn.
pub(crate) fn run(context: &Context) -> Outcome<Vec<Row>> {
    let tables = check::tables(&context.server, SHOP)?;
    let (mut ours, mut custom, mut pipe) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..context.rounds {
        for contender in Context::order(round, [Contender::Lastgood, Contender::Custom, Contender::Pipe]) {
            match contender {
                Contender::Lastgood => ours.push(lastgood(context, round)?),
                Contender::Custom => custom.push(pg_dump(context, round, tables)?),
                Contender::Pipe => pipe.push(pg_dump_zstd(context, round)?),
            }
        }
    }
    Ok(vec![
        row("`pg_dump -Fc` to a file", &ours, &custom, 4.0, 0.95),
        row("`pg_dump -Fc -Z0 | zstd -1 -T2`", &ours, &pipe, 1.25, 1.02),
    ])
}

fn row(against: &str, ours: &[Measurement], peer: &[Measurement], faster_min: f64, size_max: f64) -> Row {
    let faster = report::wall_s(peer) / report::wall_s(ours);
    let size = report::output_bytes(ours) / report::output_bytes(peer);
    let figures = |runs: &[Measurement]| format!("{}, {}", times(runs), report::mib(report::output_bytes(runs) as u64));
    Row {
        job: "dump to a folder".to_owned(),
        against: against.to_owned(),
        ours: figures(ours),
        peer: figures(peer),
        outcome: format!("{faster:.2}× faster, {size:.3}× the size"),
        target: format!("≥ {faster_min}× faster, ≤ {size_max}× the size"),
        met: faster >= faster_min && size <= size_max,
    }
}

fn lastgood(context: &Context, round: usize) -> Outcome<Measurement> {
    let folder = context.path("dump");
    let _ = fs::remove_dir_all(&folder);
    let location = text(&folder);
    let run = context.measure(round, "lastgood pg dump", vec![context.dump(SHOP, location)], &folder)?;
    if round == 0 {
        let latest = latest_key(context, location)?;
        let verify = context.lastgood(&["pg", "verify", &latest, "-r", location, "--read", "all"]).output()?;
        if !verify.status.success() {
            return Err(format!("our own dump: {}", String::from_utf8_lossy(&verify.stderr)).into());
        }
    }
    fs::remove_dir_all(&folder)?;
    Ok(run)
}

/// The key of the newest dump at `location`.
pub(crate) fn latest_key(context: &Context, location: &str) -> Outcome<String> {
    let listing = context.lastgood(&["pg", "ls", SHOP, "-r", location, "--json"]).output()?;
    let text = String::from_utf8(listing.stdout)?;
    check::newest_key(&text).ok_or_else(|| format!("`lastgood pg ls --json` names no dump: {text}").into())
}

fn pg_dump(context: &Context, round: usize, tables: usize) -> Outcome<Measurement> {
    let file = context.path("peer.dump");
    let command = context.program("pg_dump", &["-Fc", "-f", text(&file), SHOP]);
    let run = context.measure(round, "pg_dump -Fc", vec![command], &file)?;
    check::archive(&context.server, &file, tables)?;
    fs::remove_file(&file)?;
    Ok(run)
}

fn pg_dump_zstd(context: &Context, round: usize) -> Outcome<Measurement> {
    let file = context.path("peer.dump.zst");
    let dump = context.program("pg_dump", &["-Fc", "-Z0", SHOP]);
    let zstd = Context::program_on_path("zstd", &["-q", "-1", "-T2", "-o", text(&file)]);
    let run = context.measure(round, "pg_dump -Fc -Z0 | zstd -1 -T2", vec![dump, zstd], &file)?;
    check::compressed(&file)?;
    fs::remove_file(&file)?;
    Ok(run)
}
