//! Sets that were made twice: a request whose answer was lost was carried out after it had been sent again. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::delete::Doomed;
use crate::lineage;
use crate::model::{Snapshot, SnapshotId, SnapshotState, VolumeId};

/// A snapshot of a set that has another one of the same volume, which is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Doubled {
    /// What goes.
    #[serde(flatten)]
    pub doomed: Doomed,
    /// The set.
    pub set: String,
    /// When it was begun.
    pub start_time: Timestamp,
    /// The one that is kept.
    pub kept: SnapshotId,
}

/// What was found of sets that were made twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// What goes.
    pub doubled: Vec<Doubled>,
    /// Sets of which neither is complete yet, so that nothing of them goes.
    pub undecided: Vec<String>,
}

/// The snapshots of one request: one of each volume.
type Generation<'s> = BTreeMap<VolumeId, &'s Snapshot>;

/// Looks for sets that were made twice among the snapshots of a region. Of several the one stays that the run knew of,
/// which it marked, and otherwise the first; in any case only one that is complete.
#[must_use]
pub fn doubled(snapshots: &[Snapshot]) -> Found {
    let mut sets: BTreeMap<&str, BTreeMap<VolumeId, Vec<&Snapshot>>> = BTreeMap::new();
    // Copies have the tag too, and may be several of one original.
    for snapshot in snapshots.iter().filter(|snapshot| snapshot.tags.filled(lineage::SRC_SNAPSHOT).is_none()) {
        if let Some(set) = snapshot.tags.filled(lineage::SET) {
            sets.entry(set).or_default().entry(snapshot.volume.clone()).or_default().push(snapshot);
        }
    }
    let mut found = Found::default();
    for (set, mut volumes) in sets {
        let count = volumes.values().map(Vec::len).max().unwrap_or_default();
        if count < 2 {
            continue;
        }
        for of_volume in volumes.values_mut() {
            of_volume.sort_by(|one, other| (one.start_time, &one.id).cmp(&(other.start_time, &other.id)));
        }
        let generations: Vec<Generation<'_>> = (0..count)
            .map(|at| volumes.iter().filter_map(|(volume, all)| Some((volume.clone(), *all.get(at)?))).collect())
            .collect();
        let whole = generations.iter().enumerate().filter(|(_, generation)| is_whole(generation, volumes.len()));
        let Some((kept, _)) = whole.min_by_key(|(at, generation)| (!is_marked(generation), *at)) else {
            found.undecided.push(set.to_owned());
            continue;
        };
        let others = generations.iter().enumerate().filter(|(at, _)| *at != kept);
        for (volume, snapshot) in others.flat_map(|(_, generation)| generation) {
            let Some(stays) = generations[kept].get(volume) else { continue };
            found.doubled.push(Doubled {
                doomed: Doomed {
                    region: snapshot.region.clone(),
                    id: snapshot.id.clone(),
                    volume: volume.as_str().to_owned(),
                },
                set: set.to_owned(),
                start_time: snapshot.start_time,
                kept: stays.id.clone(),
            });
        }
    }
    found
}

/// Whether all of it is there and complete.
fn is_whole(generation: &Generation<'_>, volumes: usize) -> bool {
    let said = generation.values().find_map(|snapshot| snapshot.tags.filled(lineage::SET_SIZE)?.parse().ok());
    generation.len() >= said.unwrap_or(volumes).max(volumes)
        && generation.values().all(|snapshot| snapshot.state == SnapshotState::Completed)
}

/// Whether the run that made it has heard of it: each snapshot then names its volume in a tag.
fn is_marked(generation: &Generation<'_>) -> bool {
    generation.values().all(|snapshot| snapshot.tags.filled(lineage::SRC_VOLUME).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_world::snapshot;

    fn of_set(id: &str, volume: &str, second: u32, marked: bool) -> Snapshot {
        let mut snapshot = snapshot(id, volume, &format!("2026-11-21T03:00:{second:02}Z"));
        snapshot.tags.extend([(lineage::SET, "set-1"), (lineage::SET_SIZE, "2")]);
        if marked {
            snapshot.tags.set(lineage::SRC_VOLUME, volume);
        }
        snapshot
    }

    fn gone(found: &Found) -> Vec<(&str, &str)> {
        found.doubled.iter().map(|one| (one.doomed.id.as_str(), one.kept.as_str())).collect()
    }

    #[test]
    fn the_set_that_its_run_knew_of_stays_whichever_was_begun_first() {
        let late = [
            of_set("snap-1", "vol-1", 26, true),
            of_set("snap-2", "vol-2", 26, true),
            of_set("snap-3", "vol-1", 40, false),
            of_set("snap-4", "vol-2", 40, false),
        ];
        assert_eq!(gone(&doubled(&late)), [("snap-3", "snap-1"), ("snap-4", "snap-2")]);
        let early = [
            of_set("snap-1", "vol-1", 25, false),
            of_set("snap-2", "vol-2", 25, false),
            of_set("snap-3", "vol-1", 26, true),
            of_set("snap-4", "vol-2", 26, true),
        ];
        assert_eq!(gone(&doubled(&early)), [("snap-1", "snap-3"), ("snap-2", "snap-4")]);
        // A run that died marked none of them.
        let unknown = late.map(|mut snapshot| {
            snapshot.tags = [(lineage::SET, "set-1"), (lineage::SET_SIZE, "2")].into_iter().collect();
            snapshot
        });
        assert_eq!(gone(&doubled(&unknown)), [("snap-3", "snap-1"), ("snap-4", "snap-2")]);
    }

    #[test]
    fn nothing_goes_while_nothing_is_complete_nor_of_one_set_nor_of_copies() {
        let mut pending = [of_set("snap-1", "vol-1", 26, true), of_set("snap-3", "vol-1", 40, false)];
        pending.iter_mut().for_each(|snapshot| snapshot.tags.set(lineage::SET_SIZE, "1"));
        pending.iter_mut().for_each(|snapshot| snapshot.state = SnapshotState::Pending);
        assert_eq!(doubled(&pending), Found { undecided: vec!["set-1".to_owned()], ..Found::default() });
        // The second one is complete, the first one failed: that one stays.
        pending[0].state = SnapshotState::Error;
        pending[1].state = SnapshotState::Completed;
        assert_eq!(gone(&doubled(&pending)), [("snap-1", "snap-3")]);
        let single = [of_set("snap-1", "vol-1", 26, true), of_set("snap-2", "vol-2", 26, true)];
        assert_eq!(doubled(&single), Found::default());
        let copies = pending.map(|mut copy| {
            copy.tags.set(lineage::SRC_SNAPSHOT, "snap-9");
            copy
        });
        assert_eq!(doubled(&copies), Found::default());
        // Half of the second one: the whole one stays, although its run never marked it.
        let half = [
            of_set("snap-1", "vol-1", 25, false),
            of_set("snap-2", "vol-2", 25, false),
            of_set("snap-3", "vol-1", 26, true),
        ];
        assert_eq!(gone(&doubled(&half)), [("snap-3", "snap-1")]);
    }
}
