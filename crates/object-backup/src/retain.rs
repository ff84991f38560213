//! Which backups are deleted and which are kept, and leftovers of interrupted runs.

use std::collections::HashSet;

use backup_core::clock::Clock;
use backup_core::progress::Progress;
use backup_core::prune::{self, GRACE, IncompletePlan, PruneOutcome, PrunePlan};
use backup_core::retention::{self, Policy, RetentionPlan};
use backup_core::store::Store;
use backup_core::{catalogue, key::Key};
use jiff::{SignedDuration, Timestamp};

use crate::backup_key::BackupKey;
use crate::error::ObjectResult;
use crate::list::Filter;

/// What to keep.
#[derive(Clone, Debug)]
pub struct RetainOptions {
    /// The rules; `None` deletes no backup.
    pub policy: Option<Policy>,
    /// Only these. What has no manifest does not say which source it is of: of that only the name counts.
    pub filter: Filter,
    /// How long what has no manifest must have been left alone to go too.
    pub grace: SignedDuration,
}

impl RetainOptions {
    /// By `policy`, with the usual grace.
    #[must_use]
    pub fn new(policy: Option<Policy>) -> Self {
        Self { policy, filter: Filter::default(), grace: GRACE }
    }
}

/// What retention decided, and what goes for it.
#[derive(Debug)]
pub struct RetainPlan {
    /// A decision for every backup, by the key of its manifest.
    pub retention: RetentionPlan,
    /// What will be removed.
    pub removals: PrunePlan,
    /// What interrupted runs left.
    pub incomplete: IncompletePlan,
    scope: String,
}

/// Decides at `now`, of each source by itself. gludb's own tarballs are not its business: they stay.
///
/// # Errors
/// For a policy without a rule; what the store says.
pub async fn plan(store: &dyn Store, options: &RetainOptions, now: Timestamp) -> ObjectResult<RetainPlan> {
    let scope = options.filter.folder()?;
    let entries = catalogue::list(store, &scope).await?;
    let retention = match &options.policy {
        Some(policy) => {
            let mut candidates = prune::candidates(&entries);
            let meant = |entry: &&catalogue::Entry| {
                entry.manifest.as_ref().is_ok_and(|manifest| options.filter.takes(manifest.identity.as_ref()))
            };
            let meant: HashSet<&str> = entries.iter().filter(meant).map(|entry| entry.key.as_str()).collect();
            candidates.retain(|candidate| meant.contains(candidate.id.as_str()));
            retention::plan(&candidates, policy, now)?
        }
        None => RetentionPlan::default(),
    };
    let removals = PrunePlan::new(&entries, &retention)?;
    let incomplete = prune::incomplete(store, &scope, manifest_of, now, options.grace).await?;
    Ok(RetainPlan { retention, removals, incomplete, scope })
}

/// The manifest of the backup that an object belongs to.
fn manifest_of(key: &Key) -> Option<Key> {
    let backup = BackupKey::of_object(key).or_else(|| {
        let stem = key.as_str().rsplit_once(".tar.gz.").map(|(stem, _)| format!("{stem}.tar.gz"))?;
        BackupKey::of_object(&Key::new(stem).ok()?)
    })?;
    backup.name.is_some().then(|| backup.manifest().ok()).flatten()
}

/// Removes what `plan` says. What could not be deleted is in the outcome; running it again goes on.
///
/// # Errors
/// What the store says when it cannot be looked at.
pub async fn apply(
    store: &dyn Store,
    plan: &RetainPlan,
    clock: &dyn Clock,
    progress: &dyn Progress,
) -> ObjectResult<PruneOutcome> {
    let mut outcome = prune::apply(store, &plan.removals, &plan.scope, clock, progress).await?;
    let cleared = prune::clear(store, &plan.incomplete, &plan.scope, progress).await?;
    outcome.removed.extend(cleared.removed);
    outcome.objects += cleared.objects;
    outcome.uploads += cleared.uploads;
    outcome.freed_bytes += cleared.freed_bytes;
    outcome.failures.extend(cleared.failures);
    Ok(outcome)
}

#[cfg(test)]
mod tests;
