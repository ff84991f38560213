//! Which backup the name of a source means: pure.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;

use super::identity::{Identity, UNKNOWN};
use crate::catalogue::Order;
use crate::manifest::{Manifest, Outcome};

/// What a choice looks at of one backup of the wanted name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// By sequence, then by time: see [`Order`].
    pub order: Order,
    /// Which server, file or folder it is of.
    pub identity: Option<Identity>,
    /// The configuration it was made with.
    pub config: String,
    /// Whether everything that was asked for could be read.
    pub good: bool,
    /// Whether it is good and nothing was left out on request.
    pub complete: bool,
}

impl Known {
    /// What is known by its manifest.
    #[must_use]
    pub fn of<D>(manifest: &Manifest<D>) -> Self {
        Self {
            order: Order::of(manifest),
            identity: manifest.identity.clone(),
            config: manifest.config.clone(),
            good: manifest.outcome == Outcome::Good,
            complete: manifest.is_complete(),
        }
    }
}

/// Which source is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish<'a> {
    /// The one this text names: an id, a host, or [`UNKNOWN`] for backups that do not say.
    Named(&'a str),
    /// This one if it has backups; otherwise the only one that has.
    Here(&'a Identity),
    /// Nothing is known of the source: the only one that has backups. Those that do not say where they come from stand
    /// back, since they are older than those that do.
    Any,
}

/// What is meant by a source's name.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// Which source.
    pub wish: Wish<'a>,
    /// Only backups of this configuration; then one with something left out may be meant.
    pub config: Option<&'a str>,
    /// Only backups of this time or before.
    pub until: Option<Timestamp>,
    /// How many complete backups to go back from the newest.
    pub back: usize,
}

impl<'a> Choice<'a> {
    /// The newest complete one of the source that is wished for.
    #[must_use]
    pub fn latest(wish: Wish<'a>) -> Self {
        Self { wish, config: None, until: None, back: 0 }
    }
}

/// The backup that is meant, or why none can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// This one, by its position among those given.
    One {
        /// Its position.
        at: usize,
        /// Newer ones of the source that were passed over, since something is left out of them; the newest first.
        passed_over: Vec<usize>,
    },
    /// Several sources of this name have backups, and nothing says which is meant: the newest of each, the newest first.
    Ambiguous(Vec<usize>),
    /// No backup is of the source that was named.
    NoSuchSource,
    /// No backup of the source is of the configuration.
    NoSuchConfig,
    /// Every backup of the source is younger than the time asked for: the oldest of them.
    TooYoung(usize),
    /// Backups are there, and none can be taken without its key.
    NotEnough {
        /// So many could be taken if it were not for how far to go back.
        eligible: usize,
        /// So many have something left out.
        others: usize,
    },
    /// There is no backup at all.
    Nothing,
}

/// Chooses among `known`, all of one name, in any order.
#[must_use]
pub fn choose(known: &[Known], choice: &Choice<'_>) -> Chosen {
    if known.is_empty() {
        return Chosen::Nothing;
    }
    let mut members = match source(known, choice.wish) {
        Ok(members) => members,
        Err(chosen) => return chosen,
    };
    if let Some(config) = choice.config {
        members.retain(|&at| known[at].config == config);
        if members.is_empty() {
            return Chosen::NoSuchConfig;
        }
    }
    members.sort_by_key(|&at| std::cmp::Reverse(known[at].order));
    if choice.until.is_some() {
        // How the source was then: of two backups the later one by its time, although a clock that was wrong may have made it
        // the earlier one.
        members.sort_by_key(|&at| std::cmp::Reverse((known[at].order.created_at, known[at].order.sequence)));
    }
    if let (Some(until), Some(&oldest)) = (choice.until, members.last()) {
        members.retain(|&at| known[at].order.created_at <= until);
        if members.is_empty() {
            return Chosen::TooYoung(oldest);
        }
    }
    // Whoever names a configuration that always leaves something out means what it makes.
    let takes_partial = choice.config.is_some() && !members.iter().any(|&at| known[at].complete);
    let is_eligible = |at: &usize| if takes_partial { known[*at].good } else { known[*at].complete };
    let eligible: Vec<usize> = members.iter().copied().filter(is_eligible).collect();
    let Some(&at) = eligible.get(choice.back) else {
        return Chosen::NotEnough { eligible: eligible.len(), others: members.len() - eligible.len() };
    };
    let newer = members.iter().copied().take_while(|&other| other != at);
    Chosen::One { at, passed_over: newer.filter(|other| !is_eligible(other)).collect() }
}

/// The members of the source that is wished for.
fn source(known: &[Known], wish: Wish<'_>) -> Result<Vec<usize>, Chosen> {
    let all = |wanted: &dyn Fn(Option<&Identity>) -> bool| -> Vec<usize> {
        (0..known.len()).filter(|&at| wanted(known[at].identity.as_ref())).collect()
    };
    match wish {
        Wish::Here(here) => {
            let found = all(&|identity| identity.is_some_and(|identity| identity.id == here.id));
            if found.is_empty() { one_source(known, all(&|_| true)) } else { Ok(found) }
        }
        Wish::Named(text) => {
            let found = all(&|identity| identity.map_or(text == UNKNOWN, |identity| identity.is_named(text)));
            if found.is_empty() { Err(Chosen::NoSuchSource) } else { one_source(known, found) }
        }
        Wish::Any => {
            let told = all(&|identity| identity.is_some());
            one_source(known, if told.is_empty() { all(&|_| true) } else { told })
        }
    }
}

/// `members`, unless they are of several sources.
fn one_source(known: &[Known], members: Vec<usize>) -> Result<Vec<usize>, Chosen> {
    let id = |at: usize| known[at].identity.as_ref().map(|identity| identity.id.as_str());
    let ids: HashSet<Option<&str>> = members.iter().map(|&at| id(at)).collect();
    if ids.len() <= 1 {
        return Ok(members);
    }
    let mut newest: BTreeMap<Option<&str>, usize> = BTreeMap::new();
    for &at in &members {
        let kept = newest.entry(id(at)).or_insert(at);
        if known[at].order > known[*kept].order {
            *kept = at;
        }
    }
    let mut newest: Vec<usize> = newest.into_values().collect();
    newest.sort_by_key(|&at| std::cmp::Reverse(known[at].order));
    Err(Chosen::Ambiguous(newest))
}

#[cfg(test)]
mod tests;
