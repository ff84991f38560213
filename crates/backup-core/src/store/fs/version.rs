//! By what a file is known again that was read before.

use jiff::{SignedDuration, Timestamp};
use rustix::fs::{FileType, Stat};

use super::beneath::{Root, kind_of};
use super::names::path_of;
use crate::key::Key;
use crate::store::Version;

/// How long ago a file must have changed. What is written twice within one step of the kernel's clock (10 ms at most, 2 s on
/// some file systems) has the same times.
const SETTLED: SignedDuration = SignedDuration::from_secs(3);

/// The version of the file of `key`, if there is one that was not changed only just before `now`.
pub(super) fn of(root: &Root, key: &Key, now: Timestamp) -> Option<Version> {
    let stat = root.stat(path_of(key).ok()?).ok()?;
    let is_file = kind_of(&stat) == FileType::RegularFile;
    (is_file && is_settled(&stat, now)).then(|| version(&stat))
}

/// Which file it is, how long, and when it was written and changed. Nobody but the kernel sets the last: whoever writes to the
/// file and sets its time of writing back changes it.
fn version(stat: &Stat) -> Version {
    Version(format!(
        "{:x}-{:x}-{:x}.{:x}-{:x}.{:x}",
        stat.st_ino, stat.st_size, stat.st_mtime, stat.st_mtime_nsec, stat.st_ctime, stat.st_ctime_nsec
    ))
}

/// A time that is still to come is no time to rely on.
fn is_settled(stat: &Stat, now: Timestamp) -> bool {
    let changed = Timestamp::new(stat.st_ctime, 0).unwrap_or(Timestamp::MAX);
    now.duration_since(changed) > SETTLED
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::time::{Duration, SystemTime};

    use super::*;

    fn later() -> Timestamp {
        Timestamp::now() + SignedDuration::from_secs(60)
    }

    #[test]
    fn whatever_is_done_to_a_file_changes_its_version() {
        let folder = tempfile::tempdir().unwrap();
        let (root, key) = (Root::open_at(folder.path(), "root".to_owned()).unwrap(), Key::new("a/file").unwrap());
        let path = folder.path().join("a/file");
        let look = || of(&root, &key, later());
        fs::create_dir(folder.path().join("a")).unwrap();
        assert_eq!(look(), None, "nothing is there");
        fs::write(&path, "one").unwrap();
        let times = fs::metadata(&path).unwrap().modified().unwrap();
        let first = look().unwrap();
        assert_eq!(look(), Some(first.clone()));

        // The same length, and the time of writing set back, as a forger would.
        std::thread::sleep(Duration::from_millis(20));
        fs::write(&path, "two").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(times).unwrap();
        let second = look().unwrap();
        assert_ne!(second, first);

        // Another file in its place, with the same bytes and time.
        fs::write(folder.path().join("other"), "two").unwrap();
        File::options().write(true).open(folder.path().join("other")).unwrap().set_modified(times).unwrap();
        fs::rename(folder.path().join("other"), &path).unwrap();
        assert_ne!(look().unwrap(), second);

        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("../other", &path).unwrap();
        assert_eq!(look(), None, "a link is no object");
    }

    #[test]
    fn what_is_too_young_or_of_the_future_is_not_relied_on() {
        let folder = tempfile::tempdir().unwrap();
        let (root, key) = (Root::open_at(folder.path(), "root".to_owned()).unwrap(), Key::new("file").unwrap());
        fs::write(folder.path().join("file"), "x").unwrap();
        let written = Timestamp::try_from(SystemTime::now()).unwrap();
        for (seconds, expected) in [(-3_600, false), (0, false), (2, false), (10, true)] {
            let now = written + SignedDuration::from_secs(seconds);
            assert_eq!(of(&root, &key, now).is_some(), expected, "{seconds} s after");
        }
    }
}
