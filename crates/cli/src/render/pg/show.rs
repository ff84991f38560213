//! The details of one dump.

use backup_core::manifest::Outcome;
use jiff::Timestamp;
use pg_clone::stored::base::{Reading, TableReading};
use pg_clone::stored::detail::TableKind;
use pg_clone::stored::show::{Shown, ShownDump, ShownFile, ShownTable};

use super::facts;
use crate::render::table::{Align, Column, table};
use crate::render::units::{age, bytes, count, counted, time};

const TABLES: [Column; 7] = [
    Column("TABLE", Align::Left),
    Column("ROWS", Align::Right),
    Column("BYTES", Align::Right),
    Column("STORED", Align::Right),
    Column("ROW HASH", Align::Left),
    Column("READ", Align::Left),
    Column("", Align::Left),
];

const OBJECTS: [Column; 4] = [
    Column("OBJECT", Align::Left),
    Column("ROLE", Align::Left),
    Column("STORED", Align::Right),
    Column("SHA-256", Align::Left),
];

pub(crate) fn shown(shown: &Shown, now: Timestamp) -> String {
    match shown {
        Shown::Dump(dump) => dump_text(dump, now),
        Shown::SingleFile(file) => file_text(file, now),
    }
}

fn dump_text(dump: &ShownDump, now: Timestamp) -> String {
    let names = |names: Vec<String>| names.join(", ");
    let large_objects = dump.large_objects.as_ref().map_or(String::new(), |objects| {
        format!(
            "{}, {} → {}",
            count(objects.count),
            bytes(objects.data.content_bytes),
            bytes(objects.data.stored_bytes)
        )
    });
    let outcome = match (dump.outcome, dump.complete) {
        (Outcome::Partial, _) => "partial: some of the source could not be read",
        (Outcome::Good, true) => "good: complete",
        (Outcome::Good, false) => "partial: something was left out on request; never counts as the last good dump",
    };
    let cluster = dump.cluster.as_ref().map_or_else(|| "unknown cluster".to_owned(), ToString::to_string);
    let taken = format!("{} UTC, {}", time(dump.created_at), age(dump.created_at, now));
    let settings = &dump.settings;
    let shared = match dump.shared_bytes {
        0 => String::new(),
        shared => format!("{} with earlier dumps; {} added", bytes(shared), bytes(dump.added_bytes)),
    };
    let read = match &dump.reading {
        Some(Reading { since: Some(since), .. }) => format!("what changed since {since}"),
        Some(Reading { read_all: Some(why), .. }) => format!("all rows: {why}"),
        _ => String::new(),
    };
    let next = dump.reading.as_ref().and_then(|reading| reading.no_base.clone());
    let head = facts(&[
        ("id", dump.id.to_string()),
        ("state", outcome.to_owned()),
        ("taken", taken),
        ("from", format!("{cluster}, PostgreSQL {}", dump.server.version)),
        ("by", format!("{} {}, {}", dump.tool.name, dump.tool.version, dump.pg_dump_version)),
        ("tags", dump.tags.join(", ")),
        ("size", format!("{} → {}", bytes(dump.content_bytes), bytes(dump.stored_bytes))),
        ("shared", shared),
        ("read", read),
        ("next dump", next.map(|why| format!("will read all rows: {why}")).unwrap_or_default()),
        ("tables", format!("{}, {}", count(dump.tables.len() as u64), counted(dump.rows, "row", "rows"))),
        ("sequences", some(dump.sequences.len())),
        ("materialized views", some(dump.matviews.len())),
        ("large objects", large_objects),
        (
            "extensions",
            names(
                dump.extensions.iter().map(|extension| format!("{} {}", extension.name, extension.version)).collect(),
            ),
        ),
        ("roles", dump.roles.join(", ")),
        ("database", format!("owner {}, {}, {}", settings.owner, settings.encoding, settings.collate)),
        ("without rows", dump.filters.emptied.join(", ")),
        ("doubtful keys", dump.filters.doubtful_foreign_keys.join(", ")),
        ("left out", dump.filters.excluded.join(", ")),
    ]);
    let tables = table(&TABLES, dump.tables.iter().map(table_row));
    let objects = dump.parts.iter().map(|part| {
        vec![part.key.to_string(), part.role.clone(), bytes(part.stored_bytes), part.stored_sha256.to_string()]
    });
    format!("{}\n{head}\n\n{tables}\n\n{}", dump.key, table(&OBJECTS, objects))
}

fn table_row(shown: &ShownTable) -> Vec<String> {
    let kind = match shown.kind {
        TableKind::Table => "",
        TableKind::Unlogged => "unlogged",
        TableKind::ExtensionConfig => "extension configuration",
    };
    vec![
        format!("{}.{}", shown.schema, shown.name),
        count(shown.data.rows),
        bytes(shown.data.content_bytes),
        bytes(shown.data.stored_bytes),
        shown.data.row_hash.to_string(),
        shown.reading.as_ref().map_or_else(|| "all".to_owned(), how_read),
        kind.to_owned(),
    ]
}

/// How much of a table was read, and why.
fn how_read(reading: &TableReading) -> String {
    let TableReading { ranges, kept, why } = reading;
    let much = match (*ranges, *kept) {
        (ranges, kept) if kept == ranges => "none".to_owned(),
        (_, 0) => "all".to_owned(),
        (ranges, kept) => format!("{} of {} ranges", count(ranges - kept), count(ranges)),
    };
    why.as_ref().map_or_else(|| much.clone(), |why| format!("{much}: {why}"))
}

/// How many there are; nothing if there are none.
fn some(number: usize) -> String {
    if number == 0 { String::new() } else { count(number as u64) }
}

fn file_text(file: &ShownFile, now: Timestamp) -> String {
    let header = file.header.as_ref();
    let of = |field: fn(&pg_clone::stored::legacy::ArchiveHeader) -> Option<String>| {
        header.and_then(field).unwrap_or_default()
    };
    let head = facts(&[
        ("form", "single pg_dump file, as django-pgclone wrote it; no digests".to_owned()),
        ("object", file.object.to_string()),
        ("taken", format!("{} UTC, {}", time(file.created_at), age(file.created_at, now))),
        ("size", bytes(file.stored_bytes)),
        ("database", of(|header| header.database.clone())),
        ("server", of(|header| header.server_version.clone())),
        ("pg_dump", of(|header| header.pg_dump_version.clone())),
        ("archive format", of(|header| Some(header.archive_version.clone()))),
        ("fault", file.fault.clone().unwrap_or_default()),
    ]);
    format!("{}\n{head}", file.key)
}
