//! Recovery against every state a killed run can leave, and against a model of the server.

use proptest::prelude::*;

use super::*;

const LIVE_OID: u32 = 5;
const COPY_OID: u32 = 9;

fn found(oid: u32, name: &str, state: Option<State>) -> Found {
    Found { oid, name: name.into(), allow_connections: true, is_invalid: false, state }
}

fn closed(oid: u32, name: &str, state: Option<State>) -> Found {
    Found { allow_connections: false, ..found(oid, name, state) }
}

fn restoring(target: &str) -> State {
    State::Restoring { target: target.into(), dump: "d".into(), since: Timestamp::UNIX_EPOCH }
}

fn swapping(live: Option<Live>) -> State {
    State::Swapping { target: "shop".into(), live, also: Vec::new(), since: Timestamp::UNIX_EPOCH }
}

fn superseded(by: u32) -> State {
    State::Superseded { target: "shop".into(), by, comment: Some("the shop".into()), since: Timestamp::UNIX_EPOCH }
}

fn number() -> u32 {
    target_number("shop")
}

/// A name of ours for a database of the shop.
fn ours(unique: u32) -> String {
    format!("{NAME_PREFIX}{:08x}_{unique:08x}", number())
}

#[test]
fn names_fit_and_are_recognised() {
    let name = temporary_name(&"x".repeat(63));
    assert_eq!(name.len(), 26);
    assert_eq!(number_in_name(&name), Some(target_number(&"x".repeat(63))));
    assert_eq!(number_in_name("lastgood_shop_copy"), None);
    assert_eq!(number_in_name("lastgood_0123456g_01234567"), None);
    assert_eq!(number_in_name("lastgood_0123456é_0123456"), None);
}

#[test]
fn of_what_is_half_dropped_recovery_drops_what_it_would_have_dropped_anyway() {
    let live = found(LIVE_OID, "shop", None);
    let half = |name: &str, state| Found { is_invalid: true, ..found(COPY_OID, name, Some(state)) };
    let kept = State::Previous { target: "shop".into(), comment: None, since: Timestamp::UNIX_EPOCH };
    let (database, target) = ("shop__previous".to_owned(), "shop".to_owned());
    let told = Action::MentionInvalid { database: database.clone(), target: target.clone() };
    assert_eq!(decide(&[live.clone(), half(&database, kept)], number()), [told]);
    let temporary = ours(7);
    let dropped = [Action::DropCopy { database: temporary.clone(), target: target.clone() }];
    assert_eq!(decide(&[live, half(&temporary, restoring("shop"))], number()), dropped);
    // It cannot be given its name back.
    let superseded = [half(&temporary, superseded(LIVE_OID))];
    assert_eq!(decide(&superseded, number()), [Action::DropSuperseded { database: temporary.clone(), target }]);
}

#[test]
fn comments_are_read_back_and_others_are_not_ours() {
    let state = swapping(Some(Live { oid: 5, allow_connections: true }));
    let on = Written::on(9, Some(7));
    let comment = state.to_comment(on);
    assert!(comment.starts_with(COMMENT_PREFIX));
    assert_eq!(State::claimed(&comment), Some((state, Some(on))));
    for other in ["the shop's database", "", "{\"lastgood\":{}}", "{\"lastgood\":{\"state\":\"unheard of\"}}"] {
        assert_eq!(State::from_comment(other), None, "{other}");
    }
}

#[test]
fn no_mark_is_a_databases_own_comment() {
    let own = |comment: &str| own_comment(Some(comment.to_owned()));
    assert_eq!(own_comment(None), None);
    for plain in ["the shop's", "", "{\"lastgood\"", " {\"lastgood\":{}}"] {
        assert_eq!(own(plain).as_deref(), Some(plain));
    }
    let previous = |comment: Option<String>| {
        let state = State::Previous { target: "shop".into(), comment, since: Timestamp::UNIX_EPOCH };
        state.to_comment(Written::on(1, None))
    };
    assert_eq!(own(&previous(Some("the shop's".into()))).as_deref(), Some("the shop's"));
    assert_eq!(own(&previous(Some(previous(Some("the shop's".into()))))).as_deref(), Some("the shop's"));
    assert_eq!(own(&previous(None)), None);
    assert_eq!(own("{\"lastgood\":{\"state\":\"of a later version\"}}"), None);
    let deep = (0..MARKS_WITHIN_MAX).fold("mine".to_owned(), |comment, _| previous(Some(comment)));
    assert_eq!(own(&deep), None, "nobody of ours writes that");
}

