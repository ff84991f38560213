//! Makes one full backup of a chain, so that its deltas are needed no more.

use std::sync::Arc;

use backup_core::clock::Clock;
use backup_core::progress::SharedProgress;
use backup_core::store::SharedStore;

use crate::backup::{BackupWriter, Owner, Written};
use crate::engine::NAME_DEFAULT;
use crate::error::DictResult;
use crate::folder;
use crate::format::Format;
use crate::plan::RestorePlan;
use crate::restore::{RestoreOptions, Restored, restore_from};

/// What compaction did.
#[derive(Debug)]
pub struct Compacted {
    /// What was read.
    pub restored: Restored,
    /// The new full backup; none if the newest is one already.
    pub written: Option<Written>,
}

impl Compacted {
    /// The files it was made of.
    #[must_use]
    pub fn plan(&self) -> &RestorePlan {
        &self.restored.plan
    }
}

/// Restores what `options` say and writes it as a full backup of the same store. The old files stay until retention deletes them.
///
/// Not for a location that running backups write to: they go on from the backup they know.
///
/// # Errors
/// As [`restore_from`]; what the store says. Then nothing was published.
pub async fn compact(
    store: &SharedStore,
    options: &RestoreOptions,
    format: Format,
    clock: Arc<dyn Clock>,
    progress: SharedProgress,
) -> DictResult<Compacted> {
    let restored = restore_from(&**store, options).await?;
    // What DictDB left without a manifest gets one by being written anew.
    if restored.plan.files.len() == 1 && restored.plan.verified {
        return Ok(Compacted { restored, written: None });
    }
    let entries = folder::list(&**store).await?;
    let last = restored.plan.files.last();
    let of = entries.iter().find(|entry| Some(&entry.name.to_string()) == last && entry.manifest.is_some());
    let name = of.and_then(|entry| entry.manifest.as_ref()).map(|manifest| manifest.source.clone());
    let owner = Owner::Of(restored.plan.source.clone());
    let name = name.unwrap_or_else(|| NAME_DEFAULT.to_owned());
    let mut writer = BackupWriter::open(store.clone(), name, &owner, clock, progress).await?;
    let written = writer.full(Arc::new(restored.store.snapshot()), format).await?;
    Ok(Compacted { restored, written: Some(written) })
}
