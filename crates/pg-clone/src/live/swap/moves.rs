//! Which databases are renamed in a swap, and the comment on each: decided in advance.

use jiff::Timestamp;

use crate::live::state::{Found, Live, State, Written, temporary_name};

/// What becomes of the database that is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Replaced {
    /// It is dropped after the switch.
    Dropped,
    /// It stays, under this name, as `:previous`.
    Kept(String),
}

/// The copy that is kept as `:current`.
#[derive(Clone, Debug)]
pub(super) struct Pristine {
    pub(super) oid: u32,
    pub(super) name: String,
    /// The name it gets.
    pub(super) to: String,
    /// The dump it holds.
    pub(super) dump: String,
}

/// Everything a switch changes.
#[derive(Debug)]
pub(super) struct Switch<'a> {
    pub(super) target: &'a str,
    /// The server's system identifier, if it says one.
    pub(super) system: Option<i64>,
    /// The database that takes the name: oid and present name.
    pub(super) incoming: (u32, &'a str),
    pub(super) live: Option<&'a Live>,
    pub(super) replaced: &'a Replaced,
    pub(super) pristine: Option<&'a Pristine>,
    /// Copies of before that become void.
    pub(super) void: &'a [Found],
    /// The live database's own comment.
    pub(super) own_comment: Option<&'a str>,
    /// What the incoming database's comment will be.
    pub(super) comment: Option<&'a str>,
    pub(super) connection_limit: i32,
}

/// One database that gets another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) oid: u32,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) mark: Mark,
    /// Who may connect afterwards, if that changes.
    pub(crate) access: Option<Access>,
    /// Whether it is dropped after the switch.
    pub(crate) doomed: bool,
}

/// Who may connect to a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    /// The new limit, if it changes.
    pub(crate) connection_limit: Option<i32>,
    pub(crate) allow_connections: bool,
}

/// What happens to a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Nothing.
    Stays,
    /// It becomes this, or none.
    Becomes(Option<String>),
}

impl Mark {
    fn of(state: &State, on: Written) -> Self {
        Self::Becomes(Some(state.to_comment(on)))
    }
}

