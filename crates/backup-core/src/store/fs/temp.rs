//! Files being written: named so that they are recognised as such, removed unless published.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use super::{FOLDER_MODE, Root, failed, publish};
use crate::error::StoreError;
use crate::key::{Key, SEGMENT_BYTES_MAX};
use crate::store::{PutMode, StoreResult, UnfinishedUpload};

/// What names of unfinished files begin with; a UUID and the object's name follow.
pub(super) const PREFIX: &str = ".lastgood-tmp-";

/// Digits of the UUID in a temporary name.
const ID_BYTES: usize = 32;

/// Files are the owner's alone.
const FILE_MODE: u32 = 0o600;

/// Times a folder is made again when somebody else's deletion removed it, empty, between `mkdir` and `open`.
const CREATE_ATTEMPTS: usize = 16;

/// A file being written. Dropping it removes it unless it was published.
#[derive(Debug)]
pub(super) struct Temp {
    root: Arc<Root>,
    key: Key,
    target: PathBuf,
    path: PathBuf,
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
        let target = root.path_of(key)?;
        let folder = target.parent().unwrap_or(&root.path).to_owned();
        let path = folder.join(temp_name(uuid::Uuid::now_v7(), key.name()));
        let mut attempt = 1;
        let file = loop {
            make_folders(&root.path, &folder).map_err(|error| obstructed(key, error))?;
            match OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&path) {
                Ok(file) => break file,
                Err(error) if error.kind() == io::ErrorKind::NotFound && attempt < CREATE_ATTEMPTS => attempt += 1,
                Err(error) => return Err(obstructed(key, error)),
            }
        };
        Ok(Self { root: root.clone(), key: key.clone(), target, path, file, gone: AtomicBool::new(false) })
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
        self.file.set_modified(SystemTime::now()).map_err(|error| self.failed(0, error))?;
        if durable {
            self.file.sync_all().map_err(|error| {
                let bytes = self.file.metadata().map_or(0, |stat| stat.len());
                self.failed(bytes, error)
            })?;
        }
        publish::publish(&self.root, &self.key, &self.path, &self.target, mode, durable)?;
        self.gone.store(true, Ordering::Release);
        Ok(())
    }

    /// Removes the file.
    pub(super) fn remove(&self) -> io::Result<()> {
        if self.gone.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        remove_with_folders(&self.root.path, &self.path)
    }

    fn failed(&self, bytes: u64, error: io::Error) -> StoreError {
        failed(self.key.as_str(), "write", bytes, error)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        // Nobody is left to tell; `unfinished` lists what could not be removed.
        drop(self.remove());
    }
}

/// An error of making the file or its folders: an object in the place of a folder is the caller's mistake.
fn obstructed(key: &Key, error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => StoreError::Invalid {
            what: format!("`{key}` cannot be written: an object has the name of one of its folders"),
        },
        _ => failed(key.as_str(), "create", 0, error),
    }
}

/// Makes the folders from `root` down to `folder`, each durable in its parent.
fn make_folders(root: &Path, folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if folder == root {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the folder of the store was removed"));
    }
    let parent = folder.parent().unwrap_or(root);
    make_folders(root, parent)?;
    match std::fs::DirBuilder::new().mode(FOLDER_MODE).create(folder) {
        Ok(()) => publish::sync_folder(parent),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        // Removed, empty, by a concurrent deletion: the caller tries again.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes the file `path` and the folders below `root` that are empty without it.
pub(super) fn remove_with_folders(root: &Path, path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
        Err(error) => return Err(error),
    }
    let folders = path.ancestors().skip(1).take_while(|folder| *folder != root);
    for folder in folders {
        if std::fs::remove_dir(folder).is_err() {
            break;
        }
    }
    Ok(())
}

/// Removes what an unfinished upload left.
pub(super) fn sweep(root: &Root, upload: &UnfinishedUpload) -> StoreResult<()> {
    let foreign =
        || StoreError::Invalid { what: format!("`{}` is not an unfinished upload of this folder", upload.id) };
    let id = Key::new(upload.id.clone())?;
    object_name(id.name()).ok_or_else(foreign)?;
    remove_with_folders(&root.path, &root.path.join(id.as_str()))
        .map_err(|error| failed(upload.key.as_str(), "remove", 0, error))
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
