//! Properties of a trim plan, and the recorded decisions of django-fabfile.

use std::collections::{BTreeMap, BTreeSet};

use backup_core::retention::{Logarithmic, Rule};
use jiff::SignedDuration;
use jiff::tz::{Offset, TimeZone};
use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::lineage;
use crate::model::{Snapshot, SnapshotState};
use crate::offline;
use crate::test_world::snapshot;
use crate::trim::{Numbers, PolicyName, Scope, Standing, policy};

const NOW: &str = "2026-11-21T03:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn gathered(snapshots: &[Snapshot], scope: &Scope, standing: &Standing) -> Gathered {
    let mut gathered = Gathered::new();
    for snapshot in snapshots {
        gathered.add(snapshot, scope, standing);
    }
    gathered
}

fn planned(snapshots: &[Snapshot], policy: &Policy) -> TrimPlan {
    let any = Scope { any: true, ..Scope::default() };
    plan(&mut gathered(snapshots, &any, &Standing::default()), policy, now()).unwrap()
}

fn logarithmic() -> Policy {
    policy(PolicyName::Logarithmic, Numbers::default(), Vec::new(), &TimeZone::UTC)
}

fn actions(plan: &TrimPlan) -> BTreeMap<String, Action> {
    plan.decisions.iter().map(|decided| (decided.id.to_string(), decided.action)).collect()
}

/// A snapshot of volume `volume` so many minutes ago.
fn ago(id: usize, volume: u8, minutes: u32) -> Snapshot {
    let mut snapshot = snapshot(&format!("snap-{id}"), &format!("vol-{volume}"), NOW);
    snapshot.start_time = now() - SignedDuration::from_mins(i64::from(minutes));
    snapshot
}

prop_compose! {
    fn any_snapshot()(
        volume in 0u8..5, minutes in 0u32..400_000, set in proptest::option::of(0u8..6), state in 0u8..8, preserved in 0u8..20,
    ) -> (u8, u32, Option<u8>, u8, u8) {
        (volume, minutes, set, state, preserved)
    }
}

fn world(parts: Vec<(u8, u32, Option<u8>, u8, u8)>) -> Vec<Snapshot> {
    let each = parts.into_iter().enumerate().map(|(id, (volume, minutes, set, state, preserved))| {
        let mut snapshot = ago(id, volume, minutes);
        if let Some(set) = set {
            snapshot.tags.set(lineage::SET, format!("set-{set}"));
        }
        snapshot.state = match state {
            0 => SnapshotState::Error,
            1 => SnapshotState::Pending,
            _ => SnapshotState::Completed,
        };
        if preserved == 0 {
            snapshot.tags.set(PRESERVE_TAG, "yes");
        }
        snapshot
    });
    each.collect()
}

