//! What the world begins with, as JSON.

use std::collections::BTreeMap;

use backup_core::clock::Timestamp;
use serde::{Deserialize, Serialize};

use super::content::{Content, Fill};
use super::model::{Attachment, Fate, Image, Instance, Region, Snapshot, Volume};
use super::settings::Settings;
use super::state::{State, later};
use super::tags::Tags;
use crate::aws_fake::DEFAULT_ACCOUNT;

/// The account that owns what does not say whose it is.
pub const ACCOUNT: &str = DEFAULT_ACCOUNT;

/// The world at the start: settings, and what is in each region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seed {
    /// Regions by name.
    pub regions: BTreeMap<String, RegionSeed>,
    /// How it behaves.
    pub settings: Settings,
}

/// One region at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegionSeed {
    /// Instances with their volumes.
    pub instances: Vec<InstanceSeed>,
    /// Volumes that are not attached.
    pub volumes: Vec<VolumeSeed>,
    /// Snapshots.
    pub snapshots: Vec<SnapshotSeed>,
    /// Images.
    pub images: Vec<ImageSeed>,
    /// Whether encryption by default is on.
    pub encryption_by_default: bool,
}

/// An instance at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InstanceSeed {
    /// `i-…`.
    pub id: String,
    /// Its account; absent: [`ACCOUNT`].
    pub account: Option<String>,
    /// Its tags.
    pub tags: Tags,
    /// Whether it is stopped.
    pub stopped: bool,
    /// Its public address.
    pub address: Option<String>,
    /// Its volumes; the first one is the root.
    pub volumes: Vec<VolumeSeed>,
}

/// A volume at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VolumeSeed {
    /// `vol-…`.
    pub id: String,
    /// Its account, where it is not attached.
    pub account: Option<String>,
    /// The device's name, where it is attached.
    pub device: String,
    /// GiB; absent: 8.
    pub size_gib: Option<u64>,
    /// The key it is encrypted by.
    pub key: Option<String>,
    /// Its tags.
    pub tags: Tags,
    /// What is on it.
    pub content: Fill,
}

/// A snapshot at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SnapshotSeed {
    /// `snap-…`.
    pub id: String,
    /// Its account; absent: [`ACCOUNT`].
    pub account: Option<String>,
    /// Its volume.
    pub volume: String,
    /// GiB; absent: 8.
    pub size_gib: Option<u64>,
    /// When it was taken; absent: when the fake starts.
    pub start: Option<Timestamp>,
    /// Pending for so long; absent: it is complete.
    pub pending_ms: Option<u64>,
    /// It failed, with this `StateMessage`.
    pub error: Option<String>,
    /// Its description.
    pub description: String,
    /// Its tags.
    pub tags: Tags,
    /// The key it is encrypted by.
    pub key: Option<String>,
    /// Accounts that it is shared with.
    pub shared_with: Vec<String>,
    /// Whether it is in the archive tier.
    pub archived: bool,
    /// What is in it.
    pub content: Fill,
}

/// An image at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImageSeed {
    /// `ami-…`.
    pub id: String,
    /// Its account; absent: [`ACCOUNT`].
    pub account: Option<String>,
    /// Its name.
    pub name: String,
    /// Snapshots by device name; the first one is the root's.
    pub devices: BTreeMap<String, String>,
}

impl Seed {
    /// A world with two instances in `us-east-1`, of which `i-0aaaaaaaaaaaaaaa1` is tagged `Earmarking=production` and has
    /// two volumes, one in `eu-west-1` with an encrypted volume, and an image in every region.
    #[must_use]
    pub fn small() -> Self {
        let text = include_str!("small.json");
        // A file of this crate, which a test reads too.
        serde_json::from_str(text).unwrap_or_default()
    }

    /// The world that it describes.
    pub(super) fn world(&self, now: Timestamp) -> State {
        let mut state = State::default();
        state.settings = self.settings.clone();
        for (name, seed) in &self.regions {
            let mut region = Region { encryption_by_default: seed.encryption_by_default, ..Region::default() };
            for instance in &seed.instances {
                place_instance(&mut region, name, instance, now);
            }
            for volume in &seed.volumes {
                let owner = volume.account.as_deref().unwrap_or(ACCOUNT);
                place_volume(&mut region, name, volume, owner, None, now);
            }
            region.snapshots.extend(seed.snapshots.iter().map(|seed| (seed.id.clone(), snapshot(seed, now))));
            region.images.extend(seed.images.iter().map(|seed| (seed.id.clone(), image(seed, now))));
            state.regions.insert(name.clone(), region);
        }
        state
    }
}

