//! Writes what a removal leaves until it is finished.

use super::Removal;
use super::names::{self, FORMAT, Tombstone};
use crate::error::StoreError;
use crate::manifest::{EXTERNAL, Tool};
use crate::run::Run;
use crate::store::{PutMode, PutOptions, Store};

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
    let key = names::tombstone_key(&tombstone.manifest)?;
    let body = names::bytes(&key, tombstone)?;
    match store.put(&key, body, &PutOptions::new(mode)).await {
        Ok(()) | Err(StoreError::AlreadyExists { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
