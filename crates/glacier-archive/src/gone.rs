//! Forgets archives that are not there any more: deleted by another machine, or by a run that ended half-way.

use std::collections::BTreeSet;

use backup_core::key::Key;
use backup_core::run::Run;
use backup_core::store::SharedStore;
use futures_util::TryStreamExt as _;

use crate::error::{GlacierError, GlacierResult};
use crate::key;
use crate::state::State;

/// Forgets every archive called `name` that counts as stored and that the store does not have, with its files: the next backup
/// archives them again. A listing, a thousand archives a request. Needs the lock.
///
/// # Errors
/// What the store says; as of the catalogue.
pub async fn forget(store: &SharedStore, state: &State, name: &str, run: &Run) -> GlacierResult<u64> {
    let stored = state.catalogue().archives()?.into_iter().filter(|archive| archive.stored.is_some());
    let stored: Vec<Key> = stored.map(|archive| archive.key).collect();
    if stored.is_empty() {
        return Ok(0);
    }
    let mut there: BTreeSet<Key> = BTreeSet::new();
    for folder in key::payloads(name) {
        let keys = store.list(&folder, None).map_ok(|object| object.key).map_err(GlacierError::from);
        there.extend(run.or_cancelled(keys.try_collect::<Vec<_>>()).await?);
    }
    let mut forgotten = 0;
    for gone in stored.iter().filter(|key| key::is_payload(key) && !there.contains(*key)) {
        state.catalogue().forget(gone)?;
        forgotten += 1;
    }
    Ok(forgotten)
}
