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

/// The columns of `table`; none if there is no such table.
pub(super) fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare_cached("SELECT name FROM pragma_table_info(?1)")?;
    statement.query_map([table], |row| row.get(0))?.collect()
}