proptest! {
    #[test]
    fn a_plan_is_a_partition_keeps_sets_whole_and_never_deletes_the_protected(
        parts in proptest::collection::vec(any_snapshot(), 0..120),
    ) {
        let snapshots = world(parts);
        let plan = planned(&snapshots, &logarithmic());
        let actions = actions(&plan);
        prop_assert_eq!(actions.len(), snapshots.len());
        let mut sets: BTreeMap<&str, BTreeSet<bool>> = BTreeMap::new();
        for snapshot in &snapshots {
            let kept = actions[snapshot.id.as_str()] == Action::Keep;
            if let Some(set) = snapshot.tags.get(lineage::SET) {
                sets.entry(set).or_default().insert(kept);
            }
            let is_protected = snapshot.state == SnapshotState::Pending || snapshot.tags.filled(PRESERVE_TAG).is_some();
            prop_assert!(kept || !is_protected, "{}", snapshot.id);
        }
        prop_assert!(sets.values().all(|kept| kept.len() == 1), "{:?}", sets);
        prop_assert!(plan.decisions.iter().all(|decided| !decided.reasons.is_empty()));
    }

    #[test]
    fn the_newest_complete_one_of_each_volume_stays(parts in proptest::collection::vec(any_snapshot(), 1..80)) {
        let snapshots = world(parts);
        let actions = actions(&planned(&snapshots, &logarithmic()));
        let mut newest: BTreeMap<&str, &Snapshot> = BTreeMap::new();
        for snapshot in snapshots.iter().filter(|snapshot| snapshot.state == SnapshotState::Completed) {
            let held = newest.entry(snapshot.volume.as_str()).or_insert(snapshot);
            if (held.start_time, &held.id) < (snapshot.start_time, &snapshot.id) {
                *held = snapshot;
            }
        }
        for snapshot in newest.values() {
            prop_assert_eq!(actions[snapshot.id.as_str()], Action::Keep, "{}", snapshot.id);
        }
    }

    #[test]
    fn planning_again_deletes_nothing_and_order_does_not_matter(
        parts in proptest::collection::vec(any_snapshot(), 0..100), seed in any::<u64>(),
    ) {
        let snapshots = world(parts);
        let first = planned(&snapshots, &logarithmic());
        let kept: BTreeSet<&str> = first.kept().map(|decided| decided.id.as_str()).collect();
        let left: Vec<Snapshot> = snapshots.iter().filter(|one| kept.contains(one.id.as_str())).cloned().collect();
        prop_assert_eq!(planned(&left, &logarithmic()).deleted().count(), 0);
        let mut shuffled = snapshots;
        shuffled.sort_by_cached_key(|one| {
            one.id.as_str().bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
        });
        prop_assert_eq!(planned(&shuffled, &logarithmic()), first);
    }

    #[test]
    fn batches_decide_as_all_at_once(parts in proptest::collection::vec(any_snapshot(), 0..100)) {
        let snapshots = world(parts);
        let any = Scope { any: true, ..Scope::default() };
        let gathered = gathered(&snapshots, &any, &Standing::default());
        let candidates: Vec<Candidate> = gathered.rows.iter().map(|row| candidate(&gathered, row)).collect();
        let whole = retention::plan(&candidates, &logarithmic(), now()).unwrap();
        let expected: BTreeMap<String, Action> = whole.decisions.into_iter().map(|one| (one.id, one.action)).collect();
        prop_assert_eq!(actions(&planned(&snapshots, &logarithmic())), expected);
    }

    #[test]
    fn what_is_not_complete_never_covers_a_gap(minutes in proptest::collection::vec(0u32..100_000, 2..60)) {
        let mut snapshots: Vec<Snapshot> = minutes.iter().enumerate().map(|(id, minutes)| ago(id, 1, *minutes)).collect();
        let good = snapshots.clone();
        let extra = snapshots.len();
        snapshots.extend(minutes.iter().enumerate().map(|(id, minutes)| Snapshot {
            state: SnapshotState::Error,
            ..ago(extra + id, 1, minutes.saturating_sub(1))
        }));
        let (alone, mixed) = (actions(&planned(&good, &logarithmic())), actions(&planned(&snapshots, &logarithmic())));
        for (id, action) in alone {
            prop_assert_eq!(mixed[&id], action, "{}", id);
        }
    }
}

#[test]
fn e10_a_failed_snapshot_that_is_the_newest_does_not_replace_the_last_good_one() {
    let keep_one = Policy::new(vec![Rule::Last(1)]);
    let failed = Snapshot { state: SnapshotState::Error, ..ago(2, 1, 10) };
    let plan = planned(&[ago(1, 1, 100), failed], &keep_one);
    let good = plan.decisions.iter().find(|decided| decided.id.as_str() == "snap-1").unwrap();
    assert_eq!(good.action, Action::Keep);
    assert!(good.reasons.iter().any(|reason| &**reason == "last good"), "{:?}", good.reasons);
}

