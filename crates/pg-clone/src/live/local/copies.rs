//! The two copies a database can have from a reversible restore, and what a restore does to them.

use backup_core::failure::{Operation, Setting};
use backup_core::remedy;
use jiff::Timestamp;
use serde::Serialize;

use crate::adapters::connection::Session;
use crate::error::PgResult;
use crate::error::{Obstacle, Problem};
use crate::live::local::name::{CopyRole, copy_name};
use crate::live::recover;
use crate::live::state::{Found, State};

/// The copies of one target, found by what their comments say and not by their names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Copies {
    pub(crate) previous: Option<Found>,
    pub(crate) current: Option<Found>,
}

impl Copies {
    /// Looks for the copies of `target`.
    pub(crate) async fn of(admin: &Session, target: &str) -> PgResult<Self> {
        Ok(Self::among(&recover::look(admin).await?, target))
    }

    pub(crate) fn among(databases: &[Found], target: &str) -> Self {
        Self {
            previous: find(databases, target, CopyRole::Previous),
            current: find(databases, target, CopyRole::Current),
        }
    }

    /// Those that a restore may take away: what somebody renamed he wants to keep.
    pub(crate) fn replaceable(self, target: &str) -> Self {
        let own = |role: CopyRole| {
            let name = copy_name(target, role);
            move |found: &Found| found.name == name
        };
        Self {
            previous: self.previous.filter(own(CopyRole::Previous)),
            current: self.current.filter(own(CopyRole::Current)),
        }
    }
}

/// The copy of `target` in that role: the one of the expected name, or else one that was renamed.
fn find(databases: &[Found], target: &str, role: CopyRole) -> Option<Found> {
    let name = copy_name(target, role);
    let mut found: Vec<&Found> = databases.iter().filter(|found| is_copy(found, target, role)).collect();
    found.sort_by_key(|found| (found.name != name, found.oid));
    found.first().map(|found| (*found).clone())
}

fn is_copy(found: &Found, target: &str, role: CopyRole) -> bool {
    // Under the target's own name it is the live database, whatever its comment says. One that is half dropped holds nothing.
    found.name != target
        && !found.is_invalid
        && match (&found.state, role) {
            (Some(State::Previous { target: of, .. } | State::Returning { target: of, .. }), CopyRole::Previous)
            | (Some(State::Current { target: of, .. }), CopyRole::Current) => of == target,
            _ => false,
        }
}

/// What a restore does to a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It will be there afterwards and is not there now.
    Appears,
    /// Another takes its place, and what it holds is lost.
    Replaced,
    /// It will be dropped.
    Vanishes,
}

/// A copy that will appear, change or vanish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CopyChange {
    /// `previous` or `current`.
    pub role: CopyRole,
    /// The database's name.
    pub database: String,
    /// What happens to it.
    pub effect: Effect,
    /// Since when there has been the one that goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

impl CopyChange {
    /// What happens to the copy of this role and name.
    #[must_use]
    pub fn new(role: CopyRole, database: impl Into<String>, effect: Effect) -> Self {
        Self { role, database: database.into(), effect, since: None }
    }
}

/// What restoring a dump into `target` does to its copies. With `reversible` both are made anew; without, both go. Where
/// no database is replaced there is no new `:previous`, and what copies there are may be all that is left: they stay, but
/// for the one whose place a new one takes.
pub(crate) fn changes(databases: &[Found], target: &str, reversible: bool) -> Vec<CopyChange> {
    let replaces = databases.iter().any(|found| found.name == target);
    let copies = Copies::among(databases, target).replaceable(target);
    [(CopyRole::Previous, copies.previous), (CopyRole::Current, copies.current)]
        .into_iter()
        .filter_map(|(role, present)| {
            let made = reversible && (replaces || role == CopyRole::Current);
            let effect = match (made, present.is_some()) {
                (true, true) => Effect::Replaced,
                (true, false) => Effect::Appears,
                (false, true) if replaces && !reversible => Effect::Vanishes,
                _ => return None,
            };
            let since = present.and_then(|found| since(found.state.as_ref()?));
            Some(CopyChange { role, database: copy_name(target, role), effect, since })
        })
        .collect()
}

/// Databases of somebody else's that have the name a copy needs.
pub(crate) fn collisions(databases: &[Found], target: &str, changes: &[CopyChange]) -> Vec<Problem> {
    let holder = |change: &CopyChange| {
        let mut of_that_name = databases.iter().filter(|found| found.name == change.database);
        of_that_name.find(|found| !is_copy(found, target, change.role))
    };
    let problem = |change: &CopyChange| {
        let needed = format!("the name `{}` is needed for its {}", change.database, change.role.reference());
        Some(match holder(change)?.is_invalid {
            true => Problem {
                obstacle: Obstacle::InvalidDatabase,
                what: format!("{needed}, but that database is invalid: a DROP DATABASE of it was interrupted"),
                help: remedy!["drop it: ", Operation::DropDatabase.on(change.database.clone())],
            },
            false => Problem {
                obstacle: Obstacle::NameTaken,
                what: format!("{needed}, but another database has it"),
                help: remedy!["rename or drop that database, or restore without ", Setting::Reversible],
            },
        })
    };
    changes.iter().filter(|change| change.effect != Effect::Vanishes).filter_map(problem).collect()
}

