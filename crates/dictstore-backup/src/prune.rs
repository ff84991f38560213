//! Which backups are deleted and which are kept, on whole chains, because a delta needs what it builds on; and leftovers of
//! interrupted runs: files without a manifest, except DictDB's own.

use std::collections::HashSet;

use backup_core::key::Key;
use backup_core::prune::{self as core, PruneDecisions, PruneReport};
use backup_core::run::Run;
use backup_core::store::SharedStore;
use tracing::{Instrument as _, info_span};

use crate::entry::State;
use crate::error::{DictError, DictResult};
use crate::key::{BackupName, MANIFEST_FOLDER};
use crate::list;
use crate::options::PruneOptions;

/// Files and folder of manifests lie side by side, so that everything is looked at.
const LEFTOVERS_SCOPE: &str = "";

/// A prune that is planned and not yet run. It owns what it was planned with, so that what runs is what [`Prune::plan`]
/// shows.
#[derive(Debug)]
pub struct Prune(core::Prune);

impl Prune {
    /// Decides at this time, of each store by itself. DictDB's own files are not its business: they stay. Reads only.
    ///
    /// # Errors
    /// For a policy without a rule; [`DictError::Usage`] for a source that no backup is of although there are some;
    /// [`crate::DictError::Interrupted`]; what the store says.
    pub async fn prepare(store: &SharedStore, options: &PruneOptions, run: &Run) -> DictResult<Self> {
        Box::pin(Self::prepared(store, options, run)).await
    }

    async fn prepared(store: &SharedStore, options: &PruneOptions, run: &Run) -> DictResult<Self> {
        let mut prune = core::Prune::below(MANIFEST_FOLDER, store, run);
        if let Some(policy) = &options.policy {
            prune = prune.retain(policy, |manifest| options.takes(manifest)).await?;
        }
        if let Some(grace) = options.grace {
            let entries = run.or_cancelled(list::list(&**store)).await?;
            let unpublished = entries.iter().filter(|entry| entry.state == State::Unpublished);
            let unpublished: HashSet<String> = unpublished.map(|entry| entry.name.to_string()).collect();
            let manifest_of = |key: &Key| manifest_of(key.as_str(), &unpublished);
            prune = prune.leftovers(LEFTOVERS_SCOPE, manifest_of, grace).await?;
        }
        // A name that no store has would otherwise prune nothing, every night and without a word.
        if let Some(source) = options.source.as_deref().filter(|_| prune.plan().retention.decisions.is_empty())
            && let Some(miss) = list::miss(&run.or_cancelled(list::list(&**store)).await?, source)
        {
            return Err(DictError::Usage { what: format!("{}; {}; nothing was deleted", miss.what, miss.there) });
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
    /// [`crate::DictError::Interrupted`]; what the store says when it cannot be looked at.
    pub async fn run(self) -> DictResult<PruneReport> {
        Ok(Box::pin(self.0.run().instrument(info_span!("dict.prune"))).await?)
    }
}

/// The backup's file, from the key of its manifest, for people.
#[must_use]
pub fn file_of(manifest: &Key) -> String {
    BackupName::of_manifest(manifest).map_or_else(|| manifest.to_string(), |name| name.to_string())
}

/// The key of the manifest to which `key` belongs: an unpublished file, or what lies in the folder of manifests.
fn manifest_of(key: &str, unpublished: &HashSet<String>) -> Option<Key> {
    let file = match key.strip_prefix(MANIFEST_FOLDER) {
        // `FILE.manifest.json`, and beside it what removals, claims and reservations write.
        Some(beside) => {
            let (file, what) = beside.strip_suffix(".json")?.rsplit_once('.')?;
            ["manifest", "deleted", "uses"].contains(&what).then_some(file)?
        }
        None => unpublished.get(key)?,
    };
    BackupName::parse(file)?.manifest_key().ok()
}
