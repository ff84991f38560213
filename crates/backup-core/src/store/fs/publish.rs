//! The one step that makes a file an object, and the one that removes it.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, RenameFlags};
use rustix::io::Errno;

use super::{Root, failed, temp};
use crate::error::StoreError;
use crate::key::Key;
use crate::store::{PutMode, StoreResult, Tag};

/// The file whose lock puts conditional replacements, replacements and deletions in one order.
pub(super) const LOCK_NAME: &str = ".lastgood-lock";

/// A version of a file: which file it is and when it was written.
pub(super) fn tag_of(stat: &Metadata) -> Tag {
    Tag(format!("{:x}-{:x}.{:x}-{:x}", stat.ino(), stat.mtime(), stat.mtime_nsec(), stat.size()))
}

/// Makes the finished file `path` the object `target`, if `mode` allows; its name `durable`, if it is to be.
pub(super) fn publish(
    root: &Root,
    key: &Key,
    path: &Path,
    target: &Path,
    mode: &PutMode,
    durable: bool,
) -> StoreResult<()> {
    let publishing = |error| match io::Error::kind(&error) {
        io::ErrorKind::IsADirectory | io::ErrorKind::DirectoryNotEmpty => occupied(key),
        _ => failed(key.as_str(), "publish", 0, error),
    };
    match mode {
        PutMode::Create => create(key, path, target)?,
        PutMode::Replace => {
            let _lock = lock(root).map_err(publishing)?;
            std::fs::rename(path, target).map_err(publishing)?;
        }
        PutMode::IfMatch(tag) => {
            let _lock = lock(root).map_err(publishing)?;
            let found = std::fs::metadata(target).ok().filter(Metadata::is_file).map(|stat| tag_of(&stat));
            if found.as_ref() != Some(tag) {
                return Err(StoreError::Precondition { key: key.to_string() });
            }
            std::fs::rename(path, target).map_err(publishing)?;
        }
    }
    if !durable {
        return Ok(());
    }
    sync_folder(target.parent().unwrap_or(&root.path)).map_err(publishing)
}

/// Publishes without replacing: one rename where the file system can refuse to replace, else a second name by `link`.
fn create(key: &Key, path: &Path, target: &Path) -> StoreResult<()> {
    let taken = || if target.is_dir() { occupied(key) } else { StoreError::already_exists(key) };
    match rustix::fs::renameat_with(CWD, path, CWD, target, RenameFlags::NOREPLACE) {
        Ok(()) => return Ok(()),
        Err(Errno::EXIST) => return Err(taken()),
        // Old kernels and some network file systems know no such rename.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
        Err(errno) => return Err(failed(key.as_str(), "publish", 0, errno.into())),
    }
    match rustix::fs::linkat(CWD, path, CWD, target, AtFlags::empty()) {
        // The temporary name goes with the file's guard if it cannot go now; the object is there either way.
        Ok(()) => drop(std::fs::remove_file(path)),
        Err(Errno::EXIST) => return Err(taken()),
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) => {
            return Err(StoreError::Unsuitable {
                what: "its file system can neither rename without replacing nor link".to_owned(),
                help: "name a folder on another file system with `-r`".to_owned(),
            });
        }
        Err(errno) => return Err(failed(key.as_str(), "publish", 0, errno.into())),
    }
    Ok(())
}

fn occupied(key: &Key) -> StoreError {
    StoreError::Invalid { what: format!("`{key}` cannot be written: there are objects below it") }
}

/// Removes an object; one that is not there counts as removed.
pub(super) fn remove(root: &Root, key: &Key) -> StoreResult<()> {
    let path = root.path_of(key)?;
    let removing = |error| failed(key.as_str(), "delete", 0, error);
    if path.is_dir() {
        return Ok(());
    }
    let _lock = lock(root).map_err(removing)?;
    temp::remove_with_folders(&root.path, &path).map_err(removing)
}

/// Waits for the lock; it ends with the file.
fn lock(root: &Root) -> io::Result<File> {
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(root.path.join(LOCK_NAME))?;
    file.lock()?;
    Ok(file)
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some network file systems have nothing to do here and say so with this error.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}
