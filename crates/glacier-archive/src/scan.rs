//! The files below a folder, and the parts of them that a backup needs.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use backup_core::digest::{Sha256Digest, Sha256Hasher};
use bytes::Bytes;
use jiff::Timestamp;

use crate::catalogue::Stamp;
use crate::detail::FailedFile;
use crate::entry::Entry;
use crate::error::{GlacierError, GlacierResult};
use crate::pattern::Excluded;
use crate::restore::beneath;

/// Bytes read from a file at a time.
const BUFFER_BYTES: usize = 1024 * 1024;

/// A file as it lies in the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its path below the folder.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its permissions.
    pub mode: u32,
    /// When it was last changed.
    pub modified: Timestamp,
    /// By what it is recognised.
    pub stamp: Stamp,
}

/// What lies in a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Its regular files, by name.
    pub files: Vec<Found>,
    /// Other things, which no backup takes: links, sockets, names that are not UTF-8, folders that cannot be read.
    pub failed: Vec<FailedFile>,
    /// What a restore is writing, or left when it died: nobody's files.
    pub leftovers: Vec<String>,
    /// Files, folders and other things that were left out on request.
    pub excluded: u64,
}

/// Everything below `folder` but what is to be left out. Links are not followed, and are failures: what they lead to may be
/// anything.
///
/// # Errors
/// [`GlacierError::Folder`] if the folder itself cannot be read.
pub fn scan(folder: &Path, excluded: &Excluded) -> GlacierResult<Scan> {
    let mut scan = Scan::default();
    let mut folders: Vec<(PathBuf, String)> = vec![(folder.to_owned(), String::new())];
    while let Some((path, prefix)) = folders.pop() {
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if prefix.is_empty() => return Err(GlacierError::folder("read", folder, error)),
            // Somebody removed it meanwhile, as below.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                scan.failed.push(FailedFile { name: prefix, what: error.to_string() });
                continue;
            }
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) if prefix.is_empty() => return Err(GlacierError::folder("read", folder, error)),
                Err(error) => {
                    scan.failed.push(FailedFile { name: prefix.clone(), what: error.to_string() });
                    break;
                }
            };
            let below = entry.file_name();
            let name = format!("{prefix}{}", below.to_string_lossy());
            // Of the entry itself, by its folder: links are not followed, and the path is not walked again.
            match (below.to_str(), entry.metadata()) {
                _ if excluded.fits(&name) => scan.excluded += 1,
                (None, _) => scan.fail(name, "its name is not UTF-8"),
                (Some(below), _) if beneath::is_temporary(below) => scan.leftovers.push(name),
                (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => {}
                (_, Err(error)) => scan.fail(name, &error.to_string()),
                (_, Ok(metadata)) if metadata.is_dir() => folders.push((entry.path(), format!("{name}/"))),
                (_, Ok(metadata)) if metadata.is_file() => scan.files.push(found(name, &metadata)),
                (_, Ok(_)) => scan.fail(name, "it is no regular file"),
            }
        }
    }
    scan.files.sort_by(|one, other| one.name.cmp(&other.name));
    scan.failed.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(scan)
}

impl Scan {
    fn fail(&mut self, name: String, what: &str) {
        self.failed.push(FailedFile { name, what: what.to_owned() });
    }
}

/// What is known of a file without reading it.
#[must_use]
pub fn found(name: String, metadata: &Metadata) -> Found {
    let modified_ns = metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
    Found {
        name,
        bytes: metadata.len(),
        mode: metadata.mode() & 0o7777,
        // Nanoseconds since 1970 reach to 2262 alone, and file systems know later years.
        modified: i32::try_from(metadata.mtime_nsec())
            .ok()
            .and_then(|nanoseconds| Timestamp::new(metadata.mtime(), nanoseconds).ok())
            .unwrap_or(Timestamp::UNIX_EPOCH),
        stamp: Stamp { modified_ns, inode: metadata.ino() },
    }
}

/// A file that was not the same all the while it was read.
#[derive(Debug)]
pub enum ReadFault {
    /// It was changed meanwhile.
    Changed,
    /// It is not there any more.
    Gone,
    /// It cannot be read.
    Failed(io::Error),
}

impl std::fmt::Display for ReadFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Changed => f.write_str("it changed while it was read"),
            Self::Gone => f.write_str("it is gone"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for ReadFault {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { Self::Gone } else { Self::Failed(error) }
    }
}

