//! What the errors of a file system mean.

use std::io;

use rustix::io::Errno;

use super::beneath::Root;
use crate::error::StoreError;
use crate::failure::Setting;
use crate::key::Key;
use crate::remedy;
use crate::store::StoreResult;

/// What an I/O error means. `bytes` is how many were to be written.
pub(super) fn failed(key: &str, action: &str, bytes: u64, error: io::Error) -> StoreError {
    use io::ErrorKind::{NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let (key, action) = (key.to_owned(), action.to_owned());
    match error.kind() {
        NotFound => StoreError::NotFound { key },
        StorageFull | QuotaExceeded => StoreError::NoSpace { key, bytes_needed: bytes, source: error.into() },
        PermissionDenied | ReadOnlyFilesystem => StoreError::PermissionDenied {
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
            _ => failed(path, action, bytes, error),
        }
    }

    /// What it means that an object cannot be looked up or read: what lies in the way of a key is no object.
    pub(super) fn absent(&self, key: &Key, action: &str, errno: Errno) -> StoreError {
        match errno {
            Errno::NOENT | Errno::NOTDIR => StoreError::not_found(key),
            // What cannot be opened for reading at all.
            Errno::NXIO => self.obstacle(key.as_str()),
            errno => self.failed(key.as_str(), action, 0, errno),
        }
    }
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
