//! The catalogue in a SQLite file.

mod rows;
mod schema;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backup_core::digest::Sha256Digest;
use backup_core::failure::Setting;
use backup_core::key::Key;
use backup_core::local_file;
use backup_core::remedy;
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use crate::catalogue::{Archive, Catalogue, KnownFile};
use crate::error::{GlacierError, GlacierResult};
use crate::lifecycle::Retrieval;
use crate::vaulted::Vaulted;

/// How long another process may hold the database.
const BUSY: Duration = if cfg!(test) { Duration::from_millis(50) } else { Duration::from_secs(10) };

/// A catalogue in a file that only its owner can read. It is of the backups of one name in one location.
#[derive(Debug)]
pub struct SqliteCatalogue {
    connection: Mutex<Connection>,
    path: PathBuf,
}

impl SqliteCatalogue {
    /// Opens the catalogue at `path`, and makes it if it is missing, for the backups that `owner` says: location and name.
    ///
    /// # Errors
    /// [`GlacierError::Usage`] if it is of others, [`GlacierError::NewerCatalogue`], [`GlacierError::Catalogue`].
    pub fn open(path: &Path, owner: &str) -> GlacierResult<Self> {
        // SQLite gives its journals the mode of the database.
        let mut options = std::fs::OpenOptions::new();
        let made = local_file::open(options.write(true).create(true).truncate(false).mode(0o600), path);
        made.map_err(|error| GlacierError::folder("open", path, error))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let failed = |error| failed("open", path, error);
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        let catalogue = Self { connection: Mutex::new(connection), path: path.to_owned() };
        catalogue.set_up(owner)?;
        Ok(catalogue)
    }

    fn set_up(&self, owner: &str) -> GlacierResult<()> {
        let mut connection = self.lock();
        let found = schema::prepare(&mut connection).map_err(|error| failed("open", &self.path, error))?;
        if found > schema::FORMAT {
            let path = self.path.display().to_string();
            return Err(GlacierError::NewerCatalogue { path, found, supported: schema::FORMAT });
        }
        let known = schema::owner(&connection, owner).map_err(|error| failed("read", &self.path, error))?;
        if known == owner {
            return Ok(());
        }
        let what = format!("the catalogue `{}` is of {known}, not of {owner}", self.path.display());
        Err(GlacierError::usage(what, remedy!["use another folder with ", Setting::State, "; nothing was changed"]))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reading<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> GlacierResult<T> {
        work(&self.lock()).map_err(|error| failed("read", &self.path, error))
    }

    fn writing<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> GlacierResult<T> {
        let whole = |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        whole(&mut self.lock()).map_err(|error| failed("write", &self.path, error))
    }
}

fn failed(action: &'static str, path: &Path, error: rusqlite::Error) -> GlacierError {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, NotADatabase, SystemIoFailure};
    let code = error.sqlite_error_code();
    let (shown, source) = (path.display().to_string(), error.into());
    match code {
        Some(DiskFull | SystemIoFailure) if has_no_room(path) => GlacierError::NoRoom { path: shown, source },
        Some(DatabaseCorrupt | NotADatabase) => GlacierError::DamagedCatalogue { path: shown, source },
        Some(DatabaseBusy | DatabaseLocked) => GlacierError::CatalogueInUse { path: shown },
        _ => GlacierError::Catalogue { action, path: shown, source },
    }
}

/// Whether there is no room beside a file for what SQLite wants: without room for its index in memory it only speaks of an
/// error.
fn has_no_room(path: &Path) -> bool {
    /// What that index takes at least (SQLite, "WAL-mode File Format").
    const ROOM_BYTES: u64 = 32 * 1024;
    let folder = path.parent().unwrap_or(path);
    rustix::fs::statvfs(folder).is_ok_and(|found| found.f_bavail.saturating_mul(found.f_frsize) < ROOM_BYTES)
}

impl Catalogue for SqliteCatalogue {
    fn archives(&self) -> GlacierResult<Vec<Archive>> {
        self.reading(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT key, role, bytes, sha256, class, stored FROM archive ORDER BY key")?;
            statement.query_map([], rows::archive)?.collect()
        })
    }

    fn files(&self) -> GlacierResult<Vec<KnownFile>> {
        self.reading(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT name, bytes, sha256, mode, modified, stamp_ns, inode, archive, offset FROM file ORDER BY name",
            )?;
            statement.query_map([], rows::file)?.collect()
        })
    }

    fn add(&self, archive: Option<&Archive>, files: &[KnownFile]) -> GlacierResult<()> {
        self.writing(|connection| {
            if let Some(archive) = archive {
                rows::put_archive(connection, archive)?;
            }
            files.iter().try_for_each(|file| rows::put_file(connection, file))
        })
    }

    fn stored(&self, archive: &Key, at: Timestamp) -> GlacierResult<()> {
        self.writing(|connection| {
            let mut statement = connection.prepare_cached("UPDATE archive SET stored = ?2 WHERE key = ?1")?;
            statement.execute(params![archive.as_str(), at.to_string()]).map(drop)
        })
    }

    fn forget(&self, archive: &Key) -> GlacierResult<()> {
        self.writing(|connection| {
            for table in ["file", "retrieval", "leaf"] {
                connection.execute(&format!("DELETE FROM {table} WHERE archive = ?1"), [archive.as_str()])?;
            }
            connection.execute("DELETE FROM archive WHERE key = ?1", [archive.as_str()]).map(drop)
        })
    }

    fn retrievals(&self) -> GlacierResult<BTreeMap<Key, Retrieval>> {
        self.reading(|connection| {
            let mut statement = connection.prepare_cached("SELECT archive, state FROM retrieval")?;
            statement.query_map([], rows::keyed)?.collect()
        })
    }

    fn keep(&self, archive: &Key, retrieval: &Retrieval) -> GlacierResult<()> {
        self.writing(|connection| rows::put_keyed(connection, "retrieval", archive, retrieval))
    }

    fn vaulted(&self) -> GlacierResult<BTreeMap<Key, Vaulted>> {
        self.reading(|connection| {
            let mut statement = connection.prepare_cached("SELECT archive, state FROM vaulted")?;
            statement.query_map([], rows::keyed)?.collect()
        })
    }

    fn keep_vaulted(&self, archive: &Key, vaulted: &Vaulted) -> GlacierResult<()> {
        self.writing(|connection| match vaulted.is_empty() {
            true => connection.execute("DELETE FROM vaulted WHERE archive = ?1", [archive.as_str()]).map(drop),
            false => rows::put_keyed(connection, "vaulted", archive, vaulted),
        })
    }

    fn leaves(&self, archive: &Key) -> GlacierResult<Vec<Sha256Digest>> {
        self.reading(|connection| {
            let mut statement = connection.prepare_cached("SELECT digests FROM leaf WHERE archive = ?1")?;
            let digests: Option<Vec<u8>> = statement.query_row([archive.as_str()], |row| row.get(0)).optional()?;
            Ok(rows::digests(&digests.unwrap_or_default()))
        })
    }

    fn keep_leaves(&self, archive: &Key, leaves: &[Sha256Digest]) -> GlacierResult<()> {
        let digests: Vec<u8> = leaves.iter().flat_map(|leaf| *leaf.as_bytes()).collect();
        self.writing(|connection| match digests.is_empty() {
            true => connection.execute("DELETE FROM leaf WHERE archive = ?1", [archive.as_str()]).map(drop),
            false => {
                let put = "INSERT OR REPLACE INTO leaf (archive, digests) VALUES (?1, ?2)";
                connection.execute(put, params![archive.as_str(), digests]).map(drop)
            }
        })
    }
}
