//! Opens what lies below the root by its handle, and follows no link on the way.
//!
//! Between a look at a path and its use somebody may put a link in its place; a handle stays what it is. The kernel refuses
//! links by itself where it can (openat2(2), since Linux 5.6); elsewhere each folder on the way is opened by the handle of
//! the one before.

use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, ResolveFlags, Stat, fstat, openat, openat2, statat};
use rustix::io::Errno;

use super::waiting::Waiting;
use crate::error::StoreError;

/// Nothing outside, and no link of any kind.
const RESOLVE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);

/// A folder to read names from, to make files in, and to make durable.
pub(super) const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);

/// A folder to look things up in.
pub(super) const FOLDER_PATH: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);

/// A file to read. A FIFO must not make us wait until somebody writes to it.
pub(super) const FILE: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK);

/// Times the kernel is asked again when folders were renamed under it (openat2(2), `EAGAIN`).
const ATTEMPTS_MAX: usize = 8;

/// Links remembered for people, each once; they are to be found, not counted.
const REMEMBERED_MAX: usize = 100;

/// A folder of another user.
const CLOSED: &str = "a folder that this user may not look into";

/// Bytes read of a folder at a time, as glibc does.
const NAMES_BYTES: usize = 32 * 1024;

/// The folder of a store. A link in its own path was followed, once, when it was opened.
#[derive(Debug)]
pub(super) struct Root {
    handle: Arc<OwnedFd>,
    kernel_refuses_links: bool,
    /// As the user wrote it, for messages.
    pub(super) shown: String,
    pub(super) waiting: Waiting,
    unfollowed: Mutex<BTreeMap<String, &'static str>>,
}

impl Root {
    pub(super) fn open_at(path: &Path, shown: String) -> Result<Self, Errno> {
        let handle = openat(CWD, path, FOLDER | OFlags::CLOEXEC, Mode::empty())?;
        // Kernels without it say ENOSYS, filters of system calls often EPERM.
        let asked = openat2(&handle, ".", FOLDER_PATH | OFlags::CLOEXEC, Mode::empty(), RESOLVE);
        let handle = Arc::new(handle);
        let (kernel_refuses_links, waiting) = (asked.is_ok(), Waiting::default());
        Ok(Self { handle, kernel_refuses_links, shown, waiting, unfollowed: Mutex::default() })
    }

    /// As a kernel without openat2 would have it.
    #[cfg(test)]
    pub(super) fn step_by_step(self) -> Self {
        Self { kernel_refuses_links: false, ..self }
    }

    /// The root itself.
    pub(super) fn handle(&self) -> &Arc<OwnedFd> {
        &self.handle
    }

    /// Whether the folder itself was removed: its handle is all that is left of it.
    pub(super) fn is_gone(&self) -> bool {
        fstat(&self.handle).is_ok_and(|stat| stat.st_nlink == 0)
    }

    /// Opens what is at `path`, segments joined by `/`, from the root; the root if it is empty. A link is `ELOOP`.
    pub(super) fn open(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let (path, flags) = (path.trim_end_matches('/'), flags | OFlags::CLOEXEC);
        let path = if path.is_empty() { "." } else { path };
        if self.kernel_refuses_links {
            for _ in 0..ATTEMPTS_MAX {
                match openat2(&self.handle, path, flags, Mode::empty(), RESOLVE) {
                    Err(Errno::AGAIN) => {}
                    opened => return opened,
                }
            }
        }
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut within = Arc::clone(&self.handle);
        for step in folders.split('/').filter(|step| !step.is_empty()) {
            within = Arc::new(open_in(within.as_fd(), step, FOLDER_PATH)?);
        }
        open_in(within.as_fd(), name, flags)
    }