#[test]
fn snapshots_of_other_tools_are_left_alone_unless_asked_for() {
    let mut ours = ago(1, 1, 10);
    ours.tags.set(lineage::SET, "set-1");
    let snapshots = [ours, ago(2, 1, 20), ago(3, 2, 30)];
    let mut scoped = gathered(&snapshots, &Scope::default(), &Standing::default());
    let plan = plan(&mut scoped, &logarithmic(), now()).unwrap();
    assert_eq!((plan.decisions.len(), plan.left_alone), (1, 2));
    assert_eq!(planned(&snapshots, &logarithmic()).decisions.len(), 3);
    let tagged = Scope { tag: Some(("Earmarking".to_owned(), "production".to_owned())), any: true, ..Scope::default() };
    assert_eq!(gathered(&snapshots, &tagged, &Standing::default()).len(), 0);
}

#[test]
fn a_rule_about_a_tag_keeps_what_has_it() {
    let mut snapshots: Vec<Snapshot> = (0..6).map(|id| ago(id, 1, 100 * u32::try_from(id).unwrap())).collect();
    snapshots[2].tags.set("monthly", "");
    snapshots[3].tags.set("Role", "db");
    snapshots[4].tags.set("Role", "web");
    let rules = Policy::new(vec![Rule::Tag("monthly".to_owned()), Rule::Tag("Role=db".to_owned())]);
    let scope = Scope { any: true, ..Scope::default() }.keeping(&rules);
    let plan = plan(&mut gathered(&snapshots, &scope, &Standing::default()), &rules, now()).unwrap();
    let kept: BTreeSet<&str> = plan.kept().map(|decided| decided.id.as_str()).collect();
    assert_eq!(kept, BTreeSet::from(["snap-0", "snap-2", "snap-3"]));
}

#[test]
fn snapshots_of_unknown_volumes_do_not_replace_each_other() {
    // As other tools' copies and imports are: one volume ID for all of them, which means nothing.
    let unknown = |id, minutes| Snapshot { volume: "vol-ffffffff".into(), ..ago(id, 1, minutes) };
    let plan = planned(&[unknown(1, 300), unknown(2, 200), unknown(3, 100)], &Policy::new(vec![Rule::Last(1)]));
    assert_eq!(plan.deleted().count(), 0);
    let nameless = |id, minutes| Snapshot { volume: "".into(), ..ago(id, 1, minutes) };
    assert_eq!(planned(&[nameless(1, 300), nameless(2, 200)], &Policy::new(vec![Rule::Last(1)])).deleted().count(), 0);
}

#[test]
fn e5_a_set_with_a_member_missing_or_failed_is_no_good_backup() {
    let of_set = |id, volume, minutes, set: &str| {
        let mut snapshot = ago(id, volume, minutes);
        snapshot.tags.extend([(lineage::SET, set), (lineage::SET_SIZE, "2")]);
        snapshot
    };
    let keep_one = Policy::new(vec![Rule::Last(1)]);
    let whole = [of_set(1, 1, 200, "old"), of_set(2, 2, 200, "old")];
    let failed = Snapshot { state: SnapshotState::Error, ..of_set(4, 2, 100, "new") };
    let plan = planned(&[whole[0].clone(), whole[1].clone(), of_set(3, 1, 100, "new"), failed], &keep_one);
    let kept: Vec<&str> = plan.kept().map(|decided| decided.id.as_str()).collect();
    // The newer set is not good, and there is nothing newer that is: it stays for somebody to look at.
    assert_eq!(kept, ["snap-1", "snap-3", "snap-2", "snap-4"]);
    let newer = [of_set(5, 1, 50, "newest"), of_set(6, 2, 50, "newest")];
    let all: Vec<Snapshot> = [whole.as_slice(), &[of_set(3, 1, 100, "new")], &newer].concat();
    let kept: Vec<String> = planned(&all, &keep_one).kept().map(|decided| decided.id.to_string()).collect();
    assert_eq!(kept, ["snap-5", "snap-6"]);
}

