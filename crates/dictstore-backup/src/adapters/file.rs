//! Writes and reads a whole store as one local file, by way of a temporary name.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use backup_core::local_file;
use backup_core::manifest::Uuid;
use backup_core::run::Run;

use crate::backup::encode;
use crate::error::{DictError, DictResult};
use crate::format::{Format, full, pickle};
use crate::load::{Loader, Note, Semantics};
use crate::source::Cut;
use crate::store::DictStore;

/// Writes everything in `cut` as the file `path`, which is replaced as one step when it is whole and durable.
///
/// # Errors
/// [`DictError::InTheWay`] for what is neither absent nor a regular file; [`DictError::Encode`], [`DictError::Interrupted`],
/// [`DictError::Io`]; then the file is what it was, unless it was only the disk that failed at the very end.
pub fn write(path: &Path, cut: &dyn Cut, format: Format, run: &Run) -> DictResult<()> {
    run.step("dict.file", &path.display().to_string());
    let failed = |source| DictError::Io { action: "write", path: path.display().to_string(), source };
    let folder = folder_of(path);
    let mut temporary = Temporary::new(folder).map_err(failed)?;
    encode_into(&mut temporary.file, cut, format, run)?.map_err(failed)?;
    run.stop_if_cancelled()?;
    // Opened before: a folder that may be written to and not be read is told while the file is what it was.
    let folder = File::open(folder).map_err(failed)?;
    unless_in_the_way(path)?;
    temporary.persist(path).map_err(failed)?;
    folder.sync_all().or_else(nothing_to_sync).map_err(failed)
}

/// Writes everything in `cut` to `out`, such as standard output, which `name` names for people.
///
/// # Errors
/// [`DictError::Encode`], [`DictError::Interrupted`], [`DictError::Io`]; then a part of it was written.
pub fn write_to(out: &mut dyn Write, name: &str, cut: &dyn Cut, format: Format, run: &Run) -> DictResult<()> {
    run.step("dict.file", name);
    let failed = |source| DictError::Io { action: "write to", path: name.to_owned(), source };
    encode_into(out, cut, format, run)?.map_err(failed)?;
    out.flush().map_err(failed)?;
    Ok(run.stop_if_cancelled()?)
}

/// What the system said when `out` could not be written is the inner result.
fn encode_into(out: &mut dyn Write, cut: &dyn Cut, format: Format, run: &Run) -> DictResult<io::Result<()>> {
    let mut fault = None;
    let mut emit = |chunk: Vec<u8>| match run.stop_if_cancelled().map(|()| out.write_all(&chunk)) {
        Ok(Ok(())) => ControlFlow::Continue(()),
        Ok(Err(error)) => {
            fault = Some(error);
            ControlFlow::Break(())
        }
        Err(_) => ControlFlow::Break(()),
    };
    let encoded = encode(cut, format, &mut emit)?;
    Ok(fault.filter(|_| encoded.is_break()).map_or(Ok(()), Err))
}

/// Finds out whether [`write()`] could write `path`, with a file of another name that is removed again.
///
/// # Errors
/// [`DictError::InTheWay`], [`DictError::Io`], as [`write()`].
pub fn check_writable(path: &Path) -> DictResult<()> {
    let failed = |source| DictError::Io { action: "write", path: path.display().to_string(), source };
    unless_in_the_way(path)?;
    Temporary::new(folder_of(path)).map(drop).map_err(failed)
}

