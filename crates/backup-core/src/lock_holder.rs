//! Who holds a lock on a file (flock(2)), for people: whoever waits wants to know for whom.

use std::fs::File;

use rustix::fs::{fstat, major, minor};

/// Who holds the lock on a file that could not be had, as far as this machine knows: on a network's file system it may be another
/// machine's process.
#[must_use]
pub fn holder(file: &File) -> String {
    let known = || {
        let stat = fstat(file).ok()?;
        let locks = std::fs::read_to_string("/proc/locks").ok()?;
        holder_in(&locks, (major(stat.st_dev), minor(stat.st_dev)), stat.st_ino)
    };
    match known() {
        Some(pid) => match std::fs::read_to_string(format!("/proc/{pid}/comm")) {
            Ok(name) => format!("process {pid} (`{}`)", name.trim_end()),
            Err(_) => format!("process {pid}"),
        },
        None => "another process, perhaps on another machine,".to_owned(),
    }
}

/// The process that `/proc/locks` (proc_locks(5)) names for a file: `1: FLOCK ADVISORY WRITE 4711 fd:01:2236 0 EOF`. Some
/// file systems give their files another device than their locks: the number of the file is enough where it is the only one.
fn holder_in(locks: &str, (major, minor): (u32, u32), inode: u64) -> Option<u32> {
    let mut candidates = Vec::new();
    for line in locks.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        // One that waits has an arrow in the second place.
        let [_, "FLOCK", _, _, pid, file, ..] = words.as_slice() else { continue };
        let mut numbers = file.rsplitn(2, ':');
        let (Some(number), Some(device)) = (numbers.next(), numbers.next()) else { continue };
        // Of a process of another container the number is 0.
        let Some(pid) = pid.parse::<u32>().ok().filter(|pid| *pid > 0) else { continue };
        if number.parse() == Ok(inode) {
            if device == format!("{major:02x}:{minor:02x}") {
                return Some(pid);
            }
            candidates.push(pid);
        }
    }
    match candidates.as_slice() {
        [only] => Some(*only),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCKS: &str = "1: POSIX  ADVISORY  WRITE 11 fd:01:77 0 EOF\n2: FLOCK  ADVISORY  WRITE 4711 fd:01:77 0 EOF\n\
                         2: -> FLOCK  ADVISORY  WRITE 13 fd:01:77 0 EOF\n3: FLOCK  ADVISORY  WRITE 0 fd:01:78 0 EOF\n\
                         4: FLOCK  ADVISORY  READ 15 00:2a:79 0 EOF\n";

    #[test]
    fn the_holder_is_who_has_the_lock_and_not_who_waits() {
        assert_eq!(holder_in(LOCKS, (0xfd, 1), 77), Some(4711));
        assert_eq!(holder_in(LOCKS, (0xfd, 1), 78), None, "of another container");
        assert_eq!(holder_in(LOCKS, (0, 0x2b), 79), Some(15), "of another device than its file");
        assert_eq!(holder_in(LOCKS, (0xfd, 1), 80), None);
    }
}
