//! CreateSnapshot and CreateSnapshots.

use backup_core::clock::Timestamp;

use super::call::Call;
use super::describe;
use crate::aws_fake::ApiError;
use crate::ec2_fake::model::{Snapshot, Volume};
use crate::ec2_fake::rules::{DESCRIPTION_CHARACTERS_MAX, refused};
use crate::ec2_fake::state::{State, later};
use crate::ec2_fake::tags::{self, Tags};
use crate::ec2_fake::xml::Xml;

/// "up to 127 data volumes" with the root (EBS User Guide, "Create Amazon EBS snapshots").
const SET_MAX: usize = 128;

/// Pending snapshots of one volume ("ConcurrentSnapshotLimitExceeded"; EBS endpoints and quotas, "Concurrent snapshots per
/// … volume").
const PENDING_PER_VOLUME_MAX: usize = 5;

pub(super) fn one(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    tags::only_for(call.form, &["snapshot"])?;
    let (region, account) = (call.region().to_owned(), call.account().to_owned());
    let id = call.form.required("VolumeId")?;
    let volume = call
        .state
        .region(&region)?
        .volumes
        .get(id)
        .filter(|volume| volume.owner == account)
        .cloned()
        .ok_or_else(|| refused("InvalidVolume.NotFound", format!("The volume '{id}' does not exist.")))?;
    let tags = tags::specified(call.form, "snapshot")?;
    let description = description(call)?;
    check_rate(call.state, &region, &volume, call.now)?;
    let id = take(call, &region, &volume, &description, tags);
    let mut xml = Xml::default();
    describe::write(&mut xml, &call.state.regions[&region].snapshots[&id], "status", just_before(call.now));
    Ok(xml)
}

pub(super) fn set(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    tags::only_for(call.form, &["snapshot"])?;
    let (region, account) = (call.region().to_owned(), call.account().to_owned());
    let specification = call.form.below("InstanceSpecification");
    let id = specification.required("InstanceId")?;
    let instance = call
        .state
        .region(&region)?
        .instances
        .get(id)
        .filter(|instance| instance.owner == account && instance.terminated.is_none())
        .cloned()
        .ok_or_else(|| missing_instance(id))?;
    let copy_tags = match call.form.get("CopyTagsFromSource") {
        None => false,
        Some("volume") => true,
        Some(other) => {
            let text = format!("Value ({other}) for parameter copyTagsFromSource is invalid. Expecting 'volume'.");
            return Err(refused("InvalidParameterValue", text));
        }
    };
    let (given, description) = (tags::specified(call.form, "snapshot")?, description(call)?);
    let without_boot = specification.flag("ExcludeBootVolume")?;
    let excluded = specification.texts("ExcludeDataVolumeId");
    let volumes = volumes_of(call, &region, &instance.id, &instance.root_device, without_boot, &excluded)?;
    let mut planned = Vec::new();
    for volume in volumes {
        check_rate(call.state, &region, &volume, call.now)?;
        let own: Tags = volume.tags.iter().filter(|(key, _)| copy_tags && !tags::reserved(key)).fold(
            Tags::new(),
            |mut tags, (key, value)| {
                tags.insert(key.clone(), value.clone());
                tags
            },
        );
        planned.push((volume, tags::merged(&own, &given)?));
    }
    let ids: Vec<String> =
        planned.into_iter().map(|(volume, tags)| take(call, &region, &volume, &description, tags)).collect();
    let mut xml = Xml::default();
    let (snapshots, before) = (&call.state.regions[&region].snapshots, just_before(call.now));
    xml.list("snapshotSet", &ids, |item, id| describe::write(item, &snapshots[id], "state", before));
    Ok(xml)
}