#[test]
fn killed_after_closing_the_door_the_live_database_is_opened_and_the_copy_dropped() {
    let live = closed(LIVE_OID, "shop", None);
    let copy = found(COPY_OID, &ours(1), Some(swapping(Some(Live { oid: LIVE_OID, allow_connections: true }))));
    assert_eq!(
        decide(&[live.clone(), copy], number()),
        vec![
            Action::AllowConnections { database: "shop".into() },
            Action::DropCopy { database: ours(1), target: "shop".into() }
        ]
    );
    // A door that its owner had closed stays closed.
    let copy = found(COPY_OID, &ours(1), Some(swapping(Some(Live { oid: LIVE_OID, allow_connections: false }))));
    assert_eq!(decide(&[live, copy], number()).len(), 1);
}

#[test]
fn a_replaced_database_is_dropped_only_when_its_replacement_is_live() {
    let old = found(LIVE_OID, &ours(1), Some(superseded(COPY_OID)));
    let drop = Action::DropSuperseded { database: ours(1), target: "shop".into() };
    assert_eq!(decide(&[found(COPY_OID, "shop", None), old.clone()], number()), vec![drop]);
    let other = decide(&[found(7, "shop", None), old.clone()], number());
    assert!(matches!(other.as_slice(), [Action::Mention { .. }]), "{other:?}");
    let none = decide(&[old], number());
    assert!(matches!(none.as_slice(), [Action::RenameBack { .. }]), "{none:?}");
}

#[test]
fn the_live_database_is_never_dropped_whatever_its_comment_says() {
    for state in [swapping(None), restoring("shop"), superseded(1)] {
        assert_eq!(decide(&[found(LIVE_OID, "shop", Some(state))], number()), vec![]);
    }
}

#[test]
fn a_database_somebody_gave_a_name_of_his_own_is_mentioned_and_kept() {
    let live = found(COPY_OID, "shop", None);
    for state in [swapping(None), restoring("shop"), superseded(COPY_OID)] {
        let actions = decide(&[live.clone(), found(1, "rescued", Some(state))], number());
        assert!(matches!(actions.as_slice(), [Action::Mention { .. }]), "{actions:?}");
    }
}

#[test]
fn databases_of_other_targets_are_left_alone() {
    let databases = [found(1, "x", Some(restoring("blog"))), found(2, "lastgood_notes", None)];
    assert_eq!(decide(&databases, number()), vec![]);
}

/// What the server would have after these actions.
fn apply(databases: &[Found], actions: &[Action]) -> Vec<Found> {
    let mut after = databases.to_vec();
    for action in actions {
        match action {
            Action::AllowConnections { database } => {
                after
                    .iter_mut()
                    .filter(|found| found.name == *database)
                    .for_each(|found| found.allow_connections = true);
            }
            Action::RenameBack { database, target, .. } => {
                assert!(after.iter().all(|found| found.name != *target), "two databases of one name");
                for found in after.iter_mut().filter(|found| found.name == *database) {
                    *found = Found { allow_connections: true, state: None, name: target.clone(), ..found.clone() };
                }
            }
            Action::DropCopy { database, .. }
            | Action::DropSuperseded { database, .. }
            | Action::DropDiscarded { database, .. }
            | Action::DropUnmarked { database } => after.retain(|found| found.name != *database),
            Action::StayPrevious { database, target, comment, replaced } => {
                for found in after.iter_mut().filter(|found| found.name == *database) {
                    let (target, comment) = (target.clone(), comment.clone());
                    found.state = Some(State::Previous { target, comment, since: *replaced });
                }
            }
            Action::Mention { .. } | Action::MentionInvalid { .. } => {}
        }
    }
    after
}

