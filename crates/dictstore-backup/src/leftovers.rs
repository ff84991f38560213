//! Deletes leftovers of interrupted runs: files without a manifest, except DictDB's own.

use std::collections::HashSet;

use backup_core::clock::SignedDuration;
use backup_core::key::Key;
use backup_core::prune::{self, IncompletePlan, PruneOutcome};
use backup_core::run::Run;
use backup_core::store::Store;

use crate::entry::State;
use crate::error::{DictError, DictResult};
use crate::folder;
use crate::format::{BackupName, MANIFEST_FOLDER};

/// Files and folder of manifests lie side by side, so that everything is looked at.
const SCOPE: &str = "";

/// What was left alone for longer than `grace` and is no backup. Reads only.
///
/// # Errors
/// What the store says.
pub async fn plan(store: &dyn Store, grace: SignedDuration, run: &Run) -> DictResult<IncompletePlan> {
    let entries = run.or_cancelled(folder::list(store)).await?;
    let unpublished = entries.iter().filter(|entry| entry.state == State::Unpublished);
    let unpublished: HashSet<String> = unpublished.map(|entry| entry.name.to_string()).collect();
    let manifest_of = |key: &Key| manifest_of(key.as_str(), &unpublished);
    let found = prune::incomplete(store, SCOPE, manifest_of, run.clock.now(), grace);
    run.or_cancelled(async { Ok::<_, DictError>(found.await?) }).await
}

/// The key of the manifest to which `key` belongs: an unpublished file, or what lies in the folder of manifests.
fn manifest_of(key: &str, unpublished: &HashSet<String>) -> Option<Key> {
    let file = match key.strip_prefix(MANIFEST_FOLDER) {
        // `FILE.manifest.json`, and beside it what removals and claims write.
        Some(beside) => {
            let (file, what) = beside.strip_suffix(".json")?.rsplit_once('.')?;
            ["manifest", "deleted"].contains(&what).then_some(file)?
        }
        None => unpublished.get(key)?,
    };
    BackupName::parse(file)?.manifest_key().ok()
}

/// Removes what `plan` says, unless a manifest appeared meanwhile. A cancelled run begins nothing.
///
/// # Errors
/// [`DictError::Interrupted`]; what the store says when it cannot be looked at. Then nothing was deleted.
pub async fn clear(store: &dyn Store, plan: &IncompletePlan, run: &Run) -> DictResult<PruneOutcome> {
    run.stop_if_cancelled()?;
    Ok(prune::clear(store, plan, SCOPE, &*run.progress).await?)
}
