//! What the kernel says of a process and its children (proc(5)): CPU time, peak memory, bytes written to disks.

use std::fs;

/// `USER_HZ`, the unit of times in `/proc`: 100 on every architecture Debian builds PostgreSQL for (proc(5), time(7)).
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time of one process, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct CpuTime {
    /// Its own, user and system.
    pub(crate) own_s: f64,
    /// That of descendants it has waited for.
    pub(crate) waited_s: f64,
}

/// CPU time of `pid`; none if it is gone.
pub(crate) fn cpu_time(pid: u32) -> Option<CpuTime> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// CPU time of every process this one has started and waited for, in seconds.
pub(crate) fn children_cpu_s() -> f64 {
    cpu_time(std::process::id()).unwrap_or_default().waited_s
}

/// CPU time of a living tree, gone children included, in seconds.
pub(crate) fn tree_cpu_s(root: u32) -> f64 {
    tree(root).into_iter().filter_map(cpu_time).map(|time| time.own_s + time.waited_s).sum()
}

/// Fields 14 to 17 of `/proc/PID/stat`; the second field is a name in parentheses and may hold anything.
fn parse_stat(stat: &str) -> Option<CpuTime> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut ticks = rest.split_ascii_whitespace().skip(11).map_while(|field| field.parse::<u64>().ok());
    let mut seconds = || ticks.next().map(|ticks| ticks as f64 / TICKS_PER_SECOND);
    let own_s = seconds()? + seconds()?;
    let waited_s = seconds()? + seconds()?;
    Some(CpuTime { own_s, waited_s })
}

/// `root` and its living descendants.
pub(crate) fn tree(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        next += 1;
        let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for thread in threads.flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            found.extend(children.split_ascii_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    found
}

/// The most memory `pid` has had in use, in bytes.
pub(crate) fn peak_memory_bytes(pid: u32) -> Option<u64> {
    field_kib(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmHWM:").map(|kib| kib * 1024)
}

fn field_kib(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Bytes `pid` has caused to be written to storage; files in memory do not count.
pub(crate) fn written_bytes(pid: u32) -> Option<u64> {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    io.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_behind_a_hostile_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 200 0 0 150 50 300 25 20 0 1 0 9 1 1";
        assert_eq!(parse_stat(stat), Some(CpuTime { own_s: 2.0, waited_s: 3.25 }));
        assert_eq!(parse_stat("7 (a"), None);
    }

    #[test]
    fn own_memory_and_tree_can_be_read() {
        let pid = std::process::id();
        assert!(peak_memory_bytes(pid).unwrap() > 100_000);
        assert!(tree(pid).contains(&pid));
        assert!(cpu_time(pid).is_some());
        assert_eq!(field_kib("VmPeak:\t 1 kB\nVmHWM:\t  42 kB\n", "VmHWM:"), Some(42));
    }
}
