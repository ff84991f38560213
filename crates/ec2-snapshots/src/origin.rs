//! Where a snapshot came from: what its description and its tags say, since a copy's own volume id is arbitrary.

use jiff::Timestamp;

use crate::description::Description;
use crate::lineage;
use crate::model::{Region, Snapshot, SnapshotId, VolumeId};

/// Where a snapshot came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The volume that was snapshotted.
    pub volume: VolumeId,
    /// Its region, if something says so.
    pub region: Option<Region>,
    /// When it was as the snapshot has it.
    pub time: Timestamp,
    /// The device its instance knew it by.
    pub device: Option<String>,
    /// Its instance.
    pub instance: Option<String>,
    /// The snapshot it is a copy of, if a tag says so.
    pub copied_from: Option<SnapshotId>,
    /// Whether the description could be read.
    pub is_described: bool,
    /// Whether the description says when.
    pub is_dated: bool,
}

impl Origin {
    /// The origin of `snapshot`. Where nothing says otherwise: its own volume, and the time it was begun.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Self {
        let description = Description::read(&snapshot.description);
        let is_described = description.is_some();
        let described = description.unwrap_or_default();
        let tag = |name: &str| snapshot.tags.filled(name).map(str::to_owned);
        let region = described.region.or_else(|| tag(lineage::SRC_REGION));
        Self {
            volume: described
                .volume
                .or_else(|| tag(lineage::SRC_VOLUME))
                .map_or_else(|| snapshot.volume.clone(), VolumeId::new),
            region: region.and_then(|region| region.parse().ok()),
            is_dated: described.time.is_some(),
            time: described.time.or_else(|| tag(lineage::TIME)?.parse().ok()).unwrap_or(snapshot.start_time),
            device: described.device.or_else(|| tag(lineage::DEVICE)),
            instance: described.instance,
            copied_from: tag(lineage::SRC_SNAPSHOT).map(SnapshotId::new),
            is_described,
        }
    }

    /// [`Origin::time`] of `snapshot`, of which this is the origin, where a clock that was ahead must not count: no snapshot is
    /// of a later moment than its beginning, and one of the year 2099 would be the newest of its volume until then.
    #[must_use]
    pub fn moment(&self, snapshot: &Snapshot) -> Timestamp {
        self.time.min(snapshot.start_time)
    }

    /// Whether we or django-fabfile made `snapshot`, of which this is the origin: it has our tags, or a description that
    /// names its source.
    #[must_use]
    pub fn is_ours(&self, snapshot: &Snapshot) -> bool {
        self.is_described || snapshot.tags.iter().any(|(name, _)| name.starts_with(lineage::PREFIX))
    }

    /// Whether the snapshot in `region` was made there, as far as anything says.
    #[must_use]
    pub fn is_native(&self, region: &Region) -> bool {
        self.copied_from.is_none() && self.region.as_ref().is_none_or(|own| own == region)
    }
}

/// Whether we or django-fabfile made `snapshot`.
#[must_use]
pub fn is_ours(snapshot: &Snapshot) -> bool {
    Origin::of(snapshot).is_ours(snapshot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_world::snapshot;

    #[test]
    fn a_copy_is_of_the_volume_its_description_names() {
        let mut copy = snapshot("snap-2", "vol-ffffffff", "2026-11-21T05:00:00Z");
        copy.description = r#"{"Volume": "vol-1", "Region": "us-east-1", "Time": "2026-11-21T03:00:00"}"#.to_owned();
        let origin = Origin::of(&copy);
        assert_eq!((origin.volume.as_str(), origin.time.to_string()), ("vol-1", "2026-11-21T03:00:00Z".to_owned()));
        assert!(!origin.is_native(&copy.region) && is_ours(&copy));
    }

    #[test]
    fn tags_say_it_where_the_description_does_not() {
        let mut copy = snapshot("snap-2", "vol-ffffffff", "2026-11-21T05:00:00Z");
        copy.tags = [(lineage::SRC_VOLUME, "vol-1"), (lineage::SRC_SNAPSHOT, "snap-1")].into_iter().collect();
        let origin = Origin::of(&copy);
        assert_eq!((origin.volume.as_str(), origin.time), ("vol-1", copy.start_time));
        assert!(!origin.is_native(&copy.region) && is_ours(&copy));
    }

    #[test]
    fn a_copy_without_a_description_is_as_old_as_its_original() {
        let mut copy = snapshot("snap-2", "vol-ffffffff", "2026-11-21T05:00:00Z");
        copy.tags = [(lineage::SRC_VOLUME, "vol-1"), (lineage::TIME, "2026-11-21T03:00:00Z")].into_iter().collect();
        assert_eq!(Origin::of(&copy).time.to_string(), "2026-11-21T03:00:00Z");
        copy.tags.set(lineage::TIME, "yesterday");
        assert_eq!(Origin::of(&copy).time, copy.start_time);
    }

    #[test]
    fn a_foreign_snapshot_is_of_its_own_volume_and_time() {
        let mut foreign = snapshot("snap-3", "vol-3", "2026-11-21T05:00:00Z");
        foreign.description = r#"{"Volume": "vol-9", "Reg"#.to_owned();
        let origin = Origin::of(&foreign);
        assert_eq!((origin.volume.as_str(), origin.time), ("vol-3", foreign.start_time));
        assert!(origin.is_native(&foreign.region) && !is_ours(&foreign) && !origin.is_described);
    }
}
