//! A hundred thousand small files: archived, archived again, and retrieved one by one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use backup_testkit::s3_server::{BUCKET, Call, PeerOptions, S3Peer};
use tempfile::TempDir;

use super::{Bench, Measurement, Row, show, times, wall_s};
use crate::Outcome;
use crate::bench::measure;

/// Files at scale 1.
const FILES: f64 = 100_000.0;

/// Bytes of a file that is bundled.
const FILE_BYTES: usize = 10 * 1024;

/// How many files share a request at least.
const FILES_PER_REQUEST: u64 = 500;

/// Most bytes that one file's fetch moves.
const FETCHED_BYTES_MAX: u64 = 2 << 20;

/// How much longer than `find` a run without news may take.
const RATIO_MAX: f64 = 3.0;

/// Requests of a poll: a page a thousand archives, and one for the folder of bundles.
const PAGE: u64 = 1000;

/// A machine with a folder of files, and a bucket.
struct World<'b> {
    bench: &'b Bench<'b>,
    folder: PathBuf,
    /// The catalogue, in memory where that is possible: how fast a disk is made to write is not measured here.
    state: TempDir,
    peer: S3Peer,
}

impl<'b> World<'b> {
    fn new(bench: &'b Bench<'b>, name: &str, bytes: usize) -> Outcome<Self> {
        let folder = bench.path(name);
        for number in 0..bench.scaled(FILES) {
            let below = folder.join("files").join(format!("{:03}", number % 100));
            if number < 100 {
                std::fs::create_dir_all(&below)?;
            }
            // Each its own content: equal ones would be stored once.
            let text = format!("{number:020} ");
            std::fs::write(below.join(format!("{number:06}.pdf")), text.repeat(bytes.div_ceil(text.len())))?;
        }
        let state = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?;
        Ok(Self { bench, folder, state, peer: S3Peer::start(PeerOptions::default())? })
    }

    fn files(&self) -> PathBuf {
        self.folder.join("files")
    }

    fn lastgood(&self, verb: &[&str]) -> Command {
        let mut command = Command::new(&self.bench.lastgood);
        command.arg("glacier").args(verb).arg("--state").arg(self.state.path());
        command.args(["-r", &format!("s3://{BUCKET}/bench")]);
        command.envs(self.peer.environment()).env("LASTGOOD_PROGRESS", "never").env("NO_COLOR", "1");
        command.current_dir(&self.folder);
        command
    }

    fn run(&self, name: &str, verb: &[&str]) -> Outcome<Measurement> {
        let run = measure::run(vec![self.lastgood(verb)], None, None)?;
        show(0, name, &run);
        Ok(run)
    }

    /// What was asked of the bucket since this was last called.
    fn calls(&self) -> Vec<Call> {
        let calls = self.peer.log();
        self.peer.clear_log();
        calls
    }
}

fn of<'c>(calls: &'c [Call], ops: &'c [&str]) -> impl Iterator<Item = &'c Call> {
    calls.iter().filter(move |call| ops.contains(&call.op.as_str()))
}

fn is_payload(call: &&Call) -> bool {
    call.key.contains("/bundles/") || call.key.contains("/archives/")
}

pub(super) fn rows(bench: &Bench<'_>) -> Outcome<Vec<Row>> {
    let count = bench.scaled(FILES);
    let world = World::new(bench, "small", FILE_BYTES)?;
    let files = world.files();
    let backup = ["backup", "--files", text(&files), "--name", "small", "--init"];
    world.run("backup", &backup)?;
    let calls = world.calls();
    let requests = calls.len() as u64;
    let job = format!("{count} files of 10 KB");
    let most = count.div_ceil(FILES_PER_REQUEST);
    let mut rows = vec![counts(&job, "a request a file", (requests, count), "requests", most)];
    rows.push(second(&world, &backup)?);
    let moved = one_fetched(&world)?;
    rows.push(counts(&job, "fetching one of them", (moved, FILE_BYTES as u64), "bytes", FETCHED_BYTES_MAX));
    Ok(rows)
}

