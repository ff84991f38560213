//! Which backups are deleted and which are kept: the core's retention on whole chains, because a delta needs what it builds on.

use std::collections::HashSet;

use backup_core::catalogue;
use backup_core::manifest::Manifest;
use backup_core::prune::{self, PruneOutcome, PrunePlan};
use backup_core::retention::{self, Policy, RetentionPlan};
use backup_core::run::Run;
use backup_core::source::UNKNOWN;
use backup_core::store::Store;

use crate::error::{DictError, DictResult};
use crate::format::MANIFEST_FOLDER;

/// What retention decided, and what goes for it.
#[derive(Debug)]
pub struct RetainPlan {
    /// A decision for every backup, by the key of its manifest.
    pub retention: RetentionPlan,
    /// What will be removed.
    pub removals: PrunePlan,
}

/// Decides by `policy` at this time, of each store by itself; of one alone if `source` names one, as
/// [`crate::RestoreOptions::source`] does. Files without a manifest are not its business: they stay.
///
/// # Errors
/// For a policy without a rule; what the store says.
pub async fn plan(store: &dyn Store, policy: &Policy, source: Option<&str>, run: &Run) -> DictResult<RetainPlan> {
    let entries =
        run.or_cancelled(async { Ok::<_, DictError>(catalogue::list(store, MANIFEST_FOLDER).await?) }).await?;
    let is_meant = |manifest: &Manifest| match (source, &manifest.identity) {
        (None, _) => true,
        (Some(source), Some(identity)) => identity.is_named(source) || manifest.source == source,
        (Some(source), None) => source == UNKNOWN,
    };
    let meant = entries.iter().filter(|entry| entry.manifest.as_ref().is_ok_and(is_meant));
    let meant: HashSet<&str> = meant.map(|entry| entry.key.as_str()).collect();
    let mut candidates = prune::candidates(&entries);
    candidates.retain(|candidate| meant.contains(candidate.id.as_str()));
    let retention = retention::plan(&candidates, policy, run.clock.now())?;
    let removals = PrunePlan::new(&entries, &retention)?;
    Ok(RetainPlan { retention, removals })
}

/// Removes what `plan` says. What could not be deleted is in the outcome; running it again goes on. A cancelled run begins
/// nothing; what is begun is finished all the same, since it takes little time and is better done than found half-done.
///
/// # Errors
/// [`DictError::Interrupted`]; what the store says when it cannot be looked at. Then nothing was deleted.
pub async fn apply(store: &dyn Store, plan: &RetainPlan, run: &Run) -> DictResult<PruneOutcome> {
    run.stop_if_cancelled()?;
    Ok(prune::apply(store, &plan.removals, MANIFEST_FOLDER, &*run.clock, &*run.progress).await?)
}
