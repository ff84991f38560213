//! Which backup a name means, among complete and partial ones of several sources.

use proptest::prelude::*;

use super::*;

fn identity(id: &str) -> Identity {
    Identity { id: format!("postgresql:{id}"), host: format!("db{id}:5432") }
}

/// `sequence`, source ("" for none), configuration, and `c`omplete, `p`artial or `f`ailed.
fn known(sequence: u64, source: &str, config: &str, state: char) -> Known {
    Known {
        order: Order { sequence, created_at: Timestamp::UNIX_EPOCH },
        identity: (!source.is_empty()).then(|| identity(source)),
        config: config.to_owned(),
        good: state != 'f',
        complete: state == 'c',
    }
}

fn any(config: Option<&str>, back: usize) -> Choice<'_> {
    Choice { config, back, ..Choice::latest(Wish::Any) }
}

fn one(at: usize, passed_over: &[usize]) -> Chosen {
    Chosen::One { at, passed_over: passed_over.to_vec() }
}

#[test]
fn the_newest_complete_one_is_meant_and_newer_partial_ones_are_told() {
    let dumps = [
        known(1, "1", "nightly", 'c'),
        known(2, "1", "nightly", 'c'),
        known(4, "1", "nightly", 'f'),
        known(3, "1", "lite", 'p'),
    ];
    assert_eq!(choose(&dumps, &any(None, 0)), one(1, &[2, 3]));
    assert_eq!(choose(&dumps, &any(None, 1)), one(0, &[2, 3]), "back counts complete ones");
    assert_eq!(choose(&dumps, &any(None, 2)), Chosen::NotEnough { eligible: 2, others: 2 });
    assert_eq!(choose(&[], &any(None, 0)), Chosen::Nothing);
}

#[test]
fn a_configuration_that_leaves_out_is_meant_only_by_its_name() {
    let dumps = [known(1, "1", "nightly", 'c'), known(2, "1", "lite", 'p'), known(3, "1", "lite", 'f')];
    assert_eq!(choose(&dumps, &any(Some("nightly"), 0)), one(0, &[]));
    assert_eq!(choose(&dumps, &any(Some("lite"), 0)), one(1, &[2]));
    assert_eq!(choose(&dumps, &any(Some("weekly"), 0)), Chosen::NoSuchConfig);
    assert_eq!(choose(&dumps[1..], &any(None, 0)), Chosen::NotEnough { eligible: 0, others: 2 });
    let mixed = [known(1, "1", "nightly", 'c'), known(2, "1", "nightly", 'p')];
    assert_eq!(choose(&mixed, &any(Some("nightly"), 0)), one(0, &[1]), "one by one exception is not what it makes");
}

#[test]
fn sources_of_one_name_are_never_mixed() {
    let dumps = [known(1, "1", "default", 'c'), known(2, "2", "default", 'c')];
    assert_eq!(choose(&dumps, &any(None, 0)), Chosen::Ambiguous(vec![1, 0]));
    for (source, at) in [("1", 0), ("2", 1)] {
        let here = identity(source);
        let choice = Choice::latest(Wish::Here(&here));
        assert_eq!(choose(&dumps, &choice), one(at, &[]));
        for text in [here.id.as_str(), here.host.as_str()] {
            let choice = Choice::latest(Wish::Named(text));
            assert_eq!(choose(&dumps, &choice), one(at, &[]));
        }
    }
    let new = identity("3");
    let elsewhere = Choice::latest(Wish::Here(&new));
    assert_eq!(choose(&dumps, &elsewhere), Chosen::Ambiguous(vec![1, 0]), "a new server: somebody must say which");
    assert_eq!(choose(&dumps[..1], &elsewhere), one(0, &[]), "a new server after a disaster");
    let named = Choice::latest(Wish::Named("db9"));
    assert_eq!(choose(&dumps, &named), Chosen::NoSuchSource);
}

