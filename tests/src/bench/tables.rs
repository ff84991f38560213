//! Ten thousand tiny tables: where round trips and requests cost more than the rows.

use std::fs;
use std::path::Path;

use super::context::{Context, succeed, text};
use super::measure::Measurement;
use super::peer::S3;
use super::report::{self, Row, times};
use crate::Outcome;
use crate::check;
use crate::printer::say;

/// The database.
const TABLES: &str = "tables";

/// Its tables at scale 1.
const COUNT: f64 = 10_000.0;

/// Tables made in one transaction: each takes four locks.
const MADE_AT_ONCE: usize = 1_000;

/// Most requests of a dump or of a restore: one for fifty tables, and what a location itself needs.
const TABLES_PER_REQUEST: usize = 50;

/// Requests that every run makes.
const REQUESTS_ANYWAY: usize = 50;

const OURS: &str = "tables_ours";
const PEERS: &str = "tables_peer";

/// Dumps and restores by ours and the peers in turn, then counts ours' requests to an S3 peer.
pub(crate) fn run(context: &Context) -> Outcome<Vec<Row>> {
    let count = (COUNT * context.scale).ceil() as usize;
    make(context, count)?;
    let mut rows = vec![dumps(context, count)?, restores(context)?];
    rows.extend(requests(context, count)?);
    Ok(rows)
}

fn make(context: &Context, count: usize) -> Outcome {
    let begin = std::time::Instant::now();
    context.server.sql("postgres", &format!("CREATE DATABASE {TABLES} TEMPLATE template0"))?;
    for from in (1..=count).step_by(MADE_AT_ONCE) {
        let to = (from + MADE_AT_ONCE - 1).min(count);
        context.server.sql(
            TABLES,
            &format!(
                "DO $$ BEGIN FOR i IN {from}..{to} LOOP
                   EXECUTE format('CREATE TABLE t%s (id integer PRIMARY KEY, name text NOT NULL, at timestamptz)', i);
                   EXECUTE format('INSERT INTO t%s SELECT g, ''name '' || g, ''2026-01-01Z'' FROM generate_series(1, 5) g', i);
                 END LOOP; END $$"
            ),
        )?;
    }
    say(&format!("database `{TABLES}`: {count} tables in {:.0} s", begin.elapsed().as_secs_f64()));
    Ok(())
}

fn row(job: &str, against: &str, ours: &[Measurement], peer: &[Measurement]) -> Row {
    let ratio = report::wall_s(ours) / report::wall_s(peer);
    Row {
        job: job.to_owned(),
        against: against.to_owned(),
        ours: times(ours),
        peer: times(peer),
        outcome: format!("{ratio:.2}× the time"),
        target: "≤ 1.0× the time".to_owned(),
        met: ratio <= 1.0,
    }
}

fn dumps(context: &Context, count: usize) -> Outcome<Row> {
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    let (folder, archive) = (context.path("tables"), context.path("tables.dump"));
    for round in 0..context.rounds {
        for is_ours in Context::order(round, [true, false]) {
            if is_ours {
                let _ = fs::remove_dir_all(&folder);
                let command = context.dump(TABLES, text(&folder));
                ours.push(context.measure(round, "lastgood pg dump", vec![command], &folder)?);
            } else {
                let command = context.program("pg_dump", &["-Fc", "-f", text(&archive), TABLES]);
                peer.push(context.measure(round, "pg_dump -Fc", vec![command], &archive)?);
                check::archive(&context.server, &archive, count)?;
            }
        }
    }
    Ok(row(&format!("dump of {count} tiny tables"), "`pg_dump -Fc` to a file", &ours, &peer))
}

/// From what [`dumps`] left.
fn restores(context: &Context) -> Outcome<Row> {
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    let (folder, archive) = (context.path("tables"), context.path("tables.dump"));
    let original = check::fingerprint(&context.server, TABLES)?;
    for round in 0..context.rounds {
        for is_ours in Context::order(round, [true, false]) {
            let database = if is_ours { OURS } else { PEERS };
            if is_ours {
                let command = context.restore(TABLES, text(&folder), OURS);
                ours.push(context.measure(round, "lastgood pg restore", vec![command], Path::new(""))?);
            } else {
                // Creating the database is part of the job: ours does it too.
                let begin = std::time::Instant::now();
                context.server.sql("postgres", &format!("CREATE DATABASE {PEERS} TEMPLATE template0"))?;
                let create_s = begin.elapsed().as_secs_f64();
                let command = context.program("pg_restore", &["-d", PEERS, text(&archive)]);
                let mut run = context.measure(round, "pg_restore", vec![command], Path::new(""))?;
                run.wall_s += create_s;
                peer.push(run);
            }
            let copy = check::fingerprint(&context.server, database)?;
            check::same(&original, &copy, database)?;
            context.server.sql("postgres", &format!("DROP DATABASE {database}"))?;
        }
    }
    fs::remove_dir_all(&folder)?;
    fs::remove_file(&archive)?;
    Ok(row("restore of those tables", "`pg_restore`", &ours, &peer))
}

/// Once: a number of requests is no matter of luck.
fn requests(context: &Context, count: usize) -> Outcome<Vec<Row>> {
    let s3 = S3::start(context.path(&format!("s3-{}", 0)), 0)?;
    let location = s3.url("tables");
    let mut dump = context.dump(TABLES, &location);
    s3.point(&mut dump);
    succeed(dump)?;
    let dumped = s3.take_requests();
    let mut restore = context.restore(TABLES, &location, OURS);
    s3.point(&mut restore);
    succeed(restore)?;
    let restored = s3.take_requests();
    context.server.sql("postgres", &format!("DROP DATABASE {OURS}"))?;
    let most = REQUESTS_ANYWAY + count / TABLES_PER_REQUEST;
    let row = |what: &str, requests: usize| Row {
        job: format!("requests of S3 to {what} them"),
        against: "–".to_owned(),
        ours: requests.to_string(),
        peer: "–".to_owned(),
        outcome: String::new(),
        target: format!("≤ {most}"),
        met: requests <= most,
    };
    Ok(vec![row("dump", dumped), row("restore", restored)])
}
