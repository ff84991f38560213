//! Volumes: described, made, attached, detached, deleted.

use std::ops::Bound;

use backup_core::clock::Timestamp;

use super::call::Call;
use super::{create, once};
use crate::aws_fake::ApiError;
use crate::ec2_fake::filter::{Filterable, Filters};
use crate::ec2_fake::hardware::Disk;
use crate::ec2_fake::model::{Attachment, Volume};
use crate::ec2_fake::page::Page;
use crate::ec2_fake::rules::refused;
use crate::ec2_fake::state::later;
use crate::ec2_fake::tags::{self, Tags};
use crate::ec2_fake::xml::Xml;

struct VolumeAt<'a>(&'a Volume, Timestamp);

impl VolumeAt<'_> {
    fn state(&self) -> &'static str {
        match (&self.0.attached, self.1 < self.0.available_from) {
            (Some(_), _) => "in-use",
            (None, true) => "creating",
            (None, false) => "available",
        }
    }
}

impl Filterable for VolumeAt<'_> {
    fn values(&self, name: &str) -> Option<Vec<String>> {
        let volume = self.0;
        let attached = volume.attached.iter();
        Some(match name {
            "volume-id" => vec![volume.id.clone()],
            "status" => vec![self.state().to_owned()],
            "size" => vec![volume.size.to_string()],
            "snapshot-id" => volume.snapshot.iter().cloned().collect(),
            "availability-zone" => vec![volume.zone.clone()],
            "encrypted" => vec![volume.key.is_some().to_string()],
            "attachment.instance-id" => attached.map(|own| own.instance.clone()).collect(),
            "attachment.device" => attached.map(|own| own.device.clone()).collect(),
            _ => return None,
        })
    }

    fn tags(&self) -> &Tags {
        &self.0.tags
    }
}

const FILTERS: [&str; 8] = [
    "volume-id",
    "status",
    "size",
    "snapshot-id",
    "availability-zone",
    "encrypted",
    "attachment.instance-id",
    "attachment.device",
];

fn missing(id: &str) -> ApiError {
    refused("InvalidVolume.NotFound", format!("The volume '{id}' does not exist."))
}

fn own<'a>(call: &'a mut Call<'_>, id: &str) -> Result<&'a mut Volume, ApiError> {
    let (region, account) = (call.region().to_owned(), call.account().to_owned());
    let found = call.state.region(&region)?.volumes.get_mut(id);
    found.filter(|volume| volume.owner == account).ok_or_else(|| missing(id))
}

/// "This value can be between 5 and 1,000 results" (EC2 API Reference, "DescribeVolumes").
pub(super) fn describe(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let filters = Filters::read(call.form, &FILTERS)?;
    let page = Page::read(call.form, &call.state.settings, 5..=1000, "VolumeId", call.now)?;
    let (name, account, now) = (call.region().to_owned(), call.account().to_owned(), call.now);
    let ids = call.form.texts("VolumeId");
    let volumes = &call.state.region(&name)?.volumes;
    if let Some(id) = ids.iter().find(|id| volumes.get(**id).is_none_or(|own| own.owner != account)) {
        return Err(missing(id));
    }
    let start = page.after.clone().map_or(Bound::Unbounded, Bound::Excluded);
    let found = volumes
        .range((start, Bound::Unbounded))
        .map(|(_, volume)| volume)
        .filter(|volume| volume.owner == account && (ids.is_empty() || ids.contains(&volume.id.as_str())))
        .map(|volume| (volume.id.as_str(), VolumeAt(volume, now)))
        .filter(|(_, volume)| filters.fit(volume));
    let (found, next) = page.take(found);
    let mut xml = Xml::default();
    xml.list("volumeSet", found, |item, volume| write(item, &volume));
    page.write(&mut xml, next);
    Ok(xml)
}

fn write(xml: &mut Xml, at: &VolumeAt<'_>) {
    let volume = at.0;
    xml.text("volumeId", &volume.id)
        .text("size", volume.size)
        .text("snapshotId", volume.snapshot.as_deref().unwrap_or_default())
        .text("availabilityZone", &volume.zone)
        .text("status", at.state())
        .time("createTime", volume.created)
        .text("volumeType", &volume.kind)
        .text("encrypted", volume.key.is_some())
        .maybe("kmsKeyId", volume.key.as_ref());
    xml.list("attachmentSet", &volume.attached, |item, attached| attachment(item, &volume.id, attached, "attached"));
    tags::write(xml, &volume.tags);
}

fn attachment(xml: &mut Xml, volume: &str, attached: &Attachment, status: &str) {
    xml.text("volumeId", volume)
        .text("instanceId", &attached.instance)
        .text("device", &attached.device)
        .text("status", status)
        .time("attachTime", attached.since)
        .text("deleteOnTermination", attached.delete_on_termination);
}

