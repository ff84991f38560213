//! Temporary files: recognisable by name, removed unless published.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use rustix::fs::{Mode, OFlags, mkdirat, openat};
use rustix::io::Errno;

use super::beneath::{FOLDER, FOLDER_PATH, Root};
use super::names::{FOLDER_MODE, PREFIX, path_of};
use super::publish::{self, Finished};
use crate::error::StoreError;
use crate::key::{Key, SEGMENT_BYTES_MAX};
use crate::store::{PutMode, StoreResult, UnfinishedUpload};

/// Digits of the UUID in a temporary name.
const ID_BYTES: usize = 32;

/// Files are the owner's alone.
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// Times a folder is made again when somebody else's deletion removed it, empty, between `mkdir` and `open`.
const CREATE_ATTEMPTS: usize = 16;

/// A file being written. Dropping it removes it unless it was published.
#[derive(Debug)]
pub(super) struct Temp {
    root: Arc<Root>,
    key: Key,
    /// The folder in which file and object are, so that both stay where they are whatever becomes of its name.
    folder: Arc<OwnedFd>,
    name: String,
    file: File,
    gone: AtomicBool,
}

/// The temporary name for an object called `name`: `name` itself is cut where the whole would become too long.
fn temp_name(id: uuid::Uuid, name: &str) -> String {
    let room = SEGMENT_BYTES_MAX - PREFIX.len() - ID_BYTES - 1;
    let name = &name[..name.floor_char_boundary(room)];
    format!("{PREFIX}{}-{name}", id.simple())
}

/// The object's name in a temporary name.
pub(super) fn object_name(temp_name: &str) -> Option<&str> {
    temp_name.strip_prefix(PREFIX)?.get(ID_BYTES..)?.strip_prefix('-').filter(|name| !name.is_empty())
}

impl Temp {
    /// Creates an empty file beside where `key` will be, with the folders it needs.
    pub(super) fn create(root: &Arc<Root>, key: &Key) -> StoreResult<Self> {
        let path = path_of(key)?;
        let name = temp_name(uuid::Uuid::now_v7(), key.name());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut attempt = 1;
        let (folder, file) = loop {
            let folder = match path.rsplit_once('/') {
                None => Arc::clone(root.handle()),
                Some((folder, _)) => Arc::new(make_folder(root, folder).map_err(|errno| obstructed(root, key, errno))?),
            };
            match openat(&folder, &name, flags, FILE_MODE) {
                Ok(file) => break (folder, File::from(file)),
                Err(Errno::NOENT) if attempt < CREATE_ATTEMPTS => attempt += 1,
                Err(errno) => return Err(obstructed(root, key, errno)),
            }
        };
        Ok(Self { root: root.clone(), key: key.clone(), folder, name, file, gone: AtomicBool::new(false) })
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// Whether it was removed or published.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    pub(super) fn write_at(&self, body: &[u8], offset: u64) -> StoreResult<()> {
        self.file.write_all_at(body, offset).map_err(|error| self.failed(body.len() as u64, error))
    }

    /// Makes durable what was written so far.
    pub(super) fn sync(&self) -> StoreResult<()> {
        self.file.sync_data().map_err(|error| self.failed(0, error))
    }

    pub(super) fn cut(&self, bytes: u64) -> StoreResult<()> {
        self.file.set_len(bytes).map_err(|error| self.failed(bytes, error))
    }

    /// Makes the file the object, if `mode` allows, and both `durable`, if they are to be.
    pub(super) fn publish(&self, mode: &PutMode, durable: bool) -> StoreResult<()> {
        // The kernel's own time stamps step in milliseconds; versions must differ however quickly they follow.
        match self.file.set_modified(SystemTime::now()) {
            // Some file systems let nobody choose times: there a version is known by its inode.
            Err(error) if is_no_choice(&error) => {}
            set => set.map_err(|error| self.failed(0, error))?,
        }
        if durable {
            self.file.sync_all().map_err(|error| {
                let bytes = self.file.metadata().map_or(0, |stat| stat.len());
                self.failed(bytes, error)
            })?;
        }
        let (root, key, folder, name) = (&*self.root, &self.key, self.folder.as_fd(), self.name.as_str());
        Finished { root, key, folder, name }.publish(mode, durable)?;
        self.gone.store(true, Ordering::Release);
        Ok(())
    }

