//! A machine image of snapshots: those of a set, or those of one instance within ten minutes, as django-fabfile took them.

use std::collections::BTreeMap;

use backup_core::run::Run;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::ask;
use crate::description::{Description, LEN_MAX};
use crate::error::{Ec2Error, Ec2Result};
use crate::lineage;
use crate::listing;
use crate::model::{ImageId, Region, Snapshot, SnapshotId, SnapshotState, Tags};
use crate::origin::Origin;
use crate::ports::{Ec2, Filter, ImageDevice, RegisterImage};

/// How far apart in time the snapshots of one image may be that no set holds together.
const APART_MAX: SignedDuration = SignedDuration::from_mins(10);

/// The root device where nothing names one: django-fabfile's default.
pub const ROOT_DEVICE: &str = "/dev/sda1";

/// The architecture where nothing names one. (django-fabfile's was `i386`, which no current instance has.)
pub const ARCHITECTURE: &str = "x86_64";

/// What is said of an image besides its snapshots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Its name; made of source and time otherwise.
    pub name: Option<String>,
    /// The device it starts from, where descriptions do not say.
    pub root_device: Option<String>,
    /// Its architecture, where descriptions do not say.
    pub architecture: Option<String>,
}

/// A device of a planned image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedDevice {
    /// Its name.
    pub device: String,
    /// What it is made of.
    pub snapshot: SnapshotId,
    /// When the volume was as the snapshot has it.
    pub time: Timestamp,
    /// Its size in GiB.
    pub size_gib: u64,
}

/// An image that can be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImagePlan {
    /// Where.
    pub region: Region,
    /// Its name.
    pub name: String,
    /// Its description: that of the snapshot.
    pub description: String,
    /// Its architecture.
    pub architecture: String,
    /// The device it starts from.
    pub root_device: String,
    /// Its devices, by name.
    pub devices: Vec<PlannedDevice>,
    /// Its tags.
    pub tags: Tags,
}

/// The snapshots that an image of `name`, a set or a snapshot, may be made of: pure selection happens in [`plan`].
///
/// # Errors
/// [`Ec2Error::NotFound`] if there is neither; [`Ec2Error`] of the listing.
pub async fn prepare(ec2: &dyn Ec2, name: &str, run: &Run) -> Ec2Result<Vec<Snapshot>> {
    let filter = if name.starts_with("snap-") {
        // Other snapshots of its instance are known by their descriptions alone.
        vec![Filter::new("status", ["completed"])]
    } else {
        vec![Filter::tag(lineage::SET, name)]
    };
    let found = listing::snapshots(ec2, filter, run).await?;
    let is_there = !found.is_empty() && (!name.starts_with("snap-") || found.iter().any(|one| one.id.as_str() == name));
    if is_there {
        return Ok(found);
    }
    let kind = if name.starts_with("snap-") { "complete snapshot" } else { "set" };
    Err(Ec2Error::NotFound { what: format!("{kind} `{name}`"), region: ec2.name().clone() })
}

/// The image of `name`, a set or a snapshot, among `snapshots` of one region.
///
/// # Errors
/// [`Ec2Error::Image`] if a device is missing, twice there or not complete.
pub fn plan(name: &str, snapshots: &[Snapshot], request: &Request) -> Ec2Result<ImagePlan> {
    let chosen = match snapshots.iter().find(|snapshot| snapshot.id.as_str() == name) {
        Some(snapshot) => nearest(snapshot, snapshots)?,
        None => of_set(name, snapshots)?,
    };
    let refused = |what: String| Err(Ec2Error::Image { what });
    let Some((_, first)) = chosen.first_key_value() else { return refused(format!("`{name}` has no snapshots")) };
    let described = chosen.values().find_map(|snapshot| Description::read(&snapshot.description)).unwrap_or_default();
    let root_device =
        described.root_device.clone().or_else(|| request.root_device.clone()).unwrap_or_else(|| ROOT_DEVICE.to_owned());
    if !chosen.contains_key(&root_device) {
        let there = chosen.keys().cloned().collect::<Vec<_>>().join("`, `");
        return refused(format!("there is no snapshot of its root device `{root_device}`, only of `{there}`"));
    }
    let time = Origin::of(first).time;
    let source = described.instance.as_deref().unwrap_or(name);
    Ok(ImagePlan {
        region: first.region.clone(),
        name: request.name.clone().unwrap_or_else(|| image_name(source, time)),
        description: first.description.chars().take(LEN_MAX).collect(),
        architecture: described
            .architecture
            .or_else(|| request.architecture.clone())
            .unwrap_or_else(|| ARCHITECTURE.to_owned()),
        root_device,
        devices: chosen.iter().map(|(device, snapshot)| planned(device, snapshot)).collect(),
        tags: image_tags(first),
    })
}