const PREVIOUS_OID: u32 = 6;
const CURRENT_OID: u32 = 7;
const PRISTINE_OID: u32 = 10;

fn previous(oid: u32) -> Found {
    let state = State::Previous { target: "shop".into(), comment: None, since: Timestamp::UNIX_EPOCH };
    found(oid, "shop__previous", Some(state))
}

fn current(oid: u32) -> Found {
    let state = State::Current {
        target: "shop".into(),
        dump: "d".into(),
        live: COPY_OID,
        previous: None,
        since: Timestamp::UNIX_EPOCH,
    };
    found(oid, "shop__current", Some(state))
}

fn discarded(before: Found, unique: u32) -> Found {
    let state = State::Discarded { target: "shop".into(), by: COPY_OID, since: Timestamp::UNIX_EPOCH };
    Found { name: ours(unique), allow_connections: false, state: Some(state), ..before }
}

/// What stands on the server after each step of a reversible restore over earlier copies, and whether it had switched.
fn after_each_reversible_step(open: bool) -> Vec<(Vec<Found>, bool)> {
    let live = |allow: bool| Found { allow_connections: allow, ..found(LIVE_OID, "shop", None) };
    let old = |door: bool| {
        [
            live(open && door),
            Found { allow_connections: door, ..previous(PREVIOUS_OID) },
            Found { allow_connections: door, ..current(CURRENT_OID) },
        ]
    };
    let was_open = |oid| Live { oid, allow_connections: true };
    let swap = State::Swapping {
        target: "shop".into(),
        live: Some(Live { oid: LIVE_OID, allow_connections: open }),
        also: vec![was_open(PREVIOUS_OID), was_open(CURRENT_OID)],
        since: Timestamp::UNIX_EPOCH,
    };
    let copy = |state| found(COPY_OID, &ours(1), Some(state));
    let pristine = closed(PRISTINE_OID, &ours(2), Some(restoring("shop")));
    let before = |door: bool, more: &[Found]| [old(door).as_slice(), more].concat();
    let switched = vec![
        Found { allow_connections: open, ..found(COPY_OID, "shop", None) },
        previous(LIVE_OID),
        current(PRISTINE_OID),
    ];
    let after = |more: &[Found]| [switched.as_slice(), more].concat();
    vec![
        (before(true, &[copy(restoring("shop")), closed(PRISTINE_OID, &ours(2), None)]), false),
        (before(true, &[copy(restoring("shop")), pristine.clone()]), false),
        (before(true, &[copy(swap.clone()), pristine.clone()]), false),
        (before(false, &[Found { allow_connections: false, ..copy(swap) }, pristine]), false),
        (after(&[discarded(previous(PREVIOUS_OID), 3), discarded(current(CURRENT_OID), 4)]), true),
        (after(&[discarded(current(CURRENT_OID), 4)]), true),
        (after(&[]), true),
    ]
}

/// The same of a toggle.
fn after_each_toggle_step(open: bool) -> Vec<(Vec<Found>, bool)> {
    let live = |allow: bool| Found { allow_connections: allow, ..found(LIVE_OID, "shop", None) };
    let returning = State::Returning {
        target: "shop".into(),
        live: Some(Live { oid: LIVE_OID, allow_connections: open }),
        allow_connections: true,
        comment: None,
        replaced: Timestamp::UNIX_EPOCH,
        since: Timestamp::UNIX_EPOCH,
    };
    let marked = |door| Found { allow_connections: door, state: Some(returning.clone()), ..previous(PREVIOUS_OID) };
    let switched = Found { allow_connections: open, ..found(PREVIOUS_OID, "shop", None) };
    vec![
        (vec![live(open), previous(PREVIOUS_OID), current(CURRENT_OID)], false),
        (vec![live(open), marked(true), current(CURRENT_OID)], false),
        (vec![live(false), marked(false), current(CURRENT_OID)], false),
        (vec![switched, previous(LIVE_OID), current(CURRENT_OID)], true),
    ]
}

