//! Rows, as values of ours and back.

use std::str::FromStr;

use backup_core::digest::Sha256Digest;
use backup_core::key::Key;
use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::catalogue::{Archive, KnownFile, Place, Stamp};
use crate::entry::Entry;

pub(super) fn archive(row: &Row<'_>) -> rusqlite::Result<Archive> {
    Ok(Archive {
        key: parsed(row, 0)?,
        role: row.get(1)?,
        bytes: unsigned(row, 2)?,
        sha256: parsed(row, 3)?,
        class: optional(row, 4)?,
        stored: optional(row, 5)?,
    })
}

pub(super) fn file(row: &Row<'_>) -> rusqlite::Result<KnownFile> {
    let stamp = match (row.get::<_, Option<i64>>(5)?, row.get::<_, Option<i64>>(6)?) {
        (Some(modified_ns), Some(inode)) => Some(Stamp { modified_ns, inode: inode.cast_unsigned() }),
        _ => None,
    };
    let (archive, offset) = (optional::<Key>(row, 7)?, unsigned(row, 8)?);
    Ok(KnownFile {
        entry: Entry {
            name: row.get(0)?,
            bytes: unsigned(row, 1)?,
            sha256: parsed(row, 2)?,
            mode: row.get(3)?,
            modified: parsed(row, 4)?,
        },
        stamp,
        place: archive.map(|archive| Place { archive, offset }),
    })
}

/// What a table says of an archive as JSON.
pub(super) fn keyed<T: DeserializeOwned>(row: &Row<'_>) -> rusqlite::Result<(Key, T)> {
    let state: String = row.get(1)?;
    let state = serde_json::from_str(&state)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(1, Type::Text, error.into()))?;
    Ok((parsed(row, 0)?, state))
}

pub(super) fn put_archive(connection: &Connection, archive: &Archive) -> rusqlite::Result<()> {
    let Archive { key, role, bytes, sha256, class, stored } = archive;
    let mut statement = connection.prepare_cached(
        "INSERT INTO archive (key, role, bytes, sha256, class, stored) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
         ON CONFLICT (key) DO UPDATE SET class = excluded.class, stored = excluded.stored",
    )?;
    let (class, stored) = (class.map(|class| class.as_str()), stored.map(|stored| stored.to_string()));
    statement.execute(params![key.as_str(), role, signed(*bytes)?, sha256.to_string(), class, stored]).map(drop)
}

pub(super) fn put_file(connection: &Connection, file: &KnownFile) -> rusqlite::Result<()> {
    let KnownFile { entry, stamp, place } = file;
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO file (name, bytes, sha256, mode, modified, stamp_ns, inode, archive, offset) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    let values = params![
        entry.name,
        signed(entry.bytes)?,
        entry.sha256.to_string(),
        entry.mode,
        entry.modified.to_string(),
        stamp.map(|stamp| stamp.modified_ns),
        stamp.map(|stamp| stamp.inode.cast_signed()),
        place.as_ref().map(|place| place.archive.as_str()),
        signed(place.as_ref().map_or(0, |place| place.offset))?,
    ];
    statement.execute(values).map(drop)
}

pub(super) fn put_keyed<T: Serialize>(
    connection: &Connection,
    table: &'static str,
    archive: &Key,
    state: &T,
) -> rusqlite::Result<()> {
    let unwritable = |error: serde_json::Error| rusqlite::Error::ToSqlConversionFailure(error.into());
    let state = serde_json::to_string(state).map_err(unwritable)?;
    let mut statement =
        connection.prepare_cached(&format!("INSERT OR REPLACE INTO {table} (archive, state) VALUES (?1, ?2)"))?;
    statement.execute(params![archive.as_str(), state]).map(drop)
}

/// Digests one behind the other.
pub(super) fn digests(bytes: &[u8]) -> Vec<Sha256Digest> {
    let (digests, _) = bytes.as_chunks::<32>();
    digests.iter().map(|digest| Sha256Digest::from_bytes(*digest)).collect()
}

fn unreadable(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

fn parsed<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    row.get::<_, String>(column)?.parse().map_err(|error| unreadable(column, error))
}

fn optional<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| text.parse()).transpose().map_err(|error| unreadable(column, error))
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    u64::try_from(row.get::<_, i64>(column)?).map_err(|error| unreadable(column, error))
}

fn signed(number: u64) -> rusqlite::Result<i64> {
    i64::try_from(number).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}
