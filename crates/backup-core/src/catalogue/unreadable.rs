//! Manifests that are there and cannot be read: of another user, in cold storage, on a disk that fails.
//!
//! What one of them says is unknown, and what stands beside it is not: only what depends on it waits.

use crate::document;
use crate::error::{FormatError, StoreError};
use crate::key::Key;

/// Added to the highest sequence known where that of a manifest is not: nobody has so many backups. One that becomes
/// readable again must not stand after what was made meanwhile.
pub const UNREADABLE_GAP: u64 = 1 << 20;

/// What it means that the manifest `key` could not be read, if that is about this one alone: its catalogue goes on without it.
///
/// # Errors
/// The error itself if it is about the store, or about this process: then nothing else can be read either.
pub fn unreadable(key: &Key, error: StoreError) -> Result<FormatError, StoreError> {
    let what = match &error {
        StoreError::PermissionDenied { action, source, .. } => format!("not allowed to {action} it ({source})"),
        StoreError::Archived { .. } => "it is in cold storage and was not retrieved".to_owned(),
        StoreError::Other { source, .. } if !is_of_this_process(&**source) => source.to_string(),
        _ => return Err(error),
    };
    Ok(FormatError::Unreadable { key: key.to_string(), what })
}

/// Of a manifest that is longer than any of ours.
pub(super) fn too_large(key: &Key, bytes_max: usize) -> FormatError {
    FormatError::Unreadable { key: key.to_string(), what: document::too_large(bytes_max) }
}

/// Whether this process has too little of something to read anything: of descriptors, or of memory.
fn is_of_this_process(cause: &(dyn std::error::Error + 'static)) -> bool {
    use rustix::io::Errno;
    let errno = cause.downcast_ref::<std::io::Error>().and_then(Errno::from_io_error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM))
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;
    use crate::failure::Remedy;

    fn io(errno: Errno) -> StoreError {
        let source = std::io::Error::from(errno).into();
        StoreError::Other { key: "k".to_owned(), action: "read".to_owned(), source }
    }

    #[test]
    fn what_is_about_one_object_is_told_from_what_is_about_all() {
        let key = Key::new("k").unwrap();
        let denied = StoreError::PermissionDenied {
            key: "k".to_owned(),
            action: "read".to_owned(),
            help: Remedy::from("x"),
            source: std::io::Error::from(Errno::ACCESS).into(),
        };
        for one in [denied, io(Errno::IO), StoreError::Archived { key: "k".to_owned() }] {
            assert!(unreadable(&key, one).unwrap().is_unreadable());
        }
        let source = || "x".into();
        for all in [
            io(Errno::MFILE),
            io(Errno::NOMEM),
            StoreError::Unauthenticated { source: source() },
            StoreError::Unreachable { key: "k".to_owned(), action: "get".to_owned(), source: source() },
        ] {
            unreadable(&key, all).unwrap_err();
        }
    }
}
