//! Walks a folder in key order, one folder's names in memory at a time, by the handles of the folders on the way.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use jiff::Timestamp;
use rustix::fs::FileType;
use rustix::io::Errno;

use super::beneath::{self, FILE, FOLDER, Root};
use super::names::is_own_name;
use super::temp;
use crate::key::Key;
use crate::store::{ObjectMeta, StoreResult, UnfinishedUpload};

/// Which files a walk finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Objects.
    Objects,
    /// Files of uploads that were not finished.
    Temporary,
}

/// A walk in progress.
#[derive(Debug)]
pub(super) struct Walk {
    root: Arc<Root>,
    prefix: String,
    after: Option<String>,
    found: Found,
    /// What is still to be visited, the next one last.
    ahead: Vec<Ahead>,
    /// Whether there was a folder on the way that nobody lets us look into.
    passed_closed: bool,
}

/// A file, or a folder with a final `/`, by its path from the root.
#[derive(Debug)]
struct Ahead {
    path: String,
    /// The folder it is in; none for where a walk begins.
    within: Option<Arc<OwnedFd>>,
}

/// A file that a walk found: a key, and the folder in which it is.
#[derive(Debug)]
pub(super) struct Met {
    pub(super) key: Key,
    within: Arc<OwnedFd>,
}

impl Ahead {
    fn is_folder(&self) -> bool {
        self.path.is_empty() || self.path.ends_with('/')
    }

    fn open(&self, root: &Root) -> Result<OwnedFd, Errno> {
        match &self.within {
            None => root.open(&self.path, FOLDER),
            Some(within) => beneath::open_in(within.as_fd(), name_of(&self.path), FOLDER),
        }
    }
}

impl Walk {
    pub(super) fn new(root: Arc<Root>, prefix: &str, after: Option<&str>, found: Found) -> Self {
        let folder = prefix.rfind('/').map_or("", |slash| &prefix[..=slash]);
        // The empty folder name stands for the root. A prefix such as `../x` names nothing that could be a key.
        let valid = folder.is_empty() || Key::new(folder.trim_end_matches('/')).is_ok();
        let ahead = valid.then(|| Ahead { path: folder.to_owned(), within: None });
        let (ahead, after) = (ahead.into_iter().collect(), after.map(str::to_owned));
        Self { root, prefix: prefix.to_owned(), after, found, ahead, passed_closed: false }
    }

    pub(super) fn root(&self) -> &Root {
        &self.root
    }

    /// The next file that is a key.
    pub(super) fn next_file(&mut self) -> StoreResult<Option<Met>> {
        while let Some(next) = self.ahead.pop() {
            if next.is_folder() {
                self.enter(&next)?;
            } else if let (Ok(key), Some(within)) = (Key::new(next.path), next.within) {
                return Ok(Some(Met { key, within }));
            }
        }
        Ok(None)
    }

    /// Puts what a folder holds ahead, so that it comes in key order.
    fn enter(&mut self, folder: &Ahead) -> StoreResult<()> {
        let failed = |errno: Errno| self.root.failed(&folder.path, "list", 0, errno);
        let within = match folder.open(&self.root) {
            Ok(within) => Arc::new(within),
            // Removed since its name was read: it holds nothing.
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
            // A link is not entered, and told of.
            Err(Errno::LOOP) => {
                drop(failed(Errno::LOOP));
                return Ok(());
            }
            // One of many of another user's must not hide the others. It is told of as well.
            Err(Errno::ACCESS) => {
                self.root.remember_unlisted(&folder.path);
                if folder.within.is_none() {
                    return Err(failed(Errno::ACCESS));
                }
                self.passed_closed = true;
                return Ok(());
            }
            Err(errno) => return Err(failed(errno)),
        };
        // A folder's name with its `/` sorts where the keys below it do: `a.b` comes before `a/b`.
        let mut sorted = BTreeMap::new();
        for (name, kind) in beneath::names(within.as_fd()).map_err(failed)? {
            let mut path = format!("{}{name}", folder.path);
            match kind {
                FileType::RegularFile => {}
                FileType::Directory => path.push('/'),
                kind => {
                    if self.wants(&path) || self.wants(&format!("{path}/")) {
                        drop(self.root.not_an_object(&path, kind));
                    }
                    continue;
                }
            }
            if self.wants(&path) {
                sorted.insert(path, Arc::clone(&within));
            }
        }
        let ahead = sorted.into_iter().rev().map(|(path, within)| Ahead { path, within: Some(within) });
        self.ahead.extend(ahead);
        Ok(())
    }