/// Reads the file once, gives `take` its bytes, and tells what it is. It must be the one that was found, and the same after
/// its last byte as before its first.
///
/// # Errors
/// [`ReadFault`].
pub fn read(folder: &Path, file: &Found, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> Result<Entry, ReadFault> {
    use std::io::Read as _;
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::CLOEXEC;
    let opened =
        rustix::fs::open(folder.join(&file.name), flags, rustix::fs::Mode::empty()).map_err(io::Error::from)?;
    let mut opened = File::from(opened);
    let is_same = |opened: &File| Ok::<_, io::Error>(found(file.name.clone(), &opened.metadata()?) == *file);
    if !is_same(&opened)? {
        return Err(ReadFault::Changed);
    }
    let mut hasher = Sha256Hasher::default();
    let mut buffer = vec![0; BUFFER_BYTES.min(usize::try_from(file.bytes + 1).unwrap_or(BUFFER_BYTES))];
    let mut bytes = 0;
    loop {
        let read = opened.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        bytes += read as u64;
        // One that grows as fast as it is read would never end.
        if bytes > file.bytes {
            return Err(ReadFault::Changed);
        }
        hasher.update(&buffer[..read]);
        take(&buffer[..read])?;
    }
    if bytes != file.bytes || !is_same(&opened)? {
        return Err(ReadFault::Changed);
    }
    let Found { name, mode, modified, .. } = file.clone();
    Ok(Entry { name, bytes, sha256: hasher.finish(), mode, modified })
}

/// Reads a small file whole.
///
/// # Errors
/// [`ReadFault`].
pub fn read_whole(folder: &Path, file: &Found) -> Result<(Entry, Bytes), ReadFault> {
    let mut whole = Vec::with_capacity(usize::try_from(file.bytes).unwrap_or_default());
    let entry = read(folder, file, |bytes| {
        whole.extend_from_slice(bytes);
        Ok(())
    })?;
    Ok((entry, whole.into()))
}

/// The digest of a file as it lies there; `None` if there is none.
///
/// # Errors
/// [`ReadFault`].
pub fn digest(folder: &Path, name: &str) -> Result<Option<(Found, Sha256Digest)>, ReadFault> {
    match std::fs::symlink_metadata(folder.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
        Ok(metadata) => {
            let found = found(name.to_owned(), &metadata);
            let entry = read(folder, &found, |_| Ok(()))?;
            Ok(Some((found, entry.sha256)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_all_folders_are_found_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(path("b/c")).unwrap();
        for name in ["b/c/1", "a", ".hidden", "z \"x\""] {
            std::fs::write(path(name), name).unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", path("b/link")).unwrap();
        std::fs::write(path(&format!("b/{}", beneath::temporary())), "half").unwrap();
        let scan = scan(folder.path(), &Excluded::default()).unwrap();
        let names: Vec<&str> = scan.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, [".hidden", "a", "b/c/1", "z \"x\""]);
        assert_eq!(scan.failed, [FailedFile { name: "b/link".to_owned(), what: "it is no regular file".to_owned() }]);
        assert_eq!(scan.leftovers.len(), 1);
        let excluded = Excluded(["link", "c"].map(str::to_owned).into());
        let without = super::scan(folder.path(), &excluded).unwrap();
        assert_eq!((without.files.len(), without.failed.len(), without.excluded), (3, 0, 2));
        let missing = super::scan(&path("nowhere"), &excluded).unwrap_err();
        assert!(matches!(missing, GlacierError::Folder { action: "read", .. }));
    }

    #[test]
    fn g2_a_file_that_changes_while_it_is_read_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "content").unwrap();
        let found = scan(folder.path(), &Excluded::default()).unwrap().files.remove(0);
        let (entry, content) = read_whole(folder.path(), &found).unwrap();
        assert_eq!((entry.sha256, &content[..]), (Sha256Digest::of(b"content"), &b"content"[..]));
        let grown = read(folder.path(), &found, |_| {
            let mut file = std::fs::OpenOptions::new().append(true).open(folder.path().join("a"))?;
            io::Write::write_all(&mut file, b"more")
        });
        assert!(matches!(grown, Err(ReadFault::Changed)), "{grown:?}");
        assert!(matches!(read_whole(folder.path(), &found), Err(ReadFault::Changed)), "another one than was found");
        std::fs::remove_file(folder.path().join("a")).unwrap();
        assert!(matches!(read_whole(folder.path(), &found), Err(ReadFault::Gone)));
    }
}
