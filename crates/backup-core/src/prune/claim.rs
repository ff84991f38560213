//! Claims the place of a manifest that was never published, so that nobody publishes it while its objects go.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::future::join_all;
use jiff::Timestamp;

use super::names::{self, CLAIM_BYTES_MAX, Claim, FORMAT, Tombstone};
use super::tombstone::{put_again, put_tombstone};
use crate::document;
use crate::error::StoreError;
use crate::key::Key;
use crate::manifest::Tool;
use crate::pipeline::read_all;
use crate::store::{PutMode, PutOptions, Store};

/// Most bytes of objects that go before their backup is claimed: they are kept in memory until it is.
const TAKEN_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Claims the places of several manifests at the same time; of each `false` if a manifest took it, or what the store says.
/// With each come the objects that go then, with their bytes.
pub(super) async fn claim(
    store: &dyn Store,
    places: &[(&Key, &BTreeMap<Key, u64>)],
    now: Timestamp,
) -> Vec<Result<bool, StoreError>> {
    let claims = join_all(places.iter().map(|(manifest, _)| put(store, manifest, now))).await;
    let mut claimed = Vec::with_capacity(places.len());
    // Room is made for one after the other, since what makes it is kept in memory.
    for (claim, (manifest, objects)) in claims.into_iter().zip(places) {
        claimed.push(match claim {
            Err(error) if error.is_full() => making_room(store, manifest, objects, now, error).await,
            claim => claim,
        });
    }
    claimed
}

/// Writes the claim, unless something stands in its place that is none. The tombstone tells others that something goes here and,
/// as it lists nothing, deletes nothing if this run ends before it claimed. A claim is found without it, too: a prune that ends
/// the removal of the same backup takes it away.
async fn put(store: &dyn Store, manifest: &Key, now: Timestamp) -> Result<bool, StoreError> {
    let writer = Tool::current().writer;
    let tombstone = Tombstone {
        format: FORMAT,
        manifest: manifest.clone(),
        deleted_at: now,
        writer: writer.clone(),
        parts: Vec::new(),
        requires: Vec::new(),
        external: Vec::new(),
        removing: false,
    };
    put_tombstone(store, &tombstone, PutMode::Create).await?;
    let body = names::bytes(manifest, &Claim { format: FORMAT, abandoned_at: now, writer })?;
    match put_again(store, manifest, body, &PutOptions::new(PutMode::Create)).await {
        Ok(()) => Ok(true),
        // Another prune was faster: the objects go under its claim, whoever of the two comes to them first.
        Err(StoreError::AlreadyExists { .. }) if is_claimed(store, manifest).await? => Ok(true),
        Err(StoreError::AlreadyExists { .. }) => {
            store.delete(&[names::tombstone_key(manifest)?]).await?;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

async fn is_claimed(store: &dyn Store, manifest: &Key) -> Result<bool, StoreError> {
    match document::read(store, manifest, CLAIM_BYTES_MAX).await {
        Ok(bytes) => Ok(names::is_claim(&bytes)),
        // Given up meanwhile, or no claim.
        Err(StoreError::NotFound { .. } | StoreError::Damaged { .. } | StoreError::NotAnObject { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Deletes `objects`, the smallest first, until there is room for the claim. They are kept in memory meanwhile and put back if
/// a manifest came to the claim's place: whoever was taken for dead needs them.
async fn making_room(
    store: &dyn Store,
    manifest: &Key,
    objects: &BTreeMap<Key, u64>,
    now: Timestamp,
    full: StoreError,
) -> Result<bool, StoreError> {
    let mut objects: Vec<(&Key, u64)> = objects.iter().map(|(key, bytes)| (key, *bytes)).collect();
    objects.sort_by_key(|(_, bytes)| *bytes);
    let mut taken: Vec<(&Key, Bytes)> = Vec::new();
    let (mut held, mut result) = (0, Err(full));
    for (key, bytes) in objects {
        held += bytes;
        if held > TAKEN_BYTES_MAX {
            break;
        }
        match read_all(store, key, bytes).await {
            Ok(body) => taken.push((key, body)),
            Err(error) if error.is_not_found() => continue,
            Err(error) => {
                result = Err(error);
                break;
            }
        }
        let deleted = store.delete(std::slice::from_ref(key)).await?;
        deleted.into_iter().try_for_each(|outcome| outcome.result)?;
        result = put(store, manifest, now).await;
        if !result.as_ref().is_err_and(StoreError::is_full) {
            break;
        }
    }
    if !matches!(result, Ok(true)) {
        for (key, body) in taken {
            match store.put(key, body, &PutOptions::new(PutMode::Create)).await {
                Ok(()) | Err(StoreError::AlreadyExists { .. }) => {}
                // No manifest names it: what is left goes the next time.
                Err(_) if result.is_err() => {}
                Err(error) => return Err(error),
            }
        }
    }
    result
}
