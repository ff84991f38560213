//! Decides which snapshots have to be copied from one region to another, and why others have not.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::model::{Region, Snapshot, SnapshotId, SnapshotState, VolumeId};
use crate::origin::Origin;
use crate::run_regions::Failed;
use crate::select::{Selection, is_copy_of, newest_of_each_volume, relevant};

/// Copies of one snapshot that may fail: the first is tried again once.
pub const FAILURES_MAX: usize = 2;

/// What to replicate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Which snapshots.
    pub selection: Selection,
    /// Only this one, whatever is newer or otherwise selected.
    pub snapshot: Option<SnapshotId>,
    /// Also if the destination has a newer copy of the same volume.
    pub force: bool,
}

/// A snapshot that has to be copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pending {
    /// The original.
    pub source: Snapshot,
    /// Its volume, wherever that was.
    pub volume: VolumeId,
    /// Since when the destination has had nothing newer of this volume, in seconds; for a volume it has nothing of, the
    /// age of the snapshot, which comes before all others.
    pub behind_s: i64,
    /// Whether the destination has nothing at all of this volume.
    pub is_first: bool,
    /// The newest complete copy of an earlier state of the volume, which a replica can begin with.
    pub base: Option<SnapshotId>,
    /// A copy that is under way already.
    pub under_way: Option<SnapshotId>,
    /// Copies of it that failed, with what EC2 said of the last one.
    pub failed: Option<String>,
}

/// Why a snapshot is not copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum Reason {
    /// There is a copy.
    Copied {
        /// The copy.
        copy: SnapshotId,
    },
    /// There is a copy of a newer snapshot of the same volume.
    Newer {
        /// That copy.
        copy: SnapshotId,
    },
    /// Its copies turned out as errors, the second one too.
    GaveUp {
        /// The last copy.
        copy: SnapshotId,
        /// What EC2 says of it.
        message: String,
    },
    /// It is in the archive, from which nothing can be copied.
    Archived,
    /// It is broken, or in the recycle bin.
    State {
        /// Its state.
        state: SnapshotState,
    },
}

/// A snapshot that is not copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Passed {
    /// The original.
    pub source: SnapshotId,
    /// Its volume.
    pub volume: VolumeId,
    /// Why.
    #[serde(flatten)]
    pub reason: Reason,
}

/// What a replication into one region does.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// Where originals are.
    pub from: Vec<Region>,
    /// Where copies go.
    pub to: Region,
    /// What has to be copied, what is furthest behind first.
    pub pending: Vec<Pending>,
    /// What has not.
    pub passed: Vec<Passed>,
    /// Regions that could not be read.
    pub unread: Vec<Failed>,
}

impl Plan {
    /// What comes from several regions, for one queue: the copies into a region share its slots.
    #[must_use]
    pub fn merged(to: &Region, plans: impl IntoIterator<Item = Self>) -> Self {
        let mut all =
            Self { from: Vec::new(), to: to.clone(), pending: Vec::new(), passed: Vec::new(), unread: Vec::new() };
        for plan in plans {
            all.from.extend(plan.from);
            all.pending.extend(plan.pending);
            all.passed.extend(plan.passed);
            all.unread.extend(plan.unread);
        }
        all.sort();
        all
    }

    fn sort(&mut self) {
        self.pending.sort_by(|one, other| {
            let order = |pending: &Pending| (!pending.is_first, -pending.behind_s);
            order(one).cmp(&order(other)).then_with(|| one.source.id.cmp(&other.source.id))
        });
    }
}

/// What has to be copied from `source` to `destination`: all snapshots of either region.
#[must_use]
pub fn plan(
    from: &Region,
    to: &Region,
    source: &[Snapshot],
    destination: &[Snapshot],
    wish: &Wish,
    now: Timestamp,
) -> Plan {
    let chosen = match &wish.snapshot {
        Some(id) => source.iter().filter(|snapshot| snapshot.id == *id).collect(),
        None => newest_of_each_volume(&relevant(source, &wish.selection)),
    };
    let known = Known::of(destination);
    let mut plan =
        Plan { from: vec![from.clone()], to: to.clone(), pending: Vec::new(), passed: Vec::new(), unread: Vec::new() };
    for snapshot in chosen {
        let origin = Origin::of(snapshot);
        match known.decide(snapshot, &origin, wish.force, now) {
            Ok(pending) => plan.pending.push(pending),
            Err(reason) => {
                plan.passed.push(Passed { source: snapshot.id.clone(), volume: origin.volume, reason });
            }
        }
    }
    plan.sort();
    plan
}

/// What the destination has, by volume.
struct Known<'s> {
    by_volume: HashMap<VolumeId, Vec<(Origin, &'s Snapshot)>>,
}

