//! A prune that is planned and not yet run.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::SignedDuration;

use super::apply::apply;
use super::external::Remover;
use super::incomplete::{IncompletePlan, clear, incomplete};
use super::plan::{PrunePlan, candidates};
use super::unreadable::{HeldBack, hold_back};
use super::{Failure, PruneOutcome};
use crate::catalogue;
use crate::error::CoreError;
use crate::key::Key;
use crate::manifest::Manifest;
use crate::retention::{self, Candidate, Policy, RetentionPlan};
use crate::run::Run;
use crate::store::SharedStore;

/// A prune that is planned and not yet run. It owns what it was planned with, so that what runs is what [`Prune::plan`]
/// shows.
///
/// Begin with [`Prune::below`], then plan what goes: [`Prune::retain`], [`Prune::leftovers`] or both.
#[derive(Debug)]
pub struct Prune {
    store: SharedStore,
    run: Run,
    removers: Vec<Arc<dyn Remover>>,
    scope: String,
    leftovers_scope: String,
    plan: PruneDecisions,
}

/// What a prune will delete, and why.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct PruneDecisions {
    /// A decision for every backup that is meant, by the key of its manifest; empty without rules.
    pub retention: RetentionPlan,
    /// What goes by them.
    pub removals: PrunePlan,
    /// What interrupted runs left.
    pub incomplete: IncompletePlan,
    /// What rules would delete and what stays all the same, since something beside it cannot be read.
    pub held_back: Vec<HeldBack>,
}

/// What a prune did.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct PruneReport {
    /// By retention.
    pub backups: PruneOutcome,
    /// What interrupted runs had left.
    pub incomplete: PruneOutcome,
}

impl PruneReport {
    /// What could not be deleted.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.backups.failures.iter().chain(&self.incomplete.failures)
    }
}

impl Prune {
    /// Nothing is to go yet. `scope` (empty, or ending in `/`) is that within which backups share objects.
    #[must_use]
    pub fn below(scope: impl Into<String>, store: &SharedStore, run: &Run) -> Self {
        let scope = scope.into();
        Self {
            store: Arc::clone(store),
            run: run.clone(),
            removers: Vec::new(),
            leftovers_scope: scope.clone(),
            scope,
            plan: PruneDecisions::default(),
        }
    }

    /// Adds what removes some of the things that backups own outside the location.
    #[must_use]
    pub fn with_remover(mut self, remover: Arc<dyn Remover>) -> Self {
        self.removers.push(remover);
        self
    }

    /// Decides by `policy` about the backups that `is_meant` takes, those of each source by themselves. Reads only.
    ///
    /// # Errors
    /// For a policy without a rule; for what a newer version published, or what nobody here can remove; what the store says.
    pub async fn retain(self, policy: &Policy, is_meant: impl Fn(&Manifest) -> bool + Send) -> Result<Self, CoreError> {
        self.retain_settled(policy, is_meant, |_| {}).await
    }

    /// As [`Prune::retain`], after `settle` put right what manifests alone do not say of a candidate, such as its tags of now.
    ///
    /// # Errors
    /// As [`Prune::retain`].
    pub async fn retain_settled(
        mut self,
        policy: &Policy,
        is_meant: impl Fn(&Manifest) -> bool + Send,
        settle: impl Fn(&mut Candidate) + Send,
    ) -> Result<Self, CoreError> {
        let listed = async { Ok::<_, CoreError>(catalogue::list(&*self.store, &self.scope).await?) };
        let entries = self.run.or_cancelled(listed).await?;
        let meant = entries.iter().filter(|entry| entry.manifest.as_ref().is_ok_and(&is_meant));
        let meant: HashSet<&str> = meant.map(|entry| entry.key.as_str()).collect();
        let mut candidates = candidates(&entries);
        candidates.retain(|candidate| meant.contains(candidate.id.as_str()));
        candidates.iter_mut().for_each(settle);
        self.plan.retention = retention::plan(&candidates, policy, self.run.clock.now())?;
        self.plan.held_back = hold_back(&entries, &mut self.plan.retention);
        self.plan.removals = PrunePlan::new(&entries, &self.plan.retention)?;
        self.plan.removals.removable_by(&self.removers())?;
        Ok(self)
    }

    /// Finds what interrupted runs left below `scope` and nobody touched for `grace`, by `manifest_of` as
    /// [`incomplete`] takes it. Reads only.
    ///
    /// # Errors
    /// What the store says.
    pub async fn leftovers(
        mut self,
        scope: impl Into<String>,
        manifest_of: impl Fn(&Key) -> Option<Key> + Send + Sync,
        grace: SignedDuration,
    ) -> Result<Self, CoreError> {
        self.leftovers_scope = scope.into();
        let found = incomplete(&*self.store, &self.leftovers_scope, manifest_of, self.run.clock.now(), grace);
        self.plan.incomplete = self.run.or_cancelled(found).await?;
        self.plan.incomplete.warning().into_iter().for_each(|warning| self.run.warn(warning));
        Ok(self)
    }

    /// What will go, and why.
    #[must_use]
    pub fn plan(&self) -> &PruneDecisions {
        &self.plan
    }

    /// Deletes it, and completes what earlier prunes began. What could not be deleted is in the report; the same prune
    /// prepared and run again goes on with it. A cancelled run begins nothing; what is begun is finished all the same, since
    /// it takes little time and is better done than found half-done.
    ///
    /// # Errors
    /// [`CoreError::Cancelled`]; what the store says when it cannot be looked at.
    pub async fn run(self) -> Result<PruneReport, CoreError> {
        self.run.stop_if_cancelled()?;
        let backups = apply(&*self.store, &self.plan.removals, &self.scope, &self.removers(), &self.run).await?;
        let incomplete = match self.plan.incomplete.is_empty() {
            true => PruneOutcome::default(),
            false => clear(&*self.store, &self.plan.incomplete, &self.leftovers_scope, &*self.run.progress).await?,
        };
        Ok(PruneReport { backups, incomplete })
    }

    fn removers(&self) -> Vec<&dyn Remover> {
        self.removers.iter().map(|remover| &**remover).collect()
    }
}
