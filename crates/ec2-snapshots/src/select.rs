//! Which snapshots are meant: by tag, origin and state; the newest of each volume; those not replicated yet.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;

use crate::description::Description;
use crate::model::{Snapshot, SnapshotState, VolumeId};
use crate::origin::Origin;

/// What makes a snapshot relevant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Its tag, as name and value; none for any.
    pub tag: Option<(String, String)>,
    /// Only what was made in the region it is in.
    pub native_only: bool,
    /// In which states.
    pub states: Vec<SnapshotState>,
}

impl Default for Selection {
    fn default() -> Self {
        Self { tag: None, native_only: true, states: vec![SnapshotState::Pending, SnapshotState::Completed] }
    }
}

impl Selection {
    /// Whether it takes `snapshot`.
    #[must_use]
    pub fn takes(&self, snapshot: &Snapshot) -> bool {
        let tagged = self.tag.as_ref().is_none_or(|(name, value)| snapshot.tags.has(name, value));
        tagged
            && self.states.contains(&snapshot.state)
            && (!self.native_only || Origin::of(snapshot).is_native(&snapshot.region))
    }
}

/// The snapshots that `selection` takes, oldest first by when their volume was as they have it.
#[must_use]
pub fn relevant<'s>(snapshots: &'s [Snapshot], selection: &Selection) -> Vec<&'s Snapshot> {
    let mut taken: Vec<&Snapshot> = snapshots.iter().filter(|snapshot| selection.takes(snapshot)).collect();
    taken.sort_by_cached_key(|snapshot| order(snapshot));
    taken
}

/// The newest of each volume, oldest first; all of those whose volume nothing names.
#[must_use]
pub fn newest_of_each_volume<'s>(snapshots: &[&'s Snapshot]) -> Vec<&'s Snapshot> {
    let mut newest: BTreeMap<VolumeId, ((Timestamp, String), &Snapshot)> = BTreeMap::new();
    for snapshot in snapshots {
        let order = order(snapshot);
        let volume = Some(Origin::of(snapshot).volume).filter(VolumeId::is_known);
        let volume = volume.unwrap_or_else(|| VolumeId::new(snapshot.id.as_str()));
        let held = newest.entry(volume).or_insert_with(|| (order.clone(), snapshot));
        if held.0 < order {
            *held = (order, snapshot);
        }
    }
    let mut newest: Vec<((Timestamp, String), &Snapshot)> = newest.into_values().collect();
    newest.sort_by(|one, other| one.0.cmp(&other.0));
    newest.into_iter().map(|(_, snapshot)| snapshot).collect()
}

/// Whether `copy` is a copy of `original`, or `original` of it: by tag, or by the description that copies keep.
#[must_use]
pub fn is_copy_of(copy: &Snapshot, original: &Snapshot) -> bool {
    let origin = Origin::of(copy);
    if let Some(source) = &origin.copied_from {
        return *source == original.id;
    }
    // The snapshots of a set of several volumes share one description: only one that names its volume tells them apart.
    copy.description == original.description
        && Description::read(&copy.description).is_some_and(|description| description.volume.is_some())
}

/// The newest snapshot of each volume in `source` of which `destination` has no copy, neither one that is complete nor one
/// under way, oldest first and at most `amount`. `under_way` are descriptions that replication has marked its volumes with.
#[must_use]
pub fn not_replicated<'s>(
    source: &[&'s Snapshot],
    destination: &[Snapshot],
    under_way: &HashSet<String>,
    amount: usize,
) -> Vec<&'s Snapshot> {
    let copies: Vec<&Snapshot> = destination
        .iter()
        .filter(|copy| matches!(copy.state, SnapshotState::Pending | SnapshotState::Completed))
        .collect();
    let by_source: HashSet<String> =
        copies.iter().filter_map(|copy| Some(Origin::of(copy).copied_from?.into_string())).collect();
    let described: HashSet<&str> = copies
        .iter()
        .filter(|copy| Description::read(&copy.description).is_some_and(|description| description.volume.is_some()))
        .map(|copy| copy.description.as_str())
        .collect();
    let is_missing = |snapshot: &&&Snapshot| {
        !by_source.contains(snapshot.id.as_str())
            && !described.contains(snapshot.description.as_str())
            && !under_way.contains(&snapshot.description)
    };
    newest_of_each_volume(source).iter().filter(is_missing).take(amount).copied().collect()
}

/// Whether `destination` has a complete copy of the same volume that is at least as new.
#[must_use]
pub fn has_newer_copy<'s>(original: &Snapshot, destination: &'s [Snapshot]) -> Option<&'s Snapshot> {
    let origin = Origin::of(original);
    destination.iter().filter(|copy| copy.state == SnapshotState::Completed).find(|copy| {
        let its = Origin::of(copy);
        its.volume == origin.volume && its.moment(copy) >= origin.moment(original)
    })
}

