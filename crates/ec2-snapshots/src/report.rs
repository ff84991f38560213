//! How old the newest snapshots are: of each volume, in its own region and in every region they are copied to.

mod lag;

use std::collections::BTreeMap;

use backup_core::run::Run;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

pub use self::lag::Lag;
use crate::error::{Ec2Error, Ec2Result};
use crate::listing;
use crate::model::{Instance, Region, Snapshot, SnapshotId, SnapshotState};
use crate::origin::Origin;
use crate::ports::{Cloud, Filter};
use crate::run_regions::{Failed, each};

/// What the report is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Only instances and snapshots with this tag, as name and value.
    pub tag: Option<(String, String)>,
    /// How old the newest complete snapshot of a volume may be.
    pub rpo: Option<SignedDuration>,
    /// Regions in which each volume must have one.
    pub copies_in: Vec<Region>,
    /// Regions whose volumes it is about; those of all regions without any.
    pub regions: Vec<Region>,
}

impl Request {
    fn is_about(&self, region: &Region) -> bool {
        self.regions.is_empty() || self.regions.contains(region)
    }
}

/// The newest snapshot of a volume in one region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Newest {
    /// Where.
    pub region: Region,
    /// The snapshot; none if there is no complete one.
    pub snapshot: Option<SnapshotId>,
    /// When the volume was as it has it.
    pub time: Option<Timestamp>,
    /// How old that is, in seconds.
    pub age_s: Option<i64>,
    /// How long after that it was complete elsewhere at the earliest: from the time of the volume to the beginning of the
    /// copy, in seconds.
    pub lag_s: Option<i64>,
    /// Whether it is older than it may be, or missing.
    pub is_stale: bool,
}

/// A volume and its snapshots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The region of the volume.
    pub region: Region,
    /// The volume.
    pub volume: String,
    /// Its instance, if it is attached to one that the report is about.
    pub instance: Option<String>,
    /// Its newest snapshot in its own region.
    pub native: Newest,
    /// Its newest snapshot in other regions.
    pub copies: Vec<Newest>,
}

/// The report.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// As of when.
    pub now: Timestamp,
    /// How old the newest snapshot may be, in seconds.
    pub rpo_s: Option<i64>,
    /// Every volume, by region and id.
    pub volumes: Vec<Line>,
    /// How far copies were behind, in each region that has some.
    pub lags: Vec<Lag>,
    /// Regions that could not be looked at.
    pub failures: Vec<Failed>,
}

impl Report {
    /// Volumes that have a snapshot older than it may be, or none.
    #[must_use]
    pub fn stale(&self) -> usize {
        let is_stale = |line: &&Line| line.native.is_stale || line.copies.iter().any(|copy| copy.is_stale);
        self.volumes.iter().filter(is_stale).count()
    }

    /// The error to end with if something is stale.
    #[must_use]
    pub fn staleness(&self) -> Option<Ec2Error> {
        let stale = self.stale();
        (stale > 0).then(|| Ec2Error::Stale {
            what: format!("{stale} of {} volumes have no complete snapshot that is new enough", self.volumes.len()),
        })
    }
}

/// What is known of the regions.
#[derive(Debug, Default)]
pub struct Prepared {
    /// Instances, if the report is about a tag: their volumes must have snapshots.
    pub instances: Vec<Instance>,
    /// Snapshots.
    pub snapshots: Vec<Snapshot>,
    /// Regions that could not be looked at.
    pub failures: Vec<Failed>,
}

/// Lists what the report is about in `known`, all regions or those that it is about: those that must have copies are
/// looked at too. Changes nothing.
///
/// # Errors
/// [`Ec2Error::Interrupted`]; what fails in one region is in [`Prepared::failures`].
pub async fn prepare(cloud: &dyn Cloud, known: &[Region], request: &Request, run: &Run) -> Ec2Result<Prepared> {
    let is_asked = |region: &&Region| request.is_about(region) || request.copies_in.contains(region);
    let regions: Vec<Region> = known.iter().filter(is_asked).cloned().collect();
    let listed = each(regions, |region| async move {
        let ec2 = cloud.region(&region);
        let tag = request.tag.as_ref().map(|(name, value)| Filter::tag(name, value));
        let is_about = request.is_about(&region);
        let listed = async {
            let snapshots = listing::snapshots(&*ec2, tag.clone().into_iter().collect(), run).await?;
            let instances = match tag {
                Some(tag) if is_about => listing::instances(&*ec2, vec![tag], run).await?,
                _ => Vec::new(),
            };
            Ok((snapshots, instances))
        };
        (region, listed.await)
    });
    let mut prepared = Prepared::default();
    for (region, listed) in listed.await {
        match listed {
            Ok((snapshots, instances)) => {
                prepared.snapshots.extend(snapshots);
                prepared.instances.extend(instances);
            }
            Err(Ec2Error::Interrupted) => return Err(Ec2Error::Interrupted),
            Err(error) => prepared.failures.push(Failed::region(&region, error)),
        }
    }
    Ok(prepared)
}

