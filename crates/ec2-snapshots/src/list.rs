//! Lists snapshots, and shows one or a set of them.

use backup_core::run::Run;
use jiff::Timestamp;
use serde::Serialize;

use crate::error::{Ec2Error, Ec2Result};
use crate::lineage;
use crate::listing;
use crate::model::{Region, Snapshot, SnapshotState};
use crate::origin::Origin;
use crate::ports::{Cloud, Filter};
use crate::run_regions::{Failed, each};

/// Which snapshots are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Only with this tag, as name and value.
    pub tag: Option<(String, String)>,
    /// Those of other tools too.
    pub any: bool,
}

/// A snapshot with where it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// The snapshot.
    #[serde(flatten)]
    pub snapshot: Snapshot,
    /// The volume it is of.
    pub source_volume: String,
    /// The region of that volume.
    pub source_region: Region,
    /// When the volume was as it has it.
    pub time: Timestamp,
    /// The device its instance knew it by.
    pub device: Option<String>,
    /// The instance.
    pub instance: Option<String>,
    /// The set it belongs to.
    pub set: Option<String>,
    /// How consistent the set is.
    pub consistency: Option<String>,
    /// The snapshot it is a copy of.
    pub copied_from: Option<String>,
    /// Whether we or django-fabfile made it.
    pub is_ours: bool,
}

impl Listed {
    /// The snapshot with what it says of its origin.
    #[must_use]
    pub fn of(snapshot: Snapshot) -> Self {
        let origin = Origin::of(&snapshot);
        let tag = |name: &str| snapshot.tags.filled(name).map(str::to_owned);
        Self {
            is_ours: origin.is_ours(&snapshot),
            source_volume: origin.volume.to_string(),
            source_region: origin.region.clone().unwrap_or_else(|| snapshot.region.clone()),
            time: origin.time,
            device: origin.device.clone(),
            instance: origin.instance.clone(),
            set: tag(lineage::SET),
            consistency: tag(lineage::CONSISTENCY),
            copied_from: origin.copied_from.clone().map(crate::model::SnapshotId::into_string),
            snapshot,
        }
    }

    /// Whether it can be restored.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.snapshot.state == SnapshotState::Completed
    }
}

/// What regions have.
#[derive(Debug, Default, Serialize)]
pub struct Listing {
    /// The snapshots, by region and time.
    pub snapshots: Vec<Listed>,
    /// Snapshots that are not listed: of other tools.
    pub left_out: u64,
    /// Regions that could not be looked at.
    pub failures: Vec<Failed>,
}

/// Lists the snapshots of `regions`.
///
/// # Errors
/// [`Ec2Error::Interrupted`]; what fails in one region is in [`Listing::failures`].
pub async fn list(cloud: &dyn Cloud, regions: &[Region], request: &Request, run: &Run) -> Ec2Result<Listing> {
    let filters: Vec<Filter> = request.tag.iter().map(|(name, value)| Filter::tag(name, value)).collect();
    let (listed, failures) = everywhere(cloud, regions, &filters, run).await?;
    let (taken, others): (Vec<Listed>, Vec<Listed>) = listed.into_iter().partition(|one| request.any || one.is_ours);
    Ok(Listing { snapshots: taken, left_out: others.len() as u64, failures })
}

/// The snapshot, or the snapshots of the set, of that name in `regions`, copies included.
///
/// # Errors
/// [`Ec2Error::NotFound`]; [`Ec2Error`] of a region that could not be looked at if it is in none of the others.
pub async fn show(cloud: &dyn Cloud, regions: &[Region], name: &str, run: &Run) -> Ec2Result<Vec<Listed>> {
    let filter = match name.starts_with("snap-") {
        true => Filter::literal("snapshot-id", [name]),
        false => Filter::tag(lineage::SET, name),
    };
    let (mut found, mut failures) = everywhere(cloud, regions, &[filter], run).await?;
    if name.starts_with("snap-") {
        let copies = [Filter::tag(lineage::SRC_SNAPSHOT, name)];
        let (copies, more) = everywhere(cloud, regions, &copies, run).await?;
        found.extend(copies);
        failures.extend(more);
    }
    match (found.is_empty(), failures.into_iter().next()) {
        (false, _) => Ok(found),
        (true, Some(failed)) => Err(failed.error),
        (true, None) => {
            let kind = if name.starts_with("snap-") { "snapshot" } else { "set" };
            Err(Ec2Error::not_found(format!("{kind} `{name}`"), regions))
        }
    }
}

async fn everywhere(
    cloud: &dyn Cloud,
    regions: &[Region],
    filters: &[Filter],
    run: &Run,
) -> Ec2Result<(Vec<Listed>, Vec<Failed>)> {
    let looked = each(regions.to_vec(), |region| async move {
        let found = listing::snapshots(&*cloud.region(&region), filters.to_vec(), run).await;
        (region, found)
    });
    let (mut listed, mut failures) = (Vec::new(), Vec::new());
    for (region, found) in looked.await {
        match found {
            Ok(found) => {
                let mut found: Vec<Listed> = found.into_iter().map(Listed::of).collect();
                found.sort_by(|one, other| (one.time, &one.snapshot.id).cmp(&(other.time, &other.snapshot.id)));
                listed.extend(found);
            }
            Err(Ec2Error::Interrupted) => return Err(Ec2Error::Interrupted),
            Err(error) => failures.push(Failed::region(&region, error)),
        }
    }
    Ok((listed, failures))
}
