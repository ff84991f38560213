//! Rows, as values of ours and back, and the changes of them.

use std::str::FromStr;

use backup_core::key::Key;
use jiff::Timestamp;
use tokio_postgres::{Client, Error, Row};

use super::schema::Tables;
use crate::catalogue::{Archive, KnownFile, Place, Stamp};
use crate::entry::Entry;

/// Files of one statement.
pub(super) const FILES_AT_ONCE: usize = 1_000;

/// Tables whose rows are a key and a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyed {
    Retrievals,
    Vaulted,
}

/// A change; doing it twice leaves the same.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Archive(Archive),
    Files(Vec<KnownFile>),
    Stored(Key, Timestamp),
    Forget(Key),
    /// Absent: it goes.
    Keep(Keyed, Key, Option<String>),
    /// Empty: they go.
    Leaves(Key, Vec<u8>),
}

impl Keyed {
    fn table(self, tables: &Tables) -> String {
        tables.quoted(match self {
            Self::Retrievals => "retrievals",
            Self::Vaulted => "vaulted",
        })
    }
}

/// Makes all of them, or none.
pub(super) async fn make(client: &Client, tables: &Tables, owner: &str, changes: &[Change]) -> Result<(), Error> {
    client.batch_execute("BEGIN").await?;
    for change in changes {
        one(client, tables, owner, change).await?;
    }
    client.batch_execute("COMMIT").await
}

async fn one(client: &Client, tables: &Tables, owner: &str, change: &Change) -> Result<(), Error> {
    match change {
        Change::Archive(archive) => put_archive(client, tables, owner, archive).await,
        Change::Files(files) => put_files(client, tables, owner, files).await,
        Change::Stored(key, at) => {
            let update = format!("UPDATE {} SET stored = $3 WHERE owner = $1 AND key = $2", tables.quoted("archives"));
            client.execute(&update, &[&owner, &key.as_str(), &at.to_string()]).await.map(drop)
        }
        Change::Forget(key) => {
            for (table, column) in
                [("files", "archive"), ("retrievals", "archive"), ("leaves", "archive"), ("archives", "key")]
            {
                let delete = format!("DELETE FROM {} WHERE owner = $1 AND {column} = $2", tables.quoted(table));
                client.execute(&delete, &[&owner, &key.as_str()]).await?;
            }
            Ok(())
        }
        Change::Keep(of, key, None) => delete(client, &of.table(tables), owner, key).await,
        Change::Keep(of, key, Some(state)) => {
            let put = format!(
                "INSERT INTO {} (owner, archive, state) VALUES ($1, $2, $3) \
                 ON CONFLICT (owner, archive) DO UPDATE SET state = excluded.state",
                of.table(tables)
            );
            client.execute(&put, &[&owner, &key.as_str(), state]).await.map(drop)
        }
        Change::Leaves(key, digests) if digests.is_empty() => {
            delete(client, &tables.quoted("leaves"), owner, key).await
        }
        Change::Leaves(key, digests) => {
            let put = format!(
                "INSERT INTO {} (owner, archive, digests) VALUES ($1, $2, $3) \
                 ON CONFLICT (owner, archive) DO UPDATE SET digests = excluded.digests",
                tables.quoted("leaves")
            );
            client.execute(&put, &[&owner, &key.as_str(), digests]).await.map(drop)
        }
    }
}

async fn delete(client: &Client, table: &str, owner: &str, key: &Key) -> Result<(), Error> {
    let delete = format!("DELETE FROM {table} WHERE owner = $1 AND archive = $2");
    client.execute(&delete, &[&owner, &key.as_str()]).await.map(drop)
}

async fn put_archive(client: &Client, tables: &Tables, owner: &str, archive: &Archive) -> Result<(), Error> {
    let Archive { key, role, bytes, sha256, class, stored } = archive;
    let put = format!(
        "INSERT INTO {} (owner, key, role, bytes, sha256, class, stored) VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (owner, key) DO UPDATE SET class = excluded.class, stored = excluded.stored",
        tables.quoted("archives")
    );
    let (class, stored) = (class.map(|class| class.as_str()), stored.map(|stored| stored.to_string()));
    let (bytes, sha256) = (signed(*bytes), sha256.to_string());
    client.execute(&put, &[&owner, &key.as_str(), role, &bytes, &sha256, &class, &stored]).await.map(drop)
}

