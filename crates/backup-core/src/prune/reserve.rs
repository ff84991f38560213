//! Lets an unpublished backup build on others without losing them to a concurrent prune.

use super::names::{self, FORMAT, Uses};
use crate::error::{CoreError, StoreError};
use crate::key::Key;
use crate::store::{PutMode, PutOptions, StoreDelete, StoreWrite};

/// Says that the backup that will be published as `manifest` will refer to the objects `keys`, which belong to the
/// published backups with the manifests `owners`; afterwards they stay until it is published, or until it is cleared
/// away as incomplete. A backup that builds on another names that one's manifest among both.
///
/// Call it before publishing, with everything the backup will refer to, and [`release`] it afterwards. Of several calls the last
/// one counts.
///
/// # Errors
/// [`StoreError::NotFound`] naming an owner that is gone or about to go: do without it, and release; what the store says.
pub async fn reserve(store: &dyn StoreWrite, manifest: &Key, keys: &[Key], owners: &[Key]) -> Result<(), CoreError> {
    let at = names::uses_key(manifest)?;
    let body = names::bytes(&at, &Uses { format: FORMAT, keys: keys.to_vec() })?;
    // After a power failure nobody publishes this backup any more: others must see it, and it need not last.
    let options = |mode| PutOptions::new(mode).volatile(true);
    match store.put(&at, body.clone(), &options(PutMode::Create)).await {
        // Said before, of other objects, or left empty by a power failure. In a folder only this waits for its lock.
        Err(StoreError::AlreadyExists { .. }) => store.put(&at, body, &options(PutMode::Replace)).await?,
        put => put?,
    }
    for owner in owners {
        match store.head(&names::tombstone_key(owner)?).await {
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Err(StoreError::not_found(owner).into()),
        }
        store.head(owner).await?;
    }
    Ok(())
}

/// Takes back what [`reserve`] said, once `manifest` is published, which says it itself from then on, or is certain never
/// to be. Where that is not certain, leave it: it is cleared away as incomplete.
///
/// # Errors
/// What the store says; then more is kept than need be, for a while.
pub async fn release(store: &dyn StoreDelete, manifest: &Key) -> Result<(), StoreError> {
    let outcomes = store.delete(&[names::uses_key(manifest)?]).await?;
    outcomes.into_iter().try_for_each(|outcome| outcome.result)
}
