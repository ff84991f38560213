//! What EC2 has, as far as backups need it.

mod id;
mod image;
mod instance;
mod region;
mod snapshot;
mod tags;
mod volume;

pub use id::{ImageId, InstanceId, SetId, SnapshotId, VolumeId};
pub use image::Image;
pub use instance::{Device, Instance, InstanceState};
pub use region::{InvalidRegion, Region};
pub use snapshot::{Snapshot, SnapshotState, StorageTier};
pub use tags::Tags;
pub use volume::{Attachment, Volume, VolumeState};
