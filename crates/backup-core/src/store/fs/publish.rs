//! The one step that makes a file an object; and removing temporary files.

use std::os::fd::BorrowedFd;

use jiff::Timestamp;
use rustix::fs::{
    AtFlags, FileType, RenameFlags, Stat, Timespec, Timestamps, UTIME_NOW, fstat, fsync, futimens, linkat, renameat,
    renameat_with, unlinkat,
};
use rustix::io::Errno;

use super::beneath::{self, FOLDER_PATH, Root, kind_of};
use super::lock;
use super::names::LOCK_NAME;
use crate::error::StoreError;
use crate::failure::Setting;
use crate::key::Key;
use crate::remedy;
use crate::store::{PutMode, StoreResult, Tag};

/// A version of a file: which file it is and when it was written.
pub(super) fn tag_of(stat: &Stat) -> Tag {
    Tag(format!("{:x}-{:x}.{:x}-{:x}", stat.st_ino, stat.st_mtime, stat.st_mtime_nsec, stat.st_size))
}

/// A finished file in the folder of the object it is to become.
#[derive(Debug)]
pub(super) struct Finished<'a> {
    pub(super) root: &'a Root,
    pub(super) key: &'a Key,
    pub(super) folder: BorrowedFd<'a>,
    /// The file's name.
    pub(super) name: &'a str,
}

impl Finished<'_> {
    /// Makes the file the object, if `mode` allows; its name `durable`, if it is to be.
    pub(super) fn publish(&self, mode: &PutMode, durable: bool) -> StoreResult<()> {
        match mode {
            PutMode::Create => self.create()?,
            PutMode::Replace => {
                let _lock = lock::take(self.root)?;
                self.found()?;
                self.replace()?;
            }
            PutMode::IfMatch(tag) => {
                let _lock = lock::take(self.root)?;
                if self.found()?.as_ref().map(tag_of).as_ref() != Some(tag) {
                    return Err(StoreError::Precondition { key: self.key.to_string() });
                }
                self.replace()?;
            }
        }
        if !durable {
            return Ok(());
        }
        sync_folder(self.folder).map_err(|errno| self.failed(errno))
    }

    /// Publishes without replacing: one rename where the file system can refuse to replace, else a second name by `link`.
    fn create(&self) -> StoreResult<()> {
        let (folder, target) = (self.folder, self.key.name());
        match renameat_with(folder, self.name, folder, target, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(()),
            Err(Errno::EXIST) => return Err(self.taken()),
            // Old kernels and some network file systems know no such rename.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            Err(errno) => return Err(self.failed(errno)),
        }
        match linkat(folder, self.name, folder, target, AtFlags::empty()) {
            // The temporary name goes with the file's guard if it cannot go now; the object is there either way.
            Ok(()) => drop(unlinkat(folder, self.name, AtFlags::empty())),
            Err(Errno::EXIST) if self.is_linked() => drop(unlinkat(folder, self.name, AtFlags::empty())),
            Err(Errno::EXIST) => return Err(self.taken()),
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) => {
                return Err(StoreError::Unsuitable {
                    what: "its file system supports neither renaming without replacing nor hard links".to_owned(),
                    help: remedy!["choose a folder on another file system with ", Setting::Location],
                });
            }
            Err(errno) => return Err(self.failed(errno)),
        }
        Ok(())
    }

    /// Whether the file has the object's name already. A network file system asks again when an answer is lost, and says of
    /// its own link that somebody has the name (open(2), `O_EXCL`).
    fn is_linked(&self) -> bool {
        let identity = |name: &str| beneath::stat_in(self.folder, name).map(|stat| (stat.st_dev, stat.st_ino));
        matches!((identity(self.name), identity(self.key.name())), (Ok(own), Ok(there)) if own == there)
    }

    fn replace(&self) -> StoreResult<()> {
        renameat(self.folder, self.name, self.folder, self.key.name()).map_err(|errno| self.failed(errno))
    }

    /// The object that is there; an error if something else is.
    fn found(&self) -> StoreResult<Option<Stat>> {
        match beneath::stat_in(self.folder, self.key.name()) {
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.failed(errno)),
            Ok(stat) => match kind_of(&stat) {
                FileType::RegularFile => Ok(Some(stat)),
                FileType::Directory => Err(occupied(self.key)),
                kind => Err(self.root.not_an_object(self.key.as_str(), kind)),
            },
        }
    }

    fn taken(&self) -> StoreError {
        self.found().err().unwrap_or_else(|| StoreError::already_exists(self.key))
    }

    fn failed(&self, errno: Errno) -> StoreError {
        match errno {
            Errno::ISDIR | Errno::NOTEMPTY => occupied(self.key),
            errno => self.root.failed(self.key.as_str(), "publish", 0, errno),
        }
    }
}