fn oids(databases: &[Found]) -> Vec<(&str, u32, bool)> {
    let mut oids: Vec<_> =
        databases.iter().map(|found| (found.name.as_str(), found.oid, found.allow_connections)).collect();
    oids.sort_unstable();
    oids
}

#[test]
fn a_killed_reversible_restore_leaves_the_old_copies_or_the_new_ones() {
    for open in [true, false] {
        for (step, (databases, switched)) in after_each_reversible_step(open).into_iter().enumerate() {
            let after = apply(&databases, &decide(&databases, number()));
            let [live, before, pristine] =
                if switched { [COPY_OID, LIVE_OID, PRISTINE_OID] } else { [LIVE_OID, PREVIOUS_OID, CURRENT_OID] };
            let expected =
                vec![("shop", live, open), ("shop__current", pristine, true), ("shop__previous", before, true)];
            assert_eq!(oids(&after), expected, "after step {step}");
            assert_eq!(decide(&after, number()), vec![], "again after step {step}");
        }
    }
}

#[test]
fn a_killed_toggle_happened_or_did_not() {
    for open in [true, false] {
        for (step, (databases, switched)) in after_each_toggle_step(open).into_iter().enumerate() {
            let after = apply(&databases, &decide(&databases, number()));
            let [live, before] = if switched { [PREVIOUS_OID, LIVE_OID] } else { [LIVE_OID, PREVIOUS_OID] };
            let expected =
                vec![("shop", live, open), ("shop__current", CURRENT_OID, true), ("shop__previous", before, true)];
            assert_eq!(oids(&after), expected, "after step {step}");
            let previous = after.iter().find(|found| found.name == "shop__previous").unwrap();
            assert!(matches!(previous.state, Some(State::Previous { .. })), "after step {step}: {previous:?}");
            assert_eq!(decide(&after, number()), vec![], "again after step {step}");
        }
    }
}

#[test]
fn a_void_copy_whose_replacement_is_gone_may_be_the_last_and_is_kept() {
    let databases = [discarded(previous(PREVIOUS_OID), 3)];
    let actions = decide(&databases, number());
    assert!(matches!(actions.as_slice(), [Action::Mention { .. }]), "{actions:?}");
}

#[test]
fn comments_of_earlier_versions_are_still_read() {
    let comment = r#"{"lastgood":{"state":"swapping","target":"shop","live":null,"since":"1970-01-01T00:00:00Z"}}"#;
    assert_eq!(State::from_comment(comment), Some(swapping(None)));
}

/// What stands on the server after each step of a restore of `shop`, in order; `live` if there was one.
fn after_each_step(live: Option<bool>) -> Vec<Vec<Found>> {
    let before = live.map(|allow_connections| Live { oid: LIVE_OID, allow_connections });
    let old =
        |open: bool| live.map(|allow| Found { allow_connections: allow && open, ..found(LIVE_OID, "shop", None) });
    let with = |live: Option<Found>, copy: Found| live.into_iter().chain([copy]).collect::<Vec<_>>();
    let switched = Found { allow_connections: live.unwrap_or(true), ..found(COPY_OID, "shop", None) };
    vec![
        old(true).into_iter().collect(),
        with(old(true), found(COPY_OID, &ours(1), None)),
        with(old(true), found(COPY_OID, &ours(1), Some(restoring("shop")))),
        with(old(true), found(COPY_OID, &ours(1), Some(swapping(before.clone())))),
        with(old(false), closed(COPY_OID, &ours(1), Some(swapping(before)))),
        with(live.map(|_| closed(LIVE_OID, &ours(2), Some(superseded(COPY_OID)))), switched.clone()),
        vec![switched],
    ]
}

