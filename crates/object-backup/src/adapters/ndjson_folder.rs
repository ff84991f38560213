//! The existing files of a target folder, and what to do with them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::error::{ObjectError, ObjectResult};
use crate::target::{OnConflict, Restoring};
use crate::type_key::TypeKey;

/// The files of a folder by name, and the number of each: another file under the same name has another.
pub(super) type Files = BTreeMap<OsString, u64>;

/// What becomes of the files of a folder.
#[derive(Debug, Default)]
pub(super) struct Decided {
    /// Files that stay.
    pub(super) kept: Vec<OsString>,
    /// Types whose files stay.
    pub(super) skipped: Vec<TypeKey>,
    /// Types whose files are replaced.
    pub(super) replaced: Vec<TypeKey>,
}

fn failed(action: &'static str, path: &Path) -> impl Fn(std::io::Error) -> ObjectError {
    let path = path.display().to_string();
    move |error| ObjectError::target(action, &path, error)
}

/// What is in a folder, which may be nothing but files: it is put in place as a whole.
///
/// # Errors
/// [`ObjectError::Usage`] for what is no file; why it cannot be read.
pub(super) fn files(folder: &Path) -> ObjectResult<Files> {
    let mut files = Files::new();
    for entry in fs::read_dir(folder).map_err(failed("read", folder))? {
        let entry = entry.map_err(failed("read", folder))?;
        let about = entry.metadata().map_err(failed("read", folder))?;
        if !about.is_file() {
            return Err(ObjectError::usage(
                format!("`{}` is not a regular file; nothing was restored", entry.path().display()),
                "restore into a folder that holds nothing else, or into a new one",
            ));
        }
        files.insert(entry.file_name(), about.ino());
    }
    Ok(files)
}

/// The files of a folder that files are put into one by one: whatever else is there stays.
///
/// # Errors
/// [`ObjectError::Usage`] if something else has the name of one of `types`; why it cannot be read.
pub(super) fn plain_files(folder: &Path, types: &[Restoring]) -> ObjectResult<Files> {
    let mut files = Files::new();
    for entry in fs::read_dir(folder).map_err(failed("read", folder))? {
        let entry = entry.map_err(failed("read", folder))?;
        let about = entry.metadata().map_err(failed("read", folder))?;
        if about.is_file() {
            files.insert(entry.file_name(), about.ino());
        } else if types.iter().any(|restoring| *entry.file_name() == *OsStr::new(&restoring.key.member())) {
            return Err(ObjectError::usage(
                format!("`{}` is not a regular file; nothing was restored", entry.path().display()),
                "move it away, or restore into another folder",
            ));
        }
    }
    Ok(files)
}

/// Decides about each of `files`, which are in `folder`.
///
/// # Errors
/// [`ObjectError::Conflict`]; what the system says.
pub(super) fn decide(
    folder: &Path,
    files: &Files,
    types: &[Restoring],
    on_conflict: OnConflict,
) -> ObjectResult<Decided> {
    let members: BTreeMap<OsString, &TypeKey> =
        types.iter().map(|restoring| (restoring.key.member().into(), &restoring.key)).collect();
    let folded = folded(folder, files, &members)?;
    let mut decided = Decided::default();
    for (name, inode) in files {
        match (members.get(name).or_else(|| folded.get(inode)), on_conflict) {
            (Some(_), OnConflict::Fail) => {
                return Err(ObjectError::Conflict {
                    what: format!("`{}` already exists", folder.join(name).display()),
                });
            }
            (Some(key), OnConflict::Replace) => {
                decided.replaced.push((*key).clone());
                continue;
            }
            (Some(key), OnConflict::Skip) => decided.skipped.push((*key).clone()),
            (None, _) => {}
        }
        decided.kept.push(name.clone());
    }
    Ok(decided)
}

/// Types whose file has another name than theirs and is found by theirs all the same, by the number of that file: there the file
/// system folds case.
fn folded<'a>(
    folder: &Path,
    files: &Files,
    members: &BTreeMap<OsString, &'a TypeKey>,
) -> ObjectResult<BTreeMap<u64, &'a TypeKey>> {
    let mut folded = BTreeMap::new();
    let absent = members.iter().filter(|(name, _)| !files.is_empty() && !files.contains_key(name.as_os_str()));
    for (name, key) in absent {
        let path: PathBuf = folder.join::<&OsStr>(name);
        match fs::symlink_metadata(&path) {
            Ok(found) => drop(folded.insert(found.ino(), *key)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed("look at", &path)(error)),
        }
    }
    Ok(folded)
}

/// What came into a folder or left it between two looks at it.
pub(super) fn moved<'a>(before: &'a Files, after: &'a Files) -> Option<&'a OsStr> {
    let differs = |(name, inode): &(&OsString, &u64), other: &Files| other.get(*name) != Some(*inode);
    let came = after.iter().find(|file| differs(file, before));
    came.or_else(|| before.iter().find(|file| differs(file, after))).map(|(name, _)| name.as_os_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w6_what_came_or_went_meanwhile_is_named() {
        let files = |names: &[(&str, u64)]| -> Files { names.iter().map(|(name, of)| ((*name).into(), *of)).collect() };
        let before = files(&[("a", 1), ("b", 2)]);
        assert_eq!(moved(&before, &before), None);
        assert_eq!(moved(&before, &files(&[("a", 1), ("b", 2), ("c", 3)])), Some(OsStr::new("c")));
        assert_eq!(moved(&before, &files(&[("a", 1)])), Some(OsStr::new("b")));
        assert_eq!(moved(&before, &files(&[("a", 1), ("b", 3)])), Some(OsStr::new("b")), "another file of that name");
    }

    #[test]
    fn files_are_found_by_name_where_case_counts() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["A--t.json", "a--t.json", "note.txt"] {
            fs::write(at(name), name).unwrap();
        }
        fs::hard_link(at("A--t.json"), at("link")).unwrap();
        let types: Vec<Restoring> = ["A", "B"]
            .iter()
            .map(|name| Restoring { key: TypeKey::new(*name, "t").unwrap(), records: 1, columns: Vec::new() })
            .collect();
        let there = files(folder.path()).unwrap();
        let of = |on_conflict| decide(folder.path(), &there, &types, on_conflict);
        let skip = of(OnConflict::Skip).unwrap();
        assert_eq!((skip.kept.len(), skip.skipped, skip.replaced), (4, vec![types[0].key.clone()], vec![]));
        let replace = of(OnConflict::Replace).unwrap();
        assert_eq!(replace.kept, ["a--t.json", "link", "note.txt"]);
        assert!(of(OnConflict::Fail).unwrap_err().to_string().contains("A--t.json` already exists"));
    }
}
