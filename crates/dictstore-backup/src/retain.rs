//! Which backups go and which stay: retention of the core over whole chains, since a delta needs what it builds on.

use backup_core::catalogue;
use backup_core::clock::Clock;
use backup_core::clock::Timestamp;
use backup_core::progress::Progress;
use backup_core::prune::{self, PruneOutcome, PrunePlan};
use backup_core::retention::{self, Policy, RetentionPlan};
use backup_core::store::Store;

use crate::error::DictResult;
use crate::format::MANIFEST_FOLDER;

/// What retention decided, and what goes for it.
#[derive(Debug)]
pub struct RetainPlan {
    /// A decision for every backup, by the key of its manifest.
    pub retention: RetentionPlan,
    /// What will be removed.
    pub removals: PrunePlan,
}

/// Decides by `policy` at `now`. Files without a manifest are not its business: they stay.
///
/// # Errors
/// For a policy without a rule; what the store says.
pub async fn plan(store: &dyn Store, policy: &Policy, now: Timestamp) -> DictResult<RetainPlan> {
    let entries = catalogue::list(store, MANIFEST_FOLDER).await?;
    let retention = retention::plan(&prune::candidates(&entries), policy, now)?;
    let removals = PrunePlan::new(&entries, &retention)?;
    Ok(RetainPlan { retention, removals })
}

/// Removes what `plan` says. What could not be deleted is in the outcome; running it again goes on.
///
/// # Errors
/// What the store says when it cannot be looked at; then nothing was deleted.
pub async fn apply(
    store: &dyn Store,
    plan: &RetainPlan,
    clock: &dyn Clock,
    progress: &dyn Progress,
) -> DictResult<PruneOutcome> {
    Ok(prune::apply(store, &plan.removals, MANIFEST_FOLDER, clock, progress).await?)
}
