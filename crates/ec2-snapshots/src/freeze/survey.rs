//! What a host is: its mounts, its disks, and where things lie that must not be frozen.

use std::collections::BTreeMap;

use super::device::DeviceNumber;

/// One mount of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The file system.
    pub device: DeviceNumber,
    /// Which part of the file system is shown: `/` unless it is a bind mount or a subvolume.
    pub root: String,
    /// Where it is shown.
    pub path: String,
    /// `ext4`, `xfs`, …
    pub kind: String,
    /// What was mounted: `/dev/nvme1n1`.
    pub source: String,
}

/// A path and the file system it is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The path without symbolic links.
    pub path: String,
    /// The file system; none if there is no such file.
    pub device: Option<DeviceNumber>,
}

/// A disk below a file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// As the kernel calls it: `nvme1n1`, `xvdf`.
    pub name: String,
    /// Its serial number: on Nitro the id of the volume without its hyphen.
    pub serial: Option<String>,
}

/// Whether a file system is on one of some volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lies {
    /// Some of it is.
    There,
    /// Its disks are other volumes.
    Elsewhere,
    /// Its disks do not say which volumes they are, and none has the name of one.
    Unclear,
    /// There are no disks below it.
    Nowhere,
}

/// What the survey of a host found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Whether the programs run as root.
    pub is_root: bool,
    /// The mounts, in the order they were made.
    pub mounts: Vec<Mount>,
    /// What was asked for.
    pub asked: Vec<Located>,
    /// What must not be frozen.
    pub kept: Vec<Located>,
    /// Files that are swapped to.
    pub swap: Vec<Located>,
    /// The disks below each device.
    pub disks: BTreeMap<DeviceNumber, Vec<Disk>>,
    /// File systems on a loop device, with the file behind it.
    pub backing: BTreeMap<DeviceNumber, Located>,
    /// Whether the answer came to its end.
    pub is_whole: bool,
}

impl Survey {
    /// Reads what the survey printed; lines of login messages are passed over.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut survey = Self::default();
        for line in text.lines() {
            let Some(line) = line.strip_prefix("lastgood ") else { continue };
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            survey.take(word, rest);
        }
        survey
    }

    fn take(&mut self, word: &str, rest: &str) {
        match word {
            "user" => self.is_root = rest == "0",
            "asked" => self.asked.extend(located(rest)),
            "kept" => self.kept.extend(located(rest)),
            "swap" => self.swap.extend(located(rest)),
            "mount" => self.mounts.extend(mount(rest)),
            "disk" => {
                let mut words = rest.splitn(3, ' ');
                let (Some(Ok(device)), Some(name)) = (words.next().map(str::parse), words.next()) else { return };
                let serial = words.next().map(str::trim).filter(|serial| *serial != "-").map(str::to_owned);
                self.disks.entry(device).or_default().push(Disk { name: name.to_owned(), serial });
            }
            "backing" => {
                let Some((device, file)) = rest.split_once(' ') else { return };
                if let (Ok(device), Some(file)) = (device.parse(), located(file)) {
                    self.backing.insert(device, file);
                }
            }
            "done" => self.is_whole = true,
            _ => {}
        }
    }

    /// What is mounted at `path`, and not what it hides.
    #[must_use]
    pub fn mount_at(&self, path: &str) -> Option<&Mount> {
        self.mounts.iter().rev().find(|mount| mount.path == path)
    }

    /// The mount that `path`, which has no symbolic links, lies on.
    #[must_use]
    pub fn mount_of(&self, path: &str) -> Option<&Mount> {
        let holds = |mount: &&Mount| path == mount.path || is_below(path, &mount.path);
        // Of those at the same place the last one is seen.
        self.mounts.iter().filter(holds).max_by_key(|mount| mount.path.len())
    }

    /// The first mount that shows all of the file system `device`.
    #[must_use]
    pub fn whole(&self, device: DeviceNumber) -> Option<&Mount> {
        self.mounts.iter().find(|mount| mount.device == device && mount.root == "/")
    }

    /// The disk that is the volume `id`.
    #[must_use]
    pub fn disk_of_volume(&self, id: &str) -> Option<&Disk> {
        self.disks.values().flatten().find(|disk| is_volume(disk, id, ""))
    }

    /// Whether what is mounted at `path` is on a volume of `volumes`, given as id and device name of each.
    pub(super) fn lies(&self, path: &str, volumes: &[(String, String)]) -> Lies {
        let disks = self.mount_of(path).and_then(|mount| self.disks.get(&mount.device));
        let Some(disks) = disks.filter(|disks| !disks.is_empty()) else { return Lies::Nowhere };
        if disks.iter().any(|disk| volumes.iter().any(|(id, name)| is_volume(disk, id, name))) {
            return Lies::There;
        }
        let names_itself = |disk: &Disk| disk.serial.as_deref().is_some_and(|serial| serial.starts_with("vol"));
        if disks.iter().all(names_itself) { Lies::Elsewhere } else { Lies::Unclear }
    }

    /// The file systems that have something on a volume of `volumes`, given as id and device name of each.
    #[must_use]
    pub fn mounts_of_volumes(&self, volumes: &[(String, String)]) -> Vec<String> {
        let is_one = |disk: &Disk| volumes.iter().any(|(id, name)| is_volume(disk, id, name));
        let on_one = |mount: &&Mount| self.disks.get(&mount.device).is_some_and(|disks| disks.iter().any(is_one));
        let mut paths: Vec<String> = self
            .mounts
            .iter()
            .filter(|mount| mount.root == "/")
            .filter(on_one)
            .map(|mount| mount.path.clone())
            .collect();
        let mut seen = Vec::new();
        paths.retain(|path| match self.mount_at(path).map(|mount| mount.device) {
            Some(device) if !seen.contains(&device) => {
                seen.push(device);
                true
            }
            _ => false,
        });
        paths
    }
}

