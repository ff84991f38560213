//! Which backups are deleted and which are kept, and leftovers of interrupted runs.

use std::collections::BTreeSet;

use backup_core::key::Key;
use backup_core::manifest::Manifest;
use backup_core::prune::{self as core, PruneDecisions, PruneReport};
use backup_core::retention::Candidate;
use backup_core::run::Run;
use backup_core::store::SharedStore;
use tracing::{Instrument as _, info_span};

use crate::error::{ObjectError, ObjectResult};
use crate::key::{BackupKey, FOLDER, folder};
use crate::list;
use crate::options::PruneOptions;
use crate::tags_now;

/// A prune that is planned and not yet run. It owns what it was planned with, so that what runs is what [`Prune::plan`]
/// shows.
#[derive(Debug)]
pub struct Prune(core::Prune);

impl Prune {
    /// Decides at this time, of each source by itself. gludb's own tarballs are not its business: they stay. Reads only.
    ///
    /// # Errors
    /// For a policy without a rule; [`ObjectError::Usage`] for a filter that takes nothing although there are backups;
    /// [`crate::ObjectError::Interrupted`]; what the store says.
    pub async fn prepare(store: &SharedStore, options: &PruneOptions, run: &Run) -> ObjectResult<Self> {
        Box::pin(Self::prepared(store, options, run)).await
    }

    async fn prepared(store: &SharedStore, options: &PruneOptions, run: &Run) -> ObjectResult<Self> {
        let scope = options.filter.folder()?;
        let mut prune = core::Prune::below(scope.clone(), store, run);
        if let Some(policy) = &options.policy {
            let names = match &options.filter.name {
                Some(name) => BTreeSet::from([name.clone()]),
                None => run.or_cancelled(names(store)).await?,
            };
            let tags = run.or_cancelled(tags_now::now(&**store, names)).await?;
            let is_meant = |manifest: &Manifest| options.filter.takes(manifest.identity.as_ref());
            let settle = |candidate: &mut Candidate| tags_now::settle_candidate(&tags, candidate, policy);
            prune = prune.retain_settled(policy, is_meant, settle).await?;
        }
        if let Some(grace) = options.grace {
            prune = prune.leftovers(scope, manifest_of, grace).await?;
        }
        // A name that nothing has would otherwise prune nothing, every night and without a word.
        let plan = prune.plan();
        if plan.retention.decisions.is_empty()
            && plan.incomplete.is_empty()
            && let Some(miss) = run.or_cancelled(list::miss(&**store, &options.filter)).await?
        {
            return Err(ObjectError::usage(miss.what, format!("{}; nothing was deleted", miss.there)));
        }
        Ok(Self(prune))
    }

    /// What will go, and why.
    #[must_use]
    pub fn plan(&self) -> &PruneDecisions {
        self.0.plan()
    }

    /// Deletes it. What could not be deleted is in the report; preparing and running it again goes on. A cancelled run begins
    /// nothing; what is begun is finished all the same, since it takes little time and is better done than found half-done.
    ///
    /// # Errors
    /// [`crate::ObjectError::Interrupted`]; what the store says when it cannot be looked at.
    pub async fn run(self) -> ObjectResult<PruneReport> {
        Ok(Box::pin(self.0.run().instrument(info_span!("app.prune"))).await?)
    }
}

/// What backups are called here.
async fn names(store: &SharedStore) -> ObjectResult<BTreeSet<String>> {
    let children = store.list_children(FOLDER).await?;
    let folders = children.iter().filter_map(|child| child.strip_suffix('/'));
    Ok(folders.filter(|name| folder(name).is_ok()).map(str::to_owned).collect())
}

/// The manifest of the backup that an object belongs to.
fn manifest_of(key: &Key) -> Option<Key> {
    let backup = BackupKey::of_object(key).or_else(|| {
        let stem = key.as_str().rsplit_once(".tar.gz.").map(|(stem, _)| format!("{stem}.tar.gz"))?;
        BackupKey::of_object(&Key::new(stem).ok()?)
    })?;
    backup.name.is_some().then(|| backup.manifest().ok()).flatten()
}

#[cfg(test)]
mod tests;
