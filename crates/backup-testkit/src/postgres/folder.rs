//! The folder of a cluster, and the removal of folders whose owner died without removing them.

use std::fs::{self, File, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::binaries::ServerUser;
use super::error::ClusterError;
use super::postmaster::kill_processes_in;

/// Begins the name of every cluster's folder; the sweep looks at nothing else.
const PREFIX: &str = "lastgood-pg-";

/// Locked as long as the owner lives: the kernel lets go of it however the owner ends.
const OWNER_LOCK: &str = "owner.lock";

/// A younger folder may belong to an owner that has not locked it yet.
const SWEEP_AGE_MIN: Duration = Duration::from_secs(60);

/// A socket's address has 108 bytes (`unix(7)`), one of them the end; `/lastgood-pg-XXXXXX/socket/.s.PGSQL.65535.lock`
/// takes 46.
const BASE_LENGTH_MAX: usize = 107 - 46;

/// As much of a log as an error shows, in bytes: the reason for an end stands at the end.
const LOG_SHOWN_MAX: usize = 16 * 1024;

/// A cluster's folder, removed on drop.
#[derive(Debug)]
pub(super) struct Folder {
    data_dir: PathBuf,
    socket_dir: PathBuf,
    passfile: PathBuf,
    log_file: PathBuf,
    _owner_lock: File,
    dir: TempDir,
}

impl Folder {
    /// Makes a folder with all that has to belong to the server's user.
    pub(super) fn create(user: &ServerUser) -> Result<Self, ClusterError> {
        let base = bases().into_iter().find(|base| is_usable(base, user.switch)).ok_or(ClusterError::NoFolder)?;
        // Another user's server has to get through to what is its own; what is in here is closed by itself.
        let mode = Permissions::from_mode(if user.switch { 0o711 } else { 0o700 });
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX).permissions(mode.clone());
        let dir = builder.tempdir_in(&base).map_err(ClusterError::io("write to", &base))?;
        let path = dir.path().to_owned();
        let lock_file = path.join(OWNER_LOCK);
        let owner_lock = File::create_new(&lock_file).map_err(ClusterError::io("create", &lock_file))?;
        owner_lock.lock().map_err(ClusterError::io("lock", &lock_file))?;
        // Again, as a strict umask has its say in the first.
        fs::set_permissions(&path, mode).map_err(ClusterError::io("open up", &path))?;
        let folder = Self {
            data_dir: path.join("data"),
            socket_dir: path.join("socket"),
            passfile: path.join("pgpass"),
            log_file: path.join("log"),
            _owner_lock: owner_lock,
            dir,
        };
        for own in [&folder.data_dir, &folder.socket_dir] {
            fs::create_dir(own).map_err(ClusterError::io("create", own))?;
            // The socket asks for no password, so nobody else may reach it.
            fs::set_permissions(own, Permissions::from_mode(0o700)).map_err(ClusterError::io("close", own))?;
            user.own(own)?;
        }
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub(super) fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    pub(super) fn passfile(&self) -> &Path {
        &self.passfile
    }

    /// The log, opened for the server to append to.
    pub(super) fn open_log(&self) -> Result<File, ClusterError> {
        let open = File::options().create(true).append(true).mode(0o600).open(&self.log_file);
        open.map_err(ClusterError::io("open", &self.log_file))
    }

    pub(super) fn log_file(&self) -> &Path {
        &self.log_file
    }

    /// The whole log; empty before the first start.
    pub(super) fn log(&self) -> String {
        fs::read(&self.log_file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }
}

/// The end of a log that an error can hold.
pub(super) fn log_end(log_file: &Path, from: u64) -> String {
    let log = fs::read(log_file).unwrap_or_default();
    let since = log.get(usize::try_from(from).unwrap_or(usize::MAX)..).unwrap_or_default();
    String::from_utf8_lossy(&since[since.len().saturating_sub(LOG_SHOWN_MAX)..]).into_owned()
}

/// Writes a new file that only its owner can read.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), ClusterError> {
    let write = || File::options().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes());
    write().map_err(ClusterError::io("write", path))
}

/// This many random bytes as hexadecimal digits, from the kernel.
pub(super) fn random_hex(bytes: usize) -> Result<String, ClusterError> {
    let source = Path::new("/dev/urandom");
    let mut random = vec![0; bytes];
    File::open(source).and_then(|mut file| file.read_exact(&mut random)).map_err(ClusterError::io("read", source))?;
    Ok(hex::encode(random))
}

/// Where a folder can be, best first.
fn bases() -> Vec<PathBuf> {
    vec![std::env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")]
}

/// Whether a socket's name fits below a folder, and another user can get there.
fn is_usable(base: &Path, others: bool) -> bool {
    let is_open =
        |dir: &Path| fs::metadata(dir).is_ok_and(|meta| meta.is_dir() && (!others || meta.mode() & 0o001 != 0));
    base.is_absolute() && base.as_os_str().as_bytes().len() <= BASE_LENGTH_MAX && base.ancestors().all(is_open)
}

/// Removes the folders of owners that died. Best effort: a folder that stays costs space, and no cluster its life.
pub(super) fn sweep() {
    for base in bases() {
        for entry in fs::read_dir(base).into_iter().flatten().flatten() {
            if entry.file_name().as_bytes().starts_with(PREFIX.as_bytes()) && is_left_over(&entry.path()) {
                kill_processes_in(&entry.path().join("data"), Duration::ZERO);
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// Whether a folder is ours by owner, old enough, and held by no living process.
fn is_left_over(dir: &Path) -> bool {
    let Ok(meta) = fs::symlink_metadata(dir) else { return false };
    let is_old = meta.modified().ok().and_then(|time| time.elapsed().ok()).is_some_and(|age| age >= SWEEP_AGE_MIN);
    if !meta.is_dir() || meta.uid() != rustix::process::geteuid().as_raw() || !is_old {
        return false;
    }
    match File::open(dir.join(OWNER_LOCK)) {
        Ok(lock) => lock.try_lock().is_ok(),
        // The owner, or an earlier sweep, died between making the folder and the file, or while removing them.
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn age(dir: &Path, age: Duration) {
        File::open(dir).unwrap().set_modified(SystemTime::now() - age).unwrap();
    }

    #[test]
    fn only_an_old_folder_without_an_owner_is_left_over() {
        let dir = tempfile::tempdir().unwrap();
        let lock = File::create(dir.path().join(OWNER_LOCK)).unwrap();
        lock.lock().unwrap();
        age(dir.path(), SWEEP_AGE_MIN * 2);
        assert!(!is_left_over(dir.path()), "its owner lives");
        drop(lock);
        assert!(is_left_over(dir.path()), "its owner is gone");
        age(dir.path(), Duration::ZERO);
        assert!(!is_left_over(dir.path()), "it is young");
    }

    #[test]
    fn a_base_is_short_and_open_to_others_if_they_need_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
        assert!(is_usable(dir.path(), false));
        assert!(!is_usable(dir.path(), true), "the folder has mode 0700");
        assert!(!is_usable(&dir.path().join("missing"), false));
        let long = dir.path().join("x".repeat(BASE_LENGTH_MAX));
        fs::create_dir(&long).unwrap();
        assert!(!is_usable(&long, false));
    }

    #[test]
    fn the_longest_socket_name_fits() {
        assert_eq!(format!("/{PREFIX}XXXXXX/socket/.s.PGSQL.65535.lock").len(), 107 - BASE_LENGTH_MAX);
    }
}
