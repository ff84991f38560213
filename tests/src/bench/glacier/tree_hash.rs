//! The tree hash of a file in memory, against the speed of SHA-256 itself on the same core, and against botocore's.

use std::process::Command;
use std::time::Instant;

use super::{Bench, Row, random_file, times, wall_s};
use crate::Outcome;
use crate::printer::say;

/// Bytes to hash at scale 1.
const BYTES: f64 = 4.0 * 1024.0 * 1024.0 * 1024.0;

/// Seconds that openssl measures for.
const SPEED_SECONDS: &str = "3";

/// What botocore does.
const PEER: &str = "import sys; from botocore.utils import calculate_tree_hash as h; print(h(open(sys.argv[1], 'rb')))";

/// How fast ours must be on one core and on two, of the limit of one core and of botocore's speed.
const LEAST: [(&str, &str, f64, f64); 2] = [("one core", "0", 0.9, 1.05), ("two cores", "0,1", 1.8, 2.1)];

pub(super) fn rows(bench: &Bench<'_>) -> Outcome<Vec<Row>> {
    let (file, bytes) = (bench.path("hashed"), bench.scaled(BYTES));
    random_file(&file, bytes, 1)?;
    agree(bench, &file)?;
    let mut limits = Vec::new();
    let mut taken: [Vec<super::Measurement>; 3] = Default::default();
    let python = &bench.args.python;
    let peer = || {
        let mut command = Command::new(python);
        command.args(["-c", PEER]).arg(&file);
        Bench::pinned(&command, "0")
    };
    let ours = |cores: &str, count: &str| Bench::pinned(&bench.measure("tree-hash", &file, &[count]), cores);
    for _ in 0..bench.args.rounds {
        // The limit of this minute: on a machine that others use it is another one in the next.
        limits.push(limit()?);
        let one = || ours("0", "1");
        let two = || ours("0,1", "2");
        let contenders: [(&str, &dyn Fn() -> Command); 3] =
            [("tree hash, one core", &one), ("tree hash, two cores", &two), ("botocore", &peer)];
        let args = super::Args { rounds: 1, ..bench.args.clone() };
        let once = Bench { args: &args, work: bench.work, lastgood: bench.lastgood.clone() };
        let runs = once.in_turn(&contenders)?;
        for (all, runs) in taken.iter_mut().zip(runs) {
            all.extend(runs);
        }
    }
    let limit = super::median(limits);
    let at_limit = bytes as f64 / limit;
    let peer_s = wall_s(&taken[2]);
    let mut rows = Vec::new();
    for ((name, _, of_limit, of_peer), runs) in LEAST.iter().zip(&taken) {
        let ours = wall_s(runs);
        let job = format!("tree hash of {} MiB, {name}", bytes >> 20);
        for (against, peer, least) in
            [("openssl's SHA-256, one core", at_limit, of_limit), ("botocore", peer_s, of_peer)]
        {
            let ratio = peer / ours;
            let target = format!("≥ {least}×");
            rows.push(times(&job, against, (ours, peer), format!("{ratio:.2}× as fast"), target, ratio >= *least));
        }
    }
    std::fs::remove_file(&file)?;
    Ok(rows)
}

/// Both programs must say the same.
fn agree(bench: &Bench<'_>, file: &std::path::Path) -> Outcome {
    let began = Instant::now();
    let said = |mut command: Command| -> Outcome<String> {
        let output = command.output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let mut peer = Command::new(&bench.args.python);
    peer.args(["-c", PEER]).arg(file);
    let (ours, theirs) = (said(bench.measure("tree-hash", file, &["2"]))?, said(peer)?);
    if ours != theirs || ours.len() != 64 {
        return Err(format!("we say `{ours}`, and botocore says `{theirs}`").into());
    }
    say(&format!("  both say {ours} ({:.1} s)", began.elapsed().as_secs_f64()));
    Ok(())
}

/// Bytes of SHA-256 a second that openssl reaches on one core.
fn limit() -> Outcome<f64> {
    let mut command = Command::new("openssl");
    command.args(["speed", "-mr", "-seconds", SPEED_SECONDS, "-bytes", "16384", "-evp", "sha256"]);
    let output = Bench::pinned(&command, "0").output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // `+F:25:sha256:1342177280.00`
    let speed =
        text.lines().filter(|line| line.starts_with("+F:")).find_map(|line| line.rsplit(':').next()?.parse().ok());
    let speed: f64 = speed.ok_or_else(|| format!("openssl does not tell its speed: {text}"))?;
    say(&format!("  openssl: {:.0} MB/s", speed / 1e6));
    Ok(speed)
}
