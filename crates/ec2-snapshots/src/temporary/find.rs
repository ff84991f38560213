//! Finds what replications have made for a while.

use backup_core::run::Run;
use serde::Serialize;

use crate::ask;
use crate::error::Ec2Result;
use crate::lineage;
use crate::listing;
use crate::model::{InstanceId, Region, Tags, VolumeId, VolumeState};
use crate::ports::{Cloud, Filter};

/// States in which an instance is still there.
const STATES: [&str; 4] = ["pending", "running", "stopping", "stopped"];

/// A kind of resource, and which one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", content = "id", rename_all = "kebab-case")]
pub enum Thing {
    /// An instance.
    Instance(InstanceId),
    /// A volume.
    Volume(VolumeId),
    /// A key pair, by name.
    KeyPair(String),
    /// A security group.
    SecurityGroup(String),
}

impl Thing {
    /// As a message names it.
    #[must_use]
    pub fn named(&self) -> String {
        match self {
            Self::Instance(id) => format!("instance {id}"),
            Self::Volume(id) => format!("volume {id}"),
            Self::KeyPair(name) => format!("key pair {name}"),
            Self::SecurityGroup(id) => format!("security group {id}"),
        }
    }
}

/// Something that a replication has made for a while.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Leftover {
    /// Where.
    pub region: Region,
    /// What.
    #[serde(flatten)]
    pub thing: Thing,
    /// The run that made it.
    pub run: String,
    /// How far that run has counted.
    #[serde(skip)]
    pub beat: String,
}

/// What replications, or only the run `only`, have made in a region and is still there.
///
/// # Errors
/// [`crate::Ec2Error`].
pub async fn of_region(cloud: &dyn Cloud, region: &Region, only: Option<&str>, run: &Run) -> Ec2Result<Vec<Leftover>> {
    let (ec2, machines) = (cloud.region(region), cloud.machines(region));
    let filter = || match only {
        Some(id) => Filter::tag(lineage::TEMPORARY, id),
        None => Filter::tag_key(lineage::TEMPORARY),
    };
    let mut found = Vec::new();
    let mut add = |thing: Thing, tags: &Tags| {
        if let Some(id) = tags.filled(lineage::TEMPORARY) {
            let beat = tags.get(lineage::BEAT).unwrap_or_default().to_owned();
            found.push(Leftover { region: region.clone(), thing, run: id.to_owned(), beat });
        }
    };
    let states = Filter::new("instance-state-name", STATES);
    for instance in listing::instances(&*ec2, vec![filter(), states], run).await? {
        add(Thing::Instance(instance.id), &instance.tags);
    }
    for volume in listing::volumes(&*ec2, vec![filter()], run).await? {
        if matches!(volume.state, VolumeState::Deleting | VolumeState::Deleted) {
            continue;
        }
        add(Thing::Volume(volume.id), &volume.tags);
    }
    let filters = [filter()];
    for pair in ask::again(run, "key pairs", || machines.keys(&filters)).await? {
        add(Thing::KeyPair(pair.name), &pair.tags);
    }
    for group in listing::groups(&*machines, vec![filter()], run).await? {
        add(Thing::SecurityGroup(group.id), &group.tags);
    }
    Ok(found)
}