fn order(snapshot: &Snapshot) -> (Timestamp, String) {
    (Origin::of(snapshot).moment(snapshot), snapshot.id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lineage;
    use crate::test_world::snapshot;

    fn described(id: &str, volume: &str, hour: u32) -> Snapshot {
        let mut snapshot = snapshot(id, volume, &format!("2026-11-21T{hour:02}:00:10Z"));
        snapshot.description =
            format!(r#"{{"Volume": "{volume}", "Region": "eu-west-1", "Time": "2026-11-21T{hour:02}:00:00"}}"#);
        snapshot.tags.set("Earmarking", "production");
        snapshot
    }

    fn copy(original: &Snapshot, id: &str) -> Snapshot {
        Snapshot {
            id: id.into(),
            region: "us-east-1".parse().unwrap(),
            volume: "vol-ffffffff".into(),
            ..original.clone()
        }
    }

    fn ids<'s>(snapshots: impl IntoIterator<Item = &'s Snapshot>) -> Vec<&'s str> {
        snapshots.into_iter().map(|snapshot| snapshot.id.as_str()).collect()
    }

    #[test]
    fn relevant_is_by_tag_origin_and_state() {
        let mut all =
            vec![described("snap-2", "vol-1", 2), described("snap-1", "vol-1", 1), described("snap-3", "vol-2", 3)];
        all.push(Snapshot { state: SnapshotState::Error, ..described("snap-4", "vol-2", 4) });
        all.push(Snapshot {
            description: all[0].description.replace("eu-west-1", "us-east-1"),
            ..described("snap-5", "vol-1", 5)
        });
        all[2].tags = crate::model::Tags::new();
        let tagged =
            Selection { tag: Some(("Earmarking".to_owned(), "production".to_owned())), ..Selection::default() };
        assert_eq!(ids(relevant(&all, &tagged)), ["snap-1", "snap-2"]);
        let any_origin = Selection { native_only: false, ..tagged.clone() };
        assert_eq!(ids(relevant(&all, &any_origin)).len(), 3);
        // A selection is not changed by use: the original's default filter was.
        assert_eq!(ids(relevant(&all, &Selection::default())), ["snap-1", "snap-2", "snap-3"]);
    }

    #[test]
    fn not_yet_replicated_are_the_newest_of_each_volume_oldest_first() {
        let all = [described("snap-1", "vol-1", 1), described("snap-3", "vol-1", 3), described("snap-2", "vol-2", 2)];
        let source: Vec<&Snapshot> = all.iter().collect();
        let none = HashSet::new();
        assert_eq!(ids(not_replicated(&source, &[], &none, 9)), ["snap-2", "snap-3"]);
        assert_eq!(ids(not_replicated(&source, &[], &none, 1)), ["snap-2"]);
        assert_eq!(ids(not_replicated(&source, &[copy(&all[2], "snap-9")], &none, 9)), ["snap-3"]);
        let failed = Snapshot { state: SnapshotState::Error, ..copy(&all[2], "snap-9") };
        assert_eq!(ids(not_replicated(&source, &[failed], &none, 1)), ["snap-2"]);
        let marked = HashSet::from([all[2].description.clone()]);
        assert_eq!(ids(not_replicated(&source, &[], &marked, 9)), ["snap-3"]);
    }

    #[test]
    fn a_set_of_several_volumes_is_told_apart_by_tags() {
        let shared = r#"{"Region": "eu-west-1", "Instance": "i-1", "Time": "2026-11-21T03:00:00"}"#.to_owned();
        let originals = ["snap-1", "snap-2"].map(|id| Snapshot { description: shared.clone(), ..described(id, id, 3) });
        let mut replica = copy(&originals[0], "snap-9");
        replica.tags.set(lineage::SRC_SNAPSHOT, "snap-1");
        assert!(is_copy_of(&replica, &originals[0]) && !is_copy_of(&replica, &originals[1]));
        let source: Vec<&Snapshot> = originals.iter().collect();
        assert_eq!(ids(not_replicated(&source, &[replica], &HashSet::new(), 9)), ["snap-2"]);
    }

    #[test]
    fn one_that_a_wrong_clock_dated_in_the_future_is_not_the_newest_for_ever() {
        let mut ahead = described("snap-1", "vol-1", 1);
        ahead.description = r#"{"Volume": "vol-1", "Region": "eu-west-1", "Time": "2099-01-01T00:00:00"}"#.to_owned();
        let all = [ahead, described("snap-2", "vol-1", 2)];
        assert_eq!(ids(newest_of_each_volume(&all.iter().collect::<Vec<_>>())), ["snap-2"]);
        assert!(has_newer_copy(&all[1], &[copy(&all[0], "snap-9")]).is_none());
    }

    #[test]
    fn a_newer_copy_is_found() {
        let (old, new) = (described("snap-1", "vol-1", 1), described("snap-2", "vol-1", 2));
        let copies = [copy(&new, "snap-9")];
        assert_eq!(has_newer_copy(&old, &copies).map(|copy| copy.id.as_str()), Some("snap-9"));
        assert!(has_newer_copy(&described("snap-3", "vol-1", 3), &copies).is_none());
        assert!(has_newer_copy(&described("snap-3", "vol-2", 1), &copies).is_none());
    }
}
