//! The listing of backups of records or of in-memory stores.

use backup_core::source::Identity;
use jiff::Timestamp;

use crate::render::table::{Align, Column, table};
use crate::render::units;

/// Behind the columns that name a backup.
const COLUMNS: [Column; 6] = [
    Column("AGE", Align::Left),
    Column("FROM", Align::Left),
    Column("SEQ", Align::Right),
    Column("RECORDS", Align::Right),
    Column("STORED", Align::Right),
    Column("STATE", Align::Left),
];

/// A backup in a listing.
pub(crate) struct Listed<'a> {
    /// What it is called, in the columns that name it.
    pub(crate) names: Vec<String>,
    pub(crate) time: Option<Timestamp>,
    pub(crate) source: Option<&'a Identity>,
    pub(crate) sequence: Option<u64>,
    pub(crate) records: Option<u64>,
    pub(crate) bytes: u64,
    pub(crate) state: String,
    /// Its tags, if any backup of the listing has some.
    pub(crate) tags: Option<String>,
}

/// The table of `backups`, which `names` are the columns for; nothing without a backup.
pub(crate) fn listing<'a>(
    names: &[&'static str],
    backups: impl ExactSizeIterator<Item = Listed<'a>>,
    now: Timestamp,
) -> String {
    const NONE: &str = "–";
    if backups.len() == 0 {
        return String::new();
    }
    let number = |value: Option<u64>| value.map_or_else(|| NONE.to_owned(), units::count);
    let backups: Vec<Listed<'_>> = backups.collect();
    let tags = backups.iter().any(|backup| backup.tags.is_some()).then_some(Column("TAGS", Align::Left));
    let columns: Vec<Column> = names.iter().map(|name| Column(name, Align::Left)).chain(COLUMNS).chain(tags).collect();
    table(
        &columns,
        backups.into_iter().map(|backup| {
            let mut cells = backup.names;
            cells.extend([
                backup.time.map_or_else(|| NONE.to_owned(), |time| units::age(time, now)),
                backup.source.map_or_else(|| NONE.to_owned(), |source| source.host.clone()),
                number(backup.sequence),
                number(backup.records),
                units::bytes(backup.bytes),
                backup.state,
            ]);
            cells.extend(backup.tags);
            cells
        }),
    )
}
