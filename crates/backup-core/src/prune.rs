//! Deletes backups that retention does not keep, and leftovers of interrupted runs, while others read and write.
//!
//! # Removing a backup
//! 1. A tombstone beside the manifest says what is about to go.
//! 2. The location is looked at again: whatever was published, or [`reserve()`]d, since the plan was made keeps what it
//!    refers to.
//! 3. The manifest goes, dependents before what they need. From here on there is no such backup.
//! 4. Its parts go, and the tombstone last. Whatever fails or is interrupted, the next run finds the tombstone and goes on.
//!
//! A writer that wants to refer to parts of another backup says so first ([`reserve()`]) and then looks for tombstones.
//! Writer and remover each write before they look, so at least one of them sees the other.
//!
//! # Removing what has no manifest
//! Only what was left alone for longer than a grace period, and only after a claim was created in the manifest's place:
//! of claim and manifest exactly one comes into being. The claim stays for another grace period, so that a writer that
//! slept cannot publish a backup whose parts are gone.
//!
//! Run one prune at a time; backups may run beside it.

mod apply;
mod deletion;
mod incomplete;
mod names;
mod plan;
mod references;
mod reserve;

use std::sync::Arc;

pub use apply::apply;
pub use incomplete::{Abandoned, GRACE, IncompletePlan, clear, folder_layout, incomplete};
pub use names::{TOMBSTONE_NAME, USES_NAME};
pub(crate) use names::{claimed_by, is_claim, is_tombstone, is_uses};
pub use plan::{PrunePlan, Removal, candidates};
pub use reserve::reserve;

use crate::error::StoreError;
use crate::key::Key;

/// What a prune did.
#[derive(Debug, Default)]
pub struct PruneOutcome {
    /// Manifests of the backups that are gone, those of earlier, interrupted runs included.
    pub removed: Vec<Key>,
    /// Manifests of backups that stay although planned to go: something published meanwhile needs them, or something
    /// that needs them could not be removed.
    pub kept_back: Vec<Key>,
    /// Objects deleted.
    pub objects: u64,
    /// Unfinished uploads given up.
    pub uploads: u64,
    /// Bytes freed, as planned; without those of [`PruneOutcome::failures`].
    pub freed_bytes: u64,
    /// What could not be deleted. Running the same again goes on with it.
    pub failures: Vec<Failure>,
}

/// An object that could not be deleted, or a step that failed for it.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The object.
    pub key: Key,
    /// Why; one error may have hit many objects.
    pub error: Arc<StoreError>,
}

impl PruneOutcome {
    /// Whether nothing is left to do.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty()
    }
}

#[cfg(test)]
mod tests;
