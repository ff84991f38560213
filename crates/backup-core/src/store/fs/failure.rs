//! What the errors of a file system mean.

use std::io;

use rustix::fs::fstatvfs;
use rustix::io::Errno;

use super::beneath::Root;
use crate::error::StoreError;
use crate::failure::{Operation, Setting};
use crate::key::Key;
use crate::remedy;
use crate::store::StoreResult;

/// What an I/O error means. `bytes` is how many were to be written.
pub(super) fn failed(key: &str, action: &str, bytes: u64, error: io::Error) -> StoreError {
    use io::ErrorKind::{NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    const READ_ONLY: &str = "its file system is mounted for reading only: what is there can be listed, verified and restored. To write, mount \
                             it for writing, or choose another location with ";
    let (key, action) = (key.to_owned(), action.to_owned());
    match error.kind() {
        NotFound => StoreError::NotFound { key },
        StorageFull | QuotaExceeded => StoreError::NoSpace { key, bytes_needed: bytes, source: error.into() },
        ReadOnlyFilesystem => StoreError::PermissionDenied {
            help: remedy![READ_ONLY, Setting::Location],
            key,
            action,
            source: error.into(),
        },
        PermissionDenied => StoreError::PermissionDenied {
            help: remedy![
                format!("allow the user that runs this program to {action} there, or choose another location with "),
                Setting::Location
            ],
            key,
            action,
            source: error.into(),
        },
        _ => StoreError::Other { key, action, source: error.into() },
    }
}

impl Root {
    /// What an error of reaching `path` means.
    pub(super) fn failed(&self, path: &str, action: &str, bytes: u64, error: impl Into<io::Error>) -> StoreError {
        let error = error.into();
        match Errno::from_io_error(&error) {
            Some(Errno::LOOP) => self.obstacle(path),
            Some(Errno::NOSPC) if bytes == 0 && self.has_no_inodes() => {
                StoreError::NoInodes { key: path.to_owned(), source: error.into() }
            }
            Some(Errno::NOENT) if self.is_gone() => StoreError::NoLocation {
                location: self.shown.clone(),
                missing: format!("folder `{}` any more: it was removed while this run used it", self.shown),
                help: remedy!["nothing was published. Create it again with ", Operation::Init],
            },
            Some(Errno::ACCESS | Errno::PERM) => StoreError::PermissionDenied {
                key: path.to_owned(),
                action: action.to_owned(),
                help: remedy![
                    format!(
                        "it is in `{}`, and this program runs as {}: allow that user to {action} there, or choose another location with ",
                        self.shown,
                        user()
                    ),
                    Setting::Location
                ],
                source: error.into(),
            },
            _ => failed(path, action, bytes, error),
        }
    }

    /// Whether the file system has no room for another file. Some have no such limit and say that they have none at all.
    fn has_no_inodes(&self) -> bool {
        fstatvfs(self.handle()).is_ok_and(|found| found.f_files > 0 && found.f_ffree == 0)
    }

    /// What it means that an object cannot be looked up or read: what lies in the way of a key is no object.
    pub(super) fn absent(&self, key: &Key, action: &str, errno: Errno) -> StoreError {
        match errno {
            Errno::NOENT | Errno::NOTDIR => StoreError::not_found(key),
            // What cannot be opened for reading at all.
            Errno::NXIO => self.obstacle(key.as_str()),
            Errno::ACCESS => {
                self.remember_closed(key.as_str());
                self.failed(key.as_str(), action, 0, errno)
            }
            errno => self.failed(key.as_str(), action, 0, errno),
        }
    }
}

/// Who this program runs as, for messages: by name where the machine's own list has one.
fn user() -> String {
    let uid = rustix::process::geteuid().as_raw();
    match name_of(&std::fs::read_to_string("/etc/passwd").unwrap_or_default(), uid) {
        Some(name) => format!("`{name}` (uid {uid})"),
        None => format!("uid {uid}"),
    }
}

/// The name of a user in a text like `/etc/passwd` (passwd(5)).
fn name_of(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

/// Runs `work` where it may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> StoreResult<T> + Send + 'static,
) -> StoreResult<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(StoreError::Other {
                key: String::new(),
                action: "run a file operation".to_owned(),
                source: error.into(),
            }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure as _;

    #[test]
    fn users_are_named_as_the_machine_names_them() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nodd\nbackup:x:34:34:backup:/var/backups:/bin/sh\n";
        assert_eq!(
            (name_of(passwd, 34), name_of(passwd, 0), name_of(passwd, 35)),
            (Some("backup"), Some("root"), None)
        );
    }

    #[test]
    fn a_refusal_names_folder_and_user_and_a_file_system_for_reading_is_told_as_one() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open_at(folder.path(), "/srv/backups".to_owned()).unwrap();
        let help = |errno: Errno| {
            let error = root.failed("lastgood.json", "read", 0, errno);
            assert!(matches!(error, StoreError::PermissionDenied { .. }), "{error:?}");
            format!("{:?}", error.remedy())
        };
        let denied = help(Errno::ACCESS);
        assert!(denied.contains("/srv/backups") && denied.contains("runs as"), "{denied}");
        let read_only = help(Errno::ROFS);
        assert!(read_only.contains("mounted for reading only") && !read_only.contains("allow the user"), "{read_only}");
    }
}
