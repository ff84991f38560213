//! The properties of any plan, over random histories and policies.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp, ToSpan};
use proptest::prelude::*;

use super::{DAY_S, HOUR_S, before, noon};
use crate::retention::{Action, Candidate, FabfileCompatible, Logarithmic, Period, Policy, RetentionPlan, Rule, plan};

fn decide(candidates: &[Candidate], policy: &Policy) -> RetentionPlan {
    plan(candidates, policy, noon()).unwrap()
}

fn kept(plan: &RetentionPlan) -> BTreeSet<String> {
    plan.kept().map(str::to_owned).collect()
}

prop_compose! {
    /// Times from three years ago to two days ahead, often equal.
    fn candidate()(
        group in 0..3_u8,
        age_s in prop_oneof![-2 * DAY_S..3 * 365 * DAY_S, (0..100_i64).prop_map(|days| days * DAY_S)],
        sequence in 0..40_u64,
        good in prop::bool::weighted(0.85),
        tagged in prop::bool::weighted(0.1),
        need in prop::option::weighted(0.2, 0..60_usize),
        set in prop::option::weighted(0.2, 0..6_u8),
        protected in prop::bool::weighted(0.05),
    ) -> (Candidate, Option<usize>) {
        let candidate = Candidate {
            good,
            tags: if tagged { vec!["release".to_owned()] } else { Vec::new() },
            set: set.map(|set| format!("set{set}")),
            protected: protected.then(|| "in use by ami-1".to_owned()),
            ..Candidate::new("", format!("g{group}"), before(noon(), age_s), sequence)
        };
        (candidate, need)
    }
}

fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
    prop::collection::vec(candidate(), 0..60).prop_map(|drawn| {
        let named = drawn.into_iter().enumerate().map(|(index, (candidate, need))| Candidate {
            id: format!("c{index}"),
            // Cycles and missing ones too: what was written elsewhere may hold anything.
            needs: need.map(|need| format!("c{need}")).into_iter().collect(),
            ..candidate
        });
        named.collect()
    })
}

fn logarithmic() -> impl Strategy<Value = Logarithmic> {
    let max_age = prop::option::weighted(0.2, 1..1_000_u64);
    (1..2 * 86_400_u64, 100_000..1_000_000_u32, max_age, prop::option::weighted(0.3, 1..12_u32)).prop_map(
        |(base_s, ratio_millionths, max_age_d, max_count)| Logarithmic {
            base_s,
            ratio_millionths,
            max_age_s: max_age_d.map(|days| days * 86_400),
            max_count,
        },
    )
}

