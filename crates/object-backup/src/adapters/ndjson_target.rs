//! A folder of `<Type>--<table>.json` files, put in place atomically.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::TempDir;

use super::folding;
use super::ndjson_folder::{self, Decided, Files};
use super::place::{Place, parent};
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

    fn check(&self, types: &[Restoring], on_conflict: OnConflict) -> ObjectResult<()> {
        self.looked_at(types, on_conflict).map(drop)
    }

    fn begin(&self, types: &[Restoring], on_conflict: OnConflict) -> ObjectResult<Box<dyn Load>> {
        let (folder, before, Decided { kept, skipped, replaced }) = self.looked_at(types, on_conflict)?;
        let parent = parent(&folder);
        let filling = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent).map_err(failed("write", parent))?;
        for name in &kept {
            let file = folder.join(name);
            fs::hard_link(&file, filling.path().join(name)).map_err(failed("keep", &file))?;
        }
        if before.is_some() {
            let mode = fs::metadata(&folder).map_err(failed("read", &folder))?.permissions();
            fs::set_permissions(filling.path(), mode).map_err(failed("write", filling.path()))?;
        }
        Ok(Box::new(Filling { filling, folder, before, replaced, skipped, current: None }))
    }
}

impl NdjsonTarget {
    /// The folder, its files if there is one, and what becomes of them; refuses what cannot be restored here.
    fn looked_at(
        &self,
        types: &[Restoring],
        on_conflict: OnConflict,
    ) -> ObjectResult<(PathBuf, Option<Files>, Decided)> {
        let exists = fs::symlink_metadata(&self.folder).is_ok();
        let folder = if exists {
            self.folder.canonicalize().map_err(failed("open", &self.folder))?
        } else {
            self.folder.clone()
        };
        Place::of(&folder)?;
        folding::told_apart(parent(&folder), PREFIX, types)?;
        if !exists {
            return Ok((folder, None, Decided::default()));
        }
        let files = ndjson_folder::files(&folder)?;
        let decided = ndjson_folder::decide(&folder, &files, types, on_conflict)?;
        Ok((folder, Some(files), decided))
    }
}

struct Filling {
    filling: TempDir,
    folder: PathBuf,
    /// What was in it; `None` if there was none.
    before: Option<Files>,
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
        let Self { filling, folder, before, .. } = *self;
        let place = Place::of(&folder)?;
        let sync = |path: &Path| File::open(path).and_then(|opened| opened.sync_all());
        sync(filling.path()).map_err(failed("write", filling.path()))?;
        // Both are one step, and neither replaces what came there meanwhile.
        let flags = if before.is_some() { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
        let put = || renameat_with(CWD, filling.path(), CWD, &folder, flags);
        put().map_err(|error| failed("replace", &folder)(error.into()))?;
        let Some(before) = before else {
            drop(filling.keep());
            return place.keep();
        };
        // What was there is in the temporary folder now and goes with it; nobody else finds it by its name any more. Looked at only
        // here, nothing can have come after the look.
        let what = match ndjson_folder::files(filling.path()) {
            Ok(after) => match ndjson_folder::moved(&before, &after) {
                None => return place.keep(),
                Some(name) => format!("`{}`", name.display()),
            },
            Err(_) => "something that is not a regular file".to_owned(),
        };
        let what = format!("{what} appeared or disappeared during the restore");
        match put() {
            Ok(()) => Err(ObjectError::target("replace", folder.display(), what)),
            // Neither is lost.
            Err(_) => Err(ObjectError::usage(
                format!("`{}` was restored, but {what}", folder.display()),
                format!("the previous files are in `{}`", filling.keep().display()),
            )),
        }
    }
}
