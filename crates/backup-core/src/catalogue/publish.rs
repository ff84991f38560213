//! Publishes a manifest, which makes the backup exist.

use bytes::Bytes;

use super::{MANIFEST_BYTES_MAX, Order, Pointer, read_pointer};
use crate::document;
use crate::error::{CoreError, FormatError, StoreError};
use crate::key::Key;
use crate::manifest::{FORMAT, Manifest};
use crate::store::{PutMode, PutOptions, StoreWrite};
use crate::units;

/// A backup came into being.
#[derive(Debug)]
pub struct Published {
    /// Bytes of the manifest as stored.
    pub manifest_bytes: u64,
    /// Why the pointer could not be moved. The backup is whole and listed all the same: a warning, no failure.
    pub pointer_fault: Option<StoreError>,
}

/// Publishes `manifest` as `key`, after everything it refers to was stored; then moves `pointer` to it if it is
/// complete and newer than what the pointer names.
///
/// Publishing the same bytes twice is one publication, so that a lost answer does no harm.
///
/// # Errors
/// [`CoreError::Taken`] if somebody else published another manifest under this key; what the store says. If such an
/// error [`StoreError::is_ambiguous`], the manifest may be there all the same.
pub async fn publish(
    store: &dyn StoreWrite,
    key: &Key,
    manifest: &Manifest,
    pointer: &Key,
) -> Result<Published, CoreError> {
    let bytes = manifest.to_bytes()?;
    if bytes.len() > MANIFEST_BYTES_MAX {
        let what = format!(
            "it would have {}, more than the limit of {}",
            units::bytes(bytes.len() as u64),
            units::bytes(MANIFEST_BYTES_MAX as u64)
        );
        return Err(FormatError::Invalid { key: key.to_string(), what }.into());
    }
    match store.put(key, bytes.clone(), &PutOptions::new(PutMode::Create)).await {
        Ok(()) => {}
        Err(StoreError::AlreadyExists { .. }) => same_or_taken(store, key, &bytes, manifest).await?,
        Err(error) if error.is_ambiguous() => {
            let stored = document::read(store, key, MANIFEST_BYTES_MAX).await;
            if !stored.is_ok_and(|stored| stored == bytes) {
                return Err(error.into());
            }
        }
        Err(error) => return Err(error.while_writing().into()),
    }
    let pointer_fault = match manifest.is_complete() {
        true => move_pointer(store, pointer, key, manifest).await.err(),
        false => None,
    };
    Ok(Published { manifest_bytes: bytes.len() as u64, pointer_fault })
}

async fn same_or_taken(store: &dyn StoreWrite, key: &Key, ours: &Bytes, manifest: &Manifest) -> Result<(), CoreError> {
    let stored = document::read(store, key, MANIFEST_BYTES_MAX).await?;
    if stored == *ours {
        return Ok(());
    }
    let theirs = match Manifest::<serde_json::Value>::from_bytes(key, &stored) {
        Ok(other) => other.tool.writer,
        Err(_) => crate::prune::claimed_by(&stored)
            .map_or_else(|| "an unknown writer".to_owned(), |writer| format!("prune on {writer}")),
    };
    Err(CoreError::Taken { key: key.to_string(), ours: manifest.tool.writer.clone(), theirs })
}

async fn move_pointer(store: &dyn StoreWrite, pointer: &Key, key: &Key, manifest: &Manifest) -> Result<(), StoreError> {
    // A slower, older run must not set it back. Two runs at the same instant may still: readers list as well.
    if read_pointer(store, pointer).await?.is_some_and(|current| current.order() > Order::of(manifest)) {
        return Ok(());
    }
    let fresh =
        Pointer { format: FORMAT, manifest: key.clone(), sequence: manifest.sequence, created_at: manifest.created_at };
    let other =
        |error| StoreError::Other { key: pointer.to_string(), action: "write".to_owned(), source: Box::new(error) };
    let body = serde_json::to_vec(&fresh).map_err(other)?;
    store.put(pointer, body.into(), &PutOptions::new(PutMode::Replace)).await
}
