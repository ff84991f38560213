//! Makes many small writes and deletions durable in one step.
//!
//! One wait for the disk costs some milliseconds, however little is written. Where the file system can be asked to write
//! everything that it holds back, thousands of objects wait together; elsewhere each file and each folder waits for itself, several
//! at a time.

use std::collections::BTreeSet;
use std::os::fd::AsFd;

use rustix::fs::{fstatfs, fsync, syncfs};
use rustix::io::Errno;

use super::beneath::{FILE, FOLDER, Root};
use super::names::path_of;
use super::publish::{has_nothing_to_write, sync_folder};
use crate::error::StoreError;
use crate::key::Key;
use crate::store::StoreResult;

/// From so many objects on all of the file system is written: that also writes what others wrote there, which a few objects
/// need not wait for.
const WHOLE_FROM: usize = 16;

/// Kinds of file systems on which syncfs(2) ends when everything is on the disk (statfs(2)): ext2 to ext4, XFS, Btrfs, F2FS,
/// ZFS, bcachefs, overlay, and tmpfs, which has no disk. Others, such as FUSE, may answer at once.
const WHOLE: [i64; 8] =
    [0xEF53, 0x5846_5342, 0x9123_683E, 0xF2F5_2010, 0x2FC1_2FC1, 0xCA45_1A4E, 0x794C_7630, 0x0102_1994];

/// The first kernel whose syncfs(2) tells that something could not be written.
const TELLS_FROM: (u32, u32) = (5, 8);

/// Waits at a time where each object waits for itself: file systems join those that come together.
const THREADS: usize = 8;

/// Makes durable what lies at the keys, and that what was deleted there is gone.
pub(super) fn all(root: &Root, keys: &[Key]) -> StoreResult<()> {
    if keys.len() >= WHOLE_FROM && writes_whole(root) {
        return syncfs(root.handle()).map_err(|errno| failed(root, keys, errno));
    }
    one_by_one(root, keys)
}

/// Each file, and then each folder once.
fn one_by_one(root: &Root, keys: &[Key]) -> StoreResult<()> {
    let paths = keys.iter().map(path_of).collect::<StoreResult<Vec<&str>>>()?;
    let at_once = |paths: &[&str], sync: fn(&Root, &str) -> Result<(), Errno>| {
        let share = paths.len().div_ceil(THREADS).max(1);
        std::thread::scope(|scope| {
            let each = |paths: &[&str]| paths.iter().try_for_each(|path| sync(root, path));
            let mut shares = paths.chunks(share);
            // The last share is this thread's own: of one object nobody else has to know.
            let own = shares.next_back().unwrap_or_default();
            let others: Vec<_> = shares.map(|paths| scope.spawn(move || each(paths))).collect();
            let mut result = each(own);
            for other in others {
                result = result.and(other.join().unwrap_or(Err(Errno::IO)));
            }
            result
        })
    };
    at_once(&paths, file).map_err(|errno| failed(root, keys, errno))?;
    let folders: BTreeSet<&str> = paths.iter().map(|path| standing(root, path)).collect();
    at_once(&folders.into_iter().collect::<Vec<_>>(), folder).map_err(|errno| failed(root, keys, errno))
}

/// The file `path`; one that is gone has nothing to be written.
fn file(root: &Root, path: &str) -> Result<(), Errno> {
    match root.open(path, FILE) {
        Ok(file) => waited(fsync(file)),
        // It is none of ours: a link that has been put there since, or what another user wrote before and may not be read.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO | Errno::ACCESS) => Ok(()),
        Err(errno) => Err(errno),
    }
}

fn folder(root: &Root, path: &str) -> Result<(), Errno> {
    match root.open(path, FOLDER) {
        Ok(folder) => sync_folder(folder.as_fd()),
        // Removed since by somebody who found it empty.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// The folder that says whether `path` is there: that in which it is, or the nearest above that is left.
fn standing<'p>(root: &Root, path: &'p str) -> &'p str {
    let mut above = path;
    while let Some((folder, _)) = above.rsplit_once('/') {
        above = folder;
        if root.stat(above).is_ok() {
            return above;
        }
    }
    ""
}

fn waited(result: Result<(), Errno>) -> Result<(), Errno> {
    match result {
        Err(errno) if has_nothing_to_write(errno) => Ok(()),
        result => result,
    }
}

fn failed(root: &Root, keys: &[Key], errno: Errno) -> StoreError {
    let first = keys.first().map_or("", Key::as_str);
    root.failed(first, "make durable", 0, errno)
}

/// Whether one call writes all that this file system holds back, and tells if it could not.
fn writes_whole(root: &Root) -> bool {
    fstatfs(root.handle()).is_ok_and(|found| WHOLE.contains(&found.f_type))
        && rustix::system::uname().release().to_str().is_ok_and(tells)
}

/// Whether the kernel of this release does.
fn tells(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    let (major, minor) = (numbers.next(), numbers.next());
    matches!((major, minor), (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= TELLS_FROM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_that_keep_errors_to_themselves_are_told_by_their_release() {
        for (release, expected) in [
            ("5.8.0", true),
            ("6.18.44-fc-v595", true),
            ("10.0", true),
            ("5.7.19-arch1", false),
            ("4.18.0-553.el8.x86_64", false),
            ("odd", false),
            ("", false),
        ] {
            assert_eq!(tells(release), expected, "{release}");
        }
    }

    #[test]
    fn what_was_written_and_what_was_deleted_is_found_by_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open_at(folder.path(), "root".to_owned()).unwrap();
        std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
        std::fs::write(folder.path().join("a/b/file"), "x").unwrap();
        assert_eq!(standing(&root, "a/b/file"), "a/b");
        assert_eq!(standing(&root, "a/gone/too/file"), "a");
        assert_eq!(standing(&root, "gone/file"), "");
        assert_eq!(standing(&root, "file"), "");
        let keys = |names: &[&str]| names.iter().map(|name| Key::new(*name).unwrap()).collect::<Vec<_>>();
        one_by_one(&root, &keys(&["a/b/file", "a/gone/too/file", "gone/file", "file"])).unwrap();
        one_by_one(&root, &[]).unwrap();
        let many: Vec<Key> = (0..100).map(|number| Key::new(format!("a/b/{number}")).unwrap()).collect();
        one_by_one(&root, &many).unwrap();
        all(&root, &many).unwrap();
    }
}