/// Databases that have nothing to do with the shop, or that somebody keeps.
fn bystanders() -> impl Strategy<Value = Vec<Found>> {
    let state = prop_oneof![
        Just(None),
        Just(Some(restoring("blog"))),
        Just(Some(State::Kept { target: "shop".into(), dump: "d".into(), since: Timestamp::UNIX_EPOCH })),
    ];
    let name = prop_oneof![Just("blog".to_owned()), "[a-z]{1,8}", "lastgood_[0-9a-f]{8}_[0-9a-f]{8}"];
    proptest::collection::vec((name, state, any::<bool>()), 0..4).prop_map(|databases| {
        let mut databases: Vec<Found> = databases
            .into_iter()
            .enumerate()
            .filter(|(_, (name, _, _))| name != "shop" && number_in_name(name) != Some(number()))
            .map(|(at, (name, state, open))| Found {
                oid: 100 + u32::try_from(at).unwrap_or_default(),
                allow_connections: open,
                ..found(0, &name, state)
            })
            .collect();
        databases.sort_by(|a, b| a.name.cmp(&b.name));
        databases.dedup_by(|a, b| a.name == b.name);
        databases
    })
}

proptest! {
    /// Whatever step a restore is killed after: the name means a whole database that lets in whom it did before, nothing
    /// of ours is left, nobody else's is touched, and a second recovery finds nothing to do.
    #[test]
    fn recovery_mends_what_any_killed_restore_leaves(
        live in prop_oneof![Just(None), Just(Some(true)), Just(Some(false))],
        step in 0_usize..7,
        others in bystanders(),
        shift in 0_usize..6,
    ) {
        let mut databases = after_each_step(live)[step].clone();
        databases.extend(others.clone());
        let rotation = shift % databases.len().max(1);
        databases.rotate_left(rotation);
        let after = apply(&databases, &decide(&databases, number()));

        let shop: Vec<&Found> = after.iter().filter(|found| found.name == "shop").collect();
        let expected_oid = match (live, step) {
            (None, 0..5) => None,
            (Some(_), 0..5) => Some(LIVE_OID),
            _ => Some(COPY_OID),
        };
        prop_assert_eq!(shop.iter().map(|found| found.oid).collect::<Vec<_>>(), Vec::from_iter(expected_oid));
        if let Some(shop) = shop.first() {
            prop_assert_eq!(shop.allow_connections, live.unwrap_or(true));
        }
        prop_assert!(after.iter().all(|found| number_in_name(&found.name) != Some(number())));
        let mut left: Vec<Found> = after.iter().filter(|found| found.name != "shop").cloned().collect();
        left.sort_by(|a, b| a.name.cmp(&b.name));
        prop_assert_eq!(left, others);
        let again = decide(&after, number());
        prop_assert!(again.iter().all(|action| matches!(action, Action::Mention { .. })), "{:?}", again);
    }

    /// Two restores killed one after the other, at any steps, the second without a recovery in between.
    #[test]
    fn no_pile_of_leftovers_costs_the_live_database(states in proptest::collection::vec(
        prop_oneof![
            Just(None), Just(Some(restoring("shop"))), Just(Some(swapping(None))),
            any::<bool>().prop_map(|allow| Some(swapping(Some(Live { oid: LIVE_OID, allow_connections: allow })))),
            (0_u32..4).prop_map(|by| Some(superseded(by + LIVE_OID))),
        ], 0..5), open in any::<bool>())
    {
        let live = Found { allow_connections: open, ..found(LIVE_OID, "shop", None) };
        let leftovers = states.into_iter().zip(20..).map(|(state, oid)| found(oid, &ours(oid), state));
        let databases: Vec<Found> = std::iter::once(live).chain(leftovers).collect();
        let actions = decide(&databases, number());
        let after = apply(&databases, &actions);
        prop_assert!(after.iter().any(|found| found.oid == LIVE_OID && found.name == "shop"));
        for found in databases.iter().filter(|found| matches!(found.state, Some(State::Superseded { by, .. }) if by != LIVE_OID)) {
            prop_assert!(after.contains(found), "dropped what is not known to be replaced: {:?}", found);
        }
    }
}
