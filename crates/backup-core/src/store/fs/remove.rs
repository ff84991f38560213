//! Removes objects, and the folders that are empty without them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, unlinkat};
use rustix::io::Errno;

use super::beneath::{self, FOLDER_PATH, Root, kind_of};
use super::lock;
use super::names::path_of;
use crate::key::Key;
use crate::store::{DeleteOutcome, StoreResult};

/// Objects removed under one lock: whoever waits for it waits for a few milliseconds.
const UNDER_ONE_LOCK: usize = 64;

/// Removes objects in order; one that is not there counts as removed. What is no object stays, a link above all.
pub(super) fn all(root: &Root, keys: Vec<Key>) -> Vec<DeleteOutcome> {
    let mut removing = Removing { root, folder: None, lock: None, emptied: BTreeSet::new() };
    let outcomes = keys.into_iter().map(|key| DeleteOutcome { result: removing.remove(&key), key }).collect();
    removing.lock = None;
    removing.remove_folders();
    outcomes
}

#[derive(Debug)]
struct Removing<'a> {
    root: &'a Root,
    /// The folder of the object before, which is often that of the next.
    folder: Option<(String, Arc<OwnedFd>)>,
    /// The lock, and for how many more it is held.
    lock: Option<(File, usize)>,
    /// Folders from which something was removed.
    emptied: BTreeSet<Depth>,
}

/// A folder; the deepest comes first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Depth(std::cmp::Reverse<usize>, String);

impl Depth {
    fn of(path: &str) -> Self {
        Self(std::cmp::Reverse(path.matches('/').count()), path.to_owned())
    }
}

impl Removing<'_> {
    fn remove(&mut self, key: &Key) -> StoreResult<()> {
        let path = path_of(key)?;
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let root = self.root;
        let failed = |error: io::Error| root.failed(path, "delete", 0, error);
        let folder = match self.open(above) {
            Ok(folder) => folder,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
            Err(errno) => return Err(failed(errno.into())),
        };
        match beneath::stat_in(folder.as_fd(), name).map(|stat| kind_of(&stat)) {
            Ok(FileType::RegularFile) => {}
            Ok(FileType::Directory) | Err(Errno::NOENT) => return Ok(()),
            Ok(kind) => return Err(root.not_an_object(path, kind)),
            Err(errno) => return Err(failed(errno.into())),
        }
        self.hold_lock()?;
        match unlinkat(&folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(failed(errno.into())),
        }
        if !above.is_empty() {
            self.emptied.insert(Depth::of(above));
        }
        Ok(())
    }

    fn open(&mut self, path: &str) -> Result<Arc<OwnedFd>, Errno> {
        if path.is_empty() {
            return Ok(Arc::clone(self.root.handle()));
        }
        if let Some((_, folder)) = self.folder.as_ref().filter(|(open, _)| open == path) {
            return Ok(Arc::clone(folder));
        }
        let folder = Arc::new(self.root.open(path, FOLDER_PATH)?);
        self.folder = Some((path.to_owned(), Arc::clone(&folder)));
        Ok(folder)
    }

    fn hold_lock(&mut self) -> StoreResult<()> {
        // Given back before it is taken again, so that somebody else can have it.
        let held = self.lock.take().filter(|(_, left)| *left > 0);
        let (lock, left) = match held {
            Some(held) => held,
            None => (lock::take(self.root)?, UNDER_ONE_LOCK),
        };
        self.lock = Some((lock, left - 1));
        Ok(())
    }

    /// Removes what is empty now, each folder once.
    fn remove_folders(&mut self) {
        while let Some(Depth(_, path)) = self.emptied.pop_first() {
            let (above, name) = path.rsplit_once('/').unwrap_or(("", &path));
            let Ok(within) = self.open(above) else { continue };
            let removed = unlinkat(within, name, AtFlags::REMOVEDIR);
            if removed.is_ok() && !above.is_empty() {
                self.emptied.insert(Depth::of(above));
            }
        }
    }
}
