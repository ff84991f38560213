//! One region: every request, with the page size and the owner that each listing needs.

use async_trait::async_trait;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    ArchitectureValues, BlockDeviceMapping, EbsBlockDevice, Filter as SdkFilter, InstanceSpecification, ResourceType,
    SnapshotAttributeName, Tag, TagSpecification,
};

use super::failure::failed;
use super::read;
use crate::model::{Image, ImageId, Instance, Region, Snapshot, SnapshotId, Tags, Volume, VolumeId};
use crate::ports::{
    CallError, CallResult, CopySnapshot, CreateSnapshot, CreateSnapshots, Created, Ec2, Fault, Filter, Page, Query,
    RegisterImage,
};

/// The most that a listing gives at once (EC2 API reference). Without it old accounts get everything in one slow answer.
const PAGE: i32 = 1_000;

/// Only what the account owns: everybody's public snapshots are listed otherwise.
const SELF: &str = "self";

#[derive(Debug)]
pub(super) struct AwsRegion {
    pub(super) name: Region,
    pub(super) client: Client,
}

impl AwsRegion {
    pub(super) fn unreadable(&self, action: &'static str) -> CallError {
        let message = "the answer lacks what it always has".to_owned();
        // Not a lost answer: what was made is in the region, and looking for it finds it.
        CallError { action, region: self.name.clone(), fault: Fault::NoAnswer, code: String::new(), message }
    }
}

/// A page size goes with filters, not with ids.
pub(super) fn page_size(query: &Query) -> Option<i32> {
    query.ids.is_empty().then_some(PAGE)
}

pub(super) fn ids(query: &Query) -> Option<Vec<String>> {
    (!query.ids.is_empty()).then(|| query.ids.clone())
}

pub(super) fn filters(query: &Query) -> Option<Vec<SdkFilter>> {
    let filter =
        |filter: &Filter| SdkFilter::builder().name(&filter.name).set_values(Some(filter.values.clone())).build();
    (!query.filters.is_empty()).then(|| query.filters.iter().map(filter).collect())
}

pub(super) fn sdk_tags(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(name, value)| Tag::builder().key(name).value(value).build()).collect()
}

pub(super) fn specification(kind: ResourceType, tags: &Tags) -> Option<Vec<TagSpecification>> {
    let specification = || TagSpecification::builder().resource_type(kind).set_tags(Some(sdk_tags(tags))).build();
    (!tags.is_empty()).then(|| vec![specification()])
}

#[async_trait]
impl Ec2 for AwsRegion {
    fn name(&self) -> &Region {
        &self.name
    }

    async fn snapshots(&self, query: &Query) -> CallResult<Page<Snapshot>> {
        let answer = self
            .client
            .describe_snapshots()
            .owner_ids(SELF)
            .set_max_results(page_size(query))
            .set_snapshot_ids(ids(query))
            .set_filters(filters(query))
            .set_next_token(query.token.clone())
            .send()
            .await
            .map_err(|error| failed("ec2:DescribeSnapshots", &self.name, &error))?;
        let items = answer.snapshots().iter().filter_map(|snapshot| read::snapshot(&self.name, snapshot)).collect();
        Ok(Page::new(items, answer.next_token))
    }

    async fn volumes(&self, query: &Query) -> CallResult<Page<Volume>> {
        let answer = self
            .client
            .describe_volumes()
            .set_max_results(page_size(query))
            .set_volume_ids(ids(query))
            .set_filters(filters(query))
            .set_next_token(query.token.clone())
            .send()
            .await
            .map_err(|error| failed("ec2:DescribeVolumes", &self.name, &error))?;
        let items = answer.volumes().iter().filter_map(|volume| read::volume(&self.name, volume)).collect();
        Ok(Page::new(items, answer.next_token))
    }

    async fn instances(&self, query: &Query) -> CallResult<Page<Instance>> {
        let answer = self
            .client
            .describe_instances()
            .set_max_results(page_size(query))
            .set_instance_ids(ids(query))
            .set_filters(filters(query))
            .set_next_token(query.token.clone())
            .send()
            .await
            .map_err(|error| failed("ec2:DescribeInstances", &self.name, &error))?;
        let instances = answer.reservations().iter().flat_map(|reservation| reservation.instances());
        let items = instances.filter_map(|instance| read::instance(&self.name, instance)).collect();
        Ok(Page::new(items, answer.next_token))
    }

    async fn images(&self, query: &Query) -> CallResult<Page<Image>> {
        let answer = self
            .client
            .describe_images()
            .owners(SELF)
            // Both need their snapshots all the same.
            .include_deprecated(true)
            .include_disabled(true)
            .set_max_results(page_size(query))
            .set_image_ids(ids(query))
            .set_filters(filters(query))
            .set_next_token(query.token.clone())
            .send()
            .await
            .map_err(|error| failed("ec2:DescribeImages", &self.name, &error))?;
        Ok(Page::new(answer.images().iter().filter_map(read::image).collect(), answer.next_token))
    }

    async fn locked(&self, query: &Query) -> CallResult<Page<SnapshotId>> {
        let answer = self
            .client
            .describe_locked_snapshots()
            .set_max_results(page_size(query))
            .set_snapshot_ids(ids(query))
            .set_filters(filters(query))
            .set_next_token(query.token.clone())
            .send()
            .await
            .map_err(|error| failed("ec2:DescribeLockedSnapshots", &self.name, &error))?;
        let items = answer.snapshots().iter().filter_map(|locked| Some(SnapshotId::new(locked.snapshot_id()?)));
        Ok(Page::new(items.collect(), answer.next_token))
    }

