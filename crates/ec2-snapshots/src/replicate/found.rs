//! Copies of a snapshot: which one counts, and what is written on it.

use backup_core::run::Run;

use super::plan::first;
use crate::error::Ec2Result;
use crate::lineage;
use crate::listing;
use crate::model::{Snapshot, SnapshotId, SnapshotState, Tags};
use crate::origin::Origin;
use crate::ports::{Ec2, Filter};
use crate::tags;

/// The copy of a snapshot that counts, if there is one that did not fail.
pub(super) async fn copy_of(destination: &dyn Ec2, source: &SnapshotId, run: &Run) -> Ec2Result<Option<Snapshot>> {
    let filter = Filter::tag(lineage::SRC_SNAPSHOT, source.as_str());
    let copies = listing::snapshots(destination, vec![filter], run).await?;
    Ok(first(copies.iter().filter(|copy| is_good(copy))).cloned())
}

fn is_good(copy: &Snapshot) -> bool {
    matches!(copy.state, SnapshotState::Pending | SnapshotState::Completed)
}

/// Tags of a copy: those of the original, where it came from, and what made it if not EC2. The size of a set is only on originals.
pub(super) fn tags_of_copy(source: &Snapshot, by: Option<&str>) -> Ec2Result<Tags> {
    let origin = Origin::of(source);
    let region = origin.region.as_ref().unwrap_or(&source.region);
    let mut own = Tags::new()
        .with(lineage::SRC_SNAPSHOT, source.id.as_str())
        .with(lineage::SRC_REGION, region.as_str())
        .with(lineage::SRC_VOLUME, origin.volume.as_str());
    if let Some(by) = by {
        own.set(lineage::COPIED_BY, by);
    }
    for name in [lineage::SET, lineage::CONSISTENCY, lineage::DEVICE] {
        if let Some(value) = source.tags.filled(name) {
            own.set(name, value);
        }
    }
    if !origin.is_dated {
        own.set(lineage::TIME, origin.time.to_string());
    }
    let others: Tags = source.tags.iter().filter(|(name, _)| *name != lineage::SET_SIZE).collect();
    Ok(tags::cloned(&own, &[&others])?.tags)
}
