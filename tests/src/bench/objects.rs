//! Very many large objects of another role: where locks and round trips cost more than the bytes.

use std::fs;
use std::path::Path;

use super::context::{Context, succeed, text};
use super::measure::Measurement;
use super::report::{self, Row, mib, times};
use crate::Outcome;
use crate::printer::say;
use crate::server::Server;

/// The database.
const OBJECTS: &str = "objects";

/// Its large objects at scale 1.
const COUNT: f64 = 300_000.0;

/// Objects made in one transaction: each takes a lock.
const MADE_AT_ONCE: u32 = 1_000;

/// Most memory of a restore in bytes, whatever their number.
const PEAK_BYTES_MAX: u64 = 256 * 1024 * 1024;

const OURS: &str = "objects_ours";
const PEERS: &str = "objects_peer";

/// What both must bring back: the objects, their bytes, owners and privileges.
const FINGERPRINT: &str = "SELECT count(*), md5(string_agg(concat_ws(' ', m.oid, m.lomowner::regrole, m.lomacl, \
    (SELECT string_agg(encode(l.data, 'hex'), ' ' ORDER BY l.pageno) FROM pg_largeobject l WHERE l.loid = m.oid)), ',' \
    ORDER BY m.oid)) FROM pg_largeobject_metadata m";

/// Restores by ours and `pg_restore` in turn, on a server with PostgreSQL's own settings: how many locks it has room for
/// decides what can be done in one transaction, and a larger server has more. It does not wait for its disk: `pg_restore` commits
/// each object three times, and would take an hour for what we commit by the thousand.
pub(crate) fn run(context: &Context) -> Outcome<Vec<Row>> {
    let context = &context.elsewhere(Server::start(&[], false)?)?;
    let count = (COUNT * context.scale).ceil() as u32;
    make(context, count)?;
    let (folder, archive) = (context.path("objects"), context.path("objects.dump"));
    succeed(context.dump(OBJECTS, text(&folder)))?;
    succeed(context.program("pg_dump", &["-Fc", "-f", text(&archive), OBJECTS]))?;
    let original = context.server.sql(OBJECTS, FINGERPRINT)?;
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for round in 0..context.rounds {
        for is_ours in Context::order(round, [true, false]) {
            let database = if is_ours { OURS } else { PEERS };
            if is_ours {
                let command = context.restore(OBJECTS, text(&folder), OURS);
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
            if context.server.sql(database, FINGERPRINT)? != original {
                return Err(format!("the large objects of `{database}` differ from those that were dumped").into());
            }
            context.server.sql("postgres", &format!("DROP DATABASE {database}"))?;
        }
    }
    fs::remove_dir_all(&folder)?;
    fs::remove_file(&archive)?;
    Ok(rows(count, &ours, &peer))
}

fn rows(count: u32, ours: &[Measurement], peer: &[Measurement]) -> Vec<Row> {
    let ratio = report::wall_s(ours) / report::wall_s(peer);
    let peak = |runs: &[Measurement]| runs.iter().map(|run| run.peak_bytes).max().unwrap_or_default();
    vec![
        Row {
            job: format!(
                "restore of {count} large objects of another role, the server's settings as they come but for `fsync`"
            ),
            against: "`pg_restore`".to_owned(),
            ours: times(ours),
            peer: times(peer),
            outcome: format!("{ratio:.2}× the time"),
            target: "≤ 1.0× the time".to_owned(),
            met: ratio <= 1.0,
        },
        Row {
            job: "memory of that restore".to_owned(),
            against: "`pg_restore`".to_owned(),
            ours: mib(peak(ours)),
            peer: mib(peak(peer)),
            outcome: String::new(),
            target: format!("≤ {}", mib(PEAK_BYTES_MAX)),
            met: peak(ours) <= PEAK_BYTES_MAX,
        },
    ]
}

fn make(context: &Context, count: u32) -> Outcome {
    let begin = std::time::Instant::now();
    context.server.sql("postgres", &format!("CREATE DATABASE {OBJECTS} TEMPLATE template0"))?;
    context.server.sql("postgres", "CREATE ROLE objects_owner")?;
    context.server.sql(
        OBJECTS,
        &format!(
            "DO $$ BEGIN FOR g IN 1..{count} LOOP
               PERFORM lo_from_bytea(g, convert_to(md5(g::text), 'UTF8'));
               EXECUTE format('ALTER LARGE OBJECT %s OWNER TO objects_owner', g);
               EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO PUBLIC', g);
               IF g % {MADE_AT_ONCE} = 0 THEN COMMIT; END IF;
             END LOOP; END $$"
        ),
    )?;
    say(&format!("database `{OBJECTS}`: {count} large objects in {:.0} s", begin.elapsed().as_secs_f64()));
    Ok(())
}
