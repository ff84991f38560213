//! A folder of files with one JSON object a line: `<Type>--<table>.json`, or `<table>.json`, `.ndjson`, `.jsonl`.

use std::fs::{self, File, Metadata};
use std::io::{ErrorKind, Read, Seek};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use backup_core::source::Identity;
use rustix::fs::OFlags;
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
        let (mut files, mut others) = (Vec::new(), Vec::new());
        for path in &paths {
            match Opened::open(path)? {
                Some(opened) => files.push(opened),
                None => others.push(path.clone()),
            }
        }
        Ok(Box::new(Folder { files, others, identity: self.identity() }))
    }
}

/// What is left out that a warning names each by itself. The rest are counted.
const OTHERS_TOLD: usize = 10;

/// The files as they were at the beginning.
struct Folder {
    files: Vec<Opened>,
    /// What else the folder has, by name.
    others: Vec<PathBuf>,
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
        // A FIFO may have come to its place since: nobody waits until somebody writes to it.
        let at_once = OFlags::NONBLOCK.bits().cast_signed();
        let file = File::options().read(true).custom_flags(at_once).open(path).map_err(failed)?;
        let before = file.metadata().map_err(failed)?;
        if !before.is_file() {
            return Ok(None);
        }
        Ok(Some(Self { path: path.to_owned(), file, before, available: Available { type_name, table: name } }))
    }

    /// The line of a record, both counted from 1.
    fn line_of(&mut self, record: u64) -> ObjectResult<Option<u64>> {
        let Self { path, file, before, .. } = self;
        let failed = |error| ObjectError::source("read", path.display(), error);
        file.rewind().map_err(failed)?;
        let (mut records, mut found) = (0, None);
        lines::numbered(Read::by_ref(file).take(before.len()), failed, &mut |line, _| {
            records += 1;
            if records == record {
                found = Some(line);
            }
            Ok(())
        })?;
        Ok(found)
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

    fn left_out(&mut self) -> ObjectResult<Vec<String>> {
        let mut told: Vec<String> = self.others.iter().take(OTHERS_TOLD).map(|path| why_left_out(path)).collect();
        match self.others.len().saturating_sub(OTHERS_TOLD) {
            0 => {}
            more => told.push(format!("{more} more files and folders beside the records are left out")),
        }
        Ok(told)
    }

    fn position(&mut self, key: &TypeKey, number: u64) -> ObjectResult<String> {
        let position = format!("record {number}");
        let Some(file) = self.files.iter_mut().find(|file| file.available.holds(key)) else { return Ok(position) };
        Ok(file.line_of(number)?.map_or(position, |line| format!("line {line}")))
    }

    fn read(&mut self, key: &TypeKey, take: &mut Take<'_>) -> ObjectResult<()> {
        match self.files.iter_mut().find(|file| file.available.holds(key)) {
            Some(file) => file.read(take),
            None => Err(ObjectError::usage(format!("there is no file for `{key}`"), "choose another type")),
        }
    }
}

/// What to say of something in the folder that is no file of records by its name.
fn why_left_out(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().display();
    match fs::metadata(path).is_ok_and(|found| found.is_dir()) {
        true => format!("the folder `{name}` is left out: only files directly in the source are read"),
        false => {
            format!("the file `{name}` is left out: names of files of records end in `.json`, `.ndjson` or `.jsonl`")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_read_is_named_and_not_without_end() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("b.json")).unwrap();
        for name in ["a.JSON", "a.json", "c.json.gz"] {
            std::fs::write(folder.path().join(name), "{\"id\": 1}\n\n{\"id\": 2}\n").unwrap();
        }
        let mut view = NdjsonSource::new(folder.path()).open(&CancellationToken::new()).unwrap();
        let told = view.left_out().unwrap();
        assert_eq!(told.len(), 3);
        assert!(told[0].starts_with("the file `a.JSON` is left out"), "{told:?}");
        assert!(told[1].starts_with("the folder `b.json` is left out"), "{told:?}");
        assert!(told[2].starts_with("the file `c.json.gz` is left out"), "{told:?}");
        assert_eq!(view.position(&TypeKey::new("a", "a").unwrap(), 2).unwrap(), "line 3");
        for number in 0..OTHERS_TOLD {
            std::fs::write(folder.path().join(format!("{number}.txt")), "").unwrap();
        }
        let mut view = NdjsonSource::new(folder.path()).open(&CancellationToken::new()).unwrap();
        let told = view.left_out().unwrap();
        assert_eq!(told.len(), OTHERS_TOLD + 1);
        assert!(told[OTHERS_TOLD].starts_with("3 more"), "{told:?}");
    }
}