    fn wants(&self, path: &str) -> bool {
        let is_folder = path.ends_with('/');
        let name = name_of(path);
        let kind = match self.found {
            Found::Objects => !is_own_name(name),
            Found::Temporary => is_folder || temp::object_name(name).is_some(),
        };
        let below = match self.found {
            Found::Temporary => true,
            Found::Objects if is_folder => path.starts_with(&self.prefix) || self.prefix.starts_with(path),
            Found::Objects => path.starts_with(&self.prefix),
        };
        let later = match &self.after {
            None => true,
            Some(after) => path > after.as_str() || (is_folder && after.starts_with(path)),
        };
        kind && below && later
    }
}

fn name_of(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

impl Met {
    /// What is known of the object; `None` if it was removed since its name was read, or something else is there now.
    pub(super) fn look_up(&self, root: &Root) -> StoreResult<Option<ObjectMeta>> {
        match beneath::stat_in(self.within.as_fd(), self.key.name()) {
            Ok(stat) => Ok(root.object(&self.key, &stat).ok()),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(root.failed(self.key.as_str(), "look up", 0, errno)),
        }
    }

    /// When the file was made, or last written where the file system does not keep that; `None` if it is gone.
    fn started(&self) -> Option<Timestamp> {
        let file = beneath::open_in(self.within.as_fd(), self.key.name(), FILE).ok()?;
        let stat = std::fs::File::from(file).metadata().ok().filter(std::fs::Metadata::is_file)?;
        let time = stat.created().or_else(|_| stat.modified());
        Some(time.ok().and_then(|time| Timestamp::try_from(time).ok()).unwrap_or_default())
    }
}

/// Which folders are children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Folders {
    /// Those that hold an object.
    WithObjects,
    /// All, without a look into each.
    All,
}

/// Files in `prefix`, and its folders.
pub(super) fn children(root: &Arc<Root>, prefix: &str, folders: Folders) -> StoreResult<Vec<String>> {
    let mut top = Walk::new(root.clone(), prefix, None, Found::Objects);
    let Some(folder) = top.ahead.pop() else { return Ok(Vec::new()) };
    top.enter(&folder)?;
    let mut children = Vec::new();
    while let Some(child) = top.ahead.pop() {
        let name = child.path[prefix.len()..].to_owned();
        if !child.is_folder() || folders == Folders::All || holds_object(root, child)? {
            children.push(name);
        }
    }
    Ok(children)
}

/// Whether there is an object in a folder. One that nobody lets us enter may well hold some.
fn holds_object(root: &Arc<Root>, folder: Ahead) -> StoreResult<bool> {
    let mut walk = Walk::new(root.clone(), &folder.path, None, Found::Objects);
    walk.ahead = vec![folder];
    Ok(walk.next_file()?.is_some() || walk.passed_closed)
}

/// Uploads whose objects would be below `prefix`.
pub(super) fn unfinished(root: &Arc<Root>, prefix: &str) -> StoreResult<Vec<UnfinishedUpload>> {
    let mut walk = Walk::new(root.clone(), prefix, None, Found::Temporary);
    let mut uploads = Vec::new();
    while let Some(file) = walk.next_file()? {
        let id = &file.key;
        let folder = &id.as_str()[..id.as_str().len() - id.name().len()];
        let Some(key) = temp::object_name(id.name()).and_then(|name| Key::new(format!("{folder}{name}")).ok()) else {
            continue;
        };
        let wanted = key.as_str().starts_with(prefix);
        if let Some(started) = wanted.then(|| file.started()).flatten() {
            uploads.push(UnfinishedUpload { key, id: id.to_string(), started });
        }
    }
    Ok(uploads)
}
