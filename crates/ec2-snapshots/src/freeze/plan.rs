//! Decides what is frozen and in which order, or why nothing is.

use std::fmt;

use super::device::DeviceNumber;
use super::survey::{Located, Mount, Survey, is_below};

/// File systems that can be frozen and are on disks: those whose superblock has `freeze_fs` in Linux 6.x. Not overlay
/// and tmpfs, which have nothing on a volume, nor what other machines share.
const KINDS: [&str; 8] = ["ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "jfs", "nilfs2"];

/// A file system to freeze.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrozenMount {
    /// Where it is mounted.
    pub path: String,
    /// Which one it is; checked again before it is frozen.
    pub device: DeviceNumber,
    /// What was mounted: `/dev/nvme1n1`.
    pub source: String,
    /// `ext4`, `xfs`, …
    pub kind: String,
}

/// Why a mount point is not frozen. Nothing is, as soon as there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// There is nothing of that name.
    Missing {
        /// What was asked for.
        path: String,
    },
    /// A folder on a file system, or a part of one that is mounted elsewhere.
    NotAMountPoint {
        /// What was asked for.
        path: String,
        /// What would be frozen: where the file system is mounted, or its device.
        whole: String,
    },
    /// Systems need `/` to thaw.
    Root {
        /// What was asked for.
        path: String,
    },
    /// A file system that cannot be frozen or is on no volume.
    Kind {
        /// What was asked for.
        path: String,
        /// Its kind.
        kind: String,
    },
    /// It is swapped to.
    Swap {
        /// What was asked for.
        path: String,
        /// The file.
        file: String,
    },
    /// Something that must go on during the freeze is on it.
    Holds {
        /// What was asked for.
        path: String,
        /// The file or folder.
        file: String,
    },
    /// A name that cannot be written into a record.
    Name {
        /// What was asked for, readable.
        path: String,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { path } => write!(f, "`{path}` does not exist"),
            Self::NotAMountPoint { path, whole } => {
                write!(f, "`{path}` is not a mount point: freezing it would freeze `{whole}`")
            }
            Self::Root { path } if path == "/" => write!(f, "`/` cannot be frozen: what thaws it is on it"),
            Self::Root { path } => write!(f, "`{path}` is on `/`, which cannot be frozen: what thaws it is on it"),
            Self::Kind { path, kind } => write!(f, "`{path}` is {kind}, which cannot be frozen"),
            Self::Swap { path, file } => write!(f, "`{path}` holds the swap file `{file}`"),
            Self::Holds { path, file } => {
                write!(f, "`{path}` holds `{file}`, which is needed while it is frozen")
            }
            Self::Name { path } => write!(f, "`{path}` has a character that no record can hold"),
        }
    }
}