    /// The folder in which `path` is, and the last segment of `path`.
    pub(super) fn parent<'p>(&self, path: &'p str, flags: OFlags) -> Result<(Arc<OwnedFd>, &'p str), Errno> {
        match path.rsplit_once('/') {
            None => Ok((Arc::clone(&self.handle), path)),
            Some((folder, name)) => Ok((Arc::new(self.open(folder, flags)?), name)),
        }
    }

    /// What is known of whatever is at `path`, a link itself included.
    pub(super) fn stat(&self, path: &str) -> Result<Stat, Errno> {
        let (within, name) = self.parent(path, FOLDER_PATH)?;
        stat_in(within.as_fd(), name)
    }

    /// Remembers something that is neither file nor folder, for people, and says what it is.
    pub(super) fn not_an_object(&self, path: &str, kind: FileType) -> StoreError {
        let what = match kind {
            FileType::Symlink => "a link, which is not followed",
            FileType::Fifo => "a FIFO, which is not read",
            FileType::Socket => "a socket, which is not read",
            FileType::CharacterDevice | FileType::BlockDevice => "a device, which is not read",
            _ => "no file",
        };
        self.remember(path, what);
        StoreError::NotAnObject { key: path.to_owned(), what: what.to_owned() }
    }

    fn remember(&self, path: &str, what: &'static str) {
        let mut unfollowed = self.unfollowed.lock().unwrap_or_else(PoisonError::into_inner);
        if unfollowed.len() < REMEMBERED_MAX {
            unfollowed.insert(path.to_owned(), what);
        }
    }

    /// Remembers the folder on the way to `path` that this user may not look into, for people.
    pub(super) fn remember_closed(&self, path: &str) {
        let steps = path.match_indices('/').map(|(at, _)| at);
        let closed = steps.map(|end| &path[..end]).find(|folder| {
            let inside = path[folder.len() + 1..].split('/').next().unwrap_or_default();
            self.stat(&format!("{folder}/{inside}")).err() == Some(Errno::ACCESS)
        });
        if let Some(folder) = closed {
            self.remember(folder, CLOSED);
        }
    }

    /// Remembers a folder that this user may not list.
    pub(super) fn remember_unlisted(&self, folder: &str) {
        self.remember(folder.trim_end_matches('/'), CLOSED);
    }

    /// What on the way to `path` is neither file nor folder: what the kernel means by `ELOOP`.
    pub(super) fn obstacle(&self, path: &str) -> StoreError {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for upto in ends.map(|end| &path[..end]) {
            match self.stat(upto).map(|stat| kind_of(&stat)) {
                Ok(FileType::Directory) => {}
                Ok(FileType::RegularFile) | Err(_) => break,
                Ok(kind) => return self.not_an_object(upto, kind),
            }
        }
        // It was taken away since.
        self.not_an_object(path, FileType::Symlink)
    }

    /// What was met and not followed, a sentence each.
    pub(super) fn unfollowed(&self) -> Vec<String> {
        let unfollowed = self.unfollowed.lock().unwrap_or_else(PoisonError::into_inner);
        unfollowed.iter().map(|(path, what)| format!("`{path}` is {what}")).collect()
    }
}

/// Opens `name` in a folder, unless it is a link.
pub(super) fn open_in(within: BorrowedFd<'_>, name: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let opened = openat(within, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
    match opened {
        // Asked for a folder, the kernel says of a link only that it is none.
        Err(Errno::NOTDIR) if stat_in(within, name).is_ok_and(|stat| kind_of(&stat) == FileType::Symlink) => {
            Err(Errno::LOOP)
        }
        opened => opened,
    }
}

/// What is known of `name` in a folder, a link itself included.
pub(super) fn stat_in(within: BorrowedFd<'_>, name: &str) -> Result<Stat, Errno> {
    statat(within, name, AtFlags::SYMLINK_NOFOLLOW)
}