fn planned(device: &str, snapshot: &Snapshot) -> PlannedDevice {
    let time = Origin::of(snapshot).time;
    PlannedDevice { device: device.to_owned(), snapshot: snapshot.id.clone(), time, size_gib: snapshot.size_gib }
}

/// Every member of a set; each must be complete and have a device of its own.
fn of_set<'s>(set: &str, snapshots: &'s [Snapshot]) -> Ec2Result<BTreeMap<String, &'s Snapshot>> {
    let members: Vec<&Snapshot> = snapshots.iter().filter(|snapshot| snapshot.tags.has(lineage::SET, set)).collect();
    let mut devices = BTreeMap::new();
    for snapshot in &members {
        if snapshot.state != SnapshotState::Completed {
            return Err(Ec2Error::Image { what: format!("{} of the set is {}", snapshot.id, snapshot.state) });
        }
        let device = device_of(snapshot)?;
        if devices.insert(device.clone(), *snapshot).is_some() {
            return Err(Ec2Error::Image { what: format!("the set has several snapshots of `{device}`") });
        }
    }
    let size = members.iter().find_map(|snapshot| snapshot.tags.filled(lineage::SET_SIZE)?.parse::<usize>().ok());
    match size.filter(|size| *size > devices.len()) {
        Some(size) => {
            Err(Ec2Error::Image { what: format!("only {} of {size} snapshots of the set are there", devices.len()) })
        }
        None => Ok(devices),
    }
}

/// `snapshot`, and of each other device of its instance the nearest in time within [`APART_MAX`].
fn nearest<'s>(snapshot: &'s Snapshot, all: &'s [Snapshot]) -> Ec2Result<BTreeMap<String, &'s Snapshot>> {
    if let Some(set) = snapshot.tags.filled(lineage::SET) {
        return of_set(set, all);
    }
    let origin = Origin::of(snapshot);
    let own_device = device_of(snapshot)?;
    let Some(instance) = &origin.instance else { return Ok([(own_device, snapshot)].into()) };
    let mut devices: BTreeMap<String, (SignedDuration, &Snapshot)> = BTreeMap::new();
    for other in all.iter().filter(|other| other.state == SnapshotState::Completed && other.region == snapshot.region) {
        let its = Origin::of(other);
        let (Some(device), Some(of)) = (its.device, its.instance) else { continue };
        let apart = its.time.duration_since(origin.time).abs();
        if of != *instance || device == own_device || apart > APART_MAX {
            continue;
        }
        let held = devices.entry(device).or_insert((apart, other));
        if (apart, &other.id) < (held.0, &held.1.id) {
            *held = (apart, other);
        }
    }
    let mut chosen: BTreeMap<String, &Snapshot> =
        devices.into_iter().map(|(device, (_, other))| (device, other)).collect();
    chosen.insert(own_device, snapshot);
    Ok(chosen)
}

fn device_of(snapshot: &Snapshot) -> Ec2Result<String> {
    Origin::of(snapshot).device.ok_or_else(|| Ec2Error::Image {
        what: format!("neither description nor tag of {} names its device", snapshot.id),
    })
}

/// No access key is in it: images can be public. (django-fabfile's names had one.)
fn image_name(source: &str, time: Timestamp) -> String {
    format!("{source} {}", time.strftime("%Y-%m-%d %H.%M.%S"))
}

fn image_tags(snapshot: &Snapshot) -> Tags {
    let own = |name: &str| name != lineage::SET_SIZE && name != lineage::SRC_VOLUME && name != lineage::DEVICE;
    snapshot.tags.iter().filter(|(name, _)| own(name) && !name.starts_with(crate::tags::RESERVED)).collect()
}

/// Makes the image.
///
/// # Errors
/// [`Ec2Error`] of EC2; a name that is taken is refused by it.
pub async fn run(ec2: &dyn Ec2, plan: &ImagePlan, run: &Run) -> Ec2Result<ImageId> {
    run.step("ec2.image", &plan.name);
    let devices = plan.devices.iter();
    let request = RegisterImage {
        name: plan.name.clone(),
        description: plan.description.clone(),
        architecture: plan.architecture.clone(),
        root_device: plan.root_device.clone(),
        devices: devices
            .map(|device| ImageDevice { name: device.device.clone(), snapshot: device.snapshot.clone() })
            .collect(),
        tags: plan.tags.clone(),
    };
    let ended = ask::unless_done(run, &plan.name, || ec2.register_image(&request)).await;
    match ended {
        Ok(image) => Ok(image),
        Err(ask::Ended::Failed(error)) if error.is_ambiguous() => made(ec2, plan, error, run).await,
        Err(ended) => Err(ended.error()),
    }
}

