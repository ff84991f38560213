//! Which marks are believed: a comment is no proof, for whoever owns a database can write any.
//!
//! What a mark makes us do to the database that carries it, its owner may do anyway. What it would do to others, or make of
//! it in another's place, is done only if the owner is one who may do that. Pure.

use std::collections::BTreeSet;

use crate::live::state::{Found, State, Written};

/// A database as the server shows it, with a mark that nobody has looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// With the state that its comment claims.
    pub(crate) found: Found,
    /// What the comment says that it was written on.
    pub(crate) bound: Option<Written>,
    pub(crate) owner: String,
    /// Whether the owner is our role, or one that may do anything on the server.
    pub(crate) is_ours: bool,
}

/// Why a mark is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It was written on another database, or on another server.
    Elsewhere,
    /// Its owner has no say in the database that it names.
    Owner,
}

/// A mark that is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Doubt {
    pub(crate) database: String,
    /// What the mark is about.
    pub(crate) target: String,
    pub(crate) owner: String,
    pub(crate) why: Why,
}

impl Doubt {
    /// For people: what is ignored, why, and what else can be done.
    pub(crate) fn told(&self) -> String {
        let Self { database, target, owner, why } = self;
        let ignored = format!("the comment of `{database}` says that it belongs to `{target}`; this is ignored");
        match why {
            Why::Elsewhere => format!("{ignored}, since it was written on another database"),
            Why::Owner => format!(
                "{ignored}, since `{database}` is owned by `{owner}`, who does not own `{target}`: restore `:{database}` \
                 if you trust it, or change its owner"
            ),
        }
    }
}

/// The databases with the marks that are believed, and those that are not. `system` is the server's own identifier, if it
/// says one.
pub(crate) fn believed(seen: Vec<Seen>, system: Option<i64>) -> (Vec<Found>, Vec<Doubt>) {
    let vouched = vouched_for(&seen, system);
    let mut doubts = Vec::new();
    let mut databases = Vec::with_capacity(seen.len());
    for one in &seen {
        let doubt = |target: &str, why| Doubt {
            database: one.found.name.clone(),
            target: target.to_owned(),
            owner: one.owner.clone(),
            why,
        };
        let mut found = one.found.clone();
        if let Some(claimed) = found.state.take() {
            let target = claimed.target().to_owned();
            if !is_here(one, system) {
                doubts.push(doubt(&target, Why::Elsewhere));
            } else if is_trusted(&seen, one, &target) || vouched.contains(&(target.clone(), found.oid)) {
                found.state = Some(claimed);
            } else {
                found.state = harmless(claimed, is_there(&seen, one, &target));
                if found.state.is_none() {
                    doubts.push(doubt(&target, Why::Owner));
                }
            }
        }
        databases.push(found);
    }
    (databases, doubts)
}

/// Whether the mark was written on this very database. Those of earlier versions do not say.
fn is_here(seen: &Seen, system: Option<i64>) -> bool {
    let Some(bound) = &seen.bound else { return true };
    let same_server = match (bound.system, system) {
        (Some(written), Some(here)) => written == here,
        _ => true,
    };
    bound.oid == seen.found.oid && same_server
}

/// Whether the owner may say what is done about `target`. Under that name it is the live database, whatever its mark says.
fn is_trusted(seen: &[Seen], one: &Seen, target: &str) -> bool {
    one.is_ours || one.found.name == target || there(seen, one, target).is_some_and(|live| live.owner == one.owner)
}

fn is_there(seen: &[Seen], one: &Seen, target: &str) -> bool {
    there(seen, one, target).is_some()
}

fn there<'a>(seen: &'a [Seen], one: &Seen, target: &str) -> Option<&'a Seen> {
    seen.iter().find(|other| other.found.name == target && other.found.oid != one.found.oid)
}

/// The pairs of databases that a reversible restore made, as those that are trusted say of their target: a database that was
/// restored without owners has another owner than the one before.
fn vouched_for(seen: &[Seen], system: Option<i64>) -> BTreeSet<(String, u32)> {
    let pair = |one: &Seen| match &one.found.state {
        Some(State::Current { target, live, previous, .. })
            if is_here(one, system) && is_trusted(seen, one, target) =>
        {
            [Some(*live), *previous].into_iter().flatten().map(|oid| (target.clone(), oid)).collect()
        }
        _ => Vec::new(),
    };
    seen.iter().flat_map(pair).collect()
}

