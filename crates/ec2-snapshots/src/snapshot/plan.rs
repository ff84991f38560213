//! Which sets are begun, with which descriptions and tags: pure.

use jiff::Timestamp;
use serde::Serialize;

use super::Request;
use super::prepare::{Found, Prepared};
use crate::description::Description;
use crate::error::{Ec2Error, Ec2Result};
use crate::lineage;
use crate::model::{Device, Instance, InstanceId, Region, SetId, Tags, VolumeId};
use crate::ports::Consistency;
use crate::run_regions::Failed;
use crate::tags;

/// Volumes of one call (EC2 User Guide, "Create multi-volume snapshots": the root volume and up to 127 data volumes).
const VOLUMES_MAX: usize = 128;

/// One volume of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedVolume {
    /// The volume.
    pub volume: VolumeId,
    /// As the instance knows it.
    pub device: String,
    /// Tags that only its snapshot gets.
    pub tags: Tags,
}

/// The snapshots of one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedSet {
    /// Where.
    pub region: Region,
    /// The instance.
    pub instance: InstanceId,
    /// Its tag `Name`.
    pub name: Option<String>,
    /// The set, once it is begun.
    pub set: SetId,
    /// How consistent it must be.
    pub consistency: Consistency,
    /// The description of each snapshot.
    pub description: String,
    /// Tags of each snapshot.
    pub tags: Tags,
    /// The volumes.
    pub volumes: Vec<PlannedVolume>,
    /// Leaves out the root volume.
    pub exclude_boot: bool,
    /// What the set is of.
    #[serde(skip)]
    pub of: Instance,
}

/// What is begun, and what cannot be.
#[derive(Debug, Default, Serialize)]
pub struct SnapshotPlan {
    /// The sets.
    pub sets: Vec<PlannedSet>,
    /// What cannot be snapshotted.
    pub failures: Vec<Failed>,
    /// What the user should know and that stops nothing.
    pub warnings: Vec<String>,
}

/// Plans a set for each instance that was found, as of `now`. `id` makes the ids of sets.
///
/// # Errors
/// [`Ec2Error::Tag`] for a tag asked for that EC2 would not take; [`Ec2Error::Usage`] for such a description.
pub fn plan(
    prepared: Prepared,
    request: &Request,
    now: Timestamp,
    mut id: impl FnMut() -> SetId,
) -> Ec2Result<SnapshotPlan> {
    for (name, value) in request.tags.iter() {
        tags::check(name, value)?;
    }
    let mut plan = SnapshotPlan { failures: prepared.failures, ..SnapshotPlan::default() };
    for found in &prepared.found {
        match set(found, request, now, id()) {
            Ok((set, left_out)) => {
                plan.warnings.extend(left_out);
                plan.sets.push(set);
            }
            Err(error @ (Ec2Error::Tag { .. } | Ec2Error::Usage { .. })) => return Err(error),
            Err(error) => plan.failures.push(Failed::of(&found.instance.region, &found.instance.id, error)),
        }
    }
    Ok(plan)
}

fn set(found: &Found, request: &Request, now: Timestamp, id: SetId) -> Ec2Result<(PlannedSet, Vec<String>)> {
    let instance = &found.instance;
    let is_root = |device: &&Device| Some(&device.name) == instance.root_device.as_ref();
    let devices: Vec<&Device> =
        instance.devices.iter().filter(|device| !(request.exclude_boot && is_root(device))).collect();
    if devices.is_empty() {
        let what = format!("volume to snapshot on instance `{}`", instance.id);
        return Err(Ec2Error::NotFound { what, region: instance.region.clone() });
    }
    if devices.len() > VOLUMES_MAX {
        let what =
            format!("instance `{}` has {} volumes, and one call takes {VOLUMES_MAX}", instance.id, devices.len());
        return Err(Ec2Error::usage(what, "detach some of them, or leave the root volume out"));
    }
    let own = own_tags(instance, devices.len(), &id, request);
    let common = tags::cloned(&own, &[])?.tags;
    let (mut volumes, mut warnings) = (Vec::new(), Vec::new());
    for device in devices.iter().copied() {
        let (volume, left_out) = volume(found, device, &common)?;
        if !left_out.is_empty() {
            let names = left_out.join("`, `");
            warnings.push(format!(
                "the snapshot of {} has no room for the tags `{names}`: a snapshot has at most {} tags",
                device.volume,
                tags::COUNT_MAX
            ));
        }
        volumes.push(volume);
    }
    let planned = PlannedSet {
        region: instance.region.clone(),
        instance: instance.id.clone(),
        name: instance.tags.filled("Name").map(str::to_owned),
        set: id,
        consistency: request.consistency,
        description: description(instance, &devices, request, now)?,
        tags: common,
        volumes,
        exclude_boot: request.exclude_boot,
        of: instance.clone(),
    };
    Ok((planned, warnings))
}

/// The tags that each snapshot has from its first moment. What was reached is not known yet: it begins with the least.
fn own_tags(instance: &Instance, size: usize, id: &SetId, request: &Request) -> Tags {
    let mut own = request.tags.clone();
    if let Some((name, value)) = &request.tag {
        own.set(name, value);
    }
    own.extend([
        (lineage::SET, id.as_str()),
        (lineage::SET_SIZE, &size.to_string()),
        (lineage::CONSISTENCY, Consistency::Crash.name()),
        (lineage::SRC_REGION, instance.region.as_str()),
    ]);
    own
}

