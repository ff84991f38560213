//! Which backups to keep and which to delete: one pure function for every kind.
//!
//! # Rules
//! A backup is kept if any rule keeps it, with the reason. Groups (see
//! [`crate::source::group`]) never mix. Whatever the rules:
//!
//! - Only **good** backups count: those that are whole and whose needs all exist and are good.
//! - Complete backups and backups with something left out on request are never in one group, and do not affect each other.
//! - The **last good** backup of a group is kept; so is the newest by time if clocks and sequence numbers disagree.
//! - A backup that is not good is deleted if its group has a newer good one; otherwise it is kept, as it may be all there is.
//! - A backup dated after `now` is kept and flagged, but not counted.
//! - What a kept backup **needs** is kept, and a **set** is kept or deleted whole.
//! - **Protected** backups are kept.
//! - A policy without a rule is refused.
//!
//! Planning again with the kept backups, at the same time, deletes nothing more.

mod calendar;
mod closure;
mod fabfile;
mod group;
mod logarithmic;
mod policy;

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde::Serialize;

pub use calendar::Period;
pub use fabfile::{FabfileCompatible, PRESERVE_TAG};
pub use logarithmic::Logarithmic;
pub use policy::{Policy, Rule};

/// A backup to decide about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// Its identity; unique among the candidates.
    pub id: String,
    /// Its source. Retention never mixes groups.
    pub group: String,
    /// When the source was as the backup has it.
    pub time: Timestamp,
    /// Position among the backups of its group; all equal where there is none, then time alone orders.
    pub sequence: u64,
    /// Whether it is whole and can be restored as far as is known.
    pub good: bool,
    /// Whether nothing was left out of it on request. Only words follow from it: [`crate::source::group`] keeps those with
    /// something left out in groups of their own.
    pub complete: bool,
    /// Labels.
    pub tags: Vec<String>,
    /// Ids of backups without which this one cannot be restored.
    pub needs: Vec<String>,
    /// Name of the set it is kept or deleted with.
    pub set: Option<String>,
    /// Why it must not be deleted, if so: in use, locked, being copied.
    pub protected: Option<String>,
}

impl Candidate {
    /// A good backup with nothing special about it.
    #[must_use]
    pub fn new(id: impl Into<String>, group: impl Into<String>, time: Timestamp, sequence: u64) -> Self {
        Self {
            id: id.into(),
            group: group.into(),
            time,
            sequence,
            good: true,
            complete: true,
            tags: Vec::new(),
            needs: Vec::new(),
            set: None,
            protected: None,
        }
    }

    /// Order by sequence, then time: what happened last, even where a clock stepped back.
    fn order(&self) -> (u64, Timestamp, &str) {
        (self.sequence, self.time, &self.id)
    }

    /// Order by time, then sequence.
    fn time_order(&self) -> (Timestamp, u64, &str) {
        (self.time, self.sequence, &self.id)
    }
}

/// What is to happen to a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It stays.
    Keep,
    /// It goes.
    Delete,
}

/// What is to happen to one backup, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The candidate.
    pub id: String,
    /// Keep or delete.
    pub action: Action,
    /// Why; never empty.
    pub reasons: Vec<String>,
    /// Whether it is dated after the time of the plan: a clock is wrong, or somebody tampers.
    pub future: bool,
}

/// One decision for every candidate, in the order they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RetentionPlan {
    /// The decisions.
    pub decisions: Vec<Decision>,
    /// What the user should know and that stops nothing.
    pub warnings: Vec<String>,
}

impl RetentionPlan {
    /// Ids of what goes, in order.
    pub fn deleted(&self) -> impl Iterator<Item = &str> {
        self.with(Action::Delete)
    }

    /// Ids of what stays, in order.
    pub fn kept(&self) -> impl Iterator<Item = &str> {
        self.with(Action::Keep)
    }

    fn with(&self, action: Action) -> impl Iterator<Item = &str> {
        self.decisions.iter().filter(move |decision| decision.action == action).map(|decision| decision.id.as_str())
    }
}

