//! What the operations are given.

use backup_core::prune::GRACE;
use backup_core::retention::Policy;
use backup_core::source::Identity;
use jiff::SignedDuration;

use crate::key::DEFAULT_NAME;
use crate::list::Filter;
use crate::plan::{Types, Wanted};
use crate::target::OnConflict;

/// What to back up, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BackupOptions {
    /// What the backup is called: the folder it lies in, and what retention keeps apart.
    pub name: String,
    /// Which types.
    pub types: Types,
    /// Leaves out types that cannot be read. The backup is then partial and never counts as the last good one.
    pub allow_partial: bool,
    /// Publishes even if there is no record at all, or if types that had records have none any more.
    pub allow_empty: bool,
    /// Publishes nothing if records or bytes fell by more than so many percent since the last complete backup.
    pub max_shrink: Option<u8>,
    /// Does nothing if the newest complete backup of the same source is younger.
    pub min_age: Option<SignedDuration>,
    /// Labels; retention can keep by them.
    pub tags: Vec<String>,
}

impl BackupOptions {
    /// Everything, as [`DEFAULT_NAME`].
    #[must_use]
    pub fn new() -> Self {
        Self {
            name: DEFAULT_NAME.to_owned(),
            types: Types::All,
            allow_partial: false,
            allow_empty: false,
            max_shrink: None,
            min_age: None,
            tags: Vec::new(),
        }
    }

    /// What the backup is called.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Which types.
    #[must_use]
    pub fn types(mut self, types: Types) -> Self {
        self.types = types;
        self
    }

    /// Whether types that cannot be read are left out.
    #[must_use]
    pub fn allow_partial(mut self, allow: bool) -> Self {
        self.allow_partial = allow;
        self
    }

    /// Whether a backup without any record is published.
    #[must_use]
    pub fn allow_empty(mut self, allow: bool) -> Self {
        self.allow_empty = allow;
        self
    }

    /// By how many percent records or bytes may fall.
    #[must_use]
    pub fn max_shrink(mut self, percent: impl Into<Option<u8>>) -> Self {
        self.max_shrink = percent.into();
        self
    }

    /// How old the newest complete backup of the same source must be.
    #[must_use]
    pub fn min_age(mut self, age: impl Into<Option<SignedDuration>>) -> Self {
        self.min_age = age.into();
        self
    }

    /// Adds labels.
    #[must_use]
    pub fn tags(mut self, tags: impl IntoIterator<Item = String>) -> Self {
        self.tags.extend(tags);
        self
    }
}

impl Default for BackupOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// What to restore, and how.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RestoreOptions {
    /// The types; all there are if empty.
    pub types: Vec<Wanted>,
    /// What becomes of records that are there already.
    pub on_conflict: OnConflict,
    /// The target as a source would be called, if that is known: the plan says whether the backup is of it.
    pub here: Option<Identity>,
}

impl RestoreOptions {
    /// Everything, into a target that has nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Only these types.
    #[must_use]
    pub fn types(mut self, types: impl IntoIterator<Item = Wanted>) -> Self {
        self.types.extend(types);
        self
    }

    /// What becomes of records that are there already.
    #[must_use]
    pub fn on_conflict(mut self, on_conflict: OnConflict) -> Self {
        self.on_conflict = on_conflict;
        self
    }

    /// The target as a source would be called.
    #[must_use]
    pub fn here(mut self, here: impl Into<Option<Identity>>) -> Self {
        self.here = here.into();
        self
    }
}

/// What to keep.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PruneOptions {
    /// The rules; `None` deletes no backup.
    pub policy: Option<Policy>,
    /// Only these. What has no manifest does not say which source it is of: of that only the name counts.
    pub filter: Filter,
    /// How long what has no manifest must have been left alone to go too; `None` leaves it.
    pub grace: Option<SignedDuration>,
}

impl PruneOptions {
    /// Deletes what interrupted runs left, after the usual grace, and nothing else.
    #[must_use]
    pub fn incomplete() -> Self {
        Self { grace: Some(GRACE), ..Self::default() }
    }

    /// Leaves what interrupted runs left.
    #[must_use]
    pub fn without_leftovers(mut self) -> Self {
        self.grace = None;
        self
    }

    /// By `policy`, and leftovers after the usual grace.
    #[must_use]
    pub fn new(policy: impl Into<Option<Policy>>) -> Self {
        Self { policy: policy.into(), filter: Filter::default(), grace: Some(GRACE) }
    }

    /// Only these.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// How long what has no manifest must have been left alone to go too; `None` leaves it.
    #[must_use]
    pub fn grace(mut self, grace: impl Into<Option<SignedDuration>>) -> Self {
        self.grace = grace.into();
        self
    }
}
