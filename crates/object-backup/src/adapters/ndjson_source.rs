//! A folder of files with one JSON object a line: `<Type>--<table>.json`, or `<table>.json`, `.ndjson`, `.jsonl`.

use std::fs::{self, File, Metadata};
use std::io::{ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};

use backup_core::source::Identity;
use tokio_util::sync::CancellationToken;

use super::{lines, local};
use crate::error::{ObjectError, ObjectResult};
use crate::plan::Wanted;
use crate::source::{Available, Source, Take, View};
use crate::type_key::TypeKey;

/// Ends of the names of files that hold records.
const SUFFIXES: [&str; 3] = ["json", "ndjson", "jsonl"];

const KIND: &str = "ndjson";

/// A folder to back up.
#[derive(Clone, Debug)]
pub struct NdjsonSource {
    folder: PathBuf,
}

impl NdjsonSource {
    /// The files in `folder`.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Which folder of which machine this is, also if it is not there yet.
    #[must_use]
    pub fn identity(&self) -> Identity {
        local::of_path(KIND, &self.folder)
    }
}

/// Why the folder cannot be read: a name that means none is a mistake of whoever wrote it.
fn unreadable(folder: &Path, error: std::io::Error) -> ObjectError {
    let what = match error.kind() {
        ErrorKind::NotFound => format!("there is no folder `{}`", folder.display()),
        ErrorKind::NotADirectory => format!("`{}` is not a folder", folder.display()),
        _ => return ObjectError::source("read", folder.display(), error),
    };
    ObjectError::usage(what, "nothing was published. Give the folder that contains the records")
}

impl Source for NdjsonSource {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn open(&self, _cancel: &CancellationToken) -> ObjectResult<Box<dyn View>> {
        let failed = |error| ObjectError::source("read", self.folder.display(), error);
        let mut paths: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(|error| unreadable(&self.folder, error))? {
            paths.push(entry.map_err(failed)?.path());
        }
        paths.sort();
        let files = paths.iter().filter_map(|path| Opened::open(path).transpose()).collect::<ObjectResult<_>>()?;
        Ok(Box::new(Folder { files, identity: self.identity() }))
    }
}

/// The files as they were at the beginning.
struct Folder {
    files: Vec<Opened>,
    identity: Identity,
}

struct Opened {
    path: PathBuf,
    file: File,
    before: Metadata,
    available: Available,
}

impl Opened {
    /// Opens the file; `None` if its name says that it holds no records.
    fn open(path: &Path) -> ObjectResult<Option<Self>> {
        let failed = |error| ObjectError::source("read", path.display(), error);
        let suffix = path.extension().and_then(|suffix| suffix.to_str());
        if !suffix.is_some_and(|suffix| SUFFIXES.contains(&suffix)) || !fs::metadata(path).map_err(failed)?.is_file() {
            return Ok(None);
        }
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else {
            return Err(ObjectError::usage(
                format!("the name of `{}` is not UTF-8", path.display()),
                "rename it to `<Type>--<table>.json`",
            ));
        };
        let Wanted { type_name, name } = Wanted::parse(stem);
        let file = File::open(path).map_err(failed)?;
        let before = file.metadata().map_err(failed)?;
        Ok(Some(Self { path: path.to_owned(), file, before, available: Available { type_name, table: name } }))
    }

    fn read(&mut self, take: &mut Take<'_>) -> ObjectResult<()> {
        let Self { path, file, before, .. } = self;
        let failed = |error| ObjectError::source("read", path.display(), error);
        file.rewind().map_err(failed)?;
        lines::each(Read::by_ref(file).take(before.len()), take, failed)?;
        let (after, there) = (file.metadata().map_err(failed)?, fs::metadata(&*path).map_err(failed)?);
        let same = |other: &Metadata| {
            use std::os::unix::fs::MetadataExt as _;
            (other.ino(), other.len(), other.mtime(), other.mtime_nsec())
                == (before.ino(), before.len(), before.mtime(), before.mtime_nsec())
        };
        if same(&after) && same(&there) {
            return Ok(());
        }
        Err(ObjectError::Changed { what: path.display().to_string() })
    }
}

impl View for Folder {
    fn identity(&mut self) -> ObjectResult<Option<Identity>> {
        Ok(Some(self.identity.clone()))
    }

    fn form(&self) -> &'static str {
        "file of records (`*.json`, `*.ndjson` or `*.jsonl`)"
    }

    fn types(&mut self) -> ObjectResult<Option<Vec<Available>>> {
        Ok(Some(self.files.iter().map(|file| file.available.clone()).collect()))
    }

    fn read(&mut self, key: &TypeKey, take: &mut Take<'_>) -> ObjectResult<()> {
        match self.files.iter_mut().find(|file| file.available.holds(key)) {
            Some(file) => file.read(take),
            None => Err(ObjectError::usage(format!("there is no file for `{key}`"), "choose another type")),
        }
    }
}
