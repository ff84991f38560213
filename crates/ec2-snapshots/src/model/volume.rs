//! A volume.

use jiff::Timestamp;
use serde::Serialize;

use super::{InstanceId, Region, SnapshotId, Tags, VolumeId};

/// How far a volume is (EC2 API reference, data type `Volume`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeState {
    /// It is being made.
    Creating,
    /// It can be attached.
    Available,
    /// It is attached.
    InUse,
    /// It is going.
    Deleting,
    /// It is gone.
    Deleted,
    /// It failed.
    Error,
    /// A state this version does not know.
    Unknown,
}

impl VolumeState {
    /// The state by EC2's name for it.
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name {
            "creating" => Self::Creating,
            "available" => Self::Available,
            "in-use" => Self::InUse,
            "deleting" => Self::Deleting,
            "deleted" => Self::Deleted,
            "error" => Self::Error,
            _ => Self::Unknown,
        }
    }
}

/// Where a volume is attached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attachment {
    /// To which instance.
    pub instance: InstanceId,
    /// As which device, such as `/dev/sdf`.
    pub device: String,
}

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Volume {
    /// Its id.
    pub id: VolumeId,
    /// The region it is in.
    pub region: Region,
    /// The zone it is in, such as `eu-west-1a`.
    pub zone: String,
    /// How far it is.
    pub state: VolumeState,
    /// Its size in GiB.
    pub size_gib: u64,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The snapshot it was made of.
    pub snapshot: Option<SnapshotId>,
    /// When it was made, by EC2's clock.
    pub created: Option<Timestamp>,
    /// Where it is attached.
    pub attachments: Vec<Attachment>,
    /// Its tags.
    pub tags: Tags,
}
