//! Properties 5 and 6: the bound of the logarithmic rule under arrivals with missed runs and trims at any time.

use jiff::Timestamp;
use proptest::prelude::*;

use super::decide;
use crate::retention::{Candidate, Logarithmic, Policy, Rule};

const START_S: i64 = 1_700_000_000;

fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(START_S + second).unwrap()
}

fn backup(second: i64) -> Candidate {
    Candidate::new(format!("at{second:09}"), "g", moment(second), 0)
}

fn seconds(candidates: &[Candidate]) -> Vec<i64> {
    candidates.iter().map(|candidate| candidate.time.as_second() - START_S).collect()
}

/// Longest gap between arrivals that straddles the pair: no rule can do better than what ever arrived.
fn hole(arrived: &[i64], older: i64, newer: i64) -> bool {
    !arrived.iter().any(|second| (older + 1..newer).contains(second))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// 5: at every trim, each gap is within the bound of that moment or was never filled by any arrival.
    #[test]
    fn p05_the_bound_holds_whenever_trimmed(
        steps in prop::collection::vec((1..40_000_i64, prop::bool::weighted(0.3), 0..5_000_i64), 1..250),
        base_s in 1..20_000_u64,
        ratio_millionths in 100_000..=1_000_000_u32,
    ) {
        let rule = Logarithmic { ratio_millionths, ..Logarithmic::new(base_s) };
        let policy = Policy::new(vec![Rule::Logarithmic(rule)]);
        let (mut now, mut stored, mut arrived) = (0, Vec::new(), Vec::new());
        for (wait_s, trim, delay_s) in steps {
            now += wait_s;
            stored.push(backup(now));
            arrived.push(now);
            if !trim {
                continue;
            }
            now += delay_s;
            let plan = decide(&stored, &policy, moment(now));
            let deleted: Vec<&str> = plan.deleted().collect();
            stored.retain(|candidate| !deleted.contains(&candidate.id.as_str()));
            for pair in seconds(&stored).windows(2) {
                let gap_s = u64::try_from(pair[1] - pair[0]).unwrap();
                let age_s = u64::try_from(now - pair[1]).unwrap();
                prop_assert!(gap_s <= rule.reach_s(age_s) || hole(&arrived, pair[0], pair[1]), "{gap_s} at {age_s}");
            }
            prop_assert_eq!(decide(&stored, &policy, moment(now)).deleted().count(), 0, "idempotent online");
        }
    }

    /// 6: what a plan deleted is not missed later: the gaps it made stay within the bound at any later time.
    #[test]
    fn p06_no_gap_made_now_is_too_long_later(
        arrivals in prop::collection::vec(1..40_000_i64, 1..120),
        base_s in 1..20_000_u64,
        ratio_millionths in 100_000..=1_000_000_u32,
        later_s in 0..100_000_000_i64,
    ) {
        let rule = Logarithmic { ratio_millionths, ..Logarithmic::new(base_s) };
        let mut now = 0;
        let stored: Vec<Candidate> = arrivals.iter().map(|wait_s| { now += wait_s; backup(now) }).collect();
        let plan = decide(&stored, &Policy::new(vec![Rule::Logarithmic(rule)]), moment(now));
        let kept: Vec<&str> = plan.kept().collect();
        let kept: Vec<Candidate> = stored.iter().filter(|c| kept.contains(&c.id.as_str())).cloned().collect();
        for pair in seconds(&kept).windows(2) {
            let gap_s = u64::try_from(pair[1] - pair[0]).unwrap();
            let age_s = u64::try_from(now + later_s - pair[1]).unwrap();
            prop_assert!(gap_s <= rule.reach_s(age_s) || hole(&seconds(&stored), pair[0], pair[1]));
        }
    }

    /// 5: trimming after every arrival keeps no less than the bound asks for, against trimming once at the end.
    #[test]
    fn p05_trimming_often_keeps_the_bound(count in 10..300_i64, ratio_millionths in 200_000..=1_000_000_u32) {
        let rule = Logarithmic { ratio_millionths, ..Logarithmic::new(3_600) };
        let policy = Policy::new(vec![Rule::Logarithmic(rule)]);
        let mut stored: Vec<Candidate> = Vec::new();
        for hour in 0..count {
            stored.push(backup(hour * 3_600));
            let plan = decide(&stored, &policy, moment(hour * 3_600));
            let deleted: Vec<&str> = plan.deleted().collect();
            stored.retain(|candidate| !deleted.contains(&candidate.id.as_str()));
        }
        let now = (count - 1) * 3_600;
        for pair in seconds(&stored).windows(2) {
            let gap_s = u64::try_from(pair[1] - pair[0]).unwrap();
            prop_assert!(gap_s <= rule.reach_s(u64::try_from(now - pair[1]).unwrap()));
        }
        prop_assert_eq!(seconds(&stored)[0], 0);
        prop_assert_eq!(seconds(&stored).pop(), Some(now));
    }
}