impl<'s> Known<'s> {
    fn of(destination: &'s [Snapshot]) -> Self {
        let mut by_volume: HashMap<VolumeId, Vec<(Origin, &Snapshot)>> = HashMap::new();
        for copy in destination {
            let origin = Origin::of(copy);
            by_volume.entry(origin.volume.clone()).or_default().push((origin, copy));
        }
        Self { by_volume }
    }

    fn decide(&self, source: &Snapshot, origin: &Origin, force: bool, now: Timestamp) -> Result<Pending, Reason> {
        let none = Vec::new();
        let there = self.by_volume.get(&origin.volume).unwrap_or(&none);
        let copies = || there.iter().filter(|(_, copy)| is_copy_of(copy, source)).map(|(_, copy)| *copy);
        let of_state = |state: SnapshotState| copies().filter(move |copy| copy.state == state);
        if let Some(copy) = of_state(SnapshotState::Completed).next() {
            return Err(Reason::Copied { copy: copy.id.clone() });
        }
        match source.state {
            SnapshotState::Pending | SnapshotState::Completed => {}
            state => return Err(Reason::State { state }),
        }
        if source.tier == crate::model::StorageTier::Archive {
            return Err(Reason::Archived);
        }
        let is_good = |copy: &Snapshot| matches!(copy.state, SnapshotState::Completed | SnapshotState::Pending);
        // Copies of volumes that nothing names are not of one volume.
        let of_volume = || there.iter().filter(|_| origin.volume.is_known());
        let is_newer = |other: &Origin, copy: &Snapshot| {
            is_good(copy) && !is_copy_of(copy, source) && other.moment(copy) > origin.moment(source)
        };
        let newer = of_volume().find(|(other, copy)| is_newer(other, copy));
        if let Some((_, copy)) = newer.filter(|_| !force) {
            return Err(Reason::Newer { copy: copy.id.clone() });
        }
        let under_way = first(of_state(SnapshotState::Pending)).map(|copy| copy.id.clone());
        let failed: Vec<&Snapshot> = of_state(SnapshotState::Error).collect();
        let last = failed.iter().max_by_key(|copy| (copy.start_time, &copy.id));
        if let Some(copy) = last.filter(|_| failed.len() >= FAILURES_MAX && under_way.is_none() && !force) {
            return Err(Reason::GaveUp { copy: copy.id.clone(), message: said(copy) });
        }
        let newest = of_volume()
            .filter(|(_, copy)| copy.state == SnapshotState::Completed)
            .map(|(other, copy)| other.moment(copy));
        let newest = newest.max();
        Ok(Pending {
            source: source.clone(),
            volume: origin.volume.clone(),
            behind_s: seconds_between(newest.unwrap_or(origin.time), now),
            is_first: newest.is_none(),
            base: self.base(source, origin),
            under_way,
            failed: last.map(|copy| said(copy)),
        })
    }

    fn base(&self, source: &Snapshot, origin: &Origin) -> Option<SnapshotId> {
        let there = self.by_volume.get(&origin.volume)?.iter();
        let fits = there.filter(|(other, copy)| {
            copy.state == SnapshotState::Completed
                && copy.tier == crate::model::StorageTier::Standard
                && copy.size_gib <= source.size_gib
                && other.time < origin.time
        });
        fits.max_by_key(|(other, copy)| (other.time, &copy.id)).map(|(_, copy)| copy.id.clone())
    }
}

/// Of several copies of one snapshot the one that counts, whoever looks: the first that EC2 began.
pub(super) fn first<'s>(copies: impl Iterator<Item = &'s Snapshot>) -> Option<&'s Snapshot> {
    copies.min_by(|one, other| (one.start_time, &one.id).cmp(&(other.start_time, &other.id)))
}

/// What EC2 says of a copy that failed.
pub(super) fn said(copy: &Snapshot) -> String {
    copy.state_message.clone().filter(|text| !text.is_empty()).unwrap_or_else(|| "EC2 gives no reason".to_owned())
}