/// What is left of a mark by somebody who has no say in its target: what is done to nothing but the marked database itself.
fn harmless(claimed: State, target_is_there: bool) -> Option<State> {
    match claimed {
        State::Restoring { .. } | State::Kept { .. } | State::Discarded { .. } | State::Copy { .. } => Some(claimed),
        // It gets that name back only where nobody has it.
        State::Superseded { .. } if target_is_there => Some(claimed),
        // Without the doors that it would open.
        State::Swapping { target, since, .. } => Some(State::Swapping { target, live: None, also: Vec::new(), since }),
        State::Superseded { .. } | State::Previous { .. } | State::Returning { .. } | State::Current { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::live::state::Live;

    const SYSTEM: Option<i64> = Some(7);

    fn seen(oid: u32, name: &str, owner: &str, state: Option<State>) -> Seen {
        let found = Found { oid, name: name.into(), allow_connections: true, is_invalid: false, state };
        Seen { found, bound: None, owner: owner.into(), is_ours: owner == "keeper" }
    }

    fn shop() -> Seen {
        seen(1, "shop", "app", None)
    }

    fn previous() -> State {
        State::Previous { target: "shop".into(), comment: None, since: Timestamp::UNIX_EPOCH }
    }

    fn current(live: u32, previous: Option<u32>) -> State {
        let (target, dump, since) = ("shop".into(), "d".into(), Timestamp::UNIX_EPOCH);
        State::Current { target, dump, live, previous, since }
    }

    /// The state of the last one, and why it is doubted.
    fn last(databases: Vec<Seen>) -> (Option<State>, Option<Why>) {
        let (found, doubts) = believed(databases, SYSTEM);
        (found.last().and_then(|found| found.state.clone()), doubts.last().map(|doubt| doubt.why))
    }

    #[test]
    fn a_mark_is_believed_of_the_targets_owner_and_of_our_role_only() {
        for owner in ["app", "keeper"] {
            let databases = vec![shop(), seen(2, "shop__previous", owner, Some(previous()))];
            assert_eq!(last(databases), (Some(previous()), None), "{owner}");
        }
        for claimed in [previous(), current(1, None)] {
            let databases = vec![shop(), seen(2, "shop__previous", "mallory", Some(claimed))];
            assert_eq!(last(databases), (None, Some(Why::Owner)));
        }
        let (_, doubts) = believed(vec![shop(), seen(2, "x", "mallory", Some(previous()))], SYSTEM);
        let told = doubts[0].told();
        assert!(told.contains("`mallory`, who does not own `shop`") && told.contains("`:x`"), "{told}");
    }

    #[test]
    fn where_the_target_is_gone_its_owner_is_nobody() {
        let gone = State::Superseded { target: "shop".into(), by: 9, comment: None, since: Timestamp::UNIX_EPOCH };
        for claimed in [previous(), gone.clone()] {
            assert_eq!(last(vec![seen(2, "x", "app", Some(claimed.clone()))]), (None, Some(Why::Owner)));
            assert_eq!(last(vec![seen(2, "x", "keeper", Some(claimed.clone()))]), (Some(claimed), None));
        }
        // It is dropped, and nothing else.
        assert_eq!(last(vec![shop(), seen(2, "x", "mallory", Some(gone.clone()))]), (Some(gone), None));
    }

    #[test]
    fn somebody_elses_mark_opens_no_door() {
        let live = Live { oid: 1, allow_connections: true };
        let since = Timestamp::UNIX_EPOCH;
        let swapping = |live, also| State::Swapping { target: "shop".into(), live, also, since };
        let claimed = swapping(Some(live.clone()), vec![live]);
        let databases = vec![shop(), seen(2, "lastgood_x", "mallory", Some(claimed.clone()))];
        assert_eq!(last(databases), (Some(swapping(None, Vec::new())), None));
        let databases = vec![shop(), seen(2, "lastgood_x", "app", Some(claimed.clone()))];
        assert_eq!(last(databases), (Some(claimed), None));
        let restoring = State::Restoring { target: "shop".into(), dump: "d".into(), since };
        let databases = vec![shop(), seen(2, "lastgood_x", "mallory", Some(restoring.clone()))];
        assert_eq!(last(databases), (Some(restoring), None), "only it is dropped");
    }

    #[test]
    fn a_pair_that_a_trusted_copy_names_may_have_several_owners() {
        let restored = seen(3, "shop", "keeper", None);
        let pair = |owner: &str| seen(4, "shop__current", owner, Some(current(3, Some(2))));
        let replaced = || seen(2, "shop__previous", "app", Some(previous()));
        let databases = |owner: &str| vec![restored.clone(), pair(owner), replaced()];
        assert_eq!(last(databases("keeper")), (Some(previous()), None));
        assert_eq!(last(databases("mallory")), (None, Some(Why::Owner)));
        let other = seen(5, "shop__previous", "app", Some(previous()));
        assert_eq!(last(vec![restored.clone(), pair("keeper"), other]), (None, Some(Why::Owner)));
    }

    #[test]
    fn a_mark_counts_where_it_was_written() {
        let marked = |bound| Seen { bound, ..seen(2, "shop__previous", "app", Some(previous())) };
        for bound in [None, Some(Written { oid: 2, system: SYSTEM }), Some(Written { oid: 2, system: None })] {
            assert_eq!(last(vec![shop(), marked(bound)]), (Some(previous()), None), "{bound:?}");
        }
        for bound in [Written { oid: 3, system: SYSTEM }, Written { oid: 2, system: Some(8) }] {
            assert_eq!(last(vec![shop(), marked(Some(bound))]), (None, Some(Why::Elsewhere)), "{bound:?}");
        }
    }

    #[test]
    fn under_its_targets_name_a_mark_says_nothing_of_others() {
        let databases = vec![seen(1, "shop", "app", Some(previous()))];
        assert_eq!(last(databases), (Some(previous()), None));
    }
}