/// All by one statement, as columns of arrays: a hundred thousand files are a hundred round trips.
async fn put_files(client: &Client, tables: &Tables, owner: &str, files: &[KnownFile]) -> Result<(), Error> {
    let put = format!(
        "INSERT INTO {} (owner, name, bytes, sha256, mode, modified, stamp_ns, inode, archive, at) \
         SELECT $1::text, f.* FROM unnest($2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], \
           $7::bigint[], $8::bigint[], $9::text[], $10::bigint[]) AS f \
         ON CONFLICT (owner, name) DO UPDATE SET bytes = excluded.bytes, sha256 = excluded.sha256, \
           mode = excluded.mode, modified = excluded.modified, stamp_ns = excluded.stamp_ns, inode = excluded.inode, \
           archive = excluded.archive, at = excluded.at",
        tables.quoted("files")
    );
    let entries = || files.iter().map(|file| &file.entry);
    let place = |file: &KnownFile| file.place.clone();
    let names: Vec<&str> = entries().map(|entry| entry.name.as_str()).collect();
    let bytes: Vec<i64> = entries().map(|entry| signed(entry.bytes)).collect();
    let digests: Vec<String> = entries().map(|entry| entry.sha256.to_string()).collect();
    let modes: Vec<i64> = entries().map(|entry| entry.mode.into()).collect();
    let modified: Vec<String> = entries().map(|entry| entry.modified.to_string()).collect();
    let stamps: Vec<Option<i64>> = files.iter().map(|file| file.stamp.map(|stamp| stamp.modified_ns)).collect();
    let inodes: Vec<Option<i64>> = files.iter().map(|file| file.stamp.map(|stamp| stamp.inode.cast_signed())).collect();
    let archives: Vec<Option<String>> =
        files.iter().map(|file| place(file).map(|place| place.archive.to_string())).collect();
    let offsets: Vec<i64> = files.iter().map(|file| signed(place(file).map_or(0, |place| place.offset))).collect();
    client
        .execute(&put, &[&owner, &names, &bytes, &digests, &modes, &modified, &stamps, &inodes, &archives, &offsets])
        .await
        .map(drop)
}

/// No file or archive has more: S3 ends at 5 TB.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) async fn keyed(
    client: &Client,
    tables: &Tables,
    owner: &str,
    of: Keyed,
) -> Result<Vec<(String, String)>, Error> {
    let select = format!("SELECT archive, state FROM {} WHERE owner = $1", of.table(tables));
    let rows = client.query(&select, &[&owner]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

pub(super) fn archive(row: &Row) -> Option<Archive> {
    Some(Archive {
        key: parsed(row, 0)?,
        role: row.get(1),
        bytes: unsigned(row, 2)?,
        sha256: parsed(row, 3)?,
        class: optional(row, 4)?,
        stored: optional(row, 5)?,
    })
}

pub(super) fn file(row: &Row) -> Option<KnownFile> {
    let stamp = match (row.get::<_, Option<i64>>(5), row.get::<_, Option<i64>>(6)) {
        (Some(modified_ns), Some(inode)) => Some(Stamp { modified_ns, inode: inode.cast_unsigned() }),
        _ => None,
    };
    let (archive, offset) = (optional::<Key>(row, 7)?, unsigned(row, 8)?);
    Some(KnownFile {
        entry: Entry {
            name: row.get(0),
            bytes: unsigned(row, 1)?,
            sha256: parsed(row, 2)?,
            mode: u32::try_from(row.get::<_, i64>(3)).ok()?,
            modified: parsed(row, 4)?,
        },
        stamp,
        place: archive.map(|archive| Place { archive, offset }),
    })
}

fn parsed<T: FromStr>(row: &Row, column: usize) -> Option<T> {
    row.get::<_, String>(column).parse().ok()
}

/// The outer absence: a value that is none.
fn optional<T: FromStr>(row: &Row, column: usize) -> Option<Option<T>> {
    match row.get::<_, Option<String>>(column) {
        None => Some(None),
        Some(text) => text.parse().ok().map(Some),
    }
}

fn unsigned(row: &Row, column: usize) -> Option<u64> {
    u64::try_from(row.get::<_, i64>(column)).ok()
}
