//! What an inventory says: of itself, and of each archive.

use backup_core::digest::Sha256Digest;
use jiff::Timestamp;

use crate::error::GlacierError;

/// Longest line of an inventory in CSV, and longest entry of one in JSON: an id and a description of 1,024 characters, each of
/// them escaped, and some more.
pub(super) const LINE_BYTES_MAX: usize = 16 * 1024;

/// An archive, as an inventory lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedArchive {
    /// What the service calls it.
    pub id: String,
    /// What it was called when it was uploaded.
    pub description: String,
    /// When it was uploaded.
    pub created: Timestamp,
    /// Its bytes.
    pub bytes: u64,
    /// The root of its tree.
    pub tree_hash: Sha256Digest,
}

/// What an inventory says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The ARN of the vault; CSV does not tell it.
    pub vault: Option<String>,
    /// When it was made; CSV does not tell it.
    pub made: Option<Timestamp>,
    /// Archives in it.
    pub archives: u64,
}

/// The values of one archive, as they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) description: String,
    pub(super) created: String,
    pub(super) size: String,
    pub(super) tree_hash: String,
}

pub(super) fn damaged(why: impl ToString) -> GlacierError {
    GlacierError::damaged("inventory", why.to_string())
}
