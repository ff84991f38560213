//! What the SQLite source and target share.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::sql;

/// How long another process may hold the database.
const BUSY: Duration = Duration::from_secs(10);

/// Opens the file; it is never made.
pub(super) fn open(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    // No URIs: a file may be called `file:x?mode=rwc`.
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

/// SQL for the text of the record's field `column`, given SQL for the record; null if there is none.
pub(super) fn field(column: &str, record: &str) -> String {
    let path = format!("$.\"{column}\"").replace('\'', "''");
    format!("CASE WHEN json_valid({record}) THEN CAST(json_extract({record}, '{path}') AS TEXT) END")
}

/// Whether a JSON path can name the field.
pub(super) fn can_name(column: &str) -> bool {
    !column.contains(['"', '\\'])
}

/// Whether the column is another than those every table has.
pub(super) fn is_index(column: &str) -> bool {
    !column.eq_ignore_ascii_case(sql::ID) && !column.eq_ignore_ascii_case(sql::VALUE)
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// The type it was declared with, in upper case; empty if it has none.
    pub(super) declared: String,
    /// SQLite computes it, and takes no value for it.
    pub(super) generated: bool,
    /// Its place in the primary key, from 1; 0 if it is not in it.
    key: u32,
}

/// The columns of `table`, generated ones too, which `table_info` leaves out; none if there is no such table. Hidden columns of
/// virtual tables are left out ("PRAGMA table_xinfo").
pub(super) fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Column>> {
    let query = "SELECT name, upper(type), hidden > 1, pk FROM pragma_table_xinfo(?1) WHERE hidden <> 1";
    let mut statement = connection.prepare_cached(query)?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Column { name: row.get(0)?, declared: row.get(1)?, generated: row.get(2)?, key: row.get(3)? })
    };
    statement.query_map([table], read)?.collect()
}

/// Whether no two rows of `table` can have the same `id`, as SQLite compares it.
pub(super) fn is_unique_by_id(connection: &Connection, table: &str, columns: &[Column]) -> rusqlite::Result<bool> {
    let mut keys = columns.iter().filter(|column| column.key > 0);
    if let (Some(only), None) = (keys.next(), keys.next())
        && only.name.eq_ignore_ascii_case(sql::ID)
    {
        return Ok(true);
    }
    let query = "SELECT count(*) FROM pragma_index_list(?1) l WHERE l.\"unique\" AND NOT l.partial \
        AND (SELECT count(*) = 1 AND lower(min(name)) = 'id' FROM pragma_index_info(l.name))";
    connection.query_row(query, [table], |row| Ok(row.get::<_, i64>(0)? > 0))
}
