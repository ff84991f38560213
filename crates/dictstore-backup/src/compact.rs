//! Makes one full backup of a chain, so that its deltas are no longer needed.

use std::sync::Arc;

use backup_core::run::Run;
use backup_core::store::{SharedStore, StoreRead};

use crate::backup::{BackupWriter, Owner, Past, Written, records_of};
use crate::engine::NAME_DEFAULT;
use crate::error::{DictError, DictResult};
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

/// What to make one backup of, and how.
#[derive(Clone, Debug, Default)]
pub struct CompactOptions {
    /// The chain.
    pub restore: RestoreOptions,
    /// The format of the new backup.
    pub format: Format,
    /// Whether it is right that the newest state has no record, although there are backups that have.
    pub allow_empty: bool,
}

/// Says what [`compact`] would do: reads as much, and writes nothing.
///
/// # Errors
/// As [`compact`].
pub async fn plan_compact(store: &dyn StoreRead, options: &CompactOptions, run: &Run) -> DictResult<RestorePlan> {
    Ok(read(store, options, run).await?.0.plan)
}

/// Restores what `options` say and writes it as a full backup of the same store. The old files stay until retention deletes
/// them.
///
/// Not for a location that running backups write to: they go on from the backup they know.
///
/// # Errors
/// As [`restore_from`]; [`DictError::Empty`]; what the store says. Then nothing was published.
pub async fn compact(store: &SharedStore, options: &CompactOptions, run: &Run) -> DictResult<Compacted> {
    let (restored, name) = read(&**store, options, run).await?;
    if is_one(&restored.plan) {
        return Ok(Compacted { restored, written: None });
    }
    let owner = Owner::Of(restored.plan.source.clone());
    let mut writer = BackupWriter::open(store.clone(), name, &owner, run.clone()).await?;
    let written = writer.full(Arc::new(restored.store.snapshot()), options.format).await?;
    Ok(Compacted { restored, written: Some(written) })
}

/// Whether the newest is a full backup already. What DictDB left without a manifest gets one by being written anew.
fn is_one(plan: &RestorePlan) -> bool {
    plan.files.len() == 1 && plan.verified
}

/// The newest state, and what its store is called.
async fn read(store: &dyn StoreRead, options: &CompactOptions, run: &Run) -> DictResult<(Restored, String)> {
    let restored = restore_from(store, &options.restore, run).await?;
    let entries = run.or_cancelled(folder::list(store)).await?;
    let last = restored.plan.files.last();
    let of = entries.iter().find(|entry| Some(&entry.name.to_string()) == last);
    let name = of.and_then(|entry| entry.manifest.as_ref()).map(|manifest| manifest.source.clone());
    if !options.allow_empty && !is_one(&restored.plan) && records_of(&restored.store.snapshot()) == 0 {
        // Retention may delete the chain for it, and with the chain all there ever was.
        if let Some(last) = Past::of(&entries, restored.plan.source.as_ref()).filled() {
            return Err(DictError::Empty { last: last.to_owned() });
        }
    }
    Ok((restored, name.unwrap_or_else(|| NAME_DEFAULT.to_owned())))
}