fn place_instance(region: &mut Region, name: &str, seed: &InstanceSeed, now: Timestamp) {
    let owner = seed.account.as_deref().unwrap_or(ACCOUNT);
    for volume in &seed.volumes {
        let attached = Attachment {
            instance: seed.id.clone(),
            device: volume.device.clone(),
            delete_on_termination: true,
            since: now,
        };
        place_volume(region, name, volume, owner, Some(attached), now);
    }
    let instance = Instance {
        id: seed.id.clone(),
        owner: owner.to_owned(),
        tags: seed.tags.clone(),
        image: "ami-00000000000000001".to_owned(),
        kind: "t3.micro".to_owned(),
        zone: format!("{name}a"),
        root_device: seed.volumes.first().map(|volume| volume.device.clone()).unwrap_or_default(),
        address: seed.address.clone(),
        launched: now,
        running_from: now,
        stopped: seed.stopped,
        ..Instance::default()
    };
    region.instances.insert(seed.id.clone(), instance);
}

fn place_volume(
    region: &mut Region,
    name: &str,
    seed: &VolumeSeed,
    owner: &str,
    attached: Option<Attachment>,
    now: Timestamp,
) {
    let volume = Volume {
        id: seed.id.clone(),
        owner: owner.to_owned(),
        tags: seed.tags.clone(),
        size: seed.size_gib.unwrap_or(8),
        zone: format!("{name}a"),
        kind: "gp3".to_owned(),
        key: seed.key.clone(),
        attached,
        created: now,
        available_from: now,
        content: filled(&seed.content),
        lineage: seed.id.clone(),
        ..Volume::default()
    };
    region.volumes.insert(seed.id.clone(), volume);
}

fn filled(fill: &Fill) -> Content {
    let mut content = Content::default();
    fill.write(&mut content);
    content
}

fn snapshot(seed: &SnapshotSeed, now: Timestamp) -> Snapshot {
    let start = seed.start.unwrap_or(now);
    let fate = match &seed.error {
        Some(message) => Fate::Error(start, message.clone()),
        None => Fate::Complete(seed.pending_ms.map_or(start, |ms| later(start, ms))),
    };
    Snapshot {
        id: seed.id.clone(),
        owner: seed.account.as_deref().unwrap_or(ACCOUNT).to_owned(),
        tags: seed.tags.clone(),
        description: seed.description.clone(),
        volume: seed.volume.clone(),
        size: seed.size_gib.unwrap_or(8),
        start,
        fate,
        key: seed.key.clone(),
        content: filled(&seed.content),
        lineage: seed.volume.clone(),
        copy: false,
        shared: seed.shared_with.iter().cloned().collect(),
        public: false,
        archived: seed.archived,
        lock: None,
        binned: None,
        direct: None,
        damaged: std::collections::BTreeSet::new(),
    }
}

fn image(seed: &ImageSeed, now: Timestamp) -> Image {
    Image {
        id: seed.id.clone(),
        owner: seed.account.as_deref().unwrap_or(ACCOUNT).to_owned(),
        name: seed.name.clone(),
        architecture: "x86_64".to_owned(),
        root_device: seed.devices.keys().next().cloned().unwrap_or_default(),
        devices: seed.devices.clone(),
        created: now,
        ..Image::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_small_world_is_what_it_is_said_to_be() {
        let seed: Seed = serde_json::from_str(include_str!("small.json")).unwrap();
        assert_eq!(seed, Seed::small());
        let state = seed.world(Timestamp::UNIX_EPOCH);
        let here = &state.regions["us-east-1"];
        assert_eq!((here.instances.len(), here.volumes.len()), (2, 3));
        assert_eq!(here.instances["i-0aaaaaaaaaaaaaaa1"].tags["Earmarking"], "production");
        assert!(state.regions["eu-west-1"].volumes.values().any(|volume| volume.key.is_some()));
        assert!(state.regions.values().all(|region| region.images.len() == 1));
    }
}
