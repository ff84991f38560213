//! Which configuration file is used, and whether it can be trusted.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::settings::error::{Distrust, SettingsError, SettingsResult};

/// The file of a project, in the working directory.
const BESIDE: &str = "./lastgood.toml";

/// The file of a user, below the folder for such files.
const OF_THE_USER: &str = "lastgood/config.toml";

/// Longest file read, in bytes: a thousand configurations.
const BYTES_MAX: u64 = 1024 * 1024;

/// Permission bits by which the group and others may write.
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;

/// The files that are looked for when none is named, the first one that is there counts. `variable` is the environment.
pub(super) fn candidates(variable: impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let mut candidates = vec![PathBuf::from(BESIDE)];
    // As the XDG base directory specification says: a relative folder is to be ignored.
    let folder = variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let folder = folder.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".config")));
    candidates.extend(folder.map(|folder| folder.join(OF_THE_USER)));
    candidates
}

/// The text of the file; none if there is no such file.
///
/// # Errors
/// [`SettingsError`] for a file that cannot be read, and for one that others can write: it names programs that are run.
pub(super) fn read(path: &Path) -> SettingsResult<Option<String>> {
    let unreadable = |source: std::io::Error| SettingsError::Unreadable { path: path.to_owned(), source };
    // A FIFO that somebody made where a file is looked for must not be waited for.
    let opened = File::options().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let metadata = file.metadata().map_err(unreadable)?;
    let link = path.symlink_metadata().map_err(unreadable)?;
    if let Some(distrust) = distrust(&metadata, &link, rustix::process::geteuid().as_raw()) {
        return Err(SettingsError::Untrusted { path: path.to_owned(), distrust });
    }
    // Whoever hands a FIFO over, as a shell does for `<(…)`, may not have written to it yet.
    let file = match metadata.file_type().is_fifo() {
        true => File::open(format!("/proc/self/fd/{}", file.as_raw_fd())).map_err(unreadable)?,
        false => file,
    };
    let mut text = String::new();
    file.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(SettingsError::TooLarge { path: path.to_owned(), bytes_max: BYTES_MAX });
    }
    Ok(Some(text))
}

/// Why the user `me` does not trust what is there, which may be reached by a link: whoever made that chose the file, and the folder
/// that its relative paths start at.
fn distrust(found: &Metadata, link: &Metadata, me: u32) -> Option<Distrust> {
    let about = |found: &Metadata| About { mode: found.mode(), uid: found.uid(), gid: found.gid() };
    // Devices such as /dev/null are made by nobody but the system, whoever they belong to in a container. Of a link nobody asks
    // for the mode.
    let fault = if found.file_type().is_char_device() { None } else { about(found).fault(me) };
    fault.or_else(|| about(link).stranger(me).filter(|_| link.is_symlink()))
}

/// What decides whether a file is trusted.
#[derive(Clone, Copy, Debug)]
struct About {
    mode: u32,
    uid: u32,
    gid: u32,
}

impl About {
    /// That it is another user's.
    fn stranger(self, me: u32) -> Option<Distrust> {
        (self.uid != me && self.uid != 0).then_some(Distrust::Owner { uid: self.uid })
    }

    /// Why a file is not trusted by the user `me`. Unlike a password file it may be read by anybody: it holds no secrets.
    fn fault(self, me: u32) -> Option<Distrust> {
        if let Some(stranger) = self.stranger(me) {
            return Some(stranger);
        }
        // A group of the same number has only its user in it, and files are made with its permission to write.
        let private_group = self.gid == self.uid;
        let writable = self.mode & OTHERS_WRITE != 0 || (self.mode & GROUP_WRITES != 0 && !private_group);
        writable.then_some(Distrust::Mode { mode: self.mode & 0o7777 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted(mode: u32, uid: u32, gid: u32, me: u32) -> bool {
        About { mode, uid, gid }.fault(me).is_none()
    }

    #[test]
    fn fifos_are_judged_as_files_are_and_never_waited_for_before() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lastgood.toml");
        mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o622), 0).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o622)).unwrap();
        let refused = read(&path).unwrap_err();
        assert!(matches!(refused, SettingsError::Untrusted { distrust: Distrust::Mode { .. }, .. }), "{refused}");
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let writing = std::thread::spawn(move || std::fs::write(path, "[pg]\n"));
        assert_eq!(read(&folder.path().join("lastgood.toml")).unwrap().as_deref(), Some("[pg]\n"));
        writing.join().unwrap().unwrap();
        assert_eq!(read(Path::new("/dev/null")).unwrap().as_deref(), Some(""));
    }

    #[test]
    fn a_link_of_a_stranger_is_not_trusted_whatever_it_leads_to() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("mine.toml"), folder.path().join("lastgood.toml"));
        std::fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let (found, link) = (file.metadata().unwrap(), link.symlink_metadata().unwrap());
        let me = found.uid();
        assert_eq!(distrust(&found, &link, me), None);
        // To anybody else but root both are a stranger's.
        assert_eq!(distrust(&found, &link, me + 1).is_some(), me != 0);
    }

    #[test]
    fn a_file_others_can_change_is_not_trusted() {
        assert!(trusted(0o644, 1000, 1000, 1000) && trusted(0o600, 1000, 100, 1000));
        assert!(trusted(0o664, 1000, 1000, 1000), "a private group");
        assert!(!trusted(0o664, 1000, 100, 1000), "a group of several");
        assert!(!trusted(0o646, 1000, 1000, 1000), "everybody");
        assert!(trusted(0o644, 0, 0, 1000) && !trusted(0o644, 1001, 1001, 1000), "root's, and a stranger's");
        assert!(!trusted(0o644, 1000, 1000, 0), "root does not do what a user wrote");
    }
}