    async fn in_recycle_bin(&self, query: &Query) -> CallResult<Page<SnapshotId>> {
        let answer = self
            .client
            .list_snapshots_in_recycle_bin()
            .set_max_results(page_size(query))
            .set_snapshot_ids(ids(query))
            .set_next_token(query.token.clone())
            .send()
            .await
            .map_err(|error| failed("ec2:ListSnapshotsInRecycleBin", &self.name, &error))?;
        let items = answer.snapshots().iter().filter_map(|binned| Some(SnapshotId::new(binned.snapshot_id()?)));
        Ok(Page::new(items.collect(), answer.next_token))
    }

    async fn is_shared(&self, snapshot: &SnapshotId) -> CallResult<bool> {
        let answer = self
            .client
            .describe_snapshot_attribute()
            .attribute(SnapshotAttributeName::CreateVolumePermission)
            .snapshot_id(snapshot.as_str())
            .send()
            .await
            .map_err(|error| failed("ec2:DescribeSnapshotAttribute", &self.name, &error))?;
        Ok(!answer.create_volume_permissions().is_empty())
    }

    async fn create_snapshots(&self, request: &CreateSnapshots) -> CallResult<Vec<Created>> {
        const ACTION: &str = "ec2:CreateSnapshots";
        let excluded = request.exclude.iter().map(|volume| volume.to_string()).collect::<Vec<_>>();
        let instance = InstanceSpecification::builder()
            .instance_id(request.instance.as_str())
            .exclude_boot_volume(request.exclude_boot)
            .set_exclude_data_volume_ids((!excluded.is_empty()).then_some(excluded))
            .build();
        let answer = self
            .client
            .create_snapshots()
            .description(&request.description)
            .instance_specification(instance)
            .set_tag_specifications(specification(ResourceType::Snapshot, &request.tags))
            .send()
            .await
            .map_err(|error| failed(ACTION, &self.name, &error))?;
        let created = answer.snapshots().iter().map(|info| {
            Some(Created { snapshot: SnapshotId::new(info.snapshot_id()?), volume: VolumeId::new(info.volume_id()?) })
        });
        created.collect::<Option<Vec<Created>>>().ok_or_else(|| self.unreadable(ACTION))
    }

    async fn create_snapshot(&self, request: &CreateSnapshot) -> CallResult<SnapshotId> {
        const ACTION: &str = "ec2:CreateSnapshot";
        let answer = self
            .client
            .create_snapshot()
            .volume_id(request.volume.as_str())
            .description(&request.description)
            .set_tag_specifications(specification(ResourceType::Snapshot, &request.tags))
            .send()
            .await
            .map_err(|error| failed(ACTION, &self.name, &error))?;
        answer.snapshot_id().map(SnapshotId::new).ok_or_else(|| self.unreadable(ACTION))
    }

    async fn copy_snapshot(&self, request: &CopySnapshot) -> CallResult<SnapshotId> {
        const ACTION: &str = "ec2:CopySnapshot";
        let minutes = request.completion_minutes.and_then(|minutes| i32::try_from(minutes).ok());
        let answer = self
            .client
            .copy_snapshot()
            .source_region(request.source_region.as_str())
            .source_snapshot_id(request.source.as_str())
            .description(&request.description)
            .set_encrypted(request.encrypted.then_some(true))
            .set_kms_key_id(request.kms_key.clone())
            .set_completion_duration_minutes(minutes)
            .set_tag_specifications(specification(ResourceType::Snapshot, &request.tags))
            .send()
            .await
            .map_err(|error| failed(ACTION, &self.name, &error))?;
        answer.snapshot_id().map(SnapshotId::new).ok_or_else(|| self.unreadable(ACTION))
    }

    async fn delete_snapshot(&self, snapshot: &SnapshotId) -> CallResult<()> {
        let deleted = self.client.delete_snapshot().snapshot_id(snapshot.as_str()).send().await;
        deleted.map(|_| ()).map_err(|error| failed("ec2:DeleteSnapshot", &self.name, &error))
    }

    async fn set_tags(&self, resource: &str, tags: &Tags) -> CallResult<()> {
        let set = self.client.create_tags().resources(resource).set_tags(Some(sdk_tags(tags))).send().await;
        set.map(|_| ()).map_err(|error| failed("ec2:CreateTags", &self.name, &error))
    }

    async fn register_image(&self, request: &RegisterImage) -> CallResult<ImageId> {
        const ACTION: &str = "ec2:RegisterImage";
        let devices = request.devices.iter().map(|device| {
            let ebs =
                EbsBlockDevice::builder().snapshot_id(device.snapshot.as_str()).delete_on_termination(true).build();
            BlockDeviceMapping::builder().device_name(&device.name).ebs(ebs).build()
        });
        let answer = self
            .client
            .register_image()
            .name(&request.name)
            .description(&request.description)
            .architecture(ArchitectureValues::from(request.architecture.as_str()))
            .root_device_name(&request.root_device)
            .virtualization_type("hvm")
            .ena_support(true)
            .set_block_device_mappings(Some(devices.collect()))
            .set_tag_specifications(specification(ResourceType::Image, &request.tags))
            .send()
            .await
            .map_err(|error| failed(ACTION, &self.name, &error))?;
        answer.image_id().map(ImageId::new).ok_or_else(|| self.unreadable(ACTION))
    }
}