/// Databases in the place of a copy of `target`'s that can only be dropped: no reversible restore can make one there.
pub(crate) fn half_dropped(databases: &[Found], target: &str) -> Vec<Problem> {
    let would_be = [CopyRole::Previous, CopyRole::Current].map(|role| CopyChange {
        role,
        database: copy_name(target, role),
        effect: Effect::Appears,
        since: None,
    });
    let problems = collisions(databases, target, &would_be).into_iter();
    problems.filter(|problem| problem.obstacle == Obstacle::InvalidDatabase).collect()
}

/// Since when a database has been what its mark says.
pub(crate) fn since(state: &State) -> Option<Timestamp> {
    Some(match state {
        State::Restoring { since, .. }
        | State::Kept { since, .. }
        | State::Swapping { since, .. }
        | State::Superseded { since, .. }
        | State::Previous { since, .. }
        | State::Current { since, .. }
        | State::Copy { since, .. }
        | State::Discarded { since, .. } => *since,
        State::Returning { replaced, .. } => *replaced,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(oid: u32, name: &str, state: Option<State>) -> Found {
        Found { oid, name: name.into(), allow_connections: true, is_invalid: false, state }
    }

    fn previous() -> State {
        State::Previous { target: "shop".into(), comment: None, since: Timestamp::UNIX_EPOCH }
    }

    fn current() -> State {
        State::Current {
            target: "shop".into(),
            dump: "d".into(),
            live: 1,
            previous: None,
            since: Timestamp::UNIX_EPOCH,
        }
    }

    fn effects(databases: &[Found], reversible: bool) -> Vec<(CopyRole, Effect)> {
        changes(databases, "shop", reversible).into_iter().map(|change| (change.role, change.effect)).collect()
    }

    #[test]
    fn a_plain_restore_takes_both_copies_away_and_a_reversible_one_makes_them_anew() {
        let live = found(1, "shop", None);
        let all =
            [live.clone(), found(2, "shop__previous", Some(previous())), found(3, "shop__current", Some(current()))];
        let both = |effect| vec![(CopyRole::Previous, effect), (CopyRole::Current, effect)];
        assert_eq!(effects(&all, false), both(Effect::Vanishes));
        assert_eq!(effects(&all, true), both(Effect::Replaced));
        assert_eq!(effects(std::slice::from_ref(&live), true), both(Effect::Appears));
        assert_eq!(effects(&[live], false), vec![]);
    }

    #[test]
    fn without_a_live_database_the_last_copies_stay() {
        let copies = [found(2, "shop__previous", Some(previous())), found(3, "shop__current", Some(current()))];
        assert_eq!(effects(&copies, false), vec![]);
        assert_eq!(effects(&copies, true), vec![(CopyRole::Current, Effect::Replaced)]);
    }

    #[test]
    fn a_database_of_somebody_elses_is_no_copy_and_stands_in_the_way_of_one() {
        let databases = [found(1, "shop", None), found(2, "shop__previous", None)];
        assert_eq!(effects(&databases, false), vec![], "it would be dropped");
        let changes = changes(&databases, "shop", true);
        let problems = collisions(&databases, "shop", &changes);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].what.contains("shop__previous"), "{:?}", problems[0]);
        let other = State::Previous { target: "blog".into(), comment: None, since: Timestamp::UNIX_EPOCH };
        let databases = [found(1, "shop", None), found(2, "shop__previous", Some(other))];
        assert_eq!(collisions(&databases, "shop", &changes).len(), 1, "a copy of another database");
    }

    #[test]
    fn a_copy_that_is_half_dropped_stands_in_the_way_of_a_new_one_only() {
        let half = Found { is_invalid: true, ..found(2, "shop__previous", Some(previous())) };
        let databases = [found(1, "shop", None), half];
        assert_eq!(effects(&databases, false), vec![], "it cannot be renamed");
        let told = collisions(&databases, "shop", &changes(&databases, "shop", true));
        assert!(matches!(told.as_slice(), [only] if only.obstacle == Obstacle::InvalidDatabase), "{told:?}");
        assert_eq!(half_dropped(&databases, "shop"), told);
        assert_eq!(half_dropped(&databases, "blog"), vec![]);
    }

    #[test]
    fn a_renamed_copy_is_found_and_never_taken_away() {
        let databases = [found(1, "shop", None), found(2, "rescued", Some(previous()))];
        assert_eq!(Copies::among(&databases, "shop").previous.map(|found| found.oid), Some(2));
        assert_eq!(effects(&databases, false), vec![]);
        assert_eq!(effects(&databases, true)[0], (CopyRole::Previous, Effect::Appears));
    }
}
