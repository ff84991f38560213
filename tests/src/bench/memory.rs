//! Peak memory of dumps and restores: the shop, one large table, and a store that is slow.

use std::path::Path;
use std::process::Command;

use super::context::{Context, SHOP, text};
use super::data::{self, LARGE};
use super::measure::Measurement;
use super::peer::S3;
use super::report::{self, Row, mib};
use crate::Outcome;

/// The bound, whatever the size of the database.
const MEMORY_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Size of the large table at scale 1.
const LARGE_BYTES: f64 = 2.0 * 1024.0 * 1024.0 * 1024.0;

/// Added to every request of the slow store: whoever does not wait for it would pile up parts.
const SLOW_DELAY_MS: u64 = 400;

const COPY: &str = "memory_copy";

/// Dumps and restores, once each: a peak does not depend on how busy the machine is.
pub(crate) fn run(context: &Context) -> Outcome<Vec<Row>> {
    data::large(&context.server, LARGE_BYTES * context.scale.min(1.0))?;
    let slow = S3::start(context.path(&format!("s3-{}", SLOW_DELAY_MS)), SLOW_DELAY_MS)?;
    let mut seen = Vec::new();
    let mut disk_bytes = 0;
    for database in [SHOP, LARGE] {
        let folder = context.path("memory");
        let (dump, restore) = folder_runs(context, database, text(&folder))?;
        std::fs::remove_dir_all(&folder)?;
        seen.push((format!("`{database}`, folder"), dump, restore));
        let (dump, restore) = slow_runs(context, database, &slow)?;
        slow.clear();
        disk_bytes = disk_bytes.max(dump.disk_bytes).max(restore.disk_bytes);
        seen.push((format!("`{database}`, slow S3"), dump, restore));
    }
    context.server.sql("postgres", &format!("DROP DATABASE {LARGE}"))?;
    let mut rows: Vec<Row> = seen.into_iter().map(|(what, dump, restore)| row(&what, &dump, &restore)).collect();
    rows.push(Row {
        job: "bytes on local disk when the location is S3, dump and restore".to_owned(),
        against: "–".to_owned(),
        ours: format!("{disk_bytes} bytes"),
        peer: "–".to_owned(),
        outcome: String::new(),
        target: "0".to_owned(),
        met: disk_bytes == 0,
    });
    Ok(rows)
}

fn folder_runs(context: &Context, database: &str, location: &str) -> Outcome<(Measurement, Measurement)> {
    let dump = context.measure(0, "dump to a folder", vec![context.dump(database, location)], Path::new(location))?;
    let command = context.restore(database, location, COPY);
    let restore = context.measure(0, "restore from a folder", vec![command], Path::new(""))?;
    context.server.sql("postgres", &format!("DROP DATABASE {COPY}"))?;
    Ok((dump, restore))
}

fn slow_runs(context: &Context, database: &str, slow: &S3) -> Outcome<(Measurement, Measurement)> {
    let url = slow.url(database);
    let run = |name: &str, mut command: Command| {
        slow.point(&mut command);
        context.diskless(0, name, command, || slow.stored_bytes())
    };
    let dump = run("dump to a slow store", context.dump(database, &url))?;
    let restore = run("restore from a slow store", context.restore(database, &url, COPY))?;
    context.server.sql("postgres", &format!("DROP DATABASE {COPY}"))?;
    Ok((dump, restore))
}

fn row(what: &str, dump: &Measurement, restore: &Measurement) -> Row {
    let peak = dump.peak_bytes.max(restore.peak_bytes);
    Row {
        job: format!("peak memory, {what}"),
        against: "–".to_owned(),
        ours: format!("dump {}, restore {}", mib(dump.peak_bytes), mib(restore.peak_bytes)),
        peer: "–".to_owned(),
        outcome: format!("{:.2} s, {:.2} s", report::wall_s(&[*dump]), report::wall_s(&[*restore])),
        target: format!("≤ {}", mib(MEMORY_BYTES_MAX)),
        met: peak <= MEMORY_BYTES_MAX,
    }
}
