//! What the operations are given.

use backup_core::clock::SignedDuration;
use backup_core::manifest::Manifest;
use backup_core::prune::GRACE;
use backup_core::retention::Policy;
use backup_core::source::UNKNOWN;

use crate::format::Format;
use crate::load::Semantics;
use crate::plan::RestoreTo;

/// What to restore, and how.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RestoreOptions {
    /// Up to where.
    pub to: RestoreTo,
    /// By which rules deltas are applied.
    pub semantics: Semantics,
    /// Of which store, where several have backups: its id, host or program, what the service calls it, or
    /// [`backup_core::source::UNKNOWN`].
    pub source: Option<String>,
    /// The newest that can be read although a newer one cannot; the plan says which was left out.
    pub allow_older: bool,
}

impl RestoreOptions {
    /// Up to there, of the only store that has backups.
    #[must_use]
    pub fn new(to: RestoreTo) -> Self {
        Self { to, ..Self::default() }
    }

    /// By which rules deltas are applied.
    #[must_use]
    pub fn semantics(mut self, semantics: Semantics) -> Self {
        self.semantics = semantics;
        self
    }

    /// Of which store, where several have backups.
    #[must_use]
    pub fn source(mut self, source: impl Into<Option<String>>) -> Self {
        self.source = source.into();
        self
    }

    /// The newest that can be read although a newer one cannot.
    #[must_use]
    pub fn allow_older(mut self, allow: bool) -> Self {
        self.allow_older = allow;
        self
    }
}

/// What to make one backup of, and how.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CompactOptions {
    /// The chain.
    pub restore: RestoreOptions,
    /// The format of the new backup.
    pub format: Format,
    /// Whether it is right that the newest state has no record, although there are backups that have.
    pub allow_empty: bool,
}

impl CompactOptions {
    /// The chain that `restore` means.
    #[must_use]
    pub fn new(restore: RestoreOptions) -> Self {
        Self { restore, ..Self::default() }
    }

    /// The format of the new backup.
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Whether it is right that the newest state has no record, although there are backups that have.
    #[must_use]
    pub fn allow_empty(mut self, allow: bool) -> Self {
        self.allow_empty = allow;
        self
    }
}

/// What to keep.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PruneOptions {
    /// The rules; `None` deletes no backup.
    pub policy: Option<Policy>,
    /// Only the backups of this store, named as in [`RestoreOptions::source`]. Files without a manifest do not say
    /// whose they are.
    pub source: Option<String>,
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
        Self { policy: policy.into(), source: None, grace: Some(GRACE) }
    }

    /// Only the backups of the store that `source` names.
    #[must_use]
    pub fn source(mut self, source: impl Into<Option<String>>) -> Self {
        self.source = source.into();
        self
    }

    /// How long what has no manifest must have been left alone to go too; `None` leaves it.
    #[must_use]
    pub fn grace(mut self, grace: impl Into<Option<SignedDuration>>) -> Self {
        self.grace = grace.into();
        self
    }

    pub(crate) fn takes(&self, manifest: &Manifest) -> bool {
        match (self.source.as_deref(), &manifest.identity) {
            (None, _) => true,
            (Some(source), Some(identity)) => identity.is_named(source) || manifest.source == source,
            (Some(source), None) => source == UNKNOWN,
        }
    }
}
