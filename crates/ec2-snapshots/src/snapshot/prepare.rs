//! Looks up what a snapshot is about: instances, their volumes and tags.

use backup_core::failure::Setting;
use backup_core::remedy;
use std::collections::{BTreeMap, BTreeSet};

use backup_core::run::Run;

use super::Request;
use crate::error::{Ec2Error, Ec2Result};
use crate::listing::{self, FILTER_VALUES_MAX};
use crate::model::{Instance, InstanceId, Region, Tags, VolumeId};
use crate::ports::{Cloud, Ec2, Filter};
use crate::run_regions::{Failed, each};

/// States in which an instance has volumes worth a snapshot.
const STATES: [&str; 4] = ["pending", "running", "stopping", "stopped"];

/// An instance with the tags of its volumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The instance.
    pub instance: Instance,
    /// Tags by volume.
    pub volume_tags: BTreeMap<VolumeId, Tags>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Prepared {
    /// The instances, by region and id.
    pub found: Vec<Found>,
    /// Regions that could not be looked at, and instances that are nowhere.
    pub failures: Vec<Failed>,
}

/// Looks in `regions` for what `request` is about. Changes nothing.
///
/// # Errors
/// [`Ec2Error::Usage`] for a request of nothing. What fails in one region is in [`Prepared::failures`].
pub async fn prepare(cloud: &dyn Cloud, regions: &[Region], request: &Request, run: &Run) -> Ec2Result<Prepared> {
    if request.instances.is_empty() && request.tag.is_none() {
        return Err(Ec2Error::usage(
            "nothing says what to snapshot",
            remedy!["name instances, or give ", Setting::Tag.with("NAME=VALUE")],
        ));
    }
    let looked = each(regions.to_vec(), |region| async move {
        let found = in_region(&*cloud.region(&region), request, run).await;
        (region, found)
    });
    let (mut prepared, mut seen) = (Prepared::default(), BTreeSet::new());
    for (region, found) in looked.await {
        match found {
            Ok(found) => {
                seen.extend(found.iter().map(|found| found.instance.id.clone()));
                prepared.found.extend(found);
            }
            Err(Ec2Error::Interrupted) => return Err(Ec2Error::Interrupted),
            Err(error) => prepared.failures.push(Failed::region(&region, error)),
        }
    }
    // If a region could not be looked at, what is missing may be there: that failure says so.
    if prepared.failures.is_empty() {
        let missing = request.instances.iter().filter(|id| !seen.contains(*id));
        prepared.failures.extend(missing.filter_map(|id| missing_instance(id, regions)));
    }
    Ok(prepared)
}

fn missing_instance(id: &InstanceId, regions: &[Region]) -> Option<Failed> {
    let region = regions.first()?;
    let error = Ec2Error::not_found(format!("instance `{id}`"), regions);
    Some(Failed::of(region, id, error))
}

async fn in_region(ec2: &dyn Ec2, request: &Request, run: &Run) -> Ec2Result<Vec<Found>> {
    let mut instances = Vec::new();
    let states = || Filter::new("instance-state-name", STATES);
    if let Some((name, value)) = &request.tag {
        instances.extend(listing::instances(ec2, vec![Filter::tag(name, value), states()], run).await?);
    }
    // Values of all filters count together.
    for ids in request.instances.chunks(FILTER_VALUES_MAX - STATES.len()) {
        let filter = Filter::literal("instance-id", ids.iter().map(InstanceId::as_str));
        instances.extend(listing::instances(ec2, vec![filter, states()], run).await?);
    }
    instances.sort_by(|one, other| one.id.cmp(&other.id));
    instances.dedup_by(|one, other| one.id == other.id);
    let tags = volume_tags(ec2, &instances, run).await?;
    let of = |instance: &Instance| {
        let own = instance
            .devices
            .iter()
            .filter_map(|device| Some((device.volume.clone(), tags.get(&device.volume)?.clone())));
        own.collect()
    };
    Ok(instances.into_iter().map(|instance| Found { volume_tags: of(&instance), instance }).collect())
}

async fn volume_tags(ec2: &dyn Ec2, instances: &[Instance], run: &Run) -> Ec2Result<BTreeMap<VolumeId, Tags>> {
    let ids: BTreeSet<&str> =
        instances.iter().flat_map(|instance| &instance.devices).map(|device| device.volume.as_str()).collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let mut tags = BTreeMap::new();
    for some in ids.chunks(FILTER_VALUES_MAX) {
        let volumes = listing::volumes(ec2, vec![Filter::new("volume-id", some.iter().copied())], run).await?;
        tags.extend(volumes.into_iter().map(|volume| (volume.id, volume.tags)));
    }
    Ok(tags)
}
