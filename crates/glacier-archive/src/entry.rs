//! A file as a backup knows it.

use backup_core::digest::Sha256Digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A file: its name below the files folder, its content's size and digest, and what a restore gives it beside its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its path below the folder, with `/` between segments.
    pub name: String,
    /// Bytes of its content.
    pub bytes: u64,
    /// Digest of its content.
    pub sha256: Sha256Digest,
    /// Permissions: the lower twelve bits of `st_mode`.
    pub mode: u32,
    /// When it was last changed.
    pub modified: Timestamp,
}

#[cfg(test)]
impl Entry {
    pub(crate) fn example(name: &str, content: &[u8]) -> Self {
        let (bytes, sha256) = (content.len() as u64, Sha256Digest::of(content));
        Self { name: name.to_owned(), bytes, sha256, mode: 0o644, modified: Timestamp::UNIX_EPOCH }
    }
}