/// The image whose answer was lost: its name is unique.
async fn made(ec2: &dyn Ec2, plan: &ImagePlan, lost: crate::ports::CallError, run: &Run) -> Ec2Result<ImageId> {
    let images = listing::images(ec2, run).await?;
    match images.into_iter().find(|image| image.name == plan.name) {
        Some(image) => Ok(image.id),
        None => Err(lost.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{Cloud as _, Fault};
    use crate::test_world::cloud::{MemoryCloud, When};
    use crate::test_world::snapshot;

    fn described(id: &str, device: &str, minute: u32) -> Snapshot {
        let mut snapshot = snapshot(id, id, "2026-11-21T03:30:00Z");
        snapshot.description = format!(
            r#"{{"Volume": "{id}", "Region": "eu-west-1", "Device": "{device}", "Instance": "i-1", "Root_dev_name": "/dev/sda1", "Time": "2026-11-21T03:{minute:02}:00"}}"#
        );
        snapshot
    }

    fn member(id: &str, device: &str) -> Snapshot {
        let mut snapshot = snapshot(id, id, "2026-11-21T03:30:00Z");
        snapshot.tags.extend([(lineage::SET, "set-1"), (lineage::SET_SIZE, "2"), (lineage::DEVICE, device)]);
        snapshot
    }

    fn devices(plan: &ImagePlan) -> Vec<(&str, &str)> {
        plan.devices.iter().map(|device| (device.device.as_str(), device.snapshot.as_str())).collect()
    }

    #[test]
    fn the_nearest_within_ten_minutes_are_taken() {
        let all = [
            described("snap-1", "/dev/sda1", 10),
            described("snap-2", "/dev/sdf", 2),
            described("snap-3", "/dev/sdf", 12),
            described("snap-4", "/dev/sdg", 21),
            described("snap-5", "/dev/sda1", 11),
        ];
        let plan = plan("snap-1", &all, &Request::default()).unwrap();
        assert_eq!(devices(&plan), [("/dev/sda1", "snap-1"), ("/dev/sdf", "snap-3")]);
        assert_eq!((plan.name.as_str(), plan.architecture.as_str()), ("i-1 2026-11-21 03.10.00", "x86_64"));
    }

    #[test]
    fn a_set_is_taken_whole_or_not_at_all() {
        let all = [member("snap-1", "/dev/sda1"), member("snap-2", "/dev/sdf")];
        assert_eq!(devices(&plan("set-1", &all, &Request::default()).unwrap()).len(), 2);
        assert_eq!(devices(&plan("snap-2", &all, &Request::default()).unwrap()).len(), 2);
        let fault = |all: &[Snapshot]| plan("set-1", all, &Request::default()).unwrap_err().to_string();
        assert!(fault(&all[..1]).contains("only 1 of 2"), "{}", fault(&all[..1]));
        let failed = Snapshot { state: SnapshotState::Error, ..all[1].clone() };
        assert!(fault(&[all[0].clone(), failed]).contains("snap-2 of the set is error"));
        let twice = [all[0].clone(), member("snap-3", "/dev/sda1")];
        assert!(fault(&twice).contains("several snapshots of `/dev/sda1`"));
    }

    #[test]
    fn without_its_root_device_there_is_no_image() {
        let error = plan("snap-1", &[described("snap-1", "/dev/sdf", 10)], &Request::default()).unwrap_err();
        assert!(error.to_string().contains("`/dev/sda1`, only of `/dev/sdf`"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_answer_makes_no_second_image() {
        let cloud = MemoryCloud::new(&["eu-west-1"]);
        cloud.world().faults.push_back(("ec2:RegisterImage", When::After, Fault::NoAnswer, ""));
        let plan = plan("snap-1", &[described("snap-1", "/dev/sda1", 10)], &Request::default()).unwrap();
        let ec2 = cloud.region(&plan.region);
        assert_eq!(run(&*ec2, &plan, &Run::silent()).await.unwrap().as_str(), "ami-1");
        assert_eq!(cloud.changes().len(), 1);
    }
}
