//! A backup to decide about, and what was decided.

use jiff::Timestamp;
use serde::Serialize;

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
    pub(super) fn order(&self) -> (u64, Timestamp, &str) {
        (self.sequence, self.time, &self.id)
    }

    /// Order by time, then sequence.
    pub(super) fn time_order(&self) -> (Timestamp, u64, &str) {
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
