//! What EC2 describes, as this crate has it. What it leaves out although it always says it is refused, not guessed.

use aws_sdk_ec2::types;
use jiff::Timestamp;

use crate::model::{
    Attachment, Device, Image, ImageId, Instance, InstanceId, InstanceState, Region, Snapshot, SnapshotId,
    SnapshotState, StorageTier, Tags, Volume, VolumeId, VolumeState,
};

pub(super) fn tags(tags: &[types::Tag]) -> Tags {
    tags.iter().filter_map(|tag| Some((tag.key()?, tag.value().unwrap_or_default()))).collect()
}

/// A snapshot without id or start time is none that anything can be decided about.
pub(super) fn snapshot(region: &Region, snapshot: &types::Snapshot) -> Option<Snapshot> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Some(Snapshot {
        id: SnapshotId::new(snapshot.snapshot_id()?),
        region: region.clone(),
        volume: VolumeId::new(text(snapshot.volume_id())),
        owner: text(snapshot.owner_id()),
        start_time: moment(snapshot.start_time()?)?,
        state: SnapshotState::of(snapshot.state().map_or("", |state| state.as_str())),
        state_message: snapshot.state_message().filter(|message| !message.is_empty()).map(str::to_owned),
        progress: text(snapshot.progress()),
        size_gib: gib(snapshot.volume_size()),
        encrypted: snapshot.encrypted().unwrap_or(false),
        tier: match snapshot.storage_tier() {
            Some(types::StorageTier::Archive) => StorageTier::Archive,
            _ => StorageTier::Standard,
        },
        description: text(snapshot.description()),
        tags: tags(snapshot.tags()),
    })
}

pub(super) fn volume(region: &Region, volume: &types::Volume) -> Option<Volume> {
    let attachment = |attachment: &types::VolumeAttachment| {
        let instance = InstanceId::new(attachment.instance_id()?);
        Some(Attachment { instance, device: attachment.device().unwrap_or_default().to_owned() })
    };
    Some(Volume {
        id: VolumeId::new(volume.volume_id()?),
        region: region.clone(),
        zone: volume.availability_zone().unwrap_or_default().to_owned(),
        state: VolumeState::of(volume.state().map_or("", |state| state.as_str())),
        size_gib: gib(volume.size()),
        encrypted: volume.encrypted().unwrap_or(false),
        snapshot: volume.snapshot_id().filter(|id| !id.is_empty()).map(SnapshotId::new),
        created: volume.create_time().and_then(moment),
        attachments: volume.attachments().iter().filter_map(attachment).collect(),
        tags: tags(volume.tags()),
    })
}

pub(super) fn instance(region: &Region, instance: &types::Instance) -> Option<Instance> {
    let device = |mapping: &types::InstanceBlockDeviceMapping| {
        let volume = VolumeId::new(mapping.ebs()?.volume_id()?);
        Some(Device { name: mapping.device_name()?.to_owned(), volume })
    };
    let mut devices: Vec<Device> = instance.block_device_mappings().iter().filter_map(device).collect();
    devices.sort_by(|one, other| one.name.cmp(&other.name));
    let filled = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let placement = instance.placement().and_then(|placement| placement.availability_zone());
    Some(Instance {
        id: InstanceId::new(instance.instance_id()?),
        region: region.clone(),
        zone: placement.unwrap_or_default().to_owned(),
        state: InstanceState::of(instance.state().and_then(|state| state.name()).map_or("", |name| name.as_str())),
        instance_type: instance.instance_type().map_or("", |kind| kind.as_str()).to_owned(),
        architecture: instance.architecture().map_or("", |kind| kind.as_str()).to_owned(),
        root_device: filled(instance.root_device_name()),
        devices,
        public_address: filled(instance.public_dns_name()).or_else(|| filled(instance.public_ip_address())),
        public_ip: filled(instance.public_ip_address()),
        private_address: filled(instance.private_ip_address()),
        tags: tags(instance.tags()),
    })
}

pub(super) fn image(image: &types::Image) -> Option<Image> {
    let snapshots = image.block_device_mappings().iter().filter_map(|mapping| mapping.ebs()?.snapshot_id());
    Some(Image {
        id: ImageId::new(image.image_id()?),
        name: image.name().unwrap_or_default().to_owned(),
        snapshots: snapshots.map(SnapshotId::new).collect(),
    })
}

fn gib(size: Option<i32>) -> u64 {
    size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0)
}

fn moment(time: &aws_smithy_types::DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}