fn rule() -> impl Strategy<Value = Rule> {
    prop_oneof![
        (1..6_u32).prop_map(Rule::Last),
        (0..6_usize, 1..8_u32).prop_map(|(period, count)| Rule::Calendar(Period::ALL[period], count)),
        (1..900_i64).prop_map(|days| Rule::Within(days.days())),
        (1..30_i64, 1..40_i64).prop_map(|(months, hours)| Rule::Within(Span::new().months(months).hours(hours))),
        Just(Rule::Tag("release".to_owned())),
        logarithmic().prop_map(Rule::Logarithmic),
        Just(Rule::FabfileCompatible(FabfileCompatible::default())),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    (prop::collection::vec(rule(), 1..4), 0..3_usize).prop_map(|(rules, zone)| {
        let zone = ["UTC", "Europe/Berlin", "Australia/Lord_Howe"][zone];
        Policy::new(rules).in_time_zone(TimeZone::get(zone).unwrap())
    })
}

/// Good, and all it needs, too.
fn sound(candidates: &[Candidate]) -> BTreeSet<&str> {
    let mut sound: BTreeSet<&str> = candidates.iter().filter(|c| c.good).map(|c| c.id.as_str()).collect();
    loop {
        let lost: Vec<&str> = candidates
            .iter()
            .filter(|c| sound.contains(c.id.as_str()) && c.needs.iter().any(|need| !sound.contains(need.as_str())))
            .map(|c| c.id.as_str())
            .collect();
        if lost.is_empty() {
            return sound;
        }
        sound.retain(|id| !lost.contains(id));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// 1: the newest good one stays, by sequence and by time, and what is protected stays.
    #[test]
    fn p01_newest_good_and_protected_stay(candidates in candidates(), policy in policy()) {
        let kept = kept(&decide(&candidates, &policy));
        let sound = sound(&candidates);
        let mut groups: BTreeMap<&str, Vec<&Candidate>> = BTreeMap::new();
        for candidate in candidates.iter().filter(|c| sound.contains(c.id.as_str()) && c.time <= noon()) {
            groups.entry(&candidate.group).or_default().push(candidate);
        }
        for members in groups.values() {
            let by_sequence = members.iter().max_by_key(|c| (c.sequence, c.time, &c.id)).unwrap();
            let by_time = members.iter().max_by_key(|c| (c.time, c.sequence, &c.id)).unwrap();
            prop_assert!(kept.contains(&by_sequence.id) && kept.contains(&by_time.id));
        }
        for candidate in candidates.iter().filter(|c| c.protected.is_some() || c.time > noon()) {
            prop_assert!(kept.contains(&candidate.id));
        }
    }

    /// 2: keep and delete part the input; one group's decisions do not depend on another's.
    #[test]
    fn p02_a_partition_that_never_mixes_groups(candidates in candidates(), policy in policy()) {
        let whole = decide(&candidates, &policy);
        let ids: Vec<&str> = whole.decisions.iter().map(|decision| decision.id.as_str()).collect();
        let given: Vec<&str> = candidates.iter().map(|candidate| candidate.id.as_str()).collect();
        prop_assert_eq!(ids, given);

        // Sets and needs are the only ties between groups; without them each group decides alone.
        let untied: Vec<Candidate> =
            candidates.into_iter().map(|c| Candidate { set: None, needs: Vec::new(), ..c }).collect();
        let whole = kept(&decide(&untied, &policy));
        let mut apart = BTreeSet::new();
        for group in ["g0", "g1", "g2"] {
            let members: Vec<Candidate> = untied.iter().filter(|c| c.group == group).cloned().collect();
            apart.extend(kept(&decide(&members, &policy)));
        }
        prop_assert_eq!(whole, apart);
    }

    /// 3: no gap between kept good ones is longer than allowed unless it was there before.
    #[test]
    fn p03_gaps_stay_within_the_bound(candidates in candidates(), rule in logarithmic(), others in policy()) {
        let rule = Logarithmic { max_age_s: None, max_count: None, ..rule };
        let rules = [vec![Rule::Logarithmic(rule)], others.rules].concat();
        let plan = decide(&candidates, &Policy::new(rules));
        let kept = kept(&plan);
        let sound = sound(&candidates);
        for group in ["g0", "g1", "g2"] {
            let mut counted: Vec<&Candidate> = candidates
                .iter()
                .filter(|c| c.group == group && sound.contains(c.id.as_str()) && c.time <= noon())
                .collect();
            counted.sort_by_key(|c| std::cmp::Reverse(c.time));
            let seconds: BTreeSet<i64> = counted.iter().map(|c| c.time.as_second()).collect();
            let mut newer_second = None;
            for second in counted.iter().filter(|c| kept.contains(&c.id)).map(|c| c.time.as_second()) {
                if let Some(newer_second) = newer_second.replace(second).filter(|newer| *newer != second) {
                    let age_s = u64::try_from(noon().as_second() - newer_second).unwrap();
                    let gap_s = u64::try_from(newer_second - second).unwrap();
                    let hole = seconds.range(second + 1..newer_second).next().is_none();
                    prop_assert!(gap_s <= rule.reach_s(age_s) || hole, "gap {gap_s} at age {age_s}");
                }
            }
        }
    }

    /// 4: planning what was kept deletes nothing.
    #[test]
    fn p04_idempotent(candidates in candidates(), policy in policy()) {
        let first = kept(&decide(&candidates, &policy));
        let remaining: Vec<Candidate> = candidates.into_iter().filter(|c| first.contains(&c.id)).collect();
        let again = decide(&remaining, &policy);
        prop_assert_eq!(again.deleted().count(), 0);
    }

    /// 7: the order of the input does not matter, the time zone only to calendar rules, and no zone or skew breaks it.
    #[test]
    fn p07_invariant_under_order_and_zone(candidates in candidates(), policy in policy(), seed in any::<u64>()) {
        let plan = decide(&candidates, &policy);
        let mut shuffled = candidates.clone();
        shuffled.sort_by_key(|c| crate::digest::Sha256Digest::of(format!("{seed}{}", c.id).as_bytes()));
        prop_assert_eq!(kept(&plan), kept(&decide(&shuffled, &policy)));

        let timeless = |rule: &Rule| !matches!(rule, Rule::Calendar(..) | Rule::Within(_));
        if policy.rules.iter().all(timeless) {
            let elsewhere = policy.in_time_zone(TimeZone::get("Pacific/Apia").unwrap());
            prop_assert_eq!(kept(&plan), kept(&decide(&candidates, &elsewhere)));
        }
    }

    /// 9: what is not good covers no gap and takes no place: the good ones are decided as if it were not there.
    #[test]
    fn p09_bad_ones_never_count(candidates in candidates(), policy in policy()) {
        let untied: Vec<Candidate> =
            candidates.into_iter().map(|c| Candidate { set: None, needs: Vec::new(), ..c }).collect();
        let good: Vec<Candidate> = untied.iter().filter(|c| c.good).cloned().collect();
        let with_bad = kept(&decide(&untied, &policy));
        let with_bad: BTreeSet<String> = with_bad.into_iter().filter(|id| good.iter().any(|c| c.id == *id)).collect();
        prop_assert_eq!(with_bad, kept(&decide(&good, &policy)));
    }

    /// 10: the plan is all there is: the same input gives the same plan, and nothing else is looked at.
    #[test]
    fn p10_pure(candidates in candidates(), policy in policy()) {
        prop_assert_eq!(decide(&candidates, &policy), decide(&candidates, &policy));
    }

    /// 11: sets stay or go whole, and what a kept one needs is kept.
    #[test]
    fn p11_sets_and_needs_are_closed(candidates in candidates(), policy in policy()) {
        let kept = kept(&decide(&candidates, &policy));
        let known: BTreeSet<&str> = candidates.iter().map(|c| c.id.as_str()).collect();
        for candidate in candidates.iter().filter(|c| kept.contains(&c.id)) {
            for need in candidate.needs.iter().filter(|need| known.contains(need.as_str())) {
                prop_assert!(kept.contains(need), "{} needs {need}", candidate.id);
            }
            for member in candidates.iter().filter(|c| c.set.is_some() && c.set == candidate.set) {
                prop_assert!(kept.contains(&member.id));
            }
        }
    }

    /// 12: a policy keeps at least what each of its rules keeps, and every decision says why.
    #[test]
    fn p12_union_of_rules_with_reasons(candidates in candidates(), policy in policy()) {
        let plan = decide(&candidates, &policy);
        let all = kept(&plan);
        for decision in &plan.decisions {
            prop_assert!(!decision.reasons.is_empty());
            prop_assert_eq!(decision.action == Action::Keep, all.contains(&decision.id));
        }
        // A greatest count is shared with what other rules keep.
        prop_assume!(!policy.depends_on_count());
        for rule in &policy.rules {
            let alone = Policy { rules: vec![rule.clone()], ..policy.clone() };
            prop_assert!(kept(&decide(&candidates, &alone)).is_subset(&all), "{rule}");
        }
    }
}

/// 8: the number kept grows with the logarithm of the history's length.
#[test]
fn p08_size_bound() {
    for (ratio_millionths, hours) in [(100_000, 17_520_i32), (250_000, 17_520), (500_000, 17_520), (500_000, 87_600)] {
        let rule = Logarithmic { ratio_millionths, ..Logarithmic::new(3_600) };
        let candidates: Vec<Candidate> = (0..hours)
            .map(|hour| Candidate::new(format!("c{hour}"), "g", before(noon(), i64::from(hour) * HOUR_S), 0))
            .collect();
        let count = f64::from(
            u32::try_from(kept(&decide(&candidates, &Policy::new(vec![Rule::Logarithmic(rule)]))).len()).unwrap(),
        );
        let ratio = f64::from(ratio_millionths) / 1e6;
        // Within 1/r bases of now gaps are one base; beyond, two steps together grow the age by the ratio at least.
        let bound = 1.0 / ratio + 2.0 * f64::from(hours).ln() / ratio.ln_1p() + 4.0;
        assert!(count <= bound, "{count} kept, {bound} allowed");
    }
}

/// 7: equal times, both edges of summer time, and starts in the future.
#[test]
fn p07_clock_changes_and_ties() {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let change: Timestamp = "2026-10-25T00:00:00Z".parse().unwrap();
    let candidates: Vec<Candidate> = (0..20_i64)
        .map(|n| Candidate::new(format!("c{n}"), "g", change + SignedDuration::from_mins(n / 2 * 30), 0))
        .collect();
    let policy = Policy::new(vec![Rule::Calendar(Period::Hourly, 3)]).in_time_zone(berlin);
    let plan = plan(&candidates, &policy, change + SignedDuration::from_mins(100)).unwrap();
    // 02:00 and 02:30 summer time, 02:00 and 02:30 winter time, then the future.
    assert_eq!(plan.decisions.iter().filter(|decision| decision.future).count(), 12);
    assert_eq!(plan.kept().take_while(|id| *id != "c8").collect::<Vec<_>>(), ["c3", "c7"]);
}
