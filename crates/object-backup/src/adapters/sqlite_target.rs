//! A SQLite database in gludb's form, new or existing: one transaction.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, params};
use tempfile::TempPath;

use super::sql::{self, quoted};
use super::sqlite::{self, field};
use crate::detail::Column;
use crate::error::{ObjectError, ObjectResult};
use crate::target::{Load, Loaded, OnConflict, Restoring, Target};
use crate::type_key::TypeKey;

/// Begins the names of databases that are being filled; a killed run leaves one.
const PREFIX: &str = ".lastgood-restore-";

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

    fn begin(&self, types: &[Restoring], on_conflict: OnConflict) -> ObjectResult<Box<dyn Load>> {
        let failed = failed("write", &self.path);
        let temporary = if self.path.exists() { None } else { Some(temporary(&self.path)?) };
        let path = temporary.as_deref().unwrap_or(&self.path);
        let connection = sqlite::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(&failed)?;
        if temporary.is_some() {
            // Nobody sees it before it is complete and synced, so that it needs no journal.
            connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;").map_err(&failed)?;
        }
        connection.execute_batch("BEGIN IMMEDIATE").map_err(&failed)?;
        let mut tables = BTreeMap::new();
        for restoring in types {
            tables.insert(restoring.key.clone(), Table::prepare(&connection, restoring).map_err(&failed)?);
        }
        let path = self.path.clone();
        Ok(Box::new(Filling { connection, temporary, path, on_conflict, tables }))
    }
}

/// An empty file beside `path`, for its owner alone.
fn temporary(path: &Path) -> ObjectResult<TempPath> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(parent);
    file.map(tempfile::NamedTempFile::into_temp_path)
        .map_err(|error| ObjectError::target("write", parent.display(), error))
}

/// The statements of one table, and what they did.
struct Table {
    insert: String,
    update: String,
    loaded: Loaded,
}

impl Table {
    /// Makes the table unless it is there, with the columns the source had.
    fn prepare(connection: &Connection, restoring: &Restoring) -> rusqlite::Result<Self> {
        let name = &restoring.key.table;
        let table = quoted(name);
        let mut columns = sqlite::columns(connection, name)?;
        if columns.is_empty() {
            let others = restoring.columns.iter().map(|column| format!(", {} text", quoted(&column.name)));
            let others: String = others.collect();
            connection.execute_batch(&format!("CREATE TABLE {table} (id text PRIMARY KEY, value text{others})"))?;
            for Column { name: column, .. } in &restoring.columns {
                let index = quoted(&format!("{name}_{column}_idx"));
                connection.execute_batch(&format!("CREATE INDEX {index} ON {table} ({})", quoted(column)))?;
            }
            columns = restoring.columns.iter().map(|column| column.name.clone()).collect();
        }
        let unknown = |name: &String| restoring.columns.iter().any(|column| column.name == *name && !column.derived);
        columns.retain(|name| sql::is_index(name) && sqlite::can_name(name) && !unknown(name));
        let names: String = columns.iter().map(|column| format!(", {}", quoted(column))).collect();
        let values: String = columns.iter().map(|column| format!(", {}", field(column, "?2"))).collect();
        let set: String =
            columns.iter().map(|column| format!(", {} = {}", quoted(column), field(column, "?2"))).collect();
        Ok(Self {
            insert: format!(
                "INSERT INTO {table} (id, value{names}) VALUES (?1, ?2{values}) ON CONFLICT (id) DO NOTHING"
            ),
            update: format!("UPDATE {table} SET value = ?2{set} WHERE id = ?1"),
            loaded: Loaded::default(),
        })
    }
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
            ObjectError::target("write", format!("{}: {}", self.path.display(), key.table), error)
        };
        if run(&table.insert).map_err(failed)? == 1 {
            table.loaded.inserted += 1;
            return Ok(());
        }
        match self.on_conflict {
            OnConflict::Fail => {
                return Err(ObjectError::Conflict { what: format!("`{}` has a record `{id}`", key.table) });
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
        let Self { connection, temporary, path, .. } = *self;
        connection.execute_batch("COMMIT").map_err(failed("write", &path))?;
        connection.close().map_err(|(_, error)| failed("write", &path)(error))?;
        let Some(temporary) = temporary else { return Ok(()) };
        let unwritten = |error| ObjectError::target("write", path.display(), error);
        File::open(&temporary).and_then(|file| file.sync_all()).map_err(unwritten)?;
        temporary.persist_noclobber(&path).map_err(|error| unwritten(error.error))?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent).and_then(|folder| folder.sync_all()).map_err(unwritten)
    }
}