/// Why no retention plan was made. Nothing is deleted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RetentionError {
    /// The policy has no rule, or only rules that keep nothing.
    #[error("no retention rule was given; nothing was deleted")]
    NoRule,
    /// A rule makes no sense.
    #[error("invalid retention rule `{rule}`: {what}; nothing was deleted")]
    Invalid {
        /// The rule.
        rule: String,
        /// What is wrong with it.
        what: String,
    },
    /// Two candidates have one id.
    #[error("two backups have the id `{id}`; nothing was deleted")]
    DuplicateId {
        /// The id.
        id: String,
    },
}

impl RetentionError {
    /// A short name of what happened, which stays the same from version to version.
    #[must_use]
    pub fn error_code(&self) -> &'static str {
        match self {
            Self::NoRule => "retention::no_rule",
            Self::Invalid { .. } => "retention::invalid",
            Self::DuplicateId { .. } => "retention::duplicate_id",
        }
    }

    /// The next thing to do, and what is still safe, where there is something to say.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        match self {
            Self::NoRule => {
                Some("say what to keep, such as `--keep-daily 7 --keep-weekly 4`, and check the plan with `-n`")
            }
            Self::DuplicateId { .. } => Some("compare both with `lastgood pg show`, and remove the copy"),
            _ => None,
        }
    }
}

/// Decides about every candidate by `policy` at the time `now`.
///
/// # Errors
/// [`RetentionError::NoRule`] if the policy would keep nothing by itself, [`RetentionError::Invalid`] for a rule that
/// makes no sense, [`RetentionError::DuplicateId`].
pub fn plan(candidates: &[Candidate], policy: &Policy, now: Timestamp) -> Result<RetentionPlan, RetentionError> {
    policy.check()?;
    let mut ids = HashSet::new();
    if let Some(twice) = candidates.iter().find(|candidate| !ids.insert(candidate.id.as_str())) {
        return Err(RetentionError::DuplicateId { id: twice.id.clone() });
    }
    let mut remaining: Vec<&Candidate> = candidates.iter().collect();
    // One order whatever the order given, so that ties and reasons do not depend on it.
    remaining.sort_by_key(|candidate| candidate.time_order());
    let mut decided: HashMap<&str, Decision> = HashMap::new();
    loop {
        let round = group::decide(&remaining, policy, now);
        // `max_count` finds another ratio once others are gone; repeated until the plan stands, it is idempotent too.
        let stands = !policy.depends_on_count() || round.iter().all(|decision| decision.action == Action::Keep);
        decided.extend(remaining.iter().zip(round).map(|(candidate, decision)| (candidate.id.as_str(), decision)));
        if stands {
            break;
        }
        remaining.retain(|candidate| decided[candidate.id.as_str()].action == Action::Keep);
    }
    let decisions: Vec<Decision> = candidates.iter().filter_map(|candidate| decided.remove(&*candidate.id)).collect();
    let warnings = warnings(candidates, &decisions);
    Ok(RetentionPlan { decisions, warnings })
}

fn warnings(candidates: &[Candidate], decisions: &[Decision]) -> Vec<String> {
    let mut warnings = Vec::new();
    let future: Vec<&str> = decisions.iter().filter(|decision| decision.future).map(|d| d.id.as_str()).collect();
    if let Some(first) = future.first() {
        warnings.push(format!(
            "{} of the backups are dated in the future (`{first}`): they are kept, and no rule counts them. Check the \
             clocks",
            future.len()
        ));
    }
    let known: HashSet<&str> = candidates.iter().map(|candidate| candidate.id.as_str()).collect();
    for candidate in candidates {
        if let Some(missing) = candidate.needs.iter().find(|need| !known.contains(need.as_str())) {
            warnings.push(format!(
                "`{}` needs `{missing}`, which is missing: it does not count as a good backup",
                candidate.id
            ));
        }
    }
    warnings
}

#[cfg(test)]
mod tests;
