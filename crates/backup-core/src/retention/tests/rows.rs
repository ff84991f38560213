//! Rows R1 to R6 and C13 of the acceptance table.

use jiff::{SignedDuration, ToSpan};

use super::{DAY_S, HOUR_S, at, before, decide, history, kept, noon, reasons};
use crate::retention::{Candidate, Logarithmic, Period, Policy, RetentionError, Rule, plan};

fn last(count: u32) -> Policy {
    Policy::new(vec![Rule::Last(count)])
}

#[test]
fn r1_no_rule_is_refused_and_zero_is_no_rule() {
    let candidates = history(noon(), 3, DAY_S);
    for rules in [vec![], vec![Rule::Last(0)], vec![Rule::Last(0), Rule::Calendar(Period::Daily, 0)]] {
        assert_eq!(plan(&candidates, &Policy::new(rules), noon()), Err(RetentionError::NoRule));
    }
}

#[test]
fn rules_that_make_no_sense_are_refused() {
    let zero_base = Logarithmic { base_s: 0, ..Logarithmic::new(1) };
    let zero_ratio = Logarithmic { ratio_millionths: 0, ..Logarithmic::new(1) };
    for rule in [
        Rule::Within(0.days()),
        Rule::Within(-1.days()),
        Rule::Tag(String::new()),
        Rule::Logarithmic(zero_base),
        Rule::Logarithmic(zero_ratio),
    ] {
        let error = plan(&[], &Policy::new(vec![rule, Rule::Last(1)]), noon()).unwrap_err();
        assert!(matches!(error, RetentionError::Invalid { .. }), "{error}");
    }
    let twice = [history(noon(), 1, 1), history(noon(), 1, 1)].concat();
    assert!(matches!(plan(&twice, &last(1), noon()), Err(RetentionError::DuplicateId { .. })));
}

#[test]
fn r2_fewer_than_the_number_is_nothing_to_do() {
    let candidates = history(noon(), 3, DAY_S);
    assert_eq!(decide(&candidates, &last(10), noon()).deleted().count(), 0);
    assert_eq!(decide(&[], &last(10), noon()).decisions.len(), 0);
}

#[test]
fn r3_an_old_good_one_outlives_ten_newer_bad_ones() {
    let mut candidates = history(noon(), 11, DAY_S);
    candidates[1..].iter_mut().for_each(|candidate| candidate.good = false);
    let plan = decide(&candidates, &last(1), noon());
    assert!(reasons(&plan, "b1").contains(&"last good".to_owned()));
    assert_eq!(plan.deleted().count(), 0, "bad ones stay while nothing good is newer");

    candidates.push(Candidate::new("b12", "pg/shop", noon(), 12));
    assert_eq!(kept(&decide(&candidates, &last(1), noon())), ["b12"]);
}

#[test]
fn r4_a_silent_source_keeps_its_last_good_one() {
    let mut candidates = history(noon(), 30, HOUR_S);
    candidates.push(Candidate::new("silent", "pg/archive", before(noon(), 365 * DAY_S), 7));
    for rule in [Rule::Last(3), Rule::Within(2.days()), Rule::Tag("x".to_owned())] {
        let plan = decide(&candidates, &Policy::new(vec![rule]), noon());
        assert!(reasons(&plan, "silent").contains(&"last good".to_owned()));
    }
}

#[test]
fn r5_planted_backups_displace_nothing_within_the_span() {
    let originals = history(noon(), 10, DAY_S);
    let mut candidates = originals.clone();
    for n in 0..30 {
        let ahead = noon() + SignedDuration::from_hours(n + 1);
        candidates.push(Candidate::new(format!("future{n}"), "pg/shop", ahead, 100));
        candidates.push(Candidate::new(format!("past{n}"), "pg/shop", before(noon(), 400 * DAY_S), 0));
    }
    let policy = Policy::new(vec![Rule::Within(14.days())]);
    let plan = decide(&candidates, &policy, noon());
    for original in &originals {
        assert!(reasons(&plan, &original.id).contains(&"within 14d".to_owned()), "{}", original.id);
    }
    assert_eq!(plan.decisions.iter().filter(|decision| decision.future).count(), 30);
    assert!(plan.kept().filter(|id| id.starts_with("future")).count() == 30 && plan.warnings.len() == 1);

    let plan = decide(&candidates, &last(1), noon());
    assert!(reasons(&plan, "b10").contains(&"last 1".to_owned()), "future ones are not counted");
}