/// Nothing is new: nothing is read and nothing archived.
fn second(world: &World<'_>, backup: &[&str]) -> Outcome<Row> {
    let files = world.files();
    let find = || {
        let mut command = Command::new("find");
        command.arg(&files).args(["-type", "f", "-printf", "%s %T@ %i\\n"]);
        command
    };
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    world.calls();
    for round in 0..usize::from(world.bench.args.rounds) {
        let mut turns: [(&str, Command, &mut Vec<Measurement>); 2] =
            [("backup again", world.lastgood(backup), &mut ours), ("find", find(), &mut peer)];
        if round % 2 == 1 {
            turns.reverse();
        }
        for (name, command, taken) in turns {
            let run = measure::run(vec![command], None, None)?;
            show(round, name, &run);
            taken.push(run);
        }
    }
    let calls = world.calls();
    let written = of(&calls, &["PutObject", "UploadPart", "CreateMultipartUpload"]).filter(is_payload).count();
    let (ours, peer) = (wall_s(&ours), wall_s(&peer));
    let ratio = ours / peer;
    let outcome = format!("{ratio:.1}× the time, {written} archives written");
    let target = format!("≤ {RATIO_MAX}×, no upload");
    let job = format!("backup again, {} files, nothing changed", world.bench.scaled(FILES));
    Ok(times(&job, "find -printf '%s %T@ %i'", (ours, peer), outcome, target, ratio <= RATIO_MAX && written == 0))
}

/// Bytes of payload that fetching a single file moves.
fn one_fetched(world: &World<'_>) -> Outcome<u64> {
    std::fs::remove_file(world.files().join("007/000007.pdf"))?;
    let files = world.files();
    let seen = ["small", "--files", text(&files), "--only", "000007.pdf"];
    let verb = |name| [&[name][..], &seen[..]].concat();
    world.run("retrieve one", &verb("retrieve"))?;
    world.peer.advance(Duration::from_secs(13 * 3600));
    world.run("watch", &verb("watch"))?;
    world.calls();
    world.run("fetch one", &verb("fetch"))?;
    let calls = world.calls();
    let moved = of(&calls, &["GetObject"]).filter(is_payload).map(|call| call.bytes_out).sum();
    if moved == 0 { Err("nothing was fetched".into()) } else { Ok(moved) }
}

/// Asks what became of as many retrievals.
pub(super) fn poll(bench: &Bench<'_>) -> Outcome<Vec<Row>> {
    let count = bench.scaled(FILES);
    let world = World::new(bench, "poll", 1)?;
    let files = world.files();
    world.run(
        "backup, an archive a file",
        &["backup", "--files", text(&files), "--name", "poll", "--init", "--no-bundles"],
    )?;
    std::fs::remove_dir_all(&files)?;
    std::fs::create_dir(&files)?;
    let seen = ["poll", "--files", text(&files)];
    world.run("retrieve all", &[&["retrieve"][..], &seen[..]].concat())?;
    world.calls();
    // They are not ready, which it says by its exit code.
    let status = world.lastgood(&[&["watch"][..], &seen[..]].concat()).output()?.status;
    if status.code() != Some(3) {
        return Err(format!("`watch` ended with {status}").into());
    }
    let calls = world.calls();
    let asked = of(&calls, &["ListObjectsV2", "HeadObject"]).filter(is_payload).count() as u64;
    let job = format!("poll of {count} retrievals");
    Ok(vec![counts(&job, "a HEAD each", (asked, count), "requests", count.div_ceil(PAGE) + 1)])
}

fn counts(job: &str, against: &str, (ours, peer): (u64, u64), unit: &str, most: u64) -> Row {
    Row {
        job: job.to_owned(),
        against: against.to_owned(),
        ours: format!("{ours} {unit}"),
        peer: format!("{peer} {unit}"),
        outcome: format!("1/{}", peer / ours.max(1)),
        target: format!("≤ {most} {unit}"),
        met: ours <= most,
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}