/// The report as of `now`.
#[must_use]
pub fn report(prepared: Prepared, request: &Request, now: Timestamp) -> Report {
    let mut volumes: BTreeMap<(Region, String), Option<String>> = BTreeMap::new();
    for instance in &prepared.instances {
        for device in &instance.devices {
            let key = (instance.region.clone(), device.volume.to_string());
            volumes.insert(key, Some(instance.id.to_string()));
        }
    }
    // The newest complete one of each volume in each region.
    let mut newest: BTreeMap<String, BTreeMap<Region, (Timestamp, &Snapshot)>> = BTreeMap::new();
    let mut lags: BTreeMap<Region, Vec<i64>> = BTreeMap::new();
    for snapshot in &prepared.snapshots {
        let origin = Origin::of(snapshot);
        if request.tag.is_none() && !origin.is_ours(snapshot) {
            continue;
        }
        let moment = origin.moment(snapshot);
        if snapshot.state == SnapshotState::Completed && !origin.is_native(&snapshot.region) {
            lags.entry(snapshot.region.clone()).or_default().push(lag_s(origin.time, snapshot));
        }
        let home = origin.region.clone().unwrap_or_else(|| snapshot.region.clone());
        let volume = origin.volume.into_string();
        // A volume that is gone needs no new snapshots: only a report on everything asks for them.
        if request.tag.is_none() && request.is_about(&home) {
            volumes.entry((home, volume.clone())).or_insert(None);
        }
        if snapshot.state == SnapshotState::Completed {
            let places = newest.entry(volume).or_default();
            let held = places.entry(snapshot.region.clone()).or_insert((moment, snapshot));
            if held.0 < moment {
                *held = (moment, snapshot);
            }
        }
    }
    let lines = volumes.into_iter().map(|((region, volume), instance)| {
        let places = newest.get(&volume);
        let of = |place: &Region| described(place, places.and_then(|places| places.get(place)), request.rpo, now);
        let mut elsewhere: Vec<Region> =
            places.into_iter().flat_map(BTreeMap::keys).filter(|place| **place != region).cloned().collect();
        elsewhere.extend(request.copies_in.iter().filter(|place| **place != region).cloned());
        elsewhere.sort();
        elsewhere.dedup();
        Line { native: of(&region), copies: elsewhere.iter().map(of).collect(), region, instance, volume }
    });
    Report {
        now,
        rpo_s: request.rpo.map(|rpo| rpo.as_secs()),
        volumes: lines.collect(),
        lags: lags.into_iter().filter_map(|(region, lags_s)| Lag::of(&region, lags_s)).collect(),
        failures: prepared.failures,
    }
}

/// From the time at which the volume was as `snapshot` has it to its beginning, in seconds.
fn lag_s(time: Timestamp, snapshot: &Snapshot) -> i64 {
    snapshot.start_time.duration_since(time).as_secs()
}