#[test]
fn the_last_snapshot_that_two_regions_have_in_common_stays_in_both() {
    let copy = |original: &Snapshot, id: usize| {
        let mut copy = ago(id, 9, 1);
        copy.start_time = original.start_time + SignedDuration::from_mins(30);
        copy.region = "us-east-1".parse().unwrap();
        copy.tags.extend([(lineage::SRC_SNAPSHOT, original.id.as_str()), (lineage::SRC_VOLUME, "vol-1")]);
        copy
    };
    let originals = [ago(1, 1, 3_000), ago(2, 1, 2_000), ago(3, 1, 1_000)];
    let snapshots = [originals.as_slice(), &[copy(&originals[0], 11), copy(&originals[1], 12)]].concat();
    let plan = planned(&snapshots, &Policy::new(vec![Rule::Last(1)]));
    let kept: BTreeMap<&str, String> =
        plan.kept().map(|decided| (decided.id.as_str(), decided.reasons.join("; "))).collect();
    assert_eq!(kept.keys().copied().collect::<Vec<_>>(), ["snap-12", "snap-2", "snap-3"]);
    assert_eq!(kept["snap-2"], "protected: last one in common with us-east-1");
    assert!(kept["snap-12"].contains("last one in common with eu-west-1"), "{}", kept["snap-12"]);
}

#[test]
fn a_policy_without_a_rule_is_refused_even_for_nothing() {
    let error = plan(&mut Gathered::new(), &Policy::new(Vec::new()), now()).unwrap_err();
    assert!(error.to_string().contains("no retention rule"), "{error}");
}

#[test]
fn rules_beside_a_policy_keep_more() {
    let snapshots: Vec<Snapshot> = (0..200).map(|id| ago(id, 1, 60 * u32::try_from(id).unwrap())).collect();
    let alone = planned(&snapshots, &logarithmic());
    let more = policy(PolicyName::Logarithmic, Numbers::default(), vec![Rule::Last(50)], &TimeZone::UTC);
    let more = actions(&planned(&snapshots, &more));
    assert!(alone.kept().all(|decided| more[decided.id.as_str()] == Action::Keep));
    assert!(more.values().filter(|action| **action == Action::Keep).count() >= 50);
    assert_eq!(Logarithmic::new(3_600).base_s, 3_600);
}

#[derive(Deserialize)]
struct Case {
    name: String,
    now: Timestamp,
    local_offset: String,
    numbers: BTreeMap<String, u32>,
    kept: Vec<String>,
}

#[test]
fn every_converted_case_of_django_fabfile_is_decided_as_it_did() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/fabfile_trim");
    let cases: Vec<Case> = serde_json::from_slice(&std::fs::read(format!("{folder}/cases.json")).unwrap()).unwrap();
    assert!(cases.len() >= 6, "{} cases", cases.len());
    for case in cases {
        let number = |name: &str| case.numbers[name];
        let numbers = Numbers {
            hourly: number("hourly"),
            daily: number("daily"),
            weekly: number("weekly"),
            monthly: number("monthly"),
            quarterly: number("quarterly"),
            yearly: number("yearly"),
        };
        assert_eq!(case.local_offset, "+00:00");
        let zone = Offset::UTC.to_time_zone();
        let any = Scope { any: true, ..Scope::default() };
        let (mut gathered, standing) = (Gathered::new(), Standing::default());
        let file = std::fs::File::open(format!("{folder}/{}.json", case.name)).unwrap();
        let region = "us-east-1".parse().unwrap();
        offline::read(file, &case.name, &region, &mut |snapshot| gathered.add(&snapshot, &any, &standing)).unwrap();
        let fabfile = policy(PolicyName::Fabfile, numbers, Vec::new(), &zone);
        let plan = plan(&mut gathered, &fabfile, case.now).unwrap();
        let kept: BTreeSet<&str> = plan.kept().map(|decided| decided.id.as_str()).collect();
        assert_eq!(kept, case.kept.iter().map(String::as_str).collect(), "{}", case.name);
    }
}
