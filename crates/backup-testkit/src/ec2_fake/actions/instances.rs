//! DescribeInstances, RunInstances and TerminateInstances.

use std::ops::Bound;

use backup_core::clock::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::call::Call;
use super::{create, once};
use crate::aws_fake::ApiError;
use crate::ec2_fake::filter::{Filterable, Filters};
use crate::ec2_fake::model::{Attachment, Instance, Region, Volume};
use crate::ec2_fake::page::Page;
use crate::ec2_fake::rules::refused;
use crate::ec2_fake::state::later;
use crate::ec2_fake::tags::{self, Tags};
use crate::ec2_fake::xml::Xml;

/// How long a terminated instance is still described: "for approximately one hour" (EC2 User Guide, "Terminate Amazon EC2
/// instances").
const GHOST_MS: u64 = 3_600_000;

/// What an image's id begins with if a parameter of Systems Manager has it.
pub(super) const PARAMETER: &str = "resolve:ssm:";

struct InstanceAt<'a>(&'a Instance, &'a Region, Timestamp);

impl InstanceAt<'_> {
    fn volumes(&self) -> impl Iterator<Item = (&Volume, &Attachment)> {
        self.1.volumes.values().filter_map(|volume| {
            let attached = volume.attached.as_ref().filter(|attached| attached.instance == self.0.id)?;
            Some((volume, attached))
        })
    }
}

impl Filterable for InstanceAt<'_> {
    fn values(&self, name: &str) -> Option<Vec<String>> {
        let Self(instance, _, now) = self;
        Some(match name {
            "instance-id" => vec![instance.id.clone()],
            "instance-state-name" => vec![instance.state(*now).0.to_owned()],
            "instance-type" => vec![instance.kind.clone()],
            "image-id" => vec![instance.image.clone()],
            "availability-zone" => vec![instance.zone.clone()],
            "block-device-mapping.volume-id" => self.volumes().map(|(volume, _)| volume.id.clone()).collect(),
            _ => return None,
        })
    }

    fn tags(&self) -> &Tags {
        &self.0.tags
    }
}

const FILTERS: [&str; 6] = [
    "instance-id",
    "instance-state-name",
    "instance-type",
    "image-id",
    "availability-zone",
    "block-device-mapping.volume-id",
];

/// "This value can be between 5 and 1000" (EC2 API Reference, "DescribeInstances").
pub(super) fn describe(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let filters = Filters::read(call.form, &FILTERS)?;
    let page = Page::read(call.form, &call.state.settings, 5..=1000, "InstanceId", call.now)?;
    let (name, account, now) = (call.region().to_owned(), call.account().to_owned(), call.now);
    let ids = call.form.texts("InstanceId");
    let region = &*call.state.region(&name)?;
    let there = |own: &Instance| {
        own.owner == account && own.terminated.is_none_or(|terminated| now < later(terminated, GHOST_MS))
    };
    if let Some(id) = ids.iter().find(|id| !region.instances.get(**id).is_some_and(there)) {
        return Err(create::missing_instance(id));
    }
    let start = page.after.clone().map_or(Bound::Unbounded, Bound::Excluded);
    let found = region
        .instances
        .range((start, Bound::Unbounded))
        .map(|(_, instance)| instance)
        .filter(|instance| there(instance) && (ids.is_empty() || ids.contains(&instance.id.as_str())))
        .map(|instance| (instance.id.as_str(), InstanceAt(instance, region, now)))
        .filter(|(_, instance)| filters.fit(instance));
    let (found, next) = page.take(found);
    let mut xml = Xml::default();
    xml.list("reservationSet", found, |item, instance| reservation(item, &account, &[instance]));
    page.write(&mut xml, next);
    Ok(xml)
}