fn volume(found: &Found, device: &Device, common: &Tags) -> Ec2Result<(PlannedVolume, Vec<String>)> {
    let lineage = common.clone().with(lineage::SRC_VOLUME, device.volume.as_str()).with(lineage::DEVICE, &device.name);
    let none = Tags::new();
    let of_volume = found.volume_tags.get(&device.volume).unwrap_or(&none);
    let cloned = tags::cloned(&lineage, &[of_volume, &found.instance.tags])?;
    let more = cloned.tags.iter().filter(|(name, value)| !common.has(name, value)).collect();
    Ok((PlannedVolume { volume: device.volume.clone(), device: device.name.clone(), tags: more }, cloned.left_out))
}

fn description(instance: &Instance, devices: &[&Device], request: &Request, now: Timestamp) -> Ec2Result<String> {
    if let Some(text) = &request.description {
        let len = text.chars().count();
        if len > crate::description::LEN_MAX {
            let what = format!("the description has {len} characters, more than {}", crate::description::LEN_MAX);
            return Err(Ec2Error::usage(what, "shorten it"));
        }
        return Ok(text.clone());
    }
    // One call has one description: only for a single volume can it name the volume. Tags do it for all.
    let single = match devices {
        [one] => Some(*one),
        _ => None,
    };
    let description = Description {
        volume: single.map(|device| device.volume.to_string()),
        region: Some(instance.region.to_string()),
        device: single.map(|device| device.name.clone()),
        instance: Some(instance.id.to_string()),
        instance_type: Some(instance.instance_type.clone()),
        architecture: Some(instance.architecture.clone()),
        root_device: instance.root_device.clone(),
        time: Some(now),
    };
    Ok(description.text())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_world::instance;

    fn found(devices: &[&str]) -> Found {
        let instance = instance("i-1", devices);
        let tags =
            |device: &Device| (device.volume.clone(), Tags::new().with("Name", &device.name).with("of", "volume"));
        Found { volume_tags: instance.devices.iter().map(tags).collect(), instance }
    }

    fn planned(found: Vec<Found>, request: &Request) -> Ec2Result<SnapshotPlan> {
        let now = "2026-11-21T03:00:00.7Z".parse().unwrap();
        plan(Prepared { found, failures: Vec::new() }, request, now, || SetId::new("set-1"))
    }

    #[test]
    fn a_set_names_its_lineage_and_has_the_tags_of_volume_and_instance() {
        let request = Request { tag: Some(("Earmarking".to_owned(), "production".to_owned())), ..Request::default() };
        let plan = planned(vec![found(&["/dev/sda1", "/dev/sdf"])], &request).unwrap();
        let set = &plan.sets[0];
        assert_eq!(set.tags.get(lineage::SET), Some("set-1"));
        assert_eq!(set.tags.get(lineage::SET_SIZE), Some("2"));
        assert_eq!(set.tags.get("Earmarking"), Some("production"));
        let data = &set.volumes[1];
        assert_eq!(data.tags.get(lineage::DEVICE), Some("/dev/sdf"));
        // The instance's tag wins, as with django-fabfile.
        assert_eq!((data.tags.get("Name"), data.tags.get("of")), (Some("web"), Some("volume")));
        assert!(!set.description.contains("\"Volume\"") && set.description.contains("2026-11-21T03:00:00"));
    }

    #[test]
    fn a_single_volume_is_named_in_the_description() {
        let plan = planned(vec![found(&["/dev/sda1"])], &Request::default()).unwrap();
        let described = Description::read(&plan.sets[0].description).unwrap();
        assert_eq!((described.volume.as_deref(), described.device.as_deref()), (Some("vol-sda1"), Some("/dev/sda1")));
    }

    #[test]
    fn without_the_root_volume_nothing_may_be_left() {
        let without_root = Request { exclude_boot: true, ..Request::default() };
        let plan = planned(vec![found(&["/dev/sda1"]), found(&["/dev/sda1", "/dev/sdf"])], &without_root).unwrap();
        assert_eq!((plan.sets.len(), plan.sets[0].volumes.len(), plan.failures.len()), (1, 1, 1));
        assert!(plan.failures[0].error.to_string().contains("i-1"), "{}", plan.failures[0].error);
    }

    #[test]
    fn e9_a_tag_that_ec2_would_not_take_is_refused_before_anything_is_created() {
        let request = Request { tags: Tags::new().with("n", "v".repeat(257)), ..Request::default() };
        assert!(matches!(planned(vec![found(&["/dev/sda1"])], &request), Err(Ec2Error::Tag { .. })));
        let mut many = found(&["/dev/sda1"]);
        many.instance.tags = (0..60).map(|at| (format!("t{at:02}"), "x")).collect();
        let plan = planned(vec![many], &Request::default()).unwrap();
        assert!(
            plan.warnings[0].contains("no room for the tags") && plan.warnings[0].contains("`t59`"),
            "{:?}",
            plan.warnings
        );
    }
}
