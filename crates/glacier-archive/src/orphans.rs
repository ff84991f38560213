//! Files of the folder that a restored backup does not know. They are found before the database is restored, moved out of
//! the folder once it is, never over anything, and moved back by [`undo`].

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use backup_core::failure::{Operation, Setting};
use backup_core::remedy;
use backup_core::run::Run;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::detail::FailedFile;
use crate::error::{GlacierError, GlacierResult};
use crate::find::Backup;
use crate::restore::beneath::Target;
use crate::scan;

/// What is written before the first file is moved.
const JOURNAL: &str = "orphans.json";

/// Where the files are, beside it.
const FILES: &str = "files";

/// The format of the journal.
const FORMAT: u64 = 1;

/// What was moved, from where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Journal {
    format: u64,
    /// Which backup was restored.
    backup: String,
    /// The folder they were in.
    folder: PathBuf,
    at: Timestamp,
    names: Vec<String>,
}

/// Orphans that were moved away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SetAside {
    /// What the restore is called here.
    pub restore: String,
    /// Where they are now.
    pub folder: PathBuf,
    /// Files that were moved.
    pub moved: u64,
    /// Files that were not, and why.
    pub failed: Vec<FailedFile>,
}

/// The orphans of one restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Orphans {
    /// What the restore is called here.
    pub restore: String,
    /// Which backup was restored.
    pub backup: String,
    /// When.
    pub at: Timestamp,
    /// The folder that the files were in.
    pub folder: PathBuf,
    /// Those that are still here.
    pub files: Vec<String>,
    /// Their bytes.
    pub bytes: u64,
}

/// Orphans that were moved back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Undone {
    /// Of which restore.
    pub restore: String,
    /// Files that are where they were.
    pub moved: u64,
    /// Files that stay here, and why.
    pub failed: Vec<FailedFile>,
}

/// Where orphans of `files` go if nobody says: `orphan_files` beside it.
#[must_use]
pub fn place_of(files: &Path) -> PathBuf {
    let files = files.canonicalize().unwrap_or_else(|_| files.to_owned());
    files.parent().unwrap_or(&files).join("orphan_files")
}

/// Names of files in `folder` that the backup does not know. It knows those that it says it lacks, or was to leave out.
///
/// # Errors
/// [`GlacierError::Folder`].
pub fn find(folder: &Path, backup: &Backup) -> GlacierResult<Vec<String>> {
    let known: BTreeSet<&str> = backup.files.iter().map(|file| file.entry.name.as_str()).collect();
    let lacks = |name: &String| {
        let is_lacking =
            |failed: &FailedFile| *name == failed.name || failed.name.ends_with('/') && name.starts_with(&failed.name);
        backup.manifest.detail.failed.iter().any(is_lacking)
    };
    let found = scan::scan(folder, &backup.manifest.detail.excluded)?.files.into_iter().map(|file| file.name);
    Ok(found.filter(|name| !known.contains(name.as_str()) && !lacks(name)).collect())
}

/// Makes the folder for orphans, and refuses one that files cannot be moved to.
///
/// # Errors
/// [`GlacierError::Usage`] for one within `files` or on another file system; [`GlacierError::Folder`].
pub fn prepare(files: &Path, orphans: &Path) -> GlacierResult<()> {
    let failed = |error| GlacierError::folder("create", orphans, error);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(orphans).map_err(failed)?;
    let (there, here) = (files.canonicalize().map_err(failed)?, orphans.canonicalize().map_err(failed)?);
    let device = |path: &Path| Ok::<u64, GlacierError>(std::fs::metadata(path).map_err(failed)?.dev());
    let refused = |why: &str| {
        let what = format!("files cannot be moved from `{}` to `{}`: {why}", there.display(), here.display());
        Err(GlacierError::usage(what, remedy!["name another folder with ", Setting::Orphans, "; nothing was changed"]))
    };
    match () {
        () if here.starts_with(&there) => refused("that is within it"),
        () if device(&there)? != device(&here)? => refused("that is another file system"),
        () => Ok(()),
    }
}

