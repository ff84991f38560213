//! One job of `cargo xtask bench dict`, in a process of its own; prints what it took as one line of JSON.
//!
//! `cargo run --release -p dictstore-backup --example measure -- JOB ROWS FOLDER [FORMAT]`

use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dictstore_backup::{Backups, DictStore, Format, Key, OnConflict, Record, RestoreTo, TableOptions, restore};
use serde_json::{Value, json};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const TABLE: &str = "people";

/// Rows changed before each delta.
const DELTA_ROWS: i64 = 100;

/// Deltas timed in a run: their median is told.
const DELTAS: usize = 31;

/// How long writers are watched with nothing else going on.
const IDLE: Duration = Duration::from_secs(2);

/// A write that is looked into.
const SLOW: Duration = Duration::from_micros(100);

/// Writes after which the kernel is asked anew how long the writer has waited so far.
const ASKED_EVERY: u64 = 64;

/// Longer than any job takes: nothing is written unasked.
const NEVER: Duration = Duration::from_secs(86_400);

fn record(id: i64) -> Record {
    Record::new().with("id", id).with("name", format!("Name{id}")).with("age", id % 90)
}

fn filled(store: &DictStore, rows: i64) -> Outcome {
    store.create_table(TABLE, TableOptions::new())?;
    for id in 0..rows {
        store.insert(TABLE, record(id))?;
    }
    Ok(())
}

fn of(rows: i64) -> Outcome<DictStore> {
    let store = DictStore::new();
    filled(&store, rows)?;
    Ok(store)
}

fn format_of(text: Option<&String>) -> Outcome<Format> {
    Ok(text.map_or(Ok(Format::Json), |text| text.parse())?)
}

fn full(rows: i64, folder: &str, format: Format) -> Outcome<Value> {
    let store = of(rows)?;
    let backups = Backups::builder(store, folder).init().interval(NEVER).format(format).start()?;
    let begin = Instant::now();
    let written = backups.backup_full()?.ok_or("no backup was written")?;
    let wall_s = begin.elapsed().as_secs_f64();
    backups.stop()?;
    Ok(json!({ "wall_s": wall_s, "bytes": written.bytes }))
}

fn load(rows: i64, folder: &str) -> Outcome<Value> {
    let begin = Instant::now();
    let store = restore(folder, RestoreTo::Latest)?;
    let wall_s = begin.elapsed().as_secs_f64();
    if store.len(TABLE)? as i64 != rows {
        return Err("the restored table has another number of rows".into());
    }
    Ok(json!({ "wall_s": wall_s }))
}

/// The median time of a delta, and of writing as many bytes and asking for them to be durable.
fn delta(rows: i64, folder: &str) -> Outcome<Value> {
    let store = of(rows)?;
    let backups = Backups::builder(store.clone(), folder).init().interval(NEVER).incremental(true);
    let backups = backups.max_deltas_before_full(u64::MAX).start()?;
    backups.backup_full()?;
    let (mut deltas, mut syncs, mut bytes) = (Vec::new(), Vec::new(), 0);
    for round in 0..DELTAS as i64 {
        for row in 0..DELTA_ROWS {
            let id = (round * DELTA_ROWS + row).wrapping_mul(7_919) % rows;
            store.update(TABLE, &Key::from(id), Record::new().with("age", 100 + round))?;
        }
        let begin = Instant::now();
        let written = backups.backup_delta()?.ok_or("no delta was written")?;
        deltas.push(begin.elapsed().as_secs_f64());
        bytes = written.bytes;
        let body = vec![b' '; usize::try_from(bytes)?];
        let begin = Instant::now();
        let mut file = File::create(Path::new(folder).join(format!("sync-{round}")))?;
        file.write_all(&body)?;
        file.sync_all()?;
        syncs.push(begin.elapsed().as_secs_f64());
    }
    backups.stop()?;
    Ok(json!({ "wall_s": median(deltas), "sync_s": median(syncs), "bytes": bytes }))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Time that this thread has waited for a processor; proc(5), `/proc/[pid]/schedstat`.
fn queued(schedstat: &File) -> Outcome<Duration> {
    let mut text = [0; 96];
    let length = schedstat.read_at(&mut text, 0)?;
    let text = std::str::from_utf8(&text[..length])?;
    let waited = text.split_ascii_whitespace().nth(1).ok_or("the kernel does not tell how long threads waited")?;
    Ok(Duration::from_nanos(waited.parse()?))
}

fn put(store: &DictStore, rows: i64, count: u64) -> Outcome {
    let id = (count.wrapping_mul(7_919) % rows.unsigned_abs()).cast_signed();
    store.upsert(TABLE, Record::new().with("id", id).with("age", 1), OnConflict::Update)?;
    Ok(())
}

/// Writes until told to stop; how much a second.
fn rate(store: &DictStore, rows: i64, stop: &AtomicBool) -> Outcome<f64> {
    let (mut count, begin) = (0, Instant::now());
    while !stop.load(Ordering::Relaxed) {
        put(store, rows, count)?;
        count += 1;
    }
    Ok(count as f64 / begin.elapsed().as_secs_f64())
}

/// The longest of many writes, in seconds.
#[derive(Default)]
struct Longest {
    /// By the clock on the wall.
    wall: f64,
    /// Without the time in which it could have run and no processor was free; may be another write.
    unqueued: f64,
}

/// Writes until told to stop, and times each from the end of the one before: no moment is left out, or a wait that falls
/// between two would not be seen. The kernel is asked after slow ones only, and now and then for where it stood before.
fn longest(store: &DictStore, rows: i64, stop: &AtomicBool) -> Outcome<Longest> {
    let schedstat = File::open("/proc/thread-self/schedstat")?;
    let (mut count, mut longest) = (0_u64, Longest::default());
    let (mut before, mut end) = (queued(&schedstat)?, Instant::now());
    while !stop.load(Ordering::Relaxed) {
        let begin = end;
        put(store, rows, count)?;
        end = Instant::now();
        let wall = end - begin;
        let mut unqueued = wall;
        if wall > SLOW || count.is_multiple_of(ASKED_EVERY) {
            let now = queued(&schedstat)?;
            unqueued = wall.saturating_sub(now.saturating_sub(before));
            before = now;
        }
        longest.wall = longest.wall.max(wall.as_secs_f64());
        longest.unqueued = longest.unqueued.max(unqueued.as_secs_f64());
        count += 1;
    }
    Ok(longest)
}

/// Runs `write` on a thread of its own for as long as `work` takes; what it gives.
fn beside<T: Send>(write: impl FnOnce(&AtomicBool) -> Outcome<T> + Send, work: impl FnOnce() -> Outcome) -> Outcome<T> {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| write(&stop).map_err(|error| error.to_string()));
        let worked = work();
        stop.store(true, Ordering::Relaxed);
        let written = writer.join().map_err(|_| "the writer panicked")??;
        worked?;
        Ok(written)
    })
}

