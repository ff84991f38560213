//! The original's own decisions, recorded under its own interpreter (see the README beside the cases).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{at, decide};
use crate::retention::{Candidate, FabfileCompatible, PRESERVE_TAG, Policy, Rule};

#[derive(Deserialize)]
struct Case {
    name: String,
    now_utc: String,
    local_minus_utc_hours: i8,
    config: BTreeMap<String, u32>,
    snapshots: Vec<Snapshot>,
    kept: Vec<String>,
    deleted_count: usize,
}

#[derive(Deserialize)]
struct Snapshot {
    id: String,
    start_time: String,
    volume: Option<String>,
    description: Option<BTreeMap<String, String>>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

impl Snapshot {
    fn candidate(&self) -> Candidate {
        let described = |field: &str| self.description.as_ref().and_then(|fields| fields.get(field).cloned());
        let start = at(&self.start_time);
        let time = described("Time").map_or(start, |time| at(&format!("{time}Z")));
        let volume = described("Volume").or_else(|| self.volume.clone()).unwrap_or("vol-1".to_owned());
        let preserved = self.tags.get(PRESERVE_TAG).is_some_and(|value| !value.is_empty());
        Candidate {
            tags: if preserved { vec![PRESERVE_TAG.to_owned()] } else { Vec::new() },
            ..Candidate::new(&self.id, volume, time, u64::try_from(start.as_microsecond()).unwrap())
        }
    }
}

fn policy(case: &Case) -> Policy {
    let number = |name: &str| case.config[&format!("{name}_BACKUPS")];
    Policy::new(vec![Rule::FabfileCompatible(FabfileCompatible {
        hourly: number("HOURLY"),
        daily: number("DAILY"),
        weekly: number("WEEKLY"),
        monthly: number("MONTHLY"),
        quarterly: number("QUARTERLY"),
        yearly: number("YEARLY"),
        local: jiff::tz::Offset::constant(case.local_minus_utc_hours).to_time_zone(),
    })])
}

#[test]
fn every_recorded_case_is_decided_as_the_original_did() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/fabfile_trim/expected.json");
    let cases: Vec<Case> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(cases.len() >= 11, "{} cases", cases.len());
    for case in &cases {
        let candidates: Vec<Candidate> = case.snapshots.iter().map(Snapshot::candidate).collect();
        let plan = decide(&candidates, &policy(case), at(&format!("{}Z", case.now_utc)));
        assert_eq!(plan.kept().collect::<Vec<_>>(), case.kept, "{}", case.name);
        assert_eq!(plan.deleted().count(), case.deleted_count, "{}", case.name);
    }
}

#[test]
fn a_preserved_snapshot_stays_inside_a_period() {
    let now = at("2012-03-14T15:30:00Z");
    let mut hours: Vec<Candidate> = (0_u64..300)
        .map(|hour| {
            let time = at("2012-03-02T03:10:00Z") + jiff::SignedDuration::from_hours(i64::try_from(hour).unwrap());
            Candidate::new(format!("snap-{hour}"), "vol-1", time, hour)
        })
        .collect();
    let policy = Policy::new(vec![Rule::FabfileCompatible(FabfileCompatible::default())]);
    assert!(decide(&hours, &policy, now).deleted().any(|id| id == "snap-5"));
    hours[5].tags.push(PRESERVE_TAG.to_owned());
    assert!(decide(&hours, &policy, now).kept().any(|id| id == "snap-5"));
}
