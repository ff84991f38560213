//! A SQLite database in gludb's form, new or existing: one transaction.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, params};
use tempfile::TempPath;

use super::place::{self, Place};
use super::sqlite;
use super::sqlite_beside::{self, Found};
use super::sqlite_tables::{self, Table, told_apart};
use crate::error::{ObjectError, ObjectResult};
use crate::target::{Load, Loaded, OnConflict, Restoring, Target};
use crate::type_key::TypeKey;

/// Begins the names of databases that are being filled; a killed run leaves one.
const PREFIX: &str = ".lastgood-restore-";

/// Pages kept in memory while a database is filled. SQLite keeps 2 MB, and would read and write each page of the index of ids
/// again and again.
const CACHE: &str = "PRAGMA cache_size = -32768";

/// Pages kept in memory while indexes are made. As much again goes to sorting.
const INDEXING_CACHE: &str = "PRAGMA cache_size = -12288";

/// A database to restore into. A new one shows only once it is complete; in an existing one all happens in one transaction.
#[derive(Clone, Debug)]
pub struct SqliteTarget {
    path: PathBuf,
}

impl SqliteTarget {
    /// The database in the file `path`, whether it exists or not.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

fn failed(action: &'static str, path: &Path) -> impl Fn(rusqlite::Error) -> ObjectError {
    let path = path.display().to_string();
    move |error| ObjectError::target(action, &path, error)
}

impl Target for SqliteTarget {
    fn describe(&self) -> String {
        format!("sqlite:{}", self.path.display())
    }

    fn check(&self, types: &[Restoring], _on_conflict: OnConflict) -> ObjectResult<()> {
        told_apart(types)?;
        match sqlite_beside::look(&self.path)? {
            Found::Nothing => Place::of(&self.path).map(drop),
            Found::File => Ok(()),
        }
    }

    fn begin(&self, types: &[Restoring], on_conflict: OnConflict) -> ObjectResult<Box<dyn Load>> {
        told_apart(types)?;
        let failed = failed("write", &self.path);
        let temporary = match sqlite_beside::look(&self.path)? {
            Found::Nothing => Some(temporary(&self.path)?),
            Found::File => None,
        };
        let path = temporary.as_deref().unwrap_or(&self.path);
        let connection = sqlite::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(&failed)?;
        if temporary.is_some() {
            // Nobody sees it before it is complete and synced, so that it needs no journal. What might lie beside a name just made
            // up SQLite deletes: the file is empty.
            connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;").map_err(&failed)?;
        }
        connection.execute_batch(CACHE).map_err(&failed)?;
        connection.execute_batch("BEGIN IMMEDIATE").map_err(&failed)?;
        sqlite_tables::fit(&connection, types).map_err(&failed)??;
        let tables = sqlite_tables::prepare(&connection, types).map_err(&failed)?;
        let path = self.path.clone();
        Ok(Box::new(Filling { connection, temporary, path, on_conflict, tables }))
    }
}

/// An empty file beside `path`, for its owner alone.
fn temporary(path: &Path) -> ObjectResult<TempPath> {
    let parent = place::parent(path);
    let file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(parent);
    file.map(tempfile::NamedTempFile::into_temp_path)
        .map_err(|error| ObjectError::target("write", parent.display(), error))
}

/// A record that the table's columns do not take.
fn unfit(error: &rusqlite::Error, table: &str, id: &str) -> Option<ObjectError> {
    let why = match error.sqlite_error()?.extended_code {
        rusqlite::ffi::SQLITE_MISMATCH => {
            "its `id` is an INTEGER PRIMARY KEY, which takes whole numbers only".to_owned()
        }
        rusqlite::ffi::SQLITE_CONSTRAINT_DATATYPE => error.to_string(),
        _ => return None,
    };
    let what = format!("the table `{table}` does not take the record `{id}`: {why}");
    Some(ObjectError::Unfit { what, help: "change the column, or restore to another target".into() })
}

struct Filling {
    connection: Connection,
    temporary: Option<TempPath>,
    path: PathBuf,
    on_conflict: OnConflict,
    tables: BTreeMap<TypeKey, Table>,
}

impl Load for Filling {
    fn record(&mut self, key: &TypeKey, id: &str, text: &[u8]) -> ObjectResult<()> {
        let Some(table) = self.tables.get_mut(key) else { return Ok(()) };
        let text = std::str::from_utf8(text).map_err(|error| ObjectError::target("write", key, error))?;
        let run = |statement: &str| self.connection.prepare_cached(statement)?.execute(params![id, text]);
        let failed = |error: rusqlite::Error| {
            unfit(&error, &key.table, id).unwrap_or_else(|| {
                ObjectError::target("write", format!("{}: {}", self.path.display(), key.table), error)
            })
        };
        if run(&table.insert).map_err(failed)? == 1 {
            table.loaded.inserted += 1;
            return Ok(());
        }
        match self.on_conflict {
            OnConflict::Fail => {
                return Err(ObjectError::Conflict { what: format!("`{}` already has a record `{id}`", key.table) });
            }
            OnConflict::Skip => table.loaded.skipped += 1,
            OnConflict::Replace => {
                run(&table.update).map_err(failed)?;
                table.loaded.replaced += 1;
            }
        }
        Ok(())
    }

    fn end(&mut self, key: &TypeKey) -> ObjectResult<Loaded> {
        Ok(self.tables.get(key).map(|table| table.loaded).unwrap_or_default())
    }

    fn commit(self: Box<Self>) -> ObjectResult<()> {
        let Self { connection, temporary, path, tables, .. } = *self;
        connection.execute_batch(INDEXING_CACHE).map_err(failed("write", &path))?;
        for index in tables.values().flat_map(|table| &table.indexes) {
            connection.execute_batch(index).map_err(failed("write", &path))?;
        }
        connection.execute_batch("COMMIT").map_err(failed("write", &path))?;
        connection.close().map_err(|(_, error)| failed("write", &path)(error))?;
        let Some(temporary) = temporary else { return Ok(()) };
        let unwritten = |error| ObjectError::target("write", path.display(), error);
        File::open(&temporary).and_then(|file| file.sync_all()).map_err(unwritten)?;
        let place = Place::of(&path)?;
        // Filling it took its time: whoever has the database that is gone still open may have written beside its name.
        sqlite_beside::unless_beside(&path)?;
        temporary.persist_noclobber(&path).map_err(|error| unwritten(error.error))?;
        place.keep()
    }
}