pub(super) fn create(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    tags::only_for(call.form, &["volume"])?;
    let (name, account, now, form) = (call.region().to_owned(), call.account().to_owned(), call.now, call.form);
    if let Some(id) = once::made_before(call)? {
        let mut xml = Xml::default();
        write(&mut xml, &VolumeAt(own(call, &id)?, now));
        return Ok(xml);
    }
    let zone = form.required("AvailabilityZone")?.to_owned();
    if zone.strip_prefix(name.as_str()).is_none_or(|letter| letter.len() != 1) {
        return Err(refused("InvalidZone.NotFound", format!("The zone '{zone}' does not exist.")));
    }
    let tags = tags::specified(form, "volume")?;
    let snapshot = match form.get("SnapshotId") {
        Some(id) => Some(call.state.snapshot(&name, &account, id)?.clone()),
        None => None,
    };
    if let Some(snapshot) = snapshot.as_ref().filter(|snapshot| !snapshot.is_complete(now)) {
        let text = format!("Snapshot '{}' is not in state 'completed'.", snapshot.id);
        return Err(refused("IncorrectState", text));
    }
    let size = match (form.number("Size")?, &snapshot) {
        (Some(size), Some(snapshot)) if size < snapshot.size => {
            let text =
                format!("The volume cannot be smaller than its snapshot: {size} is less than {} GiB", snapshot.size);
            return Err(refused("InvalidParameterValue", text));
        }
        (Some(size), _) if size > 0 => size,
        (None, Some(snapshot)) => snapshot.size,
        _ => return Err(refused("MissingParameter", "The request must contain the parameter Size or SnapshotId")),
    };
    if form.get("KmsKeyId").is_some() && !form.flag("Encrypted")? {
        let text = "The parameter KmsKeyId requires the parameter Encrypted to be set.";
        return Err(refused("InvalidParameterDependency", text));
    }
    let asked = form.flag("Encrypted")? || call.state.region(&name)?.encryption_by_default;
    let key = snapshot.as_ref().and_then(|snapshot| snapshot.key.clone());
    let default = || format!("arn:aws:kms:{name}:{account}:alias/aws/ebs");
    let key = key.or_else(|| asked.then(|| form.get("KmsKeyId").map_or_else(default, str::to_owned)));
    let id = call.state.id("vol");
    let volume = Volume {
        id: id.clone(),
        owner: account,
        tags,
        size,
        zone,
        kind: form.get("VolumeType").unwrap_or("gp2").to_owned(),
        snapshot: snapshot.as_ref().map(|snapshot| snapshot.id.clone()),
        key,
        attached: None,
        created: now,
        available_from: later(now, call.state.settings.instance_ms),
        content: snapshot.as_ref().map(|snapshot| snapshot.content.clone()).unwrap_or_default(),
        lineage: snapshot.map_or_else(|| id.clone(), |snapshot| snapshot.lineage),
    };
    let mut xml = Xml::default();
    write(&mut xml, &VolumeAt(&volume, now));
    once::note(call, &id);
    call.state.region(&name)?.volumes.insert(id, volume);
    Ok(xml)
}

pub(super) fn attach(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let (name, account, now, form) = (call.region().to_owned(), call.account().to_owned(), call.now, call.form);
    let (id, instance_id, device) =
        (form.required("VolumeId")?, form.required("InstanceId")?, form.required("Device")?);
    let region = call.state.region(&name)?;
    let instance = region
        .instances
        .get(instance_id)
        .filter(|own| own.owner == account)
        .ok_or_else(|| create::missing_instance(instance_id))?;
    if !matches!(instance.state(now).0, "running" | "stopped") {
        let text = format!("Instance '{instance_id}' is not 'running'.");
        return Err(refused("IncorrectState", text));
    }
    let zone = instance.zone.clone();
    let taken = region.volumes.values().filter_map(|volume| volume.attached.as_ref());
    if taken.clone().any(|own| own.instance == instance_id && own.device == device) {
        let text = format!("Invalid value '{device}' for unixDevice. Attachment point {device} is already in use");
        return Err(refused("InvalidParameterValue", text));
    }
    let hardware = call.state.hardware.clone();
    let volume = own(call, id)?;
    if volume.attached.is_some() {
        return Err(refused("VolumeInUse", format!("{id} is already attached to an instance")));
    }
    if now < volume.available_from {
        return Err(refused("IncorrectState", format!("Volume '{id}' is not 'available'.")));
    }
    if volume.zone != zone {
        let text = format!("The volume '{id}' is not in the same availability zone as instance '{instance_id}'");
        return Err(refused("InvalidVolume.ZoneMismatch", text));
    }
    if let Some(hardware) = hardware {
        let disk = Disk { id, size: volume.size, content: &volume.content };
        let shown = hardware.attach(&disk, instance_id, device);
        shown.map_err(|error| ApiError::new(500, "InternalError", format!("the disk: {error}")))?;
    }
    let attached = Attachment {
        instance: instance_id.to_owned(),
        device: device.to_owned(),
        delete_on_termination: false,
        since: now,
    };
    let mut xml = Xml::default();
    attachment(&mut xml, id, &attached, "attaching");
    volume.attached = Some(attached);
    Ok(xml)
}

pub(super) fn detach(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let form = call.form;
    let id = form.required("VolumeId")?;
    let (wanted, hardware) = (form.get("InstanceId"), call.state.hardware.clone());
    let volume = own(call, id)?;
    let attached = volume.attached.clone().filter(|own| wanted.is_none_or(|wanted| wanted == own.instance));
    let attached =
        attached.ok_or_else(|| refused("IncorrectState", format!("Volume '{id}' is in the 'available' state.")))?;
    // "If a volume is not unmounted … the volume can become stuck in the busy state" (EC2 API Reference, "DetachVolume").
    if hardware.is_none_or(|hardware| hardware.detach(id)) {
        volume.attached = None;
    }
    let mut xml = Xml::default();
    attachment(&mut xml, id, &attached, "detaching");
    Ok(xml)
}

pub(super) fn delete(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let (name, id) = (call.region().to_owned(), call.form.required("VolumeId")?);
    if let Some(attached) = &own(call, id)?.attached {
        let text = format!("Volume {id} is currently attached to {}", attached.instance);
        return Err(refused("VolumeInUse", text));
    }
    if let Some(hardware) = &call.state.hardware {
        hardware.forget(id);
    }
    call.state.region(&name)?.volumes.remove(id);
    let mut xml = Xml::default();
    xml.text("return", true);
    Ok(xml)
}