/// Moves these files away. What happens to be gone is left out.
///
/// # Errors
/// [`GlacierError::Folder`] if nothing can be moved.
pub fn set_aside(
    files: &Path,
    orphans: &Path,
    backup: &Backup,
    names: Vec<String>,
    run: &Run,
) -> GlacierResult<SetAside> {
    let at = run.clock.now();
    let restore = at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d-%H-%M-%S-%6f").to_string();
    let folder = orphans.join(&restore);
    let mut done = SetAside { restore, folder: folder.join(FILES), moved: 0, failed: Vec::new() };
    if names.is_empty() {
        return Ok(done);
    }
    run.step("glacier.orphans", &done.restore);
    let create = std::fs::DirBuilder::new().mode(0o700).create(&folder);
    create.map_err(|error| GlacierError::folder("create", &folder, error))?;
    let from = files.canonicalize().map_err(|error| GlacierError::folder("open", files, error))?;
    let journal = Journal { format: FORMAT, backup: backup.key.to_string(), folder: from.clone(), at, names };
    write_journal(&folder, &journal)?;
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(&done.folder)
        .map_err(|error| GlacierError::folder("create", &done.folder, error))?;
    for name in journal.names {
        run.step("glacier.orphan", &name);
        match move_file(&from, &done.folder, &name) {
            Ok(moved) => done.moved += u64::from(moved),
            Err(error) => done.failed.push(FailedFile { name, what: error.to_string() }),
        }
    }
    Ok(done)
}

/// Moves one file, if it is there.
fn move_file(from: &Path, to: &Path, name: &str) -> io::Result<bool> {
    if let Err(error) = std::fs::symlink_metadata(from.join(name)) {
        return if error.kind() == io::ErrorKind::NotFound { Ok(false) } else { Err(error) };
    }
    Target::open(from, name)?.move_to(&Target::open(to, name)?)?;
    Ok(true)
}

fn write_journal(folder: &Path, journal: &Journal) -> GlacierResult<()> {
    let path = folder.join(JOURNAL);
    let bytes = serde_json::to_vec_pretty(journal).map_err(GlacierError::internal)?;
    let write = || {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        io::Write::write_all(&mut file, &bytes)?;
        file.sync_all()?;
        std::fs::File::open(folder)?.sync_all()
    };
    write().map_err(|error| GlacierError::folder("write", &path, error))
}

fn read_journal(folder: &Path) -> GlacierResult<Option<Journal>> {
    let path = folder.join(JOURNAL);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(GlacierError::folder("read", &path, error)),
    };
    let journal: Journal =
        serde_json::from_slice(&bytes).map_err(|error| GlacierError::damaged(path.display(), error.to_string()))?;
    if journal.format > FORMAT {
        return Err(GlacierError::damaged(path.display(), format!("its format {} is newer", journal.format)));
    }
    Ok(Some(journal))
}

/// The orphans of every restore, the oldest first.
///
/// # Errors
/// [`GlacierError::Folder`], [`GlacierError::Damaged`].
pub fn list(orphans: &Path) -> GlacierResult<Vec<Orphans>> {
    let failed = |error| GlacierError::folder("read", orphans, error);
    let entries = match std::fs::read_dir(orphans) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut all = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let Some(journal) = read_journal(&entry.path())? else { continue };
        let there = |name: &String| std::fs::symlink_metadata(entry.path().join(FILES).join(name)).ok();
        let found: Vec<(String, u64)> =
            journal.names.iter().filter_map(|name| Some((name.clone(), there(name)?.len()))).collect();
        all.push(Orphans {
            restore: entry.file_name().to_string_lossy().into_owned(),
            backup: journal.backup,
            at: journal.at,
            folder: journal.folder,
            bytes: found.iter().map(|(_, bytes)| bytes).sum(),
            files: found.into_iter().map(|(name, _)| name).collect(),
        });
    }
    all.sort_by(|one, other| one.restore.cmp(&other.restore));
    Ok(all)
}

