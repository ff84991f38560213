//! A machine image and the snapshots it is made of.

use serde::Serialize;

use super::{ImageId, SnapshotId};

/// A machine image of the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Image {
    /// Its id.
    pub id: ImageId,
    /// Its name, unique in the region.
    pub name: String,
    /// The snapshots it needs.
    pub snapshots: Vec<SnapshotId>,
}
