//! Images: registered from snapshots, described, deregistered.

use std::collections::BTreeMap;

use super::call::Call;
use super::create;
use crate::aws_fake::ApiError;
use crate::ec2_fake::filter::{Filterable, Filters};
use crate::ec2_fake::model::Image;
use crate::ec2_fake::page::Page;
use crate::ec2_fake::rules::refused;
use crate::ec2_fake::tags::{self, Tags};
use crate::ec2_fake::xml::Xml;

impl Filterable for Image {
    fn values(&self, name: &str) -> Option<Vec<String>> {
        Some(match name {
            "image-id" => vec![self.id.clone()],
            "name" => vec![self.name.clone()],
            "state" => vec!["available".to_owned()],
            "owner-id" => vec![self.owner.clone()],
            "block-device-mapping.snapshot-id" => self.devices.values().cloned().collect(),
            _ => return None,
        })
    }

    fn tags(&self) -> &Tags {
        &self.tags
    }
}

const FILTERS: [&str; 5] = ["image-id", "name", "state", "owner-id", "block-device-mapping.snapshot-id"];

/// "AMI names must be between 3 and 128 characters long" (EC2 API Reference, "RegisterImage").
const NAME_CHARACTERS: std::ops::RangeInclusive<usize> = 3..=128;

pub(super) fn register(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    tags::only_for(call.form, &["image", "snapshot"])?;
    let (region, account, now, form) = (call.region().to_owned(), call.account().to_owned(), call.now, call.form);
    let name = form.required("Name")?.to_owned();
    let odd = |c: char| !(c.is_ascii_alphanumeric() || "()[] ./-'@_".contains(c));
    if !NAME_CHARACTERS.contains(&name.chars().count()) || name.contains(odd) {
        let text = "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', \
                    '-', '/' and '_'";
        return Err(refused("InvalidAMIName.Malformed", text));
    }
    let taken = |image: &Image| image.owner == account && image.name == name;
    if let Some(image) = call.state.region(&region)?.images.values().find(|image| taken(image)) {
        let text = format!("AMI name {name} is already in use by AMI {}", image.id);
        return Err(refused("InvalidAMIName.Duplicate", text));
    }
    let tags = tags::specified(form, "image")?;
    let description = create::description(call)?;
    let root_device = form.required("RootDeviceName")?.to_owned();
    let mut devices = BTreeMap::new();
    for mapping in form.list("BlockDeviceMapping") {
        let Some(id) = mapping.get("Ebs.SnapshotId") else { continue };
        let snapshot = call.state.snapshot(&region, &account, id)?;
        if !snapshot.is_complete(now) {
            let text = format!("Snapshot '{id}' is not in state 'completed'.");
            return Err(refused("InvalidParameterValue", text));
        }
        devices.insert(mapping.required("DeviceName")?.to_owned(), id.to_owned());
    }
    if !devices.contains_key(&root_device) {
        let text = format!("No root snapshot specified in device mapping: nothing is mapped to {root_device}");
        return Err(refused("InvalidBlockDeviceMapping", text));
    }
    let id = call.state.id("ami");
    let image = Image {
        id: id.clone(),
        owner: account.clone(),
        tags,
        name: name.clone(),
        description,
        architecture: form.get("Architecture").unwrap_or("i386").to_owned(),
        root_device,
        devices,
        created: now,
    };
    call.state.region(&region)?.images.insert(id.clone(), image);
    let mut xml = Xml::default();
    xml.text("imageId", id);
    Ok(xml)
}

pub(super) fn describe(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let filters = Filters::read(call.form, &FILTERS)?;
    let page = Page::read(call.form, &call.state.settings, 1..=1000, "ImageId", call.now)?;
    let (region, account) = (call.region().to_owned(), call.account().to_owned());
    let (ids, owners) = (call.form.texts("ImageId"), call.form.texts("Owner"));
    let images = &call.state.region(&region)?.images;
    if let Some(id) = ids.iter().find(|id| !images.contains_key(**id)) {
        return Err(refused("InvalidAMIID.NotFound", format!("The image id '[{id}]' does not exist")));
    }
    let owned = |image: &Image| {
        owners.is_empty() || owners.iter().any(|own| image.owner == if *own == "self" { &account } else { *own })
    };
    let found = images
        .values()
        .filter(|image| page.after.as_ref().is_none_or(|after| image.id > *after))
        .filter(|image| (ids.is_empty() || ids.contains(&image.id.as_str())) && owned(image) && filters.fit(*image))
        .map(|image| (image.id.as_str(), image));
    let (found, next) = page.take(found);
    let mut xml = Xml::default();
    xml.list("imagesSet", found, |item, image| {
        item.text("imageId", &image.id)
            .text("imageLocation", format_args!("{}/{}", image.owner, image.name))
            .text("imageState", "available")
            .text("imageOwnerId", &image.owner)
            .text("isPublic", false)
            .text("architecture", &image.architecture)
            .text("imageType", "machine")
            .text("name", &image.name)
            .text("description", &image.description)
            .text("rootDeviceType", "ebs")
            .text("rootDeviceName", &image.root_device)
            .text("virtualizationType", "hvm")
            .time("creationDate", image.created);
        item.list("blockDeviceMapping", &image.devices, |item, (device, snapshot)| {
            item.text("deviceName", device);
            item.element("ebs", |inner| {
                inner.text("snapshotId", snapshot).text("deleteOnTermination", true);
            });
        });
        tags::write(item, &image.tags);
    });
    page.write(&mut xml, next);
    Ok(xml)
}

pub(super) fn deregister(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let (region, account) = (call.region().to_owned(), call.account().to_owned());
    let id = call.form.required("ImageId")?;
    let images = &mut call.state.region(&region)?.images;
    if images.get(id).is_none_or(|image| image.owner != account) {
        return Err(refused("InvalidAMIID.NotFound", format!("The image id '[{id}]' does not exist")));
    }
    images.remove(id);
    let mut xml = Xml::default();
    xml.text("return", true);
    Ok(xml)
}
