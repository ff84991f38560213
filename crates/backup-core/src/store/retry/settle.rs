//! After a lost response: is the stored object the one that was sent?

use futures_util::TryStreamExt;

use crate::digest::{Sha256Digest, Sha256Hasher};
use crate::error::StoreError;
use crate::key::Key;
use crate::store::{StoreRead, StoreResult};

/// Whether `error`, following a failure that may have been a success, can be the consequence of that success.
pub(super) fn may_hide_success(error: &StoreError) -> bool {
    matches!(error, StoreError::AlreadyExists { .. } | StoreError::Precondition { .. } | StoreError::NotFound { .. })
}

/// Success if `key` has exactly the content that was sent, else `error`.
pub(super) async fn settle(
    store: &impl StoreRead,
    key: &Key,
    digest: &Sha256Digest,
    bytes: u64,
    error: StoreError,
) -> StoreResult<()> {
    match holds(store, key, digest, bytes).await {
        Ok(true) => Ok(()),
        // Whether it is ours could not be found out; that somebody's is there is certain.
        Ok(false) | Err(_) => Err(error),
    }
}

async fn holds(store: &impl StoreRead, key: &Key, digest: &Sha256Digest, bytes: u64) -> StoreResult<bool> {
    if store.head(key).await?.bytes != bytes {
        return Ok(false);
    }
    let mut body = store.get(key, None).await?;
    let mut hasher = Sha256Hasher::default();
    while let Some(chunk) = body.try_next().await? {
        hasher.update(&chunk);
    }
    Ok(hasher.finish() == *digest)
}
