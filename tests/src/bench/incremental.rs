//! `bench incremental`: dumps of a database of which little changed, beside full dumps of the same in the same run.

use std::fs;
use std::path::PathBuf;

use super::context::{Context, SHOP, text};
use super::measure::Measurement;
use super::report::{self, Row, median, mib, table};
use super::{data, machine, runtime};
use crate::Outcome;
use crate::printer::say;
use crate::server::Server;

/// A server in earnest, on which nothing but the jobs changes pages.
const CONF: [&str; 6] = [
    "shared_buffers = 1GB",
    "max_wal_size = 8GB",
    "checkpoint_timeout = 30min",
    "maintenance_work_mem = 64MB",
    "summarize_wal = on",
    "autovacuum = off",
];

/// What changes between two dumps, with the statements that do it and what the second may take of the time and of the bytes of a full
/// one.
struct Change {
    name: &'static str,
    sql: &'static str,
    time_max: f64,
    bytes_max: f64,
}

/// What was loaded is visible to everybody, and no page need be touched for that any more.
const SETTLE: &str = "VACUUM (FREEZE, ANALYZE)";

const CHANGES: [Change; 4] = [
    Change { name: "nothing changed", sql: "SELECT 1", time_max: 0.05, bytes_max: 0.005 },
    Change {
        name: "1 % new rows and updates at the tails",
        sql: "INSERT INTO messages (public_id, owner_id, subject, body, metadata, versions, checksum, sent_at) \
                SELECT public_id, owner_id, subject, body, metadata, versions, checksum, sent_at FROM messages ORDER BY id DESC \
                  LIMIT (SELECT count(*) / 200 FROM messages); \
              UPDATE messages SET subject = subject || '!' WHERE id > (SELECT max(id) - count(*) / 100 FROM messages); \
              INSERT INTO orders (public_id, user_id, status, total, shipping, note, placed_at) \
                SELECT public_id, user_id, status, total, shipping, note, placed_at FROM orders ORDER BY id DESC \
                  LIMIT (SELECT count(*) / 100 FROM orders); \
              INSERT INTO events SELECT id + 10000000, session_id, user_id, name, payload, occurred_at FROM events_rest LIMIT 3000",
        time_max: 0.10,
        bytes_max: 0.02,
    },
    Change {
        name: "0.1 % of the rows at random places",
        sql: "UPDATE messages SET subject = subject || '?' WHERE hashint8(id) % 1000 = 7; \
              UPDATE orders SET status = 'paid' WHERE hashint8(id) % 1000 = 7; \
              UPDATE users SET bio = 'new' WHERE hashint8(id) % 1000 = 7; \
              UPDATE reviews SET stars = 1 WHERE hashint8(id) % 1000 = 7; \
              UPDATE audit.log SET action = 'delete' WHERE hashint8(id) % 1000 = 7",
        time_max: 0.35,
        bytes_max: 0.15,
    },
    Change { name: "nothing changed after that", sql: "SELECT 1", time_max: 0.05, bytes_max: 0.005 },
];

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Size of the data; 1 is about 800 MB
    #[arg(long, default_value_t = 1.0, value_parser = super::scale)]
    scale: f64,
    /// Runs of each dump; medians are compared
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// Major version of the server, 17 or newer
    #[arg(long, default_value_t = 18)]
    server: u32,
    /// Write the table, with machine and date, to this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Outcome {
    let context = Context {
        server: Server::of_version(args.server, &CONF, true)?,
        lastgood: crate::lastgood_binary()?,
        work: tempfile::Builder::new().prefix("lastgood-bench-").tempdir()?,
        scale: args.scale,
        rounds: args.rounds.into(),
        jobs: None,
        runtime: runtime()?,
    };
    data::shop(&context.server, context.scale)?;
    let mut rows = unvacuumed(&context)?;
    context.server.sql(SHOP, SETTLE)?;
    for change in CHANGES {
        rows.push(one(&context, &change)?);
    }
    let text = format!("PostgreSQL: {}\n\n{}", context.server.version(), table(&rows));
    let text = format!("{}\n{text}", machine::description(&super::about(&context.server, "this build")));
    say(&format!("\n{text}"));
    if let Some(file) = &args.write {
        fs::write(file, text)?;
    }
    Ok(())
}

/// Dumps into `location`; what it took, and what it added.
fn dump(context: &Context, round: usize, name: &str, location: &str, full: bool) -> Outcome<Measurement> {
    let before = super::measure::size_bytes(location.as_ref());
    let mut command = context.dump(SHOP, location);
    command.args(if full { &["--full"][..] } else { &["--incremental", "require"] });
    let mut run = context.measure(round, name, vec![command], location.as_ref())?;
    run.output_bytes = run.output_bytes.saturating_sub(before);
    Ok(run)
}

/// A change, dumped again and again from the same dump before it, beside full dumps of the same.
fn one(context: &Context, change: &Change) -> Outcome<Row> {
    let (base, full) = (context.path("base"), context.path("full"));
    let _ = fs::remove_dir_all(&base);
    context.server.sql("postgres", "CHECKPOINT")?;
    super::context::succeed(context.dump(SHOP, text(&base)))?;
    context.server.sql(SHOP, change.sql)?;
    let (mut ours, mut fulls) = (Vec::new(), Vec::new());
    for round in 0..context.rounds {
        let copy = context.path(&format!("copy{round}"));
        super::context::succeed(Context::program_on_path("cp", &["-a", text(&base), text(&copy)]))?;
        ours.push(dump(context, round, change.name, text(&copy), false)?);
        if round == 0 {
            super::context::succeed(context.lastgood(&["pg", "verify", "--all", "-r", text(&copy), "--read", "all"]))?;
        }
        fs::remove_dir_all(&copy)?;
        fulls.push(dump(context, round, "a full dump", text(&full), true)?);
        fs::remove_dir_all(&full)?;
    }
    Ok(row(change.name, &ours, &fulls, change.time_max, change.bytes_max))
}

/// The second and third dump of what was loaded and never vacuumed: reading it sets bits that checksums have logged.
fn unvacuumed(context: &Context) -> Outcome<Vec<Row>> {
    let (location, full) = (context.path("loaded"), context.path("full"));
    context.server.sql("postgres", "CHECKPOINT")?;
    let first = dump(context, 0, "the first dump", text(&location), true)?;
    let second = dump(context, 0, "the second, never vacuumed", text(&location), false)?;
    let third = dump(context, 0, "the third", text(&location), false)?;
    let _ = fs::remove_dir_all(&full);
    fs::remove_dir_all(&location)?;
    Ok(vec![
        row("loaded, never vacuumed: second dump", &[second], std::slice::from_ref(&first), 1.05, 0.005),
        row("the same: third dump", &[third], &[first], 0.05, 0.005),
    ])
}

fn row(job: &str, ours: &[Measurement], full: &[Measurement], time_max: f64, bytes_max: f64) -> Row {
    let time = report::wall_s(ours) / report::wall_s(full);
    let added = |runs: &[Measurement]| median(runs.iter().map(|run| run.output_bytes as f64));
    let bytes = added(ours) / added(full);
    let figures = |runs: &[Measurement]| format!("{}, {}", report::times(runs), mib(added(runs) as u64));
    Row {
        job: job.to_owned(),
        against: "a full dump".to_owned(),
        ours: figures(ours),
        peer: figures(full),
        outcome: format!("{time:.3}× the time, {:.2} % of the bytes", bytes * 100.0),
        target: format!("≤ {time_max}× the time, ≤ {} % of the bytes", bytes_max * 100.0),
        met: time <= time_max && bytes <= bytes_max,
    }
}