fn occupied(key: &Key) -> StoreError {
    StoreError::Invalid { what: format!("`{key}` cannot be written: there are objects below it") }
}

/// Removes the file `path`, which is in `folder`, and the folders that are empty without it.
pub(super) fn remove_file(root: &Root, folder: BorrowedFd<'_>, path: &str) -> Result<(), Errno> {
    let (mut above, name) = path.rsplit_once('/').unwrap_or(("", path));
    match unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) => {}
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(errno),
    }
    while !above.is_empty() {
        let Ok((within, name)) = root.parent(above, FOLDER_PATH) else { break };
        if unlinkat(within, name, AtFlags::REMOVEDIR).is_err() {
            break;
        }
        above = above.rsplit_once('/').map_or("", |(above, _)| above);
    }
    Ok(())
}

/// The time by the clock of the file system, which is the server's where the folder is on a network: what it writes on a
/// file that is touched without saying a time.
pub(super) fn now(root: &Root) -> StoreResult<Timestamp> {
    let of_the_file_system = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let times = Timestamps { last_access: of_the_file_system, last_modification: of_the_file_system };
    let touched = lock::open(root).and_then(|file| {
        futimens(&file, &times)?;
        fstat(&file)
    });
    let stat = touched.map_err(|errno| root.failed(LOCK_NAME, "touch", 0, errno))?;
    Ok(modified(&stat))
}

/// When a file was last written.
pub(super) fn modified(stat: &Stat) -> Timestamp {
    let nanosecond = i32::try_from(stat.st_mtime_nsec).unwrap_or_default();
    Timestamp::new(stat.st_mtime, nanosecond).unwrap_or_default()
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: BorrowedFd<'_>) -> Result<(), Errno> {
    match fsync(folder) {
        Err(errno) if is_no_folders_business(errno) => Ok(()),
        result => result,
    }
}

/// Whether a file system says so of a folder that it has no way to write it, or nothing to write: network file systems do it
/// with one or the other (restic/restic#3752). A disk that fails says `EIO`, one that is full `ENOSPC`.
fn is_no_folders_business(errno: Errno) -> bool {
    has_nothing_to_write(errno) || errno == Errno::NOENT
}

/// Whether a file system says so that there is nothing to be made durable.
pub(super) fn has_nothing_to_write(errno: Errno) -> bool {
    matches!(errno, Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_link_whose_answer_was_lost_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open_at(folder.path(), "root".to_owned()).unwrap();
        let key = Key::new("object").unwrap();
        std::fs::write(folder.path().join("temp"), "x").unwrap();
        let finished = Finished { root: &root, key: &key, folder: root.handle().as_fd(), name: "temp" };
        assert!(!finished.is_linked());
        std::fs::hard_link(folder.path().join("temp"), folder.path().join("object")).unwrap();
        assert!(finished.is_linked());
        std::fs::remove_file(folder.path().join("object")).unwrap();
        std::fs::write(folder.path().join("object"), "x").unwrap();
        assert!(!finished.is_linked(), "another's file of the same content");
    }

    #[test]
    fn folders_that_cannot_be_written_are_told_from_disks_that_fail() {
        for errno in [Errno::INVAL, Errno::OPNOTSUPP, Errno::NOSYS, Errno::NOENT] {
            assert!(is_no_folders_business(errno), "{errno}");
        }
        for errno in [Errno::IO, Errno::NOSPC, Errno::DQUOT, Errno::STALE, Errno::ROFS] {
            assert!(!is_no_folders_business(errno), "{errno}");
        }
        assert!(!has_nothing_to_write(Errno::NOENT), "a file that is gone is not durable");
    }
}