/// A link would be replaced and not followed, and a device would become a file.
fn unless_in_the_way(path: &Path) -> DictResult<()> {
    let shown = || path.display().to_string();
    match local_file::in_the_way(path) {
        Ok(None) => Ok(()),
        Ok(Some(what)) => Err(DictError::InTheWay { path: shown(), what }),
        Err(source) => Err(DictError::Io { action: "write", path: shown(), source }),
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file under a name of its own, readable by nobody else; removed when dropped.
struct Temporary {
    file: File,
    path: PathBuf,
}

impl Temporary {
    fn new(folder: &Path) -> io::Result<Self> {
        let path = folder.join(format!(".lastgood-tmp-{}", Uuid::now_v7().simple()));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Self { file, path })
    }

    fn persist(mut self, path: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.path, path)?;
        self.path.clear();
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            // Nobody can be told here, and nobody takes it for a backup.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Some network file systems have nothing to do here and say so with this error.
fn nothing_to_sync(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::InvalidInput { Ok(()) } else { Err(error) }
}

/// What a file held.
#[derive(Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The store.
    pub store: DictStore,
    /// What could not be brought back, or only differently.
    pub notes: Vec<Note>,
}

/// Reads a full backup file, whatever lies beside it.
///
/// # Errors
/// [`DictError::Io`], [`DictError::Damaged`], [`DictError::Refused`], [`DictError::Interrupted`].
pub fn read(path: &Path, format: Format, semantics: Semantics, run: &Run) -> DictResult<Loaded> {
    let file = path.display().to_string();
    run.step("dict.read", &file);
    let bytes = std::fs::read(path).map_err(|source| DictError::Io { action: "read", path: file.clone(), source })?;
    run.stop_if_cancelled()?;
    let tables = match format {
        Format::Json => full::decode(&file, &bytes)?,
        Format::Pickle => pickle::decode(&file, &bytes, semantics == Semantics::DictDb)?,
    };
    run.stop_if_cancelled()?;
    let (store, notes) = Loader::full(&file, tables, None, semantics)?.finish(None);
    Ok(Loaded { store, notes })
}

/// The format a file's name speaks of.
#[must_use]
pub fn format_of(path: &Path) -> Option<Format> {
    path.extension()?.to_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::TableOptions;
    use crate::value::{Record, Value};

    #[test]
    fn neither_a_link_nor_what_it_leads_to_nor_a_device_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link, run) = (folder.path().join("file"), folder.path().join("link"), Run::silent());
        std::fs::write(&file, "precious").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let snapshot = DictStore::new().snapshot();
        for (path, expected) in
            [(link.as_path(), "a link"), (folder.path(), "a folder"), (Path::new("/dev/full"), "a device")]
        {
            for refused in [check_writable(path), write(path, &snapshot, Format::Json, &run)] {
                assert!(matches!(&refused, Err(DictError::InTheWay { what, .. }) if *what == expected), "{refused:?}");
            }
        }
        assert!(link.is_symlink());
        assert_eq!(std::fs::read(&file).unwrap(), b"precious");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_stream_gets_what_a_file_does_and_its_fault_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (path, run, store) = (folder.path().join("state.json"), Run::silent(), DictStore::new());
        store.create_table("t", TableOptions::new()).unwrap();
        write(&path, &store.snapshot(), Format::Json, &run).unwrap();
        let mut bytes = Vec::new();
        write_to(&mut bytes, "memory", &store.snapshot(), Format::Json, &run).unwrap();
        assert_eq!(bytes, std::fs::read(&path).unwrap());
        let mut full = File::options().write(true).open("/dev/full").unwrap();
        let error = write_to(&mut full, "a full disk", &store.snapshot(), Format::Json, &run).unwrap_err();
        assert!(matches!(error, DictError::Io { .. }), "{error:?}");
    }

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let (path, run) = (folder.path().join("state.json"), Run::silent());
        let store = DictStore::new();
        store.create_table("t", TableOptions::new()).unwrap();
        write(&path, &store.snapshot(), Format::Json, &run).unwrap();
        let before = std::fs::read(&path).unwrap();
        store.insert("t", Record::new().with("v", Value::Bytes([1].into()))).unwrap();
        assert!(matches!(write(&path, &store.snapshot(), Format::Json, &run), Err(DictError::Encode { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        write(&path, &store.snapshot(), Format::Pickle, &run).unwrap();
        let back = read(&path, Format::Pickle, Semantics::DictDb, &run).unwrap();
        assert_eq!((back.store.len("t").unwrap(), back.notes.len()), (1, 0));
    }
}