/// Whether a disk is the volume `id`, attached as `name`: by serial number, or by name where disks have none.
fn is_volume(disk: &Disk, id: &str, name: &str) -> bool {
    if let Some(serial) = disk.serial.as_deref().filter(|serial| serial.starts_with("vol")) {
        return serial.replace('-', "") == id.replace('-', "");
    }
    // Xen shows `/dev/sdf` as `xvdf`.
    let name = name.trim_start_matches("/dev/");
    let letters = |name: &str| name.trim_start_matches("xvd").trim_start_matches("sd").to_owned();
    !name.is_empty() && letters(name) == letters(&disk.name)
}

pub(super) fn is_below(path: &str, folder: &str) -> bool {
    folder == "/" || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

fn located(text: &str) -> Option<Located> {
    let (device, path) = text.split_once(' ')?;
    Some(Located { path: path.to_owned(), device: device.parse().ok().map(DeviceNumber::of_stat) })
}

/// A line of `/proc/self/mountinfo`, without the options after the source.
fn mount(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let fields: Vec<&str> = before.split(' ').collect();
    let (kind, source) = after.split_once(' ')?;
    Some(Mount {
        device: fields.get(2)?.parse().ok()?,
        root: unescaped(fields.get(3)?),
        path: unescaped(fields.get(4)?),
        kind: kind.to_owned(),
        source: source.to_owned(),
    })
}

/// Space, tab, newline and backslash are written as three octal digits.
fn unescaped(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.as_bytes();
    while let Some((&first, rest)) = bytes.split_first() {
        let octal = rest.get(..3).filter(|_| first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(byte) = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            out.push(byte);
            bytes = &rest[3..];
        } else {
            out.push(first);
            bytes = rest;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_with_spaces_are_read() {
        let text = "Welcome!\nlastgood user 0\n\
                    lastgood mount 42 27 259:5 / /data/my\\040files rw,relatime shared:1 - xfs /dev/nvme1n1\n\
                    lastgood disk 259:5 nvme1n1 vol0123456789abcdef0   \nlastgood asked 66309 /data/my files\nlastgood done 0\n";
        let survey = Survey::parse(text);
        assert!(survey.is_root && survey.is_whole);
        let mount = survey.mount_at("/data/my files").unwrap();
        assert_eq!((mount.kind.as_str(), mount.source.as_str(), mount.root.as_str()), ("xfs", "/dev/nvme1n1", "/"));
        assert_eq!(survey.asked[0].device, Some(mount.device));
        assert_eq!(survey.mount_of("/data/my files/a/b"), Some(mount));
        let volumes = [("vol-0123456789abcdef0".to_owned(), "/dev/sdf".to_owned())];
        assert_eq!(survey.mounts_of_volumes(&volumes), ["/data/my files"]);
        assert!(survey.mounts_of_volumes(&[("vol-1".to_owned(), "/dev/nvme1n1".to_owned())]).is_empty());
    }

    #[test]
    fn it_is_seen_whether_a_mount_point_is_on_a_volume() {
        let text = "lastgood mount 1 0 259:5 / /data rw - xfs /dev/nvme1n1\nlastgood disk 259:5 nvme1n1 vol0aa\n\
                    lastgood mount 2 0 7:3 / /other rw - xfs /dev/loop3\nlastgood disk 7:3 loop3 -\n\
                    lastgood mount 3 0 0:9 / /ram rw - tmpfs tmpfs\nlastgood done 0\n";
        let survey = Survey::parse(text);
        let lies = |path: &str, id: &str, name: &str| survey.lies(path, &[(id.to_owned(), name.to_owned())]);
        assert_eq!(lies("/data", "vol-0aa", "/dev/sdf"), Lies::There);
        assert_eq!(lies("/data", "vol-0bb", "/dev/nvme1n1"), Lies::Elsewhere);
        assert_eq!(lies("/other", "vol-0aa", "/dev/loop3"), Lies::There);
        assert_eq!(lies("/other", "vol-0aa", "/dev/sdf"), Lies::Unclear);
        assert_eq!(lies("/ram", "vol-0aa", "/dev/sdf"), Lies::Nowhere);
    }

    #[test]
    fn disks_without_a_volume_id_are_known_by_their_name() {
        let disk = |name: &str| Disk { name: name.to_owned(), serial: None };
        assert!(is_volume(&disk("xvdf"), "vol-1", "/dev/sdf") && is_volume(&disk("xvdf"), "vol-1", "/dev/xvdf"));
        assert!(!is_volume(&disk("xvdg"), "vol-1", "/dev/sdf") && !is_volume(&disk("vda"), "vol-1", ""));
    }
}
