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
        // Some network file systems have nothing to do here and say so with this error.
        Err(Errno::INVAL) => Ok(()),
        result => result,
    }
}
