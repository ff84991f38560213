//! Deletes backups that retention does not keep, and leftovers of interrupted runs, while others read and write.
//!
//! # Deleting a backup
//! 1. Write a tombstone beside the manifest, which lists what will be deleted.
//! 2. Look at the location again: whatever was published or [`reserve()`]d since the plan was made keeps what it refers
//!    to.
//! 3. Delete what it owns outside the location, by a [`Remover`], and then the manifest, dependents first. From the first
//!    of these on the backup does not exist: the tombstone says so before anything external is deleted.
//! 4. Delete its parts, and the tombstone last. After a failure or interruption, the next run finds the tombstone and
//!    continues.
//!
//! A writer whose backup builds on another first reserves that one ([`reserve()`]) and then looks for its tombstone, and
//! does without it if there is one. Both the writer and the prune write before they look, so at least one of them sees the
//! other. Once the backup is published its manifest says the same, and the writer takes the reservation back
//! ([`release()`]).
//!
//! # Deleting leftovers
//! Objects without a manifest are deleted only after a grace period, and after a claim was created in the place of the
//! manifest: either the claim or the manifest can be created, never both. The claim stays for another grace period, so
//! that a slow writer cannot publish a backup whose parts are gone.
//!
//! Backups may run beside a prune, and so may other prunes: what is gone already counts as deleted.
//!
//! # Without room
//! A full disk has no room for a tombstone, nor for a claim. One backup then goes manifest first, which makes some.
//!
//! # What cannot be read
//! A manifest that is there and cannot be read may refer to anything beside it: nothing of its source is deleted
//! ([`hold_back()`]), and other sources are pruned as ever.

mod apply;
mod claim;
mod deletion;
mod external;
mod incomplete;
mod names;
mod parts;
mod plan;
mod prepared;
mod references;
mod reserve;
mod room;
mod tombstone;
mod unreadable;

use std::sync::Arc;

pub use apply::apply;
pub use external::Remover;
pub use incomplete::{Abandoned, GRACE, IncompletePlan, clear, folder_layout, incomplete};
pub use names::{TOMBSTONE_NAME, USES_NAME};
pub(crate) use names::{claimed_by, is_claim, is_removing, is_tombstone, is_uses, tombstone_key};
pub use plan::{PrunePlan, Removal, candidates};
pub use prepared::{Prune, PruneDecisions, PruneReport};
pub use reserve::{release, reserve};
pub use unreadable::{HeldBack, hold_back};

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
    /// Resources outside the location removed.
    pub external: u64,
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
