//! The tables.

use rusqlite::{Connection, OptionalExtension as _, params};

/// The format this version writes, and the newest it reads: `PRAGMA user_version`.
pub(super) const FORMAT: i64 = 2;

const TABLES: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE archive (
    key TEXT PRIMARY KEY, role TEXT NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL,
    class TEXT, stored TEXT
) WITHOUT ROWID;
CREATE TABLE file (
    name TEXT PRIMARY KEY, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL, mode INTEGER NOT NULL, modified TEXT NOT NULL,
    stamp_ns INTEGER, inode INTEGER, archive TEXT REFERENCES archive (key), offset INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX file_archive ON file (archive);
CREATE TABLE retrieval (archive TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
";

/// What format 2 has more: archives in vaults, and the digests of mebibytes, 32 bytes each.
const VAULTS: &str = "
CREATE TABLE vaulted (archive TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE leaf (archive TEXT PRIMARY KEY, digests BLOB NOT NULL);
";

/// Makes the tables where there are none. Returns the format.
pub(super) fn prepare(connection: &mut Connection) -> rusqlite::Result<i64> {
    // Readers do not wait for a run that writes; what was committed survives a power failure.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let mut format: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if format == 0 {
        transaction.execute_batch(TABLES)?;
        format = 1;
    }
    if format == 1 {
        transaction.execute_batch(VAULTS)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
        format = FORMAT;
    }
    transaction.commit()?;
    Ok(format)
}

/// Whose catalogue it is; `owner`'s if it was nobody's.
pub(super) fn owner(connection: &Connection, owner: &str) -> rusqlite::Result<String> {
    let find = "SELECT value FROM meta WHERE key = 'owner'";
    match connection.query_row(find, [], |row| row.get(0)).optional()? {
        Some(known) => Ok(known),
        None => {
            connection.execute("INSERT INTO meta (key, value) VALUES ('owner', ?1)", params![owner])?;
            Ok(owner.to_owned())
        }
    }
}