fn described(
    region: &Region,
    found: Option<&(Timestamp, &Snapshot)>,
    rpo: Option<SignedDuration>,
    now: Timestamp,
) -> Newest {
    let age_s = found.map(|(time, _)| now.duration_since(*time).as_secs());
    Newest {
        region: region.clone(),
        snapshot: found.map(|(_, snapshot)| snapshot.id.clone()),
        time: found.map(|(time, _)| *time),
        age_s,
        lag_s: found.map(|(time, snapshot)| lag_s(*time, snapshot)),
        is_stale: rpo.is_some_and(|rpo| age_s.is_none_or(|age_s| age_s > rpo.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lineage;
    use crate::test_world::{instance, snapshot};

    fn report_of(snapshots: Vec<Snapshot>, instances: Vec<Instance>, hours: i64) -> Report {
        let request = Request {
            tag: (!instances.is_empty()).then(|| ("Earmarking".to_owned(), "production".to_owned())),
            rpo: Some(SignedDuration::from_hours(hours)),
            ..Request::default()
        };
        let prepared = Prepared { snapshots, instances, failures: Vec::new() };
        report(prepared, &request, "2026-11-21T03:00:00Z".parse().unwrap())
    }

    fn ours(id: &str, volume: &str, time: &str) -> Snapshot {
        let mut snapshot = snapshot(id, volume, time);
        snapshot.tags.set(lineage::SET, "set-1");
        snapshot
    }

    #[test]
    fn what_is_older_than_it_may_be_is_stale_and_an_unfinished_one_does_not_count() {
        let old = ours("snap-1", "vol-1", "2026-11-20T00:00:00Z");
        let pending = Snapshot { state: SnapshotState::Pending, ..ours("snap-2", "vol-1", "2026-11-21T02:00:00Z") };
        let failed = Snapshot { state: SnapshotState::Error, ..ours("snap-3", "vol-1", "2026-11-21T02:00:00Z") };
        let snapshots = vec![old, pending, failed];
        let report = report_of(snapshots.clone(), Vec::new(), 26);
        assert_eq!((report.stale(), report.volumes[0].native.age_s), (1, Some(27 * 3_600)));
        assert!(matches!(report.staleness(), Some(Ec2Error::Stale { .. })));
        assert!(report_of(snapshots, Vec::new(), 28).staleness().is_none());
    }

    #[test]
    fn a_wrong_clock_makes_nothing_look_new_for_years() {
        let mut ahead = ours("snap-1", "vol-1", "2026-11-20T00:00:00Z");
        ahead.description = r#"{"Volume": "vol-1", "Region": "eu-west-1", "Time": "2099-01-01T00:00:00"}"#.to_owned();
        assert_eq!(report_of(vec![ahead], Vec::new(), 26).stale(), 1);
    }

    #[test]
    fn a_volume_without_any_snapshot_is_stale() {
        let report = report_of(Vec::new(), vec![instance("i-1", &["/dev/sda1"])], 26);
        assert_eq!((report.volumes.len(), report.stale()), (1, 1));
        assert_eq!(report.volumes[0].instance.as_deref(), Some("i-1"));
    }

    #[test]
    fn copies_of_volumes_elsewhere_ask_for_nothing_there() {
        let mut copy = ours("snap-2", "vol-ffffffff", "2026-11-21T02:30:00Z");
        copy.description = r#"{"Volume": "vol-9", "Region": "us-east-1", "Time": "2026-11-21T02:00:00"}"#.to_owned();
        let snapshots = vec![ours("snap-1", "vol-1", "2026-11-21T02:00:00Z"), copy];
        let here = Request {
            rpo: Some(SignedDuration::from_hours(26)),
            regions: vec!["eu-west-1".parse().unwrap()],
            ..Request::default()
        };
        let of = |request: &Request| {
            let prepared = Prepared { snapshots: snapshots.clone(), ..Prepared::default() };
            report(prepared, request, "2026-11-21T03:00:00Z".parse().unwrap())
        };
        assert_eq!((of(&here).volumes.len(), of(&here).stale()), (1, 0));
        // A report on everything misses the original.
        assert_eq!(of(&Request { regions: Vec::new(), ..here }).stale(), 1);
    }

    #[test]
    fn copies_are_listed_with_their_lag() {
        let mut copy = ours("snap-2", "vol-ffffffff", "2026-11-21T02:30:00Z");
        copy.region = "us-east-1".parse().unwrap();
        copy.description = r#"{"Volume": "vol-1", "Region": "eu-west-1", "Time": "2026-11-21T02:00:00"}"#.to_owned();
        let report = report_of(vec![ours("snap-1", "vol-1", "2026-11-21T02:00:00Z"), copy], Vec::new(), 26);
        assert_eq!((report.volumes.len(), report.stale()), (1, 0));
        let copy = &report.volumes[0].copies[0];
        assert_eq!((copy.region.as_str(), copy.lag_s), ("us-east-1", Some(1_800)));
        let [lag] = report.lags.as_slice() else { panic!("{:?}", report.lags) };
        assert_eq!((lag.region.as_str(), lag.copies, lag.p50_s, lag.max_s), ("us-east-1", 1, 1_800, 1_800));
    }
}
