//! Restores into a new database, against what django-pgclone runs.

use std::path::Path;
use std::process::Command;

use super::context::{Context, SHOP, succeed, text};
use super::measure::Measurement;
use super::report::{self, Row, times};
use crate::Outcome;
use crate::check;

const OURS: &str = "shop_ours";
const PEERS: &str = "shop_peer";

/// Runs both in turn, from one dump each.
pub(crate) fn run(context: &Context) -> Outcome<Vec<Row>> {
    let (folder, archive) = (context.path("restore"), context.path("restore.dump"));
    succeed(context.dump(SHOP, text(&folder)))?;
    succeed(context.program("pg_dump", &["-Fc", "-f", text(&archive), SHOP]))?;
    let original = check::fingerprint(&context.server, SHOP)?;
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for round in 0..context.rounds {
        for is_ours in Context::order(round, [true, false]) {
            let (database, name) =
                if is_ours { (OURS, "lastgood pg restore") } else { (PEERS, "cat | pg_restore -j1") };
            let run = if is_ours {
                context.measure(round, name, vec![context.restore(SHOP, text(&folder), OURS)], Path::new(""))?
            } else {
                pg_restore(context, round, name, &archive)?
            };
            let copy = check::fingerprint(&context.server, database)?;
            check::same(&original, &copy, name)?;
            context.server.sql("postgres", &format!("DROP DATABASE {database}"))?;
            if is_ours { ours.push(run) } else { peer.push(run) }
        }
    }
    std::fs::remove_dir_all(&folder)?;
    std::fs::remove_file(&archive)?;
    let faster = report::wall_s(&peer) / report::wall_s(&ours);
    Ok(vec![Row {
        job: "restore into a new database".to_owned(),
        against: "`cat FILE | pg_restore -j1`".to_owned(),
        ours: times(&ours),
        peer: times(&peer),
        outcome: format!("{faster:.2}× faster"),
        target: "not slower".to_owned(),
        met: faster >= 1.0,
    }])
}

/// Creating the database is part of the job: ours does it too.
fn pg_restore(context: &Context, round: usize, name: &str, archive: &Path) -> Outcome<Measurement> {
    let begin = std::time::Instant::now();
    context.server.sql("postgres", &format!("CREATE DATABASE {PEERS} TEMPLATE template0"))?;
    let create_s = begin.elapsed().as_secs_f64();
    let mut cat = Command::new("cat");
    cat.arg(archive);
    let restore = context.program("pg_restore", &["-j1", "--no-owner", "--no-acl", "-d", PEERS]);
    let mut run = context.measure(round, name, vec![cat, restore], Path::new(""))?;
    run.wall_s += create_s;
    Ok(run)
}
