//! What tests of this crate begin with.

pub(crate) mod cloud;
mod machines;

use crate::model::{Device, Instance, InstanceState, Snapshot, SnapshotState, StorageTier, Tags, VolumeId};

/// A completed snapshot in `eu-west-1` with nothing special about it.
pub(crate) fn snapshot(id: &str, volume: &str, start_time: &str) -> Snapshot {
    Snapshot {
        id: id.into(),
        region: "eu-west-1".parse().unwrap(),
        volume: volume.into(),
        owner: "111111111111".to_owned(),
        start_time: start_time.parse().unwrap(),
        state: SnapshotState::Completed,
        state_message: None,
        progress: "100%".to_owned(),
        size_gib: 8,
        encrypted: false,
        tier: StorageTier::Standard,
        description: String::new(),
        tags: Tags::new(),
    }
}

/// A running instance in `eu-west-1` with these devices; the first is its root.
pub(crate) fn instance(id: &str, devices: &[&str]) -> Instance {
    let device = |name: &&str| {
        let volume = VolumeId::new(format!("vol-{}", name.trim_start_matches("/dev/")));
        Device { name: (*name).to_owned(), volume }
    };
    Instance {
        id: id.into(),
        region: "eu-west-1".parse().unwrap(),
        zone: "eu-west-1a".to_owned(),
        state: InstanceState::Running,
        instance_type: "t3.micro".to_owned(),
        architecture: "x86_64".to_owned(),
        root_device: devices.first().map(|name| (*name).to_owned()),
        devices: devices.iter().map(device).collect(),
        public_address: None,
        public_ip: None,
        private_address: None,
        tags: Tags::new().with("Name", "web"),
    }
}