impl Switch<'_> {
    /// The moves in an order in which no two databases ever have one name.
    pub(super) fn moves(&self, now: Timestamp) -> Vec<Move> {
        let (incoming, incoming_name) = self.incoming;
        let target = self.target.to_owned();
        let allow = self.live.is_none_or(|live| live.allow_connections);
        let access = Access { connection_limit: Some(self.connection_limit), allow_connections: allow };
        let mut moves: Vec<Move> = self.void.iter().map(|found| self.discard(found, now)).collect();
        let mut from = incoming_name.to_owned();
        if let Some(live) = self.live {
            if matches!(self.replaced, Replaced::Kept(name) if name == incoming_name) {
                // They exchange their names: one must step aside.
                from = temporary_name(self.target);
                moves.push(Move {
                    oid: incoming,
                    from: incoming_name.to_owned(),
                    to: from.clone(),
                    mark: Mark::Stays,
                    access: None,
                    doomed: false,
                });
            }
            moves.push(self.replace(live, now));
        }
        moves.push(Move {
            oid: incoming,
            from,
            to: target,
            mark: Mark::Becomes(self.comment.map(ToOwned::to_owned)),
            access: Some(access),
            doomed: false,
        });
        moves.extend(self.pristine.map(|pristine| self.keep(pristine, access, now)));
        moves
    }

    /// The copy that stays as `:current` names both others: they may come to have different owners.
    fn keep(&self, pristine: &Pristine, access: Access, now: Timestamp) -> Move {
        let kept = self.live.filter(|_| matches!(self.replaced, Replaced::Kept(_)));
        let state = State::Current {
            target: self.target.to_owned(),
            dump: pristine.dump.clone(),
            live: self.incoming.0,
            previous: kept.map(|live| live.oid),
            since: now,
        };
        Move {
            oid: pristine.oid,
            from: pristine.name.clone(),
            to: pristine.to.clone(),
            mark: Mark::of(&state, self.on(pristine.oid)),
            access: Some(access),
            doomed: false,
        }
    }

    fn on(&self, oid: u32) -> Written {
        Written::on(oid, self.system)
    }

    fn discard(&self, found: &Found, now: Timestamp) -> Move {
        let state = State::Discarded { target: self.target.to_owned(), by: self.incoming.0, since: now };
        Move {
            oid: found.oid,
            from: found.name.clone(),
            to: temporary_name(self.target),
            mark: Mark::of(&state, self.on(found.oid)),
            access: None,
            doomed: true,
        }
    }

    fn replace(&self, live: &Live, now: Timestamp) -> Move {
        let (target, comment) = (self.target.to_owned(), self.own_comment.map(ToOwned::to_owned));
        let (to, state, doomed) = match self.replaced {
            Replaced::Dropped => {
                let state = State::Superseded { target, by: self.incoming.0, comment, since: now };
                (temporary_name(self.target), state, true)
            }
            Replaced::Kept(name) => (name.clone(), State::Previous { target, comment, since: now }, false),
        };
        Move {
            oid: live.oid,
            from: self.target.to_owned(),
            to,
            mark: Mark::of(&state, self.on(live.oid)),
            access: (!doomed).then_some(Access { connection_limit: None, allow_connections: live.allow_connections }),
            doomed,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::live::local::{CopyRole, copy_name};

    fn copy(oid: u32, role: CopyRole) -> Found {
        let name = copy_name("shop", role);
        Found { oid, name, allow_connections: true, is_invalid: false, state: None }
    }

    /// The names after the moves, by oid; fails if two databases ever share one.
    fn apply(before: &[(u32, &str)], moves: &[Move]) -> BTreeMap<u32, String> {
        let mut names: BTreeMap<u32, String> = before.iter().map(|(oid, name)| (*oid, (*name).to_owned())).collect();
        for one in moves {
            assert_eq!(names.get(&one.oid), Some(&one.from), "a move from a name it has not: {one:?}");
            assert!(names.values().all(|name| *name != one.to), "two databases of one name: {one:?}");
            names.insert(one.oid, one.to.clone());
        }
        names
    }

    #[test]
    fn a_toggle_done_twice_is_the_identity() {
        let live = Live { oid: 1, allow_connections: true };
        let kept = Replaced::Kept("shop__previous".into());
        let toggle = |incoming: (u32, &str), live: &Live| {
            let switch = Switch {
                target: "shop",
                system: None,
                incoming,
                live: Some(live),
                replaced: &kept,
                pristine: None,
                void: &[],
                own_comment: None,
                comment: None,
                connection_limit: -1,
            };
            switch.moves(Timestamp::UNIX_EPOCH)
        };
        let before = [(1, "shop"), (2, "shop__previous")];
        let once = apply(&before, &toggle((2, "shop__previous"), &live));
        assert_eq!(once, BTreeMap::from([(1, "shop__previous".to_owned()), (2, "shop".to_owned())]));
        let before = [(1, "shop__previous"), (2, "shop")];
        let twice = apply(&before, &toggle((1, "shop__previous"), &Live { oid: 2, allow_connections: true }));
        assert_eq!(twice, BTreeMap::from([(1, "shop".to_owned()), (2, "shop__previous".to_owned())]));
    }

    proptest! {
        /// Whatever there was: afterwards the target is the incoming database, what is doomed says so and nothing else is,
        /// and a kept database has the name it was promised.
        #[test]
        fn every_switch_gives_each_name_to_one_database(
            has_live: bool, keep: bool, pristine: bool, had_previous: bool, had_current: bool, open: bool,
        ) {
            let live = has_live.then_some(Live { oid: 1, allow_connections: open });
            let reversible = keep && pristine;
            let mut void = Vec::new();
            if had_previous && has_live {
                void.push(copy(3, CopyRole::Previous));
            }
            if had_current && (has_live || reversible) {
                void.push(copy(4, CopyRole::Current));
            }
            let kept = copy_name("shop", CopyRole::Previous);
            let replaced = if reversible { Replaced::Kept(kept.clone()) } else { Replaced::Dropped };
            let pristine = Pristine {
                oid: 5, name: "lastgood_p".into(), to: copy_name("shop", CopyRole::Current), dump: "d".into(),
            };
            let moves = Switch {
                target: "shop",
                system: Some(7),
                incoming: (2, "lastgood_i"),
                live: live.as_ref(),
                replaced: &replaced,
                pristine: reversible.then_some(&pristine),
                void: &void,
                own_comment: Some("mine"),
                comment: Some("mine"),
                connection_limit: 7,
            }
            .moves(Timestamp::UNIX_EPOCH);
            let mut before = vec![(2, "lastgood_i")];
            before.extend(live.as_ref().map(|_| (1, "shop")));
            before.extend(reversible.then_some((5, "lastgood_p")));
            before.extend(void.iter().map(|found| (found.oid, found.name.as_str())));
            let after = apply(&before, &moves);
            prop_assert_eq!(after.get(&2).map(String::as_str), Some("shop"));
            let doomed: Vec<u32> = moves.iter().filter(|one| one.doomed).map(|one| one.oid).collect();
            let mut expected: Vec<u32> = void.iter().map(|found| found.oid).collect();
            expected.extend((has_live && !reversible).then_some(1));
            prop_assert_eq!(doomed, expected);
            if has_live && reversible {
                prop_assert_eq!(after.get(&1), Some(&kept));
            }
            let incoming = moves.iter().find(|one| one.to == "shop").unwrap();
            let allow_connections = live.is_none_or(|live| live.allow_connections);
            prop_assert_eq!(incoming.access, Some(Access { connection_limit: Some(7), allow_connections }));
        }
    }
}
