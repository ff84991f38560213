//! What verbs need of EC2: two traits, which `adapters` implements for AWS and tests implement in memory.
//!
//! One call of a port is one request. It is never repeated inside: reads are repeated by [`crate::ask`], and what makes
//! something anew each time is looked for before it is sent again.

mod call_error;
pub mod direct;
mod machines;
mod quiesce;
mod request;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

pub use call_error::{CallError, Fault};
pub use machines::{CreateVolume, Group, KeyPair, Machines, RunInstance};
pub use quiesce::{Consistency, Frozen, Quiesce};
pub use request::{
    CopySnapshot, CreateSnapshot, CreateSnapshots, Created, Filter, ImageDevice, Page, Query, RegisterImage,
};

use crate::model::{Image, ImageId, Instance, Region, Snapshot, SnapshotId, Tags, Volume};

/// Result of one request.
pub type CallResult<T> = Result<T, CallError>;

/// EC2 in all regions that an account can use.
#[async_trait]
pub trait Cloud: fmt::Debug + Send + Sync {
    /// Names of the regions that are enabled (`ec2:DescribeRegions`).
    ///
    /// # Errors
    /// [`CallError`].
    async fn regions(&self) -> CallResult<Vec<Region>>;

    /// EC2 in one region. Asks nothing.
    fn region(&self, region: &Region) -> Arc<dyn Ec2>;

    /// Volumes and instances for a while in one region. Asks nothing.
    fn machines(&self, region: &Region) -> Arc<dyn Machines>;
}

/// EC2 in one region.
#[async_trait]
pub trait Ec2: fmt::Debug + Send + Sync {
    /// The region.
    fn name(&self) -> &Region;

    /// Snapshots that the account owns (`ec2:DescribeSnapshots`).
    ///
    /// # Errors
    /// [`CallError`].
    async fn snapshots(&self, query: &Query) -> CallResult<Page<Snapshot>>;

    /// Volumes (`ec2:DescribeVolumes`).
    ///
    /// # Errors
    /// [`CallError`].
    async fn volumes(&self, query: &Query) -> CallResult<Page<Volume>>;

    /// Instances (`ec2:DescribeInstances`).
    ///
    /// # Errors
    /// [`CallError`].
    async fn instances(&self, query: &Query) -> CallResult<Page<Instance>>;

    /// Machine images that the account owns (`ec2:DescribeImages`).
    ///
    /// # Errors
    /// [`CallError`].
    async fn images(&self, query: &Query) -> CallResult<Page<Image>>;

    /// Ids of snapshots that are locked (`ec2:DescribeLockedSnapshots`).
    ///
    /// # Errors
    /// [`CallError`].
    async fn locked(&self, query: &Query) -> CallResult<Page<SnapshotId>>;

    /// Ids of snapshots that are in the recycle bin (`ec2:ListSnapshotsInRecycleBin`).
    ///
    /// # Errors
    /// [`CallError`].
    async fn in_recycle_bin(&self, query: &Query) -> CallResult<Page<SnapshotId>>;

    /// Whether others may make volumes of the snapshot (`ec2:DescribeSnapshotAttribute`).
    ///
    /// # Errors
    /// [`CallError`].
    async fn is_shared(&self, snapshot: &SnapshotId) -> CallResult<bool>;

    /// Snapshots of all volumes of an instance at one moment (`ec2:CreateSnapshots`). Not repeatable: there is no client
    /// token.
    ///
    /// # Errors
    /// [`CallError`]; if it [`CallError::is_ambiguous`], snapshots with the tags of the request may exist.
    async fn create_snapshots(&self, request: &CreateSnapshots) -> CallResult<Vec<Created>>;

    /// A snapshot of one volume, attached or not (`ec2:CreateSnapshot`). Not repeatable.
    ///
    /// # Errors
    /// [`CallError`]; if it [`CallError::is_ambiguous`], a snapshot with the tags of the request may exist.
    async fn create_snapshot(&self, request: &CreateSnapshot) -> CallResult<SnapshotId>;

    /// Copies a snapshot of another region, or of this one, into this one (`ec2:CopySnapshot`). Not repeatable.
    ///
    /// # Errors
    /// [`CallError`]; if it [`CallError::is_ambiguous`], a copy with the tags of the request may exist.
    async fn copy_snapshot(&self, request: &CopySnapshot) -> CallResult<SnapshotId>;

    /// Deletes a snapshot, or puts it into the recycle bin if a rule of the account says so (`ec2:DeleteSnapshot`).
    ///
    /// # Errors
    /// [`CallError`].
    async fn delete_snapshot(&self, snapshot: &SnapshotId) -> CallResult<()>;

    /// Sets tags of a resource; others stay (`ec2:CreateTags`).
    ///
    /// # Errors
    /// [`CallError`].
    async fn set_tags(&self, resource: &str, tags: &Tags) -> CallResult<()>;

    /// Makes a machine image of snapshots (`ec2:RegisterImage`). Its name is unique in the region, so that it is never
    /// made twice.
    ///
    /// # Errors
    /// [`CallError`].
    async fn register_image(&self, request: &RegisterImage) -> CallResult<ImageId>;
}