/// The volumes that a set consists of, in order of their devices.
fn volumes_of(
    call: &mut Call<'_>,
    region: &str,
    instance: &str,
    root_device: &str,
    without_boot: bool,
    excluded: &[&str],
) -> Result<Vec<Volume>, ApiError> {
    let attached: Vec<(String, Volume)> = call
        .state
        .region(region)?
        .volumes
        .values()
        .filter_map(|volume| {
            let attachment = volume.attached.as_ref().filter(|attachment| attachment.instance == instance)?;
            Some((attachment.device.clone(), volume.clone()))
        })
        .collect();
    for id in excluded {
        match attached.iter().find(|(_, volume)| volume.id == *id) {
            None => {
                let text = format!("The volume '{id}' is not attached to the instance '{instance}'.");
                return Err(refused("InvalidParameterValue", text));
            }
            Some((device, _)) if device == root_device => {
                let text = format!("'{id}' is the boot volume: use ExcludeBootVolume to exclude it.");
                return Err(refused("InvalidParameterValue", text));
            }
            Some(_) => {}
        }
    }
    let mut wanted: Vec<(String, Volume)> = attached
        .into_iter()
        .filter(|(device, volume)| !(excluded.contains(&volume.id.as_str()) || without_boot && device == root_device))
        .collect();
    wanted.sort_by(|a, b| a.0.cmp(&b.0));
    match wanted.len() {
        0 => Err(refused("InvalidParameterValue", "All of the instance's volumes are excluded.")),
        count if count > SET_MAX => Err(refused("InvalidParameterValue", "Too many volumes for one set of snapshots.")),
        _ => Ok(wanted.into_iter().map(|(_, volume)| volume).collect()),
    }
}

pub(super) fn missing_instance(id: &str) -> ApiError {
    refused("InvalidInstanceID.NotFound", format!("The instance ID '{id}' does not exist"))
}

/// What a create call answers is what was true when it began: `pending`, however short a snapshot takes.
fn just_before(now: Timestamp) -> Timestamp {
    now.checked_sub(backup_core::clock::SignedDuration::from_nanos(1)).unwrap_or(now)
}

/// "Up to 255 characters" (EC2 API Reference, "CreateSnapshot").
pub(super) fn description(call: &Call<'_>) -> Result<String, ApiError> {
    let description = call.form.get("Description").unwrap_or_default();
    if description.chars().count() > DESCRIPTION_CHARACTERS_MAX {
        return Err(refused("InvalidParameterValue", "Description can be no longer than 255 characters"));
    }
    Ok(description.to_owned())
}

/// "The rate limit for creating concurrent snapshots of an EBS volume has been exceeded. Wait at least 15 seconds between
/// concurrent volume snapshots" (EC2 API Reference, "Error codes").
fn check_rate(state: &State, region: &str, volume: &Volume, now: Timestamp) -> Result<(), ApiError> {
    let own =
        state.regions[region].snapshots.values().filter(|snapshot| snapshot.volume == volume.id && !snapshot.copy);
    let pending = own.clone().filter(|snapshot| snapshot.state(now) == "pending").count();
    if pending >= PENDING_PER_VOLUME_MAX {
        let text = "Maximum allowed in-progress snapshots for a single volume exceeded.";
        return Err(refused("ConcurrentSnapshotLimitExceeded", text));
    }
    let interval = state.settings.per_volume_interval_ms;
    if own.map(|snapshot| snapshot.start).max().is_some_and(|last| interval > 0 && later(last, interval) > now) {
        let text = "The maximum per volume CreateSnapshot request rate has been exceeded. Use an increasing or variable \
                    sleep interval between requests.";
        return Err(refused("SnapshotCreationPerVolumeRateExceeded", text));
    }
    Ok(())
}

fn take(call: &mut Call<'_>, region: &str, volume: &Volume, description: &str, tags: Tags) -> String {
    let written = call.state.hardware.as_ref().and_then(|hardware| hardware.content(&volume.id));
    let id = call.state.id("snap");
    let pending_ms = call.state.settings.snapshot_ms;
    let snapshot = Snapshot {
        id: id.clone(),
        owner: call.account().to_owned(),
        tags,
        description: description.to_owned(),
        volume: volume.id.clone(),
        size: volume.size,
        start: call.now,
        fate: call.state.fate(region, false, call.now, pending_ms),
        key: volume.key.clone(),
        content: written.unwrap_or_else(|| volume.content.clone()),
        lineage: volume.lineage.clone(),
        copy: false,
        shared: std::collections::BTreeSet::new(),
        public: false,
        archived: false,
        lock: None,
        binned: None,
        direct: None,
        damaged: std::collections::BTreeSet::new(),
    };
    if let Some(region) = call.state.regions.get_mut(region) {
        region.snapshots.insert(id.clone(), snapshot);
    }
    id
}
