//! Whether other users of the machine can read a folder of backups.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::probe::MARKER_KEY;

/// Permission bits of a file mode; the rest is its type.
const PERMISSIONS: u32 = 0o7777;

/// What group and others may do.
const NOT_OWNER: u32 = 0o077;

/// A folder whose permissions let more users than its owner in. Shown as a warning; it stops nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// The folder.
    pub path: PathBuf,
    /// Its permissions.
    pub mode: u32,
}

impl Exposure {
    /// That of a location. What is none, such as `/` or `/dev/null` by a slip, may be open for a reason, and must not be
    /// closed by whoever follows a remedy.
    pub(super) fn of(path: &Path) -> Option<Self> {
        path.join(MARKER_KEY).symlink_metadata().ok()?;
        let mode = std::fs::metadata(path).ok()?.permissions().mode() & PERMISSIONS;
        (mode & NOT_OWNER != 0).then(|| Self { path: path.to_owned(), mode })
    }

    /// The command that closes it.
    #[must_use]
    pub fn remedy(&self) -> String {
        format!("chmod 700 {}", shell_word(&self.path.to_string_lossy()))
    }
}

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, mode } = self;
        write!(f, "`{}` is open to other users (mode {mode:04o}): run `{}`", path.display(), self.remedy())
    }
}

/// `text` as one word of a command that can be pasted into a shell.
#[must_use]
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        return text.to_owned();
    }
    let dashed = if text.starts_with('-') { format!("./{text}") } else { text.to_owned() };
    format!("'{}'", dashed.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};

    use super::*;

    #[test]
    fn c18_a_folder_others_can_read_is_reported_with_the_chmod_to_run() {
        let folder = tempfile::tempdir().unwrap();
        set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        assert_eq!(Exposure::of(folder.path()), None, "no location");
        std::fs::write(folder.path().join(MARKER_KEY), "{}").unwrap();
        let exposure = Exposure::of(folder.path()).unwrap();
        assert_eq!(exposure.mode, 0o755);
        assert!(exposure.to_string().contains(&format!("chmod 700 {}", folder.path().display())));

        set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
        assert_eq!(Exposure::of(folder.path()), None);
    }

    #[test]
    fn the_remedy_can_be_pasted_into_a_shell() {
        assert_eq!(shell_word("/srv/backups"), "/srv/backups");
        assert_eq!(shell_word("s3://acme-backups/prod"), "s3://acme-backups/prod");
        assert_eq!(shell_word("/srv/it's mine"), r"'/srv/it'\''s mine'");
        assert_eq!(shell_word("-rf"), "'./-rf'");
    }
}
