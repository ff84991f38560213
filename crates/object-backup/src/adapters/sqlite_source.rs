//! A SQLite database in gludb's form: a table a type, with `id`, `value` (the record's JSON) and columns for indexes.

use std::collections::HashMap;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use backup_core::source::Identity;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio_util::sync::CancellationToken;

use super::local;
use super::sql::{self, quoted};
use super::sqlite::{self, field};
use super::sqlite_beside;
use super::sqlite_schema::{self, Form, Table};
use crate::detail::Column;
use crate::error::{ObjectError, ObjectResult};
use crate::source::{Available, Size, Source, Take, View};
use crate::type_key::TypeKey;

const KIND: &str = "sqlite";

/// A database to back up.
#[derive(Clone, Debug)]
pub struct SqliteSource {
    path: PathBuf,
}

impl SqliteSource {
    /// The database in the file `path`.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Which file of which machine this is, also if it is not there yet.
    #[must_use]
    pub fn identity(&self) -> Identity {
        local::of_path(KIND, &self.path)
    }

    /// Refuses what SQLite would take for an empty database, wait for, or name by a number.
    fn must_be_a_file(&self) -> ObjectResult<()> {
        let path = self.path.display();
        let what = match std::fs::metadata(&self.path) {
            Ok(found) if found.is_file() => return Ok(()),
            Ok(found) if found.is_dir() => format!("`{path}` is a folder, not a SQLite database"),
            Ok(_) => format!("`{path}` is not a file, so not a SQLite database"),
            Err(error) if error.kind() == ErrorKind::NotFound => format!("there is no SQLite database `{path}`"),
            Err(error) => return Err(ObjectError::source("open", path, error)),
        };
        Err(ObjectError::usage(what, "nothing was published. Give the file that the application uses"))
    }
}

impl Source for SqliteSource {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn open(&self, _cancel: &CancellationToken) -> ObjectResult<Box<dyn View>> {
        self.must_be_a_file()?;
        let traces = Traces::before(&self.path);
        let opened = sqlite::open(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY).and_then(|connection| {
            // The transaction sees one moment from its first read on, whoever writes meanwhile.
            connection.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;")?;
            let setting = |query: &str| connection.query_row(query, [], |row| row.get::<_, String>(0));
            let (encoding, journal) = (setting("PRAGMA encoding")?, setting("PRAGMA journal_mode")?);
            Ok((connection, encoding, journal))
        });
        let (connection, encoding, journal) = opened.map_err(|error| unreadable(&self.path, error))?;
        Ok(Box::new(Reading {
            connection,
            path: self.path.clone(),
            identity: self.identity(),
            is_utf8: encoding == "UTF-8",
            has_log: journal == "wal",
            derived: HashMap::new(),
            _traces: traces,
        }))
    }
}

/// Codes of a database in WAL mode whose log or index can neither be read nor made.
const NO_LOG: [i32; 4] = [
    rusqlite::ffi::SQLITE_CANTOPEN,
    rusqlite::ffi::SQLITE_READONLY_DIRECTORY,
    rusqlite::ffi::SQLITE_READONLY_CANTINIT,
    rusqlite::ffi::SQLITE_READONLY_CANTLOCK,
];

/// Whether the database is in WAL mode, by the version numbers in its header ("Database File Format", 1.3.3).
fn is_in_wal_mode(path: &Path) -> bool {
    let mut versions = [0; 2];
    let read = File::open(path).and_then(|file| file.read_exact_at(&mut versions, 18));
    read.is_ok() && versions.contains(&2)
}

/// Why the database cannot be opened.
fn unreadable(path: &Path, error: rusqlite::Error) -> ObjectError {
    let code = error.sqlite_error().map(|error| error.extended_code);
    if code == Some(rusqlite::ffi::SQLITE_READONLY_ROLLBACK) {
        let file = path.display().to_string();
        return ObjectError::Unfinished { file, journal: sqlite_beside::journal(path).display().to_string() };
    }
    if code.is_some_and(|code| NO_LOG.contains(&code)) && is_in_wal_mode(path) {
        return ObjectError::NoLog { file: path.display().to_string() };
    }
    if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) {
        return ObjectError::usage(
            format!("`{}` is not a SQLite database", path.display()),
            "name the file that the application uses; an encrypted database has to be backed up by the application \
             itself; nothing was published",
        );
    }
    ObjectError::source("open", path.display(), error)
}

/// An open read transaction.
struct Reading {
    connection: Connection,
    path: PathBuf,
    identity: Identity,
    /// Whether SQLite counts the bytes that we are given: a database may be UTF-16.
    is_utf8: bool,
    /// Whether writers go on while it is read.
    has_log: bool,
    /// Of the tables that were read, the columns that are compared with their records.
    derived: HashMap<String, Vec<Column>>,
    /// After the connection: fields are dropped in their order.
    _traces: Option<Traces>,
}

/// What reading a database in WAL mode leaves beside it where nothing was: an empty log and its index. A reader can make them and
/// not take them away again, and whoever restores to that name one day would be refused for them.
struct Traces {
    path: PathBuf,
}

impl Traces {
    /// To be called before the database is opened. `None` if there is a log already.
    fn before(path: &Path) -> Option<Self> {
        let absent = sqlite_beside::log_bytes(path).is_none();
        absent.then(|| Self { path: path.to_owned() })
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if sqlite_beside::log_bytes(&self.path) == Some(0) {
            // SQLite itself takes both away when the last one who may write closes, and knows whether it is the last. Best effort:
            // whoever may not write leaves them, and they change nothing.
            let _taken_away = sqlite::open(&self.path, OpenFlags::SQLITE_OPEN_READ_WRITE)
                .and_then(|connection| connection.execute_batch("SELECT count(*) FROM sqlite_schema"));
        }
    }
}