/// Moves the orphans of a restore back to where they were, never over anything.
///
/// # Errors
/// [`GlacierError::Usage`] if there is no such restore; [`GlacierError::Folder`], [`GlacierError::Damaged`].
pub fn undo(orphans: &Path, restore: &str, run: &Run) -> GlacierResult<Undone> {
    let folder = orphans.join(restore);
    let is_name = !restore.is_empty() && !restore.contains('/') && !restore.starts_with('.');
    let journal = if is_name { read_journal(&folder)? } else { None };
    let journal = journal.ok_or_else(|| {
        let what = format!("there are no orphans of a restore `{restore}` in `{}`", orphans.display());
        GlacierError::usage(what, remedy!["run ", Operation::ListOrphans, " to list them"])
    })?;
    let mut done = Undone { restore: restore.to_owned(), moved: 0, failed: Vec::new() };
    let from = folder.join(FILES);
    for name in journal.names {
        run.step("glacier.orphan_back", &name);
        crate::listing::check_path(&name).map_err(|why| GlacierError::damaged(folder.display(), why))?;
        match move_file(&from, &journal.folder, &name) {
            Ok(moved) => done.moved += u64::from(moved),
            Err(error) => done.failed.push(FailedFile { name, what: error.to_string() }),
        }
    }
    if done.failed.is_empty() {
        clear(&folder).map_err(|error| GlacierError::folder("remove", &folder, error))?;
    }
    Ok(done)
}

/// Removes the journal, and folders that are empty; what somebody put there stays.
fn clear(folder: &Path) -> io::Result<()> {
    std::fs::remove_file(folder.join(JOURNAL))?;
    remove_empty(folder)
}

fn remove_empty(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_empty(&entry.path())?;
        }
    }
    match std::fs::remove_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(folder: &Path, name: &str, content: &str) {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    #[test]
    fn what_is_moved_away_comes_back_and_nothing_is_overwritten() {
        let parent = tempfile::tempdir().unwrap();
        let files = parent.path().join("store");
        for name in ["a/1", "a/2", "b \"x\""] {
            put(&files, name, name);
        }
        let orphans = place_of(&files);
        assert_eq!(orphans, parent.path().canonicalize().unwrap().join("orphan_files"));
        prepare(&files, &orphans).unwrap();
        let backup = Backup::example("x", &["a/2"]);
        let names = find(&files, &backup).unwrap();
        assert_eq!(names, ["a/1", "b \"x\""]);
        // It was there when that was made, and could not be read.
        let mut lacking = backup.clone();
        lacking.manifest.detail.failed.push(FailedFile { name: "a/".to_owned(), what: "denied".to_owned() });
        assert_eq!(find(&files, &lacking).unwrap(), ["b \"x\""]);
        // One vanishes before it can be moved.
        let gone = [names.clone(), vec!["gone".to_owned()]].concat();
        let done = set_aside(&files, &orphans, &backup, gone, &Run::silent()).unwrap();
        assert_eq!((done.moved, done.failed.len()), (2, 0));
        assert!(files.join("a/2").exists() && !files.join("a/1").exists());
        assert_eq!(std::fs::read_to_string(done.folder.join("a/1")).unwrap(), "a/1");
        let listed = list(&orphans).unwrap();
        assert_eq!((listed.len(), &listed[0].files, listed[0].bytes), (1, &names, 8));
        // Somebody has taken the name of one meanwhile.
        put(&files, "a/1", "another");
        let undone = undo(&orphans, &done.restore, &Run::silent()).unwrap();
        assert_eq!((undone.moved, undone.failed[0].name.as_str()), (1, "a/1"));
        assert_eq!(std::fs::read_to_string(files.join("a/1")).unwrap(), "another");
        assert_eq!(list(&orphans).unwrap()[0].files, ["a/1"]);
        std::fs::remove_file(files.join("a/1")).unwrap();
        assert_eq!(undo(&orphans, &done.restore, &Run::silent()).unwrap().moved, 1);
        assert_eq!(std::fs::read_to_string(files.join("a/1")).unwrap(), "a/1");
        assert!(list(&orphans).unwrap().is_empty() && !orphans.join(&done.restore).exists());
    }

    #[test]
    fn no_orphans_make_no_folder_and_odd_places_are_refused() {
        let parent = tempfile::tempdir().unwrap();
        let files = parent.path().join("store");
        std::fs::create_dir(&files).unwrap();
        let backup = Backup::example("x", &[]);
        let orphans = parent.path().join("o");
        prepare(&files, &orphans).unwrap();
        set_aside(&files, &orphans, &backup, Vec::new(), &Run::silent()).unwrap();
        assert_eq!(std::fs::read_dir(&orphans).unwrap().count(), 0);
        assert!(matches!(prepare(&files, &files.join("o")), Err(GlacierError::Usage { .. })));
        for restore in ["", "..", "../store", "no such"] {
            assert!(matches!(undo(&orphans, restore, &Run::silent()), Err(GlacierError::Usage { .. })), "{restore}");
        }
    }
}
