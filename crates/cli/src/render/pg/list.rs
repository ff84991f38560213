//! A listing of dumps, newest last, next to the prompt.

use jiff::Timestamp;
use pg_clone::stored::list::{Listed, State};

use crate::render::table::{Align, Column, table};
use crate::render::units;

const COLUMNS: [Column; 6] = [
    Column("KEY", Align::Left),
    Column("AGE", Align::Left),
    Column("FROM", Align::Left),
    Column("TABLES", Align::Right),
    Column("ROWS", Align::Right),
    Column("STORED", Align::Right),
];

/// What of it a dump stored itself, and what earlier ones had stored.
const SHARING: [Column; 2] = [Column("ADDED", Align::Right), Column("SHARED", Align::Right)];

const STATE: Column = Column("STATE", Align::Left);

const TAGS: Column = Column("TAGS", Align::Left);

pub(crate) fn listing(dumps: &[Listed], now: Timestamp) -> String {
    if dumps.is_empty() {
        return String::new();
    }
    let unknown = || "–".to_owned();
    // Most locations have none, and lines are long already.
    let tagged = dumps.iter().any(|dump| !dump.tags.is_empty());
    let shares = dumps.iter().any(|dump| dump.shared_bytes.is_some_and(|bytes| bytes > 0));
    let mut columns: Vec<Column> = COLUMNS.into();
    columns.extend(SHARING.into_iter().filter(|_| shares));
    columns.push(STATE);
    columns.extend(tagged.then_some(TAGS));
    table(
        &columns,
        dumps.iter().map(|dump| {
            let mut cells = vec![
                dump.key.clone(),
                units::age(dump.time, now),
                dump.cluster.as_ref().map_or_else(unknown, |cluster| cluster.host.clone()),
                dump.tables.map_or_else(unknown, units::count),
                dump.rows.map_or_else(unknown, units::count),
                dump.stored_bytes.map_or_else(unknown, units::bytes),
            ];
            if shares {
                cells.push(dump.added_bytes.map_or_else(unknown, units::bytes));
                cells.push(dump.shared_bytes.map_or_else(unknown, units::bytes));
            }
            cells.push(state(dump.state).to_owned());
            cells.extend(tagged.then(|| dump.tags.join(", ")));
            cells
        }),
    )
}

fn state(state: State) -> &'static str {
    match state {
        State::Good => "good",
        State::Partial => "partial",
        State::Damaged => "DAMAGED",
        State::Unreadable => "UNREADABLE",
        State::Newer => "newer format",
        State::Unchecked => "unchecked",
    }
}
