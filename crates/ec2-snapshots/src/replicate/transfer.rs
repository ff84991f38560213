//! Replicas by copying from instance to instance, as django-fabfile makes them: `rsync_snapshot` and `rsync_region`.
//!
//! A volume of the snapshot is attached in its region and another one in the destination; what is on the one is copied to
//! the other by [`crate::sync`], and a snapshot of that is the replica. Instances are given, or started and ended for it.
//!
//! The volume that becomes the replica is also the claim on it: of several runs the one whose volume is the oldest goes on.
//! Who takes a run for dead deletes that volume, so that a run that wakes up has nothing to make a snapshot of.

mod claim;
mod disk;
mod finish;
mod host;
mod job;
mod mounted;
mod options;
mod plan;
mod run;
mod session;
mod wait;

pub use options::{Access, Ending, IMAGE_DEFAULT, Mode, TYPE_DEFAULT, TransferOptions};
pub use plan::{Job, Target, TransferPlan, plan};
pub use run::transfer;