#[test]
fn backups_that_do_not_say_are_a_source_of_their_own() {
    let dumps = [known(1, "", "default", 'c'), known(2, "1", "default", 'c')];
    let (new, here) = (identity("3"), identity("1"));
    let choice = |wish| Choice::latest(wish);
    assert_eq!(choose(&dumps, &choice(Wish::Any)), one(1, &[]), "to look at: those that say");
    assert_eq!(choose(&dumps, &choice(Wish::Here(&here))), one(1, &[]));
    assert_eq!(choose(&dumps, &choice(Wish::Here(&new))), Chosen::Ambiguous(vec![1, 0]));
    assert_eq!(choose(&dumps, &choice(Wish::Named(UNKNOWN))), one(0, &[]));
    assert_eq!(choose(&dumps[..1], &choice(Wish::Here(&new))), one(0, &[]), "only older ones");
    assert_eq!(choose(&dumps[..1], &choice(Wish::Any)), one(0, &[]));
}

#[test]
fn a_time_means_the_newest_complete_one_of_then() {
    let second = |second| Timestamp::from_second(second).unwrap();
    let at = |sequence: u64, state| Known {
        order: Order { sequence, created_at: second(i64::try_from(sequence).unwrap()) },
        ..known(sequence, "1", "nightly", state)
    };
    let dumps = [at(10, 'c'), at(20, 'p'), at(30, 'c')];
    let until = |time| choose(&dumps, &Choice { until: Some(second(time)), ..Choice::latest(Wish::Any) });
    assert_eq!(until(30), one(2, &[]));
    assert_eq!(until(29), one(0, &[1]));
    assert_eq!(until(10), one(0, &[]));
    assert_eq!(until(9), Chosen::TooYoung(0));
    // Made last, by a clock that was years behind: it is not how the source was at any time after the others.
    let behind = Known { order: Order { sequence: 40, created_at: second(1) }, ..known(40, "1", "nightly", 'c') };
    let dumps = [dumps[0].clone(), dumps[2].clone(), behind];
    let until = |time| choose(&dumps, &Choice { until: Some(second(time)), ..Choice::latest(Wish::Any) });
    assert_eq!((until(35), until(15), until(5)), (one(1, &[]), one(0, &[]), one(2, &[])));
}

fn dumps() -> impl Strategy<Value = Vec<Known>> {
    let dump = (0..6u64, prop::sample::select(vec!["", "1", "2"]), prop::sample::select(vec!["a", "b"]));
    let dump = (dump, prop::sample::select(vec!['c', 'p', 'f']));
    prop::collection::vec(
        dump.prop_map(|((sequence, source, config), state)| known(sequence, source, config, state)),
        0..10,
    )
}

proptest! {
    /// Without a configuration only complete ones are ever chosen, of one source, and no newer complete one is missed.
    #[test]
    fn what_is_chosen_is_the_newest_complete_of_its_source(dumps in dumps(), source in 0..4usize) {
        let identities = [identity("1"), identity("2"), identity("9")];
        let wish = identities.get(source).map_or(Wish::Any, Wish::Here);
        if let Chosen::One { at, passed_over } = choose(&dumps, &Choice::latest(wish)) {
            prop_assert!(dumps[at].complete);
            let same = |other: &&Known| other.identity == dumps[at].identity;
            prop_assert!(dumps.iter().filter(same).all(|other| !other.complete || other.order <= dumps[at].order));
            for other in passed_over {
                prop_assert!(same(&&dumps[other]) && !dumps[other].complete && dumps[other].order >= dumps[at].order);
            }
            if let Wish::Here(here) = wish && dumps.iter().any(|dump| dump.identity.as_ref() == Some(here)) {
                prop_assert_eq!(dumps[at].identity.as_ref(), Some(here));
            }
        }
    }

    /// The order in which a store lists changes nothing.
    #[test]
    fn the_order_given_does_not_matter(mut dumps in dumps()) {
        dumps.sort_by_key(|dump| dump.order);
        dumps.dedup_by_key(|dump| dump.order);
        let pick = |dumps: &[Known]| match choose(dumps, &any(None, 0)) {
            Chosen::One { at, .. } => Some(dumps[at].clone()),
            _ => None,
        };
        let forward = pick(&dumps);
        dumps.reverse();
        prop_assert_eq!(forward, pick(&dumps));
    }
}
