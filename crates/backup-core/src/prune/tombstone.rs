//! Writes what a removal leaves until it is finished.

use bytes::Bytes;

use super::Removal;
use super::names::{self, FORMAT, Tombstone};
use crate::error::StoreError;
use crate::key::Key;
use crate::manifest::{EXTERNAL, Tool};
use crate::run::Run;
use crate::store::{PutMode, PutOptions, Store};

/// Times a small document is written that others take away half written: each of them does so once.
const PUT_ATTEMPTS: usize = 16;

/// The tombstone of a removal; `removing` once something outside the location may be gone.
pub(super) fn tombstone(removal: &Removal, run: &Run, removing: bool) -> Tombstone {
    let requires = if removal.external.is_empty() { Vec::new() } else { vec![EXTERNAL.to_owned()] };
    Tombstone {
        format: FORMAT,
        manifest: removal.manifest.clone(),
        deleted_at: run.clock.now(),
        writer: Tool::current().writer,
        parts: removal.parts.keys().cloned().collect(),
        requires,
        external: removal.external.clone(),
        removing,
    }
}

/// Writes a tombstone. To [`PutMode::Create`] one that is there already, from an earlier run, is as good.
pub(super) async fn put_tombstone(store: &dyn Store, tombstone: &Tombstone, mode: PutMode) -> Result<(), StoreError> {
    put(store, tombstone, &PutOptions::new(mode)).await
}

/// Writes a tombstone that is not durable yet, unless there is one. Nothing may be deleted under it before it is.
pub(super) async fn put_mark(store: &dyn Store, tombstone: &Tombstone) -> Result<(), StoreError> {
    put(store, tombstone, &PutOptions::new(PutMode::Create).volatile(true)).await
}

async fn put(store: &dyn Store, tombstone: &Tombstone, options: &PutOptions) -> Result<(), StoreError> {
    let key = names::tombstone_key(&tombstone.manifest)?;
    let body = names::bytes(&key, tombstone)?;
    match put_again(store, &key, body.clone(), options).await {
        Err(StoreError::AlreadyExists { .. }) if is_empty(store, &key).await? => {
            put_again(store, &key, body, &PutOptions { mode: PutMode::Replace, ..options.clone() }).await
        }
        Ok(()) | Err(StoreError::AlreadyExists { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether a power failure left nothing of a document but its name.
async fn is_empty(store: &dyn Store, key: &Key) -> Result<bool, StoreError> {
    match store.head(key).await {
        Ok(found) => Ok(found.bytes == 0),
        // Taken back meanwhile by another prune, to which the backup is needed: it will be to us.
        Err(error) if error.is_not_found() => Ok(true),
        Err(error) => Err(error),
    }
}

/// Writes a small document as [`crate::store::StoreWrite::put`] does, and again if it was taken away half written: another
/// prune that allows no grace takes it for what an interrupted run left.
pub(super) async fn put_again(
    store: &dyn Store,
    key: &Key,
    body: Bytes,
    options: &PutOptions,
) -> Result<(), StoreError> {
    let mut attempt = 1;
    loop {
        match store.put(key, body.clone(), options).await {
            Err(error) if error.is_not_found() && attempt < PUT_ATTEMPTS => attempt += 1,
            put => return put,
        }
    }
}
