//! A snapshot as EC2 describes it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Region, SnapshotId, Tags, VolumeId};

/// How far a snapshot is (EC2 API reference, data type `Snapshot`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SnapshotState {
    /// Its moment is fixed and its blocks are being copied.
    Pending,
    /// It can be restored.
    Completed,
    /// It failed, or a copy of it did.
    Error,
    /// It is in the recycle bin.
    Recoverable,
    /// It is being taken out of the recycle bin.
    Recovering,
    /// A state this version does not know: never counted and never deleted.
    Unknown,
}

impl SnapshotState {
    /// The state by EC2's name for it.
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name {
            "pending" => Self::Pending,
            "completed" => Self::Completed,
            "error" => Self::Error,
            "recoverable" => Self::Recoverable,
            "recovering" => Self::Recovering,
            _ => Self::Unknown,
        }
    }

    /// EC2's name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Error => "error",
            Self::Recoverable => "recoverable",
            Self::Recovering => "recovering",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for SnapshotState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where a snapshot is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StorageTier {
    /// Where volumes can be made of it at once.
    #[default]
    Standard,
    /// In the archive: whole, for 90 days at least, and a day away.
    Archive,
}

/// A snapshot of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// Its id.
    pub id: SnapshotId,
    /// The region it is in.
    pub region: Region,
    /// The volume EC2 names. That of a copy is arbitrary; see [`crate::lineage`].
    pub volume: VolumeId,
    /// The account that owns it.
    pub owner: String,
    /// When EC2 began it; for a copy, when the copy began.
    pub start_time: Timestamp,
    /// How far it is.
    pub state: SnapshotState,
    /// Why it failed, where EC2 says so.
    pub state_message: Option<String>,
    /// How far, such as `87%`.
    pub progress: String,
    /// Size of its volume in GiB.
    pub size_gib: u64,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Where it is kept.
    pub tier: StorageTier,
    /// The text of whoever made it; up to 255 characters.
    pub description: String,
    /// Its tags.
    pub tags: Tags,
}