fn stall(rows: i64, folder: &str) -> Outcome<Value> {
    let store = &of(rows)?;
    let backups = Backups::builder(store.clone(), folder).init().interval(NEVER).start()?;
    let idle = || {
        std::thread::sleep(IDLE);
        Ok(())
    };
    let full = || backups.backup_full().map(drop).map_err(Into::into);
    let idle_longest = beside(|stop| longest(store, rows, stop), idle)?;
    let longest = beside(|stop| longest(store, rows, stop), full)?;
    // Apart from the longest, since looking at the clock takes a part of the time of a write.
    let idle_rate = beside(|stop| rate(store, rows, stop), idle)?;
    let rate = beside(|stop| rate(store, rows, stop), full)?;
    Ok(json!({
        "held_s": store.longest_held().as_secs_f64(),
        "longest_s": longest.wall,
        "unqueued_s": longest.unqueued,
        "idle_longest_s": idle_longest.wall,
        "rate": rate,
        "idle_rate": idle_rate,
    }))
}

/// Bytes the kernel says under `name`; proc(5).
fn memory(name: &str) -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with(name)).ok_or("the kernel does not tell")?;
    Ok(line.split_ascii_whitespace().nth(1).ok_or("the kernel tells no number")?.parse::<u64>()? * 1024)
}

/// Memory at the peak of a full backup during which one row of a hundred changes, beyond what the rows take.
fn peak(rows: i64, folder: &str) -> Outcome<Value> {
    let empty = memory("VmRSS:")?;
    let store = of(rows)?;
    let backups = Backups::builder(store.clone(), folder).init().interval(NEVER).start()?;
    // Once before: what a first backup sets up stays, and is not what a backup takes.
    let before = memory("VmRSS:")?;
    // Sets the high-water mark back to now; proc(5).
    std::fs::write("/proc/self/clear_refs", "5")?;
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            (0..rows).step_by(100).try_for_each(|id| store.update(TABLE, &Key::from(id), Record::new().with("age", 1)))
        });
        backups.backup_full()?;
        writer.join().map_err(|_| "the writer panicked")??;
        Outcome::Ok(())
    })?;
    let peak = memory("VmHWM:")?;
    Ok(json!({ "data_bytes": before - empty, "extra_bytes": peak.saturating_sub(before) }))
}

/// Rows inserted a second with changes noted, and without.
fn insert(rows: i64) -> Outcome<Value> {
    let timed = |store: &DictStore| {
        let begin = Instant::now();
        filled(store, rows)?;
        Outcome::Ok(rows as f64 / begin.elapsed().as_secs_f64())
    };
    // Once for nothing: the first rows pay for memory the process has never had.
    timed(&DictStore::untracked())?;
    let (mut tracked, mut untracked) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        untracked.push(timed(&DictStore::untracked())?);
        tracked.push(timed(&DictStore::new())?);
    }
    Ok(json!({ "tracked": median(tracked), "untracked": median(untracked) }))
}

fn main() -> Outcome {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [job, rows, folder, ..] = &args[..] else { return Err("measure JOB ROWS FOLDER [FORMAT]".into()) };
    let rows: i64 = rows.parse()?;
    let measured = match job.as_str() {
        "full" => full(rows, folder, format_of(args.get(3))?)?,
        "load" => load(rows, folder)?,
        "delta" => delta(rows, folder)?,
        "stall" => stall(rows, folder)?,
        "peak" => peak(rows, folder)?,
        "insert" => insert(rows)?,
        other => return Err(format!("there is no job `{other}`").into()),
    };
    #[expect(clippy::print_stdout, reason = "what it measured is its output")]
    {
        println!("{measured}");
    }
    Ok(())
}
