//! Lets an unpublished backup refer to parts of others without losing them to a concurrent prune.

use super::names::{self, FORMAT, Uses};
use crate::error::{CoreError, StoreError};
use crate::key::Key;
use crate::store::{PutMode, PutOptions, StoreWrite};

/// Says that the backup that will be published as `manifest` will refer to the parts `keys`, which belong to the
/// published backups with the manifests `owners`; afterwards they stay until it is published, or until it is cleared
/// away as incomplete. A backup that builds on another names that one's manifest among both.
///
/// Call it once, before publishing, with everything the backup will refer to.
///
/// # Errors
/// [`StoreError::NotFound`] naming an owner that is gone or about to go: do without it; what the store says.
pub async fn reserve(store: &dyn StoreWrite, manifest: &Key, keys: &[Key], owners: &[Key]) -> Result<(), CoreError> {
    let at = names::uses_key(manifest)?;
    let body = names::bytes(&at, &Uses { format: FORMAT, keys: keys.to_vec() })?;
    store.put(&at, body, &PutOptions::new(PutMode::Replace)).await?;
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