fn reservation(xml: &mut Xml, account: &str, instances: &[InstanceAt<'_>]) {
    let id = instances.first().map_or("", |instance| instance.0.id.as_str());
    xml.text("reservationId", id.replacen("i-", "r-", 1)).text("ownerId", account);
    xml.list("groupSet", std::iter::empty::<()>(), |_, ()| {});
    xml.list("instancesSet", instances, write);
}

fn write(xml: &mut Xml, at: &InstanceAt<'_>) {
    let InstanceAt(instance, _, now) = at;
    let (state, code) = instance.state(*now);
    xml.text("instanceId", &instance.id).text("imageId", &instance.image);
    xml.element("instanceState", |inner| {
        inner.text("code", code).text("name", state);
    });
    let address = instance.address.as_ref().filter(|_| state == "running");
    xml.text("dnsName", address.cloned().unwrap_or_default())
        .maybe("ipAddress", address)
        .maybe("privateIpAddress", address)
        .maybe("keyName", instance.key.as_ref())
        .text("instanceType", &instance.kind)
        .time("launchTime", instance.launched)
        .text("architecture", "x86_64")
        .text("rootDeviceType", "ebs")
        .text("rootDeviceName", &instance.root_device)
        .text("virtualizationType", "hvm");
    xml.element("placement", |inner| {
        inner.text("availabilityZone", &instance.zone).text("tenancy", "default");
    });
    xml.list("groupSet", &instance.groups, |item, group| {
        item.text("groupId", group);
    });
    xml.list("blockDeviceMapping", at.volumes(), |item, (volume, attached)| {
        item.text("deviceName", &attached.device);
        item.element("ebs", |inner| {
            inner
                .text("volumeId", &volume.id)
                .text("status", "attached")
                .time("attachTime", attached.since)
                .text("deleteOnTermination", attached.delete_on_termination);
        });
    });
    tags::write(xml, &instance.tags);
}

pub(super) fn run(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    tags::only_for(call.form, &["instance", "volume", "network-interface"])?;
    let (name, account, now, form) = (call.region().to_owned(), call.account().to_owned(), call.now, call.form);
    let (min, max) = (form.number("MinCount")?.unwrap_or(0), form.number("MaxCount")?.unwrap_or(0));
    if min == 0 || max < min {
        return Err(refused(
            "InvalidParameterValue",
            "MinCount and MaxCount must be at least 1, and MaxCount not less",
        ));
    }
    if let Some(id) = once::made_before(call)? {
        let region = &*call.state.region(&name)?;
        let made = region.instances.get(&id).map(|instance| InstanceAt(instance, region, now));
        let mut xml = Xml::default();
        reservation(&mut xml, &account, made.as_slice());
        return Ok(xml);
    }
    let image_id = image(call)?;
    let (own, volumes) = (tags::specified(form, "instance")?, tags::specified(form, "volume")?);
    let region = call.state.region(&name)?;
    let image = region.images.get(&image_id).cloned();
    let image =
        image.ok_or_else(|| refused("InvalidAMIID.NotFound", format!("The image id '[{image_id}]' does not exist")))?;
    let key = form.get("KeyName").map(str::to_owned);
    if let Some(key) = key.as_ref().filter(|key| region.keys.get(*key).is_none_or(|own| own.owner != account)) {
        return Err(refused("InvalidKeyPair.NotFound", format!("The key pair '{key}' does not exist")));
    }
    let groups: Vec<String> = form.texts("SecurityGroupId").into_iter().map(str::to_owned).collect();
    if let Some(group) = groups.iter().find(|group| !region.groups.contains_key(*group)) {
        return Err(refused("InvalidGroup.NotFound", format!("The security group '{group}' does not exist")));
    }
    let root_device = if image.root_device.is_empty() { "/dev/sda1" } else { &image.root_device }.to_owned();
    let running_from = later(now, call.state.settings.instance_ms);
    let mut ids = Vec::new();
    for _ in 0..max {
        let (id, serial) = (call.state.id("i"), call.state.serial());
        let addresses = &call.state.settings.addresses;
        let pick = usize::try_from(serial).unwrap_or(0).checked_rem(addresses.len());
        let mut instance = Instance {
            id: id.clone(),
            owner: account.clone(),
            tags: own.clone(),
            image: image_id.clone(),
            kind: form.get("InstanceType").unwrap_or("m1.small").to_owned(),
            zone: form.get("Placement.AvailabilityZone").map_or_else(|| format!("{name}a"), str::to_owned),
            root_device: root_device.clone(),
            address: pick.map(|pick| addresses[pick].clone()),
            key: key.clone(),
            groups: groups.clone(),
            launched: now,
            running_from,
            ..Instance::default()
        };
        root_volume(call, &name, &instance, &image.devices, &volumes)?;
        boot(call, &name, &mut instance)?;
        call.state.region(&name)?.instances.insert(id.clone(), instance);
        ids.push(id);
    }
    if let [only] = ids.as_slice() {
        once::note(call, only);
    }
    let region = &*call.state.region(&name)?;
    let made: Vec<InstanceAt<'_>> = ids.iter().map(|id| InstanceAt(&region.instances[id], region, now)).collect();
    let mut xml = Xml::default();
    reservation(&mut xml, &account, &made);
    Ok(xml)
}

/// The image that the request means.
fn image(call: &Call<'_>) -> Result<String, ApiError> {
    let id = call.form.required("ImageId")?;
    let Some(parameter) = id.strip_prefix(PARAMETER) else { return Ok(id.to_owned()) };
    let found = call.state.settings.image_parameters.get(parameter).cloned();
    found.ok_or_else(|| refused("InvalidParameterValue", format!("The SSM parameter {parameter} does not exist")))
}

/// Starts the machine behind the instance, where there is one.
fn boot(call: &mut Call<'_>, region: &str, instance: &mut Instance) -> Result<(), ApiError> {
    let Some(hardware) = call.state.hardware.clone() else { return Ok(()) };
    let keys = &call.state.region(region)?.keys;
    let key = instance.key.as_ref().and_then(|name| keys.get(name)).map(|pair| pair.public.clone());
    let address = hardware.boot(&instance.id, key.as_deref());
    let failed = |error| ApiError::new(500, "InternalError", format!("the machine: {error}"));
    instance.address = Some(address.map_err(failed)?);
    Ok(())
}

/// "The returned content is Base64-encoded" (EC2 API Reference, "GetConsoleOutput"); none while the instance is not
/// running.
pub(super) fn console(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let (name, account, now) = (call.region().to_owned(), call.account().to_owned(), call.now);
    let id = call.form.required("InstanceId")?;
    call.form.flag("Latest")?;
    let hardware = call.state.hardware.clone();
    let instance = call.state.region(&name)?.instances.get(id).filter(|own| own.owner == account);
    let instance = instance.ok_or_else(|| create::missing_instance(id))?;
    let printed = hardware.and_then(|hardware| hardware.console(id)).filter(|_| instance.state(now).0 == "running");
    let mut xml = Xml::default();
    xml.text("instanceId", id).time("timestamp", now);
    xml.maybe("output", printed.map(|text| STANDARD.encode(text)));
    Ok(xml)
}

fn root_volume(
    call: &mut Call<'_>,
    name: &str,
    instance: &Instance,
    devices: &std::collections::BTreeMap<String, String>,
    tags: &Tags,
) -> Result<(), ApiError> {
    let (id, now) = (call.state.id("vol"), call.now);
    let region = call.state.region(name)?;
    let snapshot = devices.get(&instance.root_device).and_then(|id| region.snapshots.get(id));
    let volume = Volume {
        id: id.clone(),
        owner: instance.owner.clone(),
        tags: tags.clone(),
        size: snapshot.map_or(8, |snapshot| snapshot.size),
        zone: instance.zone.clone(),
        kind: "gp3".to_owned(),
        snapshot: snapshot.map(|snapshot| snapshot.id.clone()),
        key: snapshot.and_then(|snapshot| snapshot.key.clone()),
        attached: Some(Attachment {
            instance: instance.id.clone(),
            device: instance.root_device.clone(),
            delete_on_termination: true,
            since: now,
        }),
        created: now,
        available_from: now,
        content: snapshot.map(|snapshot| snapshot.content.clone()).unwrap_or_default(),
        lineage: snapshot.map_or_else(|| id.clone(), |snapshot| snapshot.lineage.clone()),
    };
    region.volumes.insert(id, volume);
    Ok(())
}

pub(super) fn terminate(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let (name, account, now) = (call.region().to_owned(), call.account().to_owned(), call.now);
    let (ids, hardware) = (call.form.texts("InstanceId"), call.state.hardware.clone());
    let end = later(now, call.state.settings.instance_ms);
    let region = call.state.region(&name)?;
    if let Some(id) = ids.iter().find(|id| region.instances.get(**id).is_none_or(|own| own.owner != account)) {
        return Err(create::missing_instance(id));
    }
    let mut xml = Xml::default();
    let mut changes = Vec::new();
    for id in ids {
        if let Some(instance) = region.instances.get_mut(id) {
            let before = instance.state(now);
            instance.terminated.get_or_insert(end);
            changes.push((id, before, instance.state(now)));
        }
        if let Some(hardware) = &hardware {
            hardware.halt(id);
        }
        region.volumes.retain(|_, volume| {
            !volume.attached.as_ref().is_some_and(|own| own.instance == id && own.delete_on_termination)
        });
        for volume in region.volumes.values_mut() {
            volume.attached.take_if(|own| own.instance == id);
        }
    }
    xml.list("instancesSet", changes, |item, (id, before, after)| {
        item.text("instanceId", id);
        for (name, (state, code)) in [("previousState", before), ("currentState", after)] {
            item.element(name, |inner| {
                inner.text("code", code).text("name", state);
            });
        }
    });
    Ok(xml)
}
