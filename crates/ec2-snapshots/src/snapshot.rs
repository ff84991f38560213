//! Snapshots of instances: one call each, so that all volumes of an instance have one moment.

mod create;
mod plan;
mod prepare;
mod wait;

pub use create::{Done, SetDone, Taken, run};
pub use plan::{PlannedSet, PlannedVolume, SnapshotPlan, plan};
pub use prepare::{Found, Prepared, prepare};
pub use wait::{WAIT_DEFAULT, complete};

use crate::model::{InstanceId, Tags};
use crate::ports::Consistency;

/// What is to be snapshotted, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// These instances.
    pub instances: Vec<InstanceId>,
    /// The instances with this tag, as name and value.
    pub tag: Option<(String, String)>,
    /// How consistent it must be.
    pub consistency: Consistency,
    /// Leaves out root volumes.
    pub exclude_boot: bool,
    /// A description instead of the usual JSON.
    pub description: Option<String>,
    /// Tags of the snapshots besides those of volume and instance.
    pub tags: Tags,
}