fn seconds_between(then: Timestamp, now: Timestamp) -> i64 {
    now.duration_since(then).max(SignedDuration::ZERO).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lineage;
    use crate::test_world::snapshot;

    const NOW: &str = "2026-11-21T12:00:00Z";

    fn copy(of: &Snapshot, id: &str, state: SnapshotState) -> Snapshot {
        let mut copy = Snapshot { id: id.into(), volume: "vol-ffffffff".into(), state, ..of.clone() };
        copy.region = "us-east-1".parse().unwrap();
        copy.start_time = NOW.parse().unwrap();
        copy.description = format!(
            r#"{{"Volume": "{}", "Region": "eu-west-1", "Time": "{}"}}"#,
            of.volume,
            of.start_time.strftime("%Y-%m-%dT%H:%M:%S")
        );
        copy.tags.set(lineage::SRC_SNAPSHOT, of.id.as_str());
        copy.tags.set(lineage::SRC_VOLUME, of.volume.as_str());
        copy
    }

    fn planned(source: &[Snapshot], destination: &[Snapshot], wish: &Wish) -> Plan {
        let (from, to) = ("eu-west-1".parse().unwrap(), "us-east-1".parse().unwrap());
        plan(&from, &to, source, destination, wish, NOW.parse().unwrap())
    }

    fn ids(plan: &Plan) -> Vec<&str> {
        plan.pending.iter().map(|pending| pending.source.id.as_str()).collect()
    }

    #[test]
    fn what_is_furthest_behind_comes_first_and_what_was_never_copied_before_that() {
        let source = [
            snapshot("snap-1", "vol-1", "2026-11-21T11:00:00Z"),
            snapshot("snap-2", "vol-2", "2026-11-21T11:30:00Z"),
            snapshot("snap-3", "vol-3", "2026-11-21T11:59:00Z"),
        ];
        let old = [
            copy(&snapshot("snap-8", "vol-1", "2026-11-21T10:00:00Z"), "snap-a", SnapshotState::Completed),
            copy(&snapshot("snap-9", "vol-2", "2026-11-20T10:00:00Z"), "snap-b", SnapshotState::Completed),
        ];
        let plan = planned(&source, &old, &Wish::default());
        assert_eq!(ids(&plan), ["snap-3", "snap-2", "snap-1"]);
        assert_eq!(plan.pending[1].behind_s, 26 * 3600);
    }

    #[test]
    fn e7_a_copy_that_is_there_or_newer_is_not_made_again() {
        let source =
            [snapshot("snap-1", "vol-1", "2026-11-21T11:00:00Z"), snapshot("snap-0", "vol-1", "2026-11-21T09:00:00Z")];
        let there = [copy(&source[0], "snap-a", SnapshotState::Completed)];
        let plan = planned(&source, &there, &Wish::default());
        assert_eq!(plan.passed[0].reason, Reason::Copied { copy: "snap-a".into() });
        let mut older = Wish { snapshot: Some("snap-0".into()), ..Wish::default() };
        assert_eq!(planned(&source, &there, &older).passed[0].reason, Reason::Newer { copy: "snap-a".into() });
        older.force = true;
        assert_eq!(ids(&planned(&source, &there, &older)), ["snap-0"]);
        let under_way = [copy(&source[0], "snap-a", SnapshotState::Pending)];
        assert_eq!(planned(&source, &under_way, &Wish::default()).pending[0].under_way, Some("snap-a".into()));
    }

    #[test]
    fn a_late_copy_of_an_old_snapshot_does_not_count_as_newer() {
        let source =
            [snapshot("snap-1", "vol-1", "2026-11-21T11:00:00Z"), snapshot("snap-0", "vol-1", "2026-11-21T09:00:00Z")];
        // Made at noon, after snap-1 was taken, of a snapshot whose description says nothing.
        let mut late = copy(&source[1], "snap-a", SnapshotState::Completed);
        late.description.clear();
        late.tags.set(lineage::TIME, source[1].start_time.to_string());
        assert_eq!(ids(&planned(&source, &[late], &Wish::default())), ["snap-1"]);
    }

    #[test]
    fn volumes_that_nothing_names_are_not_one_volume() {
        let unknown = |id, time| snapshot(id, "vol-ffffffff", time);
        let source = [unknown("snap-1", "2026-11-21T11:00:00Z"), unknown("snap-2", "2026-11-21T10:00:00Z")];
        let mut there = unknown("snap-a", "2026-11-21T11:30:00Z");
        there.tags.set(lineage::SRC_SNAPSHOT, "snap-1");
        let plan = planned(&source, &[there], &Wish::default());
        assert_eq!((ids(&plan), plan.passed.len()), (vec!["snap-2"], 1));
    }

    #[test]
    fn a_copy_that_failed_is_tried_again_once() {
        let source = [snapshot("snap-1", "vol-1", "2026-11-21T11:00:00Z")];
        let mut failed = copy(&source[0], "snap-a", SnapshotState::Error);
        failed.state_message = Some("Given key ID is not accessible".to_owned());
        let once = planned(&source, std::slice::from_ref(&failed), &Wish::default());
        assert_eq!(once.pending[0].failed.as_deref(), Some("Given key ID is not accessible"));
        let twice = [failed.clone(), Snapshot { id: "snap-b".into(), ..failed }];
        let plan = planned(&source, &twice, &Wish::default());
        assert!(
            matches!(&plan.passed[0].reason, Reason::GaveUp { message, .. } if message.contains("key ID")),
            "{plan:?}"
        );
        assert_eq!(ids(&planned(&source, &twice, &Wish { force: true, ..Wish::default() })), ["snap-1"]);
    }
}
