//! Which configuration file is used, and whether it can be trusted.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

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
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let metadata = file.metadata().map_err(unreadable)?;
    let about = About { mode: metadata.mode(), uid: metadata.uid(), gid: metadata.gid() };
    // What is no file, such as /dev/null, belongs to the system.
    if metadata.is_file()
        && let Some(distrust) = about.fault(rustix::process::geteuid().as_raw())
    {
        return Err(SettingsError::Untrusted { path: path.to_owned(), distrust });
    }
    let mut text = String::new();
    file.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(SettingsError::TooLarge { path: path.to_owned(), bytes_max: BYTES_MAX });
    }
    Ok(Some(text))
}

/// What decides whether a file is trusted.
#[derive(Clone, Copy, Debug)]
struct About {
    mode: u32,
    uid: u32,
    gid: u32,
}

impl About {
    /// Why a file is not trusted by the user `me`. Unlike a password file it may be read by anybody: it holds no secrets.
    fn fault(self, me: u32) -> Option<Distrust> {
        if self.uid != me && self.uid != 0 {
            return Some(Distrust::Owner { uid: self.uid });
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
    fn a_file_others_can_change_is_not_trusted() {
        assert!(trusted(0o644, 1000, 1000, 1000) && trusted(0o600, 1000, 100, 1000));
        assert!(trusted(0o664, 1000, 1000, 1000), "a private group");
        assert!(!trusted(0o664, 1000, 100, 1000), "a group of several");
        assert!(!trusted(0o646, 1000, 1000, 1000), "everybody");
        assert!(trusted(0o644, 0, 0, 1000) && !trusted(0o644, 1001, 1001, 1000), "root's, and a stranger's");
        assert!(!trusted(0o644, 1000, 1000, 0), "root does not do what a user wrote");
    }
}
