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
mod candidate;
mod closure;
mod error;
mod fabfile;
mod group;
mod logarithmic;
mod policy;
mod tag;

use std::collections::{HashMap, HashSet};

use crate::units::counted;
use jiff::Timestamp;
use serde::Serialize;

pub use calendar::Period;
pub use candidate::{Action, Candidate, Decision};
pub use error::RetentionError;
pub use fabfile::{FabfileCompatible, PRESERVE_TAG};
pub use logarithmic::Logarithmic;
pub use policy::{Policy, Rule};
pub use tag::tag_is_meant;

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
            "{} dated in the future (`{first}`): kept, and not counted by any rule. Check the clocks",
            counted(future.len() as u64, "backup is", "backups are")
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
