//! A folder of `<Type>--<table>.json` files, put in place as one step.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::TempDir;

use crate::error::{ObjectError, ObjectResult};
use crate::target::{Load, Loaded, OnConflict, Restoring, Target};
use crate::type_key::TypeKey;

/// Begins the names of folders that are being filled; a killed run leaves one.
const PREFIX: &str = ".lastgood-restore-";

/// A folder to restore into: a new one, or one that holds nothing but files. Conflicts are decided file by file.
#[derive(Clone, Debug)]
pub struct NdjsonTarget {
    folder: PathBuf,
}

impl NdjsonTarget {
    /// The folder `folder`, whether it exists or not; the one it lies in must exist.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }
}

fn failed(action: &'static str, path: &Path) -> impl Fn(std::io::Error) -> ObjectError {
    let path = path.display().to_string();
    move |error| ObjectError::target(action, &path, error)
}

impl Target for NdjsonTarget {
    fn describe(&self) -> String {
        format!("ndjson:{}", self.folder.display())
    }

    fn begin(&self, types: &[Restoring], on_conflict: OnConflict) -> ObjectResult<Box<dyn Load>> {
        let exists = fs::symlink_metadata(&self.folder).is_ok();
        let folder = if exists {
            self.folder.canonicalize().map_err(failed("open", &self.folder))?
        } else {
            self.folder.clone()
        };
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let filling = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent).map_err(failed("write", parent))?;
        let there = if exists { files(&folder)? } else { Vec::new() };
        let (mut skipped, mut replaced) = (Vec::new(), Vec::new());
        for file in &there {
            let name = file.file_name().unwrap_or_default();
            let written = types.iter().find(|restoring| name == restoring.key.member().as_str());
            match (written, on_conflict) {
                (Some(_), OnConflict::Fail) => {
                    return Err(ObjectError::Conflict { what: format!("`{}` is there", file.display()) });
                }
                (Some(restoring), OnConflict::Replace) => {
                    replaced.push(restoring.key.clone());
                    continue;
                }
                (Some(restoring), OnConflict::Skip) => skipped.push(restoring.key.clone()),
                (None, _) => {}
            }
            fs::hard_link(file, filling.path().join(name)).map_err(failed("keep", file))?;
        }
        if exists {
            let mode = fs::metadata(&folder).map_err(failed("read", &folder))?.permissions();
            fs::set_permissions(filling.path(), mode).map_err(failed("write", filling.path()))?;
        }
        Ok(Box::new(Filling { filling, folder, exists, replaced, skipped, current: None }))
    }
}

/// What is in a folder, which may be nothing but files: it is put in place as a whole.
fn files(folder: &Path) -> ObjectResult<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed("read", folder))? {
        let entry = entry.map_err(failed("read", folder))?;
        if !entry.file_type().map_err(failed("read", folder))?.is_file() {
            return Err(ObjectError::usage(
                format!("`{}` is no plain file; nothing was restored", entry.path().display()),
                "restore into a folder that holds nothing else, or into a new one",
            ));
        }
        files.push(entry.path());
    }
    Ok(files)
}

struct Filling {
    filling: TempDir,
    folder: PathBuf,
    exists: bool,
    replaced: Vec<TypeKey>,
    skipped: Vec<TypeKey>,
    current: Option<(TypeKey, BufWriter<File>, u64)>,
}

impl Filling {
    /// The file of `key`, made when its first record comes.
    fn current(&mut self, key: &TypeKey) -> ObjectResult<&mut (TypeKey, BufWriter<File>, u64)> {
        if self.current.as_ref().is_none_or(|(open, ..)| open != key) {
            let path = self.filling.path().join(key.member());
            let file = File::create_new(&path).map_err(failed("write", &path))?;
            self.current = Some((key.clone(), BufWriter::with_capacity(256 * 1024, file), 0));
        }
        self.current.as_mut().ok_or(ObjectError::Interrupted)
    }
}

impl Load for Filling {
    fn record(&mut self, key: &TypeKey, _id: &str, text: &[u8]) -> ObjectResult<()> {
        if self.skipped.contains(key) {
            return Ok(());
        }
        let (_, file, records) = self.current(key)?;
        *records += 1;
        let written = file.write_all(text).and_then(|()| file.write_all(b"\n"));
        written.map_err(|error| failed("write", &self.folder)(error))
    }

    fn end(&mut self, key: &TypeKey) -> ObjectResult<Loaded> {
        if self.skipped.contains(key) {
            return Ok(Loaded::default());
        }
        self.current(key)?;
        let failed = failed("write", &self.folder);
        let Some((_, file, records)) = self.current.take() else { return Ok(Loaded::default()) };
        let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;
        let none = Loaded::default();
        Ok(match self.replaced.contains(key) {
            true => Loaded { replaced: records, ..none },
            false => Loaded { inserted: records, ..none },
        })
    }

    fn commit(self: Box<Self>) -> ObjectResult<()> {
        let Self { filling, folder, exists, .. } = *self;
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let synced = |path: &Path| File::open(path).and_then(|opened| opened.sync_all()).map_err(failed("write", path));
        synced(filling.path())?;
        // Both are one step, and neither replaces what came there meanwhile.
        let flags = if exists { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
        renameat_with(CWD, filling.path(), CWD, &folder, flags)
            .map_err(|error| failed("replace", &folder)(error.into()))?;
        if !exists {
            drop(filling.keep());
        }
        // Otherwise what was there goes with the temporary folder.
        synced(parent)
    }
}