/// What to freeze, in order: what is mounted inside another, or lies in a file on it, before that one.
///
/// # Errors
/// Every reason against it.
pub fn plan(survey: &Survey) -> Result<Vec<FrozenMount>, Vec<Refusal>> {
    let mut mounts: Vec<FrozenMount> = Vec::new();
    let mut refusals = Vec::new();
    for asked in &survey.asked {
        match checked(survey, asked) {
            Ok(mount) if mounts.iter().any(|other| other.device == mount.device) => {}
            Ok(mount) => mounts.push(mount),
            Err(refusal) => refusals.push(refusal),
        }
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    Ok(in_order(survey, mounts))
}

fn checked(survey: &Survey, asked: &Located) -> Result<FrozenMount, Refusal> {
    let path = asked.path.clone();
    if path.chars().any(char::is_control) || path.ends_with(' ') {
        return Err(Refusal::Name { path: path.escape_debug().to_string() });
    }
    let Some(device) = asked.device else { return Err(Refusal::Missing { path }) };
    let Some(mount) = survey.mount_at(&path) else { return Err(not_a_mount_point(survey, path, device)) };
    if path == "/" {
        return Err(Refusal::Root { path });
    }
    if !KINDS.contains(&mount.kind.as_str()) {
        return Err(Refusal::Kind { path, kind: mount.kind.clone() });
    }
    if mount.root != "/" || survey.whole(mount.device).is_some_and(|first| first.path != path) {
        return Err(not_a_mount_point(survey, path, mount.device));
    }
    let on_it = |located: &&Located| located.device == Some(mount.device);
    if let Some(file) = survey.swap.iter().find(on_it) {
        return Err(Refusal::Swap { path, file: file.path.clone() });
    }
    if let Some(file) = survey.kept.iter().find(on_it) {
        return Err(Refusal::Holds { path, file: file.path.clone() });
    }
    let Mount { source, kind, .. } = mount.clone();
    Ok(FrozenMount { path, device: mount.device, source, kind })
}

fn not_a_mount_point(survey: &Survey, path: String, device: DeviceNumber) -> Refusal {
    let whole = survey.whole(device).or_else(|| survey.mount_of(&path));
    match whole {
        Some(whole) if whole.path == "/" => Refusal::Root { path },
        Some(whole) if whole.device != device || !KINDS.contains(&whole.kind.as_str()) => {
            let whole = survey.mount_of(&path).unwrap_or(whole);
            Refusal::Kind { kind: format!("on {}", whole.kind), path }
        }
        // A bind mount whose file system is mounted nowhere else.
        Some(whole) if whole.path == path => Refusal::NotAMountPoint { whole: whole.source.clone(), path },
        Some(whole) => Refusal::NotAMountPoint { whole: whole.path.clone(), path },
        None => Refusal::Missing { path },
    }
}

/// Deepest first. A file system in a file writes to the one below while it is being frozen: it comes before that one.
fn in_order(survey: &Survey, mounts: Vec<FrozenMount>) -> Vec<FrozenMount> {
    let must_wait = |mount: &FrozenMount, others: &[FrozenMount]| {
        others.iter().any(|other| {
            other.device != mount.device
                && (is_below(&other.path, &mount.path)
                    || survey.backing.get(&other.device).and_then(|file| file.device) == Some(mount.device))
        })
    };
    let mut left = mounts;
    let mut ordered = Vec::new();
    while !left.is_empty() {
        // A file system cannot lie inside itself; should the survey say so, any order is as good.
        let next = (0..left.len()).find(|at| !must_wait(&left[*at], &left)).unwrap_or(0);
        ordered.push(left.remove(next));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "\
lastgood mount 27 1 259:1 / / rw - ext4 /dev/nvme0n1p1
lastgood mount 30 27 0:20 / /run rw - tmpfs tmpfs
lastgood mount 40 27 259:5 / /data rw - xfs /dev/nvme1n1
lastgood mount 41 40 259:6 / /data/log rw - ext4 /dev/nvme2n1
lastgood mount 42 27 259:5 /shop /srv/shop rw - xfs /dev/nvme1n1
lastgood mount 43 27 259:5 / /srv/all rw - xfs /dev/nvme1n1
lastgood mount 44 27 259:7 / /swap rw - ext4 /dev/nvme3n1
lastgood mount 45 27 259:8 / /opt rw - ext4 /dev/nvme4n1
lastgood mount 46 27 0:50 / /merged rw - overlay overlay
lastgood mount 47 27 0:51 / /net rw - nfs4 filer:/home
lastgood mount 48 27 259:9 /part /bound rw - ext4 /dev/nvme5n1
lastgood mount 49 27 7:0 / /image rw - ext4 /dev/loop0
lastgood backing 7:0 66309 /data/image.ext4
lastgood swap 66311 /swap/file
lastgood kept 66312 /opt/lastgood
lastgood kept 66305 /
";

    fn planned(asked: &[(&str, u32, u32)]) -> Result<Vec<String>, Vec<String>> {
        let mut text = HOST.to_owned();
        for (path, major, minor) in asked {
            let number = DeviceNumber { major: *major, minor: *minor }.as_stat();
            text.push_str(&format!("lastgood asked {number} {path}\n"));
        }
        let planned = plan(&Survey::parse(&text));
        planned
            .map(|mounts| mounts.into_iter().map(|mount| mount.path).collect())
            .map_err(|refusals| refusals.iter().map(ToString::to_string).collect())
    }

    fn refused(path: &str, major: u32, minor: u32) -> String {
        planned(&[("/data", 259, 5), (path, major, minor)]).unwrap_err().join("; ")
    }

    #[test]
    fn a_sub_directory_and_a_bind_mount_name_what_would_be_frozen() {
        for path in ["/data/x", "/srv/shop", "/srv/shop/x", "/srv/all"] {
            assert_eq!(
                refused(path, 259, 5),
                format!("`{path}` is not a mount point: freezing it would freeze `/data`")
            );
        }
        assert_eq!(refused("/bound", 259, 9), "`/bound` is not a mount point: freezing it would freeze `/dev/nvme5n1`");
    }

    #[test]
    fn what_is_needed_or_cannot_be_frozen_is_refused_by_name() {
        assert_eq!(refused("/", 259, 1), "`/` cannot be frozen: what thaws it is on it");
        assert_eq!(refused("/var", 259, 1), "`/var` is on `/`, which cannot be frozen: what thaws it is on it");
        assert_eq!(refused("/swap", 259, 7), "`/swap` holds the swap file `/swap/file`");
        assert_eq!(refused("/opt", 259, 8), "`/opt` holds `/opt/lastgood`, which is needed while it is frozen");
        assert_eq!(refused("/run", 0, 20), "`/run` is tmpfs, which cannot be frozen");
        assert_eq!(refused("/merged", 0, 50), "`/merged` is overlay, which cannot be frozen");
        assert_eq!(refused("/net", 0, 51), "`/net` is nfs4, which cannot be frozen");
        assert_eq!(refused("/net/me", 0, 51), "`/net/me` is on nfs4, which cannot be frozen");
        assert_eq!(refused("/a\tb", 259, 5), "`/a\\tb` has a character that no record can hold");
    }

    #[test]
    fn what_is_inside_another_is_frozen_before_it_and_nothing_twice() {
        let asked = [("/data", 259, 5), ("/data/log", 259, 6), ("/image", 7, 0), ("/data", 259, 5)];
        assert_eq!(planned(&asked).unwrap(), ["/data/log", "/image", "/data"]);
    }
}