pub(super) fn kind_of(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// The names in a folder whose handle nobody else reads from. Names that are not UTF-8 are no keys.
pub(super) fn names(folder: BorrowedFd<'_>) -> Result<Vec<(String, FileType)>, Errno> {
    let mut buffer = [MaybeUninit::uninit(); NAMES_BYTES];
    let mut entries = RawDir::new(folder, &mut buffer);
    let mut names = Vec::new();
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        if name == "." || name == ".." {
            continue;
        }
        let kind = match entry.file_type() {
            // Some file systems do not keep it with the name.
            FileType::Unknown => match stat_in(folder, name) {
                Ok(stat) => kind_of(&stat),
                // Removed since.
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(errno),
            },
            kind => kind,
        };
        names.push((name.to_owned(), kind));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Both ways to open, on a folder with a file, and links to it and to what lies outside.
    fn roots() -> (tempfile::TempDir, [Root; 2]) {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("root");
        std::fs::create_dir_all(inside.join("a/b")).unwrap();
        std::fs::create_dir(folder.path().join("outside")).unwrap();
        std::fs::write(folder.path().join("outside/secret"), "x").unwrap();
        std::fs::write(inside.join("a/b/file"), "x").unwrap();
        for (target, link) in [
            ("../outside", "out"),
            ("a", "in"),
            ("b/file", "a/file"),
            ("nowhere", "dangling"),
            ("loop", "loop"),
            ("/proc/self/root/etc/passwd", "magic"),
        ] {
            symlink(target, inside.join(link)).unwrap();
        }
        let open = || Root::open_at(&inside, "root".to_owned()).unwrap();
        (folder, [open(), open().step_by_step()])
    }

    #[test]
    fn what_is_there_is_opened_and_no_link_is() {
        let (_folder, roots) = roots();
        assert!(roots[0].kernel_refuses_links, "this kernel has no openat2");
        for root in roots {
            root.open("", FOLDER).unwrap();
            root.open("a/b", FOLDER).unwrap();
            root.open("a/b/", FOLDER).unwrap();
            root.open("a/b/file", FILE).unwrap();
            for link in ["out/secret", "in/b/file", "a/file", "dangling", "dangling/x", "loop", "magic", "out"] {
                assert_eq!(root.open(link, FILE).unwrap_err(), Errno::LOOP, "{link}");
            }
            for link in ["out", "in", "in/b", "loop"] {
                assert_eq!(root.open(link, FOLDER).unwrap_err(), Errno::LOOP, "{link}");
            }
            assert_eq!(root.open("a/c", FILE).unwrap_err(), Errno::NOENT);
            assert_eq!(root.open("a/b/file/c", FILE).unwrap_err(), Errno::NOTDIR);
            assert_eq!(root.open("a/b/file", FOLDER).unwrap_err(), Errno::NOTDIR);
        }
    }

    #[test]
    fn the_link_on_the_way_is_named() {
        let (_folder, roots) = roots();
        for root in roots {
            for (path, expected) in
                [("out/secret", "out"), ("in/b/file", "in"), ("a/file", "a/file"), ("a/b/file", "a/b/file")]
            {
                let StoreError::NotAnObject { key, what } = root.obstacle(path) else { panic!("another error") };
                assert_eq!((key.as_str(), what.as_str()), (expected, "a link, which is not followed"));
            }
            assert!(root.unfollowed().contains(&"`out` is a link, which is not followed".to_owned()));
        }
    }

    #[test]
    fn names_come_with_what_they_are() {
        let (_folder, roots) = roots();
        for root in roots {
            let folder = root.open("a", FOLDER).unwrap();
            let mut names = names(folder.as_fd()).unwrap();
            names.sort_by(|one, other| one.0.cmp(&other.0));
            assert_eq!(names, [("b".to_owned(), FileType::Directory), ("file".to_owned(), FileType::Symlink)]);
        }
    }

    #[test]
    fn a_folder_that_was_removed_is_gone_and_one_that_was_moved_is_not() {
        let (folder, [root, _]) = roots();
        let (inside, moved) = (folder.path().join("root"), folder.path().join("moved"));
        std::fs::rename(&inside, &moved).unwrap();
        assert!(!root.is_gone());
        std::fs::remove_dir_all(&moved).unwrap();
        assert!(root.is_gone());
    }

    #[test]
    fn a_handle_stays_what_it_was_opened_as() {
        let (folder, roots) = roots();
        for (number, root) in roots.into_iter().enumerate() {
            let (within, name) = root.parent("a/b/file", FOLDER_PATH).unwrap();
            let inside = folder.path().join("root");
            std::fs::rename(inside.join("a"), inside.join(format!("moved{number}"))).unwrap();
            symlink("../outside", inside.join("a")).unwrap();
            assert_eq!(kind_of(&stat_in(within.as_fd(), name).unwrap()), FileType::RegularFile);
            assert_eq!(root.open("a/b/file", FILE).unwrap_err(), Errno::LOOP);
            std::fs::remove_file(inside.join("a")).unwrap();
            std::fs::rename(inside.join(format!("moved{number}")), inside.join("a")).unwrap();
        }
    }
}
