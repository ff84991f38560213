//! Places a file below a folder without ever leaving it: each segment is opened by itself, and no link is followed.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use jiff::Timestamp;
use rustix::fs::{self, AtFlags, CWD, FlockOperation, Mode, OFlags, RenameFlags, Timespec, Timestamps};

/// Begins the name of a file that is not whole yet. The rest is a random number in hexadecimal digits.
const TEMPORARY: &str = ".lastgood-restore-";

/// As file systems have it: nanoseconds count forwards, also from a second before 1970.
fn timespec(time: Timestamp) -> Timespec {
    let (seconds, nanoseconds) = (time.as_second(), i64::from(time.subsec_nanosecond()));
    match nanoseconds {
        ..0 => Timespec { tv_sec: seconds - 1, tv_nsec: nanoseconds + 1_000_000_000 },
        _ => Timespec { tv_sec: seconds, tv_nsec: nanoseconds },
    }
}

/// A name for a file that is not whole yet.
pub(crate) fn temporary() -> String {
    format!("{TEMPORARY}{:016x}", RandomState::new().build_hasher().finish())
}

/// Whether a file of this name is one that a run has begun, or that a dead one left.
pub(crate) fn is_temporary(name: &str) -> bool {
    let number = name.strip_prefix(TEMPORARY);
    number.is_some_and(|number| number.len() == 16 && number.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Where a file goes: the open folder it will be in, and its name there.
#[derive(Debug)]
pub(crate) struct Target {
    folder: OwnedFd,
    name: String,
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Target {
    /// The place of `name` below `root`. Folders on the way are made.
    pub(crate) fn open(root: &Path, name: &str) -> io::Result<Self> {
        // The folder itself may be a link: the user named it.
        let mut folder = fs::openat(CWD, root, FOLDER.difference(OFlags::NOFOLLOW), Mode::empty())?;
        let (above, last) = name.rsplit_once('/').unwrap_or(("", name));
        for segment in above.split('/').filter(|segment| !segment.is_empty()) {
            match fs::mkdirat(&folder, segment, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            folder = fs::openat(&folder, segment, FOLDER, Mode::empty())?;
        }
        Ok(Self { folder, name: last.to_owned() })
    }

    /// Creates a file of another name beside it, to be placed once it is whole. Nobody else has it: its lock ends with it.
    pub(crate) fn begin(&self, temporary: &str) -> io::Result<std::fs::File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file: std::fs::File = fs::openat(&self.folder, temporary, flags, Mode::from_raw_mode(0o600))?.into();
        // Best effort: where files cannot be locked, what is being written is taken for a leftover, and written again.
        let _locked = fs::flock(&file, FlockOperation::NonBlockingLockExclusive);
        Ok(file)
    }

    /// Removes what a dead run began here; what a live one writes is locked, and stays.
    pub(crate) fn clear_leftover(&self) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = fs::openat(&self.folder, &*self.name, flags, Mode::empty())?;
        match fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(()),
            _ => Ok(fs::unlinkat(&self.folder, &*self.name, AtFlags::empty())?),
        }
    }

    /// Gives the temporary file its permissions, its time and its name; what has that name already stays.
    pub(crate) fn place(
        &self,
        temporary: &str,
        file: &std::fs::File,
        mode: u32,
        modified: Timestamp,
    ) -> io::Result<()> {
        // Whoever restores gives nobody the rights of another user or group.
        fs::fchmod(file, Mode::from_raw_mode(mode & 0o777))?;
        let time = timespec(modified);
        fs::futimens(file, &Timestamps { last_access: time, last_modification: time })?;
        file.sync_all()?;
        match fs::renameat_with(&self.folder, temporary, &self.folder, &*self.name, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            // File systems without it, such as NFS: a link never replaces, and then the old name goes.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                fs::linkat(&self.folder, temporary, &self.folder, &*self.name, AtFlags::empty())?;
                fs::unlinkat(&self.folder, temporary, AtFlags::empty())?;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(fs::fsync(&self.folder)?)
    }

    /// Moves the file to another place, where nothing may have its name.
    pub(crate) fn move_to(&self, other: &Self) -> io::Result<()> {
        match fs::renameat_with(&self.folder, &*self.name, &other.folder, &*other.name, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                fs::linkat(&self.folder, &*self.name, &other.folder, &*other.name, AtFlags::empty())?;
                fs::unlinkat(&self.folder, &*self.name, AtFlags::empty())?;
            }
            Err(error) => return Err(error.into()),
        }
        fs::fsync(&other.folder)?;
        Ok(fs::fsync(&self.folder)?)
    }

    /// Removes the temporary file, if it is there.
    pub(crate) fn give_up(&self, temporary: &str) {
        // Best effort: it is an error's clearing up, and the error is what is told.
        let _gone = fs::unlinkat(&self.folder, temporary, AtFlags::empty());
    }

    /// Gives what has the name another one, which nothing may have; whether there was something.
    pub(super) fn set_aside(&self, aside: &str) -> io::Result<bool> {
        match fs::renameat_with(&self.folder, &*self.name, &self.folder, aside, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::NOENT) => Ok(false),
            // As in [`Target::place`].
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                match fs::linkat(&self.folder, &*self.name, &self.folder, aside, AtFlags::empty()) {
                    Ok(()) => {}
                    Err(rustix::io::Errno::NOENT) => return Ok(false),
                    Err(error) => return Err(error.into()),
                }
                fs::unlinkat(&self.folder, &*self.name, AtFlags::empty())?;
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    fn put(root: &Path, name: &str, content: &str) -> io::Result<()> {
        let target = Target::open(root, name)?;
        let mut file = target.begin(".tmp")?;
        file.write_all(content.as_bytes())?;
        let placed = target.place(".tmp", &file, 0o4750, "2020-02-02T02:02:02.5Z".parse().unwrap());
        target.give_up(".tmp");
        placed
    }

    #[test]
    fn a_file_is_placed_with_its_time_and_without_special_rights_and_nothing_is_replaced() {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), "a/b/c", "first").unwrap();
        let path = root.path().join("a/b/c");
        let metadata = std::fs::metadata(&path).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, 0o750);
        assert_eq!((metadata.mtime(), metadata.mtime_nsec()), (1_580_608_922, 500_000_000));
        let again = put(root.path(), "a/b/c", "second").unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first");
        assert_eq!(std::fs::read_dir(root.path().join("a/b")).unwrap().count(), 1, "nothing temporary is left");
        assert!(Target::open(root.path(), "a/b/c").unwrap().set_aside("c.old").unwrap());
        assert!(!Target::open(root.path(), "a/b/c").unwrap().set_aside("c.old").unwrap());
    }

    #[test]
    fn times_before_1970_are_times_of_files() {
        for (nanosecond, expected) in
            [(-1_500_000_000, (-2, 500_000_000)), (-1, (-1, 999_999_999)), (-1_000_000_000, (-1, 0)), (1, (0, 1))]
        {
            let time = timespec(Timestamp::from_nanosecond(nanosecond).unwrap());
            assert_eq!((time.tv_sec, time.tv_nsec), expected);
        }
    }

    #[test]
    fn what_a_dead_run_left_goes_and_what_a_live_one_writes_stays() {
        let root = tempfile::tempdir().unwrap();
        let (left, live) = (temporary(), temporary());
        assert!(is_temporary(&left) && left != live);
        for name in ["x", ".lastgood-restore-", ".lastgood-restore-abc", ".lastgood-restore-0123456789abcdeg"] {
            assert!(!is_temporary(name), "{name}");
        }
        let target = Target::open(root.path(), "a/b").unwrap();
        drop(target.begin(&left).unwrap());
        let writing = target.begin(&live).unwrap();
        assert_eq!(target.begin(&live).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        for name in [&left, &live] {
            Target::open(root.path(), &format!("a/{name}")).unwrap().clear_leftover().unwrap();
        }
        let names: Vec<_> =
            std::fs::read_dir(root.path().join("a")).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(names, [live.as_str()]);
        drop(writing);
    }

    #[test]
    fn no_link_on_the_way_is_followed() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(outside.path(), root.path().join("link")).unwrap();
        put(root.path(), "link/x", "escaped").unwrap_err();
        std::os::unix::fs::symlink(outside.path().join("x"), root.path().join("y")).unwrap();
        put(root.path(), "y", "escaped").unwrap_err();
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}