#[test]
fn r6_a_full_needed_by_a_kept_delta_stays() {
    let mut candidates = history(noon(), 4, DAY_S);
    for (delta, base) in [(1, 0), (2, 1), (3, 2)] {
        candidates[delta].needs = vec![candidates[base].id.clone()];
    }
    let plan = decide(&candidates, &last(1), noon());
    assert_eq!(kept(&plan), ["b1", "b2", "b3", "b4"]);
    assert_eq!(reasons(&plan, "b1"), ["needed by b2"]);

    candidates[3].needs.clear();
    assert_eq!(kept(&decide(&candidates, &last(1), noon())), ["b4"]);
}

#[test]
fn a_delta_without_its_full_is_no_good_backup() {
    let mut candidates = history(noon(), 3, DAY_S);
    candidates[2].needs = vec!["lost".to_owned()];
    let plan = decide(&candidates, &last(1), noon());
    assert_eq!(reasons(&plan, "b2"), ["last good", "last 1"]);
    assert_eq!(reasons(&plan, "b3"), ["not good, but there is no newer good backup"]);
    assert!(plan.warnings[0].contains("`b3` needs `lost`"));
}

#[test]
fn sets_stay_or_go_whole_across_groups() {
    let mut candidates = history(noon(), 2, DAY_S);
    candidates[0].set = Some("i-1".to_owned());
    let mut sibling = Candidate::new("sibling", "vol-2", before(noon(), DAY_S), 1);
    sibling.set = Some("i-1".to_owned());
    candidates.push(sibling);
    let plan = decide(&candidates, &last(1), noon());
    assert_eq!(reasons(&plan, "b1"), ["in one set (i-1) with sibling"]);
}

#[test]
fn protected_ones_stay_with_their_reason() {
    let mut candidates = history(noon(), 2, DAY_S);
    candidates[0].protected = Some("in use by ami-1".to_owned());
    assert_eq!(reasons(&decide(&candidates, &last(1), noon()), "b1"), ["protected: in use by ami-1"]);
}

#[test]
fn c13_a_clock_that_was_ahead_loses_neither_backup() {
    let ahead = Candidate::new("ahead", "pg/shop", at("2026-11-21T14:00:00Z"), 1);
    let corrected = Candidate::new("corrected", "pg/shop", at("2026-11-21T12:10:00Z"), 2);
    let candidates = [ahead, corrected];
    let soon = decide(&candidates, &last(1), at("2026-11-21T12:30:00Z"));
    assert_eq!(reasons(&soon, "ahead"), ["dated in the future"]);
    assert_eq!(reasons(&soon, "corrected"), ["last good", "last 1"]);
    assert!(soon.warnings[0].contains("Check the clocks"));

    let later = decide(&candidates, &last(1), at("2026-11-22T12:00:00Z"));
    assert_eq!(reasons(&later, "ahead"), ["newest by time"]);
    assert_eq!(reasons(&later, "corrected"), ["last good", "last 1"]);
}

#[test]
fn every_calendar_number_counts() {
    let candidates = history(noon(), 1_500, DAY_S);
    for (period, expected) in [
        (Period::Daily, vec!["b1498", "b1499", "b1500"]),
        (Period::Weekly, vec!["b1487", "b1494", "b1500"]),
        (Period::Monthly, vec!["b1448", "b1479", "b1500"]),
        (Period::Quarterly, vec!["b1356", "b1448", "b1500"][0..].to_vec()),
        (Period::Yearly, vec!["b810", "b1175", "b1500"]),
    ] {
        let plan = decide(&candidates, &Policy::new(vec![Rule::Calendar(period, 3)]), noon());
        let times: Vec<String> =
            kept(&plan).iter().map(|id| candidates.iter().find(|c| c.id == **id).unwrap().time.to_string()).collect();
        assert_eq!(kept(&plan), expected, "{period}: {times:?}");
    }
}
