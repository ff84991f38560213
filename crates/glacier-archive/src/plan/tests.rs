//! Prices by hand, and what a plan may never do.

use proptest::prelude::*;

use super::*;

fn book() -> PriceBook {
    PriceBook::builtin().unwrap()
}

fn usd(text: &str) -> Usd {
    text.parse().unwrap()
}

fn wanted(objects: usize, bytes: u64, class: Class) -> Vec<Wanted> {
    (0..objects).map(|at| Wanted { key: Key::new(format!("a/{at}")).unwrap(), bytes, class }).collect()
}

fn objections(plan: &RetrievalPlan, tier: Tier) -> &[Objection] {
    &plan.offers.iter().find(|offer| offer.tier == tier).unwrap().objections
}

#[test]
fn a_hundred_gigabytes_cost_what_the_list_says() {
    let plan = plan(&wanted(100, GB, Class::Glacier), &Limits::default(), &book());
    assert_eq!((plan.objects, plan.bytes, plan.days), (100, 100 * GB, DAYS));
    let of = |tier: Tier| plan.offers.iter().find(|offer| offer.tier == tier).unwrap();
    assert_eq!((of(Tier::Bulk).retrieval, of(Tier::Bulk).minutes), (Usd::ZERO, Some(720)));
    assert_eq!((of(Tier::Standard).retrieval, of(Tier::Standard).minutes), (usd("1.005"), Some(300)));
    assert_eq!((of(Tier::Expedited).retrieval, of(Tier::Expedited).minutes), (usd("4"), Some(5)));
    let copies: Vec<Usd> = plan.offers.iter().map(|offer| offer.copies).collect();
    // 100 GB for five days of thirty at 0.023.
    assert!(copies.iter().all(|sum| *sum >= usd("0.383333333") && *sum <= usd("0.383333334")), "{copies:?}");
    assert_eq!(plan.chosen, Some(Tier::Bulk));
}

#[test]
fn the_cheapest_tier_within_the_deadline_is_chosen() {
    let limits = |hours: u64| Limits { deadline: Some(Duration::from_secs(hours * 3600)), ..Limits::default() };
    let of = |limits: &Limits| plan(&wanted(10, GB, Class::Glacier), limits, &book());
    for (hours, chosen) in [(12, Tier::Bulk), (11, Tier::Standard), (5, Tier::Standard), (4, Tier::Expedited)] {
        assert_eq!(of(&limits(hours)).chosen, Some(chosen), "{hours} h");
    }
    let short = of(&Limits { deadline: Some(Duration::from_secs(60)), ..Limits::default() });
    assert_eq!(short.chosen, None);
    assert_eq!(objections(&short, Tier::Expedited), [Objection::TooSlow]);
    let poor = of(&Limits { cost_max: Some(usd("0.05")), ..limits(5) });
    assert_eq!((poor.chosen, objections(&poor, Tier::Standard)), (None, &[Objection::TooDear][..]));
}

#[test]
fn a_deep_archive_has_no_expedited_tier_and_one_of_it_is_enough() {
    let mut both = wanted(3, GB, Class::Glacier);
    both.extend(wanted(1, GB, Class::DeepArchive));
    let asked = Limits { tier: Some(Tier::Expedited), ..Limits::default() };
    let plan = plan(&both, &asked, &book());
    assert_eq!((plan.chosen, objections(&plan, Tier::Expedited)), (None, &[Objection::NoSuchTier][..]));
    assert_eq!(objections(&plan, Tier::Bulk), [Objection::NotAskedFor]);
    assert_eq!(plan.offers[0].minutes, Some(2880), "the slowest class decides");
}

#[test]
fn a_budget_of_bytes_an_hour_makes_waves() {
    let ten = wanted(10, GB, Class::Glacier);
    let limits = Limits { bytes_per_hour: Some(3 * GB), ..Limits::default() };
    assert_eq!(plan(&ten, &limits, &book()).offers[0].minutes, Some(720 + 180));
    assert_eq!(within_budget(&ten, None, 0), 10);
    assert_eq!(within_budget(&ten, Some(3 * GB), 0), 3);
    assert_eq!(within_budget(&ten, Some(3 * GB), 2 * GB), 1);
    assert_eq!(within_budget(&ten, Some(3 * GB), 3 * GB), 0);
    assert_eq!(within_budget(&ten, Some(1), 0), 1, "or it never would be");
}

#[test]
fn nothing_wanted_costs_nothing() {
    let plan = plan(&[], &Limits::default(), &book());
    assert_eq!((plan.objects, plan.choice().unwrap().total()), (0, Usd::ZERO));
}

proptest! {
    #[test]
    fn the_choice_keeps_every_limit_and_nothing_cheaper_would(
        objects in 0usize..20, bytes in 1u64..1 << 36, deep in any::<bool>(), hours in 1u64..60, cents in 0u64..500,
        tier in proptest::option::of(0usize..3),
    ) {
        let class = if deep { Class::DeepArchive } else { Class::Glacier };
        let limits = Limits {
            tier: tier.map(|tier| Tier::ALL[tier]),
            deadline: Some(Duration::from_secs(hours * 3600)),
            cost_max: Some(usd(&format!("{}.{:02}", cents / 100, cents % 100))),
            ..Limits::default()
        };
        let plan = plan(&wanted(objects, bytes, class), &limits, &book());
        let keeps = |offer: &Offer| {
            (objects == 0 || class.tiers().contains(&offer.tier))
                && limits.tier.is_none_or(|tier| tier == offer.tier)
                && offer.minutes.is_some_and(|minutes| minutes <= hours * 60)
                && offer.total() <= limits.cost_max.unwrap()
        };
        match plan.choice() {
            None => prop_assert!(!plan.offers.iter().any(keeps)),
            Some(choice) => {
                prop_assert!(keeps(choice));
                prop_assert!(plan.offers.iter().filter(|offer| keeps(offer)).all(|offer| offer.total() >= choice.total()));
            }
        }
    }
}
