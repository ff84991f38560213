//! Walks a folder in key order, one folder's names in memory at a time.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::{Root, failed, is_own_name, meta_of, temp};
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
    /// Files and folders (with a final `/`) still to visit, the next one last.
    ahead: Vec<String>,
}

impl Walk {
    pub(super) fn new(root: Arc<Root>, prefix: &str, after: Option<&str>, found: Found) -> Self {
        let folder = prefix.rfind('/').map_or("", |slash| &prefix[..=slash]);
        // The empty folder name stands for the root. A prefix such as `../x` names nothing that could be a key.
        let valid = folder.is_empty() || Key::new(folder.trim_end_matches('/')).is_ok();
        let ahead = if valid { vec![folder.to_owned()] } else { Vec::new() };
        Self { root, prefix: prefix.to_owned(), after: after.map(str::to_owned), found, ahead }
    }

    /// The next file: its path from the root, as a key where it is one, and where it is.
    pub(super) fn next_file(&mut self) -> StoreResult<Option<(Key, PathBuf)>> {
        while let Some(next) = self.ahead.pop() {
            if next.is_empty() || next.ends_with('/') {
                self.enter(&next)?;
            } else if let Ok(key) = Key::new(next) {
                let path = self.root.path.join(key.as_str());
                return Ok(Some((key, path)));
            }
        }
        Ok(None)
    }

    /// Puts what `folder` holds ahead, so that it comes in key order.
    fn enter(&mut self, folder: &str) -> StoreResult<()> {
        let names = match names(&self.root.path.join(folder)) {
            Ok(names) => names,
            // Removed since its name was read: it holds nothing.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(());
            }
            Err(error) => return Err(failed(folder, "list", 0, error)),
        };
        // A folder's name with its `/` sorts where the keys below it do: `a.b` comes before `a/b`.
        let wanted = names.into_iter().map(|name| format!("{folder}{name}")).filter(|path| self.wants(path));
        let sorted: BTreeSet<String> = wanted.collect();
        self.ahead.extend(sorted.into_iter().rev());
        Ok(())
    }

    fn wants(&self, path: &str) -> bool {
        let is_folder = path.ends_with('/');
        let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
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

/// The names in a folder, those of folders with a final `/`. Names that are not UTF-8 are no keys.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(mut name) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type()?;
        let is_folder = kind.is_dir() || (kind.is_symlink() && entry.path().is_dir());
        if is_folder {
            name.push('/');
        }
        names.push(name);
    }
    Ok(names)
}

/// What is known of a file; `None` if it was removed since its name was read, or is not a plain file.
pub(super) fn look_up(key: &Key, path: &Path) -> StoreResult<Option<ObjectMeta>> {
    match std::fs::metadata(path) {
        Ok(stat) if stat.is_file() => Ok(Some(meta_of(key, &stat))),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(key.as_str(), "look up", 0, error)),
    }
}

/// Files in `prefix`, and those of its folders that hold an object.
pub(super) fn children(root: &Arc<Root>, prefix: &str) -> StoreResult<Vec<String>> {
    let mut top = Walk::new(root.clone(), prefix, None, Found::Objects);
    let Some(folder) = top.ahead.pop() else { return Ok(Vec::new()) };
    top.enter(&folder)?;
    let mut children = Vec::new();
    while let Some(path) = top.ahead.pop() {
        let holds_object =
            || Walk::new(root.clone(), &path, None, Found::Objects).next_file().map(|file| file.is_some());
        if !path.ends_with('/') || holds_object()? {
            children.push(path[prefix.len()..].to_owned());
        }
    }
    Ok(children)
}

/// Uploads whose objects would be below `prefix`.
pub(super) fn unfinished(root: &Arc<Root>, prefix: &str) -> StoreResult<Vec<UnfinishedUpload>> {
    let mut walk = Walk::new(root.clone(), prefix, None, Found::Temporary);
    let mut uploads = Vec::new();
    while let Some((id, path)) = walk.next_file()? {
        let folder = &id.as_str()[..id.as_str().len() - id.name().len()];
        let Some(key) = temp::object_name(id.name()).and_then(|name| Key::new(format!("{folder}{name}")).ok()) else {
            continue;
        };
        let started = std::fs::metadata(&path).ok().as_ref().map(started);
        if let Some(started) = started.filter(|_| key.as_str().starts_with(prefix)) {
            uploads.push(UnfinishedUpload { key, id: id.into(), started });
        }
    }
    Ok(uploads)
}

/// When the file was made, or last written where the file system does not keep that.
fn started(stat: &Metadata) -> Timestamp {
    let time = stat.created().or_else(|_| stat.modified());
    time.ok().and_then(|time| Timestamp::try_from(time).ok()).unwrap_or_default()
}