fn failed(path: &Path) -> impl Fn(rusqlite::Error) -> ObjectError {
    move |error| ObjectError::source("read", path.display(), error)
}

impl Reading {
    fn tables(&self) -> rusqlite::Result<Vec<Table>> {
        sqlite_schema::tables(&self.connection)
    }

    /// The columns of a table beside `id` and `value`.
    fn indexed(&self, table: &str) -> rusqlite::Result<Vec<String>> {
        let columns = sqlite::columns(&self.connection, table)?.into_iter().map(|column| column.name);
        Ok(columns.filter(|name| sqlite::is_index(name)).collect())
    }

    fn rows(&mut self, table: &str, take: &mut Take<'_>) -> rusqlite::Result<ObjectResult<()>> {
        // While the records pass, and not before or after them: that would be another walk through the table.
        let compared = if self.derived.contains_key(table) { Vec::new() } else { self.indexed(table)? };
        let mut differs = vec![false; compared.len()];
        let what: String = compared.iter().map(|column| format!(", {}", is_other(column))).collect();
        let query = |order: &str| format!("SELECT id, value{what} FROM {} ORDER BY {order}", quoted(table));
        // Tables without row numbers are kept in the order of their keys.
        let mut statement = match self.connection.prepare(&query("rowid")) {
            Ok(statement) => statement,
            Err(_) => self.connection.prepare(&query("id"))?,
        };
        let mut rows = statement.query([])?;
        let mut position = 0_u64;
        while let Some(row) = rows.next()? {
            position += 1;
            let id = match row.get_ref(0)? {
                ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                ValueRef::Integer(number) => number.to_string(),
                _ => String::new(),
            };
            let (ValueRef::Text(text) | ValueRef::Blob(text)) = row.get_ref(1)? else {
                let record = if id.is_empty() { format!("record {position}") } else { format!("the record `{id}`") };
                let what = "its `value` is not text".to_owned();
                return Ok(Err(ObjectError::Record { member: table.to_owned(), record, what }));
            };
            if let Err(error) = take(Some(&id), text) {
                return Ok(Err(error));
            }
            for (at, differs) in differs.iter_mut().enumerate().filter(|(_, differs)| !**differs) {
                *differs = row.get(2 + at)?;
            }
        }
        drop(rows);
        drop(statement);
        if !compared.is_empty() {
            let derived = differs.into_iter().map(|differs| !differs);
            let columns = compared.into_iter().zip(derived).map(|(name, derived)| Column { name, derived });
            self.derived.insert(table.to_owned(), columns.collect());
        }
        Ok(Ok(()))
    }
}

/// SQL for whether the column holds something else than the text of the record's field of that name.
fn is_other(column: &str) -> String {
    match sqlite::can_name(column) {
        true => format!("CAST({} AS TEXT) IS NOT {}", quoted(column), field(column, sql::VALUE)),
        false => "1".to_owned(),
    }
}

impl View for Reading {
    fn identity(&mut self) -> ObjectResult<Option<Identity>> {
        Ok(Some(self.identity.clone()))
    }

    fn form(&self) -> &'static str {
        sql::FORM
    }

    fn types(&mut self) -> ObjectResult<Option<Vec<Available>>> {
        let tables = self.tables().map_err(failed(&self.path))?;
        let ours = tables.into_iter().filter(|table| table.form == Form::Records);
        Ok(Some(ours.map(|table| Available { type_name: None, table: table.name }).collect()))
    }

    fn left_out(&mut self) -> ObjectResult<Vec<String>> {
        let tables = self.tables().map_err(failed(&self.path))?;
        Ok(tables.iter().filter_map(Table::why_left_out).collect())
    }

    fn holds_writers(&self) -> bool {
        !self.has_log
    }

    fn ids_are_unique(&mut self, key: &TypeKey) -> ObjectResult<bool> {
        let unique = || {
            let columns = sqlite::columns(&self.connection, &key.table)?;
            let id = columns.iter().find(|column| column.name.eq_ignore_ascii_case(sql::ID));
            // Without a type of its own the column keeps `1` and `'1'` apart, which are one id ("Datatypes In SQLite", 3.1).
            let one_kind = id.is_some_and(|id| !matches!(&*id.declared, "" | "ANY" | "BLOB"));
            Ok(one_kind && sqlite::is_unique_by_id(&self.connection, &key.table, &columns)?)
        };
        unique().map_err(failed(&self.path))
    }

    fn size(&mut self, key: &TypeKey) -> ObjectResult<Option<Size>> {
        if !self.is_utf8 {
            // SQLite would count the bytes of UTF-16.
            return Ok(None);
        }
        let query = "SELECT count(*), coalesce(sum(length(CAST(value AS BLOB)) + 1), 0) FROM";
        let counted = self.connection.query_row(&format!("{query} {}", quoted(&key.table)), [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        });
        let (records, bytes) = counted.map_err(failed(&self.path))?;
        Ok(Some(Size { records: records.unsigned_abs(), bytes: bytes.unsigned_abs() }))
    }

    fn columns(&mut self, key: &TypeKey) -> ObjectResult<Vec<Column>> {
        Ok(self.derived.get(&key.table).cloned().unwrap_or_default())
    }

    fn read(&mut self, key: &TypeKey, take: &mut Take<'_>) -> ObjectResult<()> {
        self.rows(&key.table, take).map_err(failed(&self.path))?
    }
}
