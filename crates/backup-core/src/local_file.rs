//! Files of this machine that somebody named: which may be written or replaced, and which are not what their name says.
//!
//! A program that runs as root replaces a device by a file, empties the file a link leads to, and waits for ever at a FIFO,
//! unless it looks first.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// A link is not followed, and a FIFO not waited for.
const CAREFUL: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK);

/// What is at `path`, such as `a link`, unless that is nothing or a regular file: it is neither replaced nor written through.
///
/// # Errors
/// If the system does not tell.
pub fn in_the_way(path: &Path) -> io::Result<Option<&'static str>> {
    match path.symlink_metadata() {
        Ok(found) => Ok(what(found.file_type())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The file at `path`, empty and to be written; made if there is none.
///
/// # Errors
/// What the system says, and of what is no regular file, what it is.
pub fn open_empty(path: &Path) -> io::Result<File> {
    let file = open(OpenOptions::new().write(true).create(true).truncate(false), path)?;
    file.set_len(0)?;
    Ok(file)
}

/// The file at `path`, opened as `options` say; of what is no regular file nothing is read, waited for or changed.
///
/// # Errors
/// What the system says, and of what is no regular file, what it is.
pub fn open(options: &OpenOptions, path: &Path) -> io::Result<File> {
    let opened = options.clone().custom_flags(CAREFUL.bits().cast_signed()).open(path);
    let file = opened.map_err(|error| match in_the_way(path) {
        Ok(Some(what)) => another(what),
        // It says what a link leads to, or a device lacks; not what is wrong with it.
        Ok(None) | Err(_) => error,
    })?;
    match what(file.metadata()?.file_type()) {
        None => Ok(file),
        Some(what) => Err(another(what)),
    }
}

fn another(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, format!("it is {what}, and no regular file"))
}

fn what(kind: FileType) -> Option<&'static str> {
    match () {
        () if kind.is_file() => None,
        () if kind.is_symlink() => Some("a link"),
        () if kind.is_dir() => Some("a folder"),
        () if kind.is_fifo() => Some("a FIFO"),
        () if kind.is_socket() => Some("a socket"),
        () => Some("a device"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;

    #[test]
    fn only_regular_files_and_nothing_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "precious").unwrap();
        symlink(at("file"), at("link")).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        mkfifoat(CWD, at("fifo"), Mode::RUSR | Mode::WUSR).unwrap();
        for (path, expected) in [
            (at("file"), None),
            (at("missing"), None),
            (at("link"), Some("a link")),
            (at("dangling"), Some("a link")),
            (at("fifo"), Some("a FIFO")),
            (folder.path().to_owned(), Some("a folder")),
            ("/dev/full".into(), Some("a device")),
        ] {
            assert_eq!(in_the_way(&path).unwrap(), expected, "{}", path.display());
            if let Some(what) = expected {
                let error = open_empty(&path).unwrap_err().to_string();
                assert!(error.contains(what), "{}: {error}", path.display());
            }
        }
        assert_eq!(std::fs::read(at("file")).unwrap(), b"precious", "what the link leads to");
        open_empty(&at("file")).unwrap();
        assert_eq!(std::fs::read(at("file")).unwrap(), b"");
        open_empty(&at("missing")).unwrap();
    }

    #[test]
    fn nothing_waits_for_a_fifo_to_be_read_or_written() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
        open(OpenOptions::new().read(true), &fifo).unwrap_err();
        open(OpenOptions::new().append(true).create(true), &fifo).unwrap_err();
    }
}