    /// Removes the file.
    pub(super) fn remove(&self) -> io::Result<()> {
        if self.gone.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let folder = self.key.as_str().strip_suffix(self.key.name()).unwrap_or_default();
        Ok(publish::remove_file(&self.root, self.folder.as_fd(), &format!("{folder}{}", self.name))?)
    }

    fn failed(&self, bytes: u64, error: io::Error) -> StoreError {
        self.root.failed(self.key.as_str(), "write", bytes, error)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        // Nobody is left to tell; `unfinished` lists what could not be removed.
        drop(self.remove());
    }
}

/// Whether a file system has no times of ours, or they are not this user's to set although the file is.
fn is_no_choice(error: &io::Error) -> bool {
    const REFUSED: [Errno; 4] = [Errno::PERM, Errno::ACCESS, Errno::OPNOTSUPP, Errno::NOSYS];
    Errno::from_io_error(error).is_some_and(|errno| REFUSED.contains(&errno))
}

/// An error of making the file or its folders: an object in the place of a folder is the caller's mistake.
fn obstructed(root: &Root, key: &Key, errno: Errno) -> StoreError {
    match errno {
        Errno::NOTDIR | Errno::EXIST => StoreError::Invalid {
            what: format!("`{key}` cannot be written: an object has the name of one of its folders"),
        },
        errno => root.failed(key.as_str(), "create", 0, errno),
    }
}

/// Opens the folder `path`, and makes it and those above it if they are missing, each durable in its parent.
fn make_folder(root: &Root, path: &str) -> Result<OwnedFd, Errno> {
    let mut attempt = 1;
    loop {
        match root.open(path, FOLDER) {
            // Removed, empty, by a concurrent deletion as soon as it was made: it is made again.
            Err(Errno::NOENT) if attempt < CREATE_ATTEMPTS => attempt += 1,
            opened => return opened,
        }
        let made;
        let (within, name) = match path.rsplit_once('/') {
            None => (root.handle().as_fd(), path),
            Some((above, name)) => {
                made = make_folder(root, above)?;
                (made.as_fd(), name)
            }
        };
        match mkdirat(within, name, Mode::from_raw_mode(FOLDER_MODE)) {
            Ok(()) => publish::sync_folder(within)?,
            Err(Errno::EXIST | Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Removes what an unfinished upload left.
pub(super) fn sweep(root: &Root, upload: &UnfinishedUpload) -> StoreResult<()> {
    let foreign =
        || StoreError::Invalid { what: format!("`{}` is not an unfinished upload of this folder", upload.id) };
    let id = Key::new(upload.id.clone())?;
    object_name(id.name()).ok_or_else(foreign)?;
    let removed = match root.parent(id.as_str(), FOLDER_PATH) {
        Ok((folder, _)) => publish::remove_file(root, folder.as_fd(), id.as_str()),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
        Err(errno) => Err(errno),
    };
    removed.map_err(|errno| root.failed(upload.key.as_str(), "remove", 0, errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_name_tells_its_object_and_fits_a_segment() {
        for name in ["manifest.json", "ü", &"é".repeat(127)] {
            let temp = temp_name(uuid::Uuid::nil(), name);
            assert!(temp.len() <= SEGMENT_BYTES_MAX);
            assert!(name.starts_with(object_name(&temp).unwrap()), "{temp}");
        }
        assert_eq!(object_name(&temp_name(uuid::Uuid::nil(), "a")), Some("a"));
        assert_eq!(object_name(".lastgood-tmp-foreign"), None);
    }
}
