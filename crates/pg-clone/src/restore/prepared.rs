//! A restore that was prepared: what it restores, where and how cannot change any more.

use backup_core::store::SharedStore;

use crate::adapters::connection::Server;
use crate::options::RestoreOptions;
use crate::restore::hooks::Site;
use crate::restore::plan::RestorePlan;
use crate::run::Run;

/// A restore of a dump that is planned and not yet run. It owns what it was planned with, so that what runs is what
/// [`Restore::plan`] shows.
#[derive(Debug)]
pub struct Restore {
    pub(super) server: Server,
    pub(super) store: SharedStore,
    pub(super) options: RestoreOptions,
    pub(super) run: Run,
    pub(super) plan: RestorePlan,
}

impl Restore {
    /// What it would do.
    #[must_use]
    pub fn plan(&self) -> &RestorePlan {
        &self.plan
    }

    /// Confirms that the live database of this name may be changed, as [`RestoreOptions::confirm`] does: for whoever is
    /// asked after the plan was shown.
    pub fn confirm(&mut self, database: impl Into<String>) {
        self.options.confirm = Some(database.into());
    }

    pub(super) fn span(&self) -> tracing::Span {
        tracing::info_span!("restore", key = %self.plan.key, into = %self.plan.target)
    }

    /// Where its hooks run: `copy` is the database that will have the target's name.
    pub(super) fn site<'a>(&'a self, copy: &'a str) -> Site<'a> {
        let Self { server, options, run, plan, .. } = self;
        Site { server, target: &plan.target, key: Some(&plan.key), copy, options, run }
    }
}
