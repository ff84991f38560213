//! Makes one full backup of a chain, so that its deltas are no longer needed.

use std::sync::Arc;

use backup_core::run::Run;
use backup_core::store::SharedStore;
use tracing::{Instrument as _, info_span};

use crate::backup::{BackupWriter, Owner, Past, Written, records_of};
use crate::engine::NAME_DEFAULT;
use crate::error::{DictError, DictResult};
use crate::list;
use crate::options::CompactOptions;
use crate::plan::RestorePlan;
use crate::restore::{Restore, Restored};

/// What compaction did.
#[derive(Debug)]
#[non_exhaustive]
pub struct Compacted {
    /// What was read.
    pub restored: Restored,
    /// The new full backup; none if the newest is one already.
    pub written: Option<Written>,
}

/// A compaction that is planned and not yet run. It owns what it was planned with and what was read, so that what is written
/// is what [`Compact::plan`] shows.
///
/// Not for a location that running backups write to: they go on from the backup they know.
#[derive(Debug)]
pub struct Compact {
    store: SharedStore,
    options: CompactOptions,
    run: Run,
    restored: Restored,
    /// What the service calls the store.
    name: String,
}

impl Compact {
    /// Restores what `options` say into memory. Writes nothing.
    ///
    /// # Errors
    /// As [`Restore`]; [`DictError::Empty`].
    pub async fn prepare(store: &SharedStore, options: &CompactOptions, run: &Run) -> DictResult<Self> {
        Box::pin(Self::read(store, options, run)).await
    }

    async fn read(store: &SharedStore, options: &CompactOptions, run: &Run) -> DictResult<Self> {
        let restored = Restore::prepare(store, &options.restore, run).await?.run().await?;
        let entries = run.or_cancelled(list::list(&**store)).await?;
        let last = restored.plan.files.last();
        let of = entries.iter().find(|entry| Some(&entry.name.to_string()) == last);
        let name = of.and_then(|entry| entry.manifest.as_ref()).map(|manifest| manifest.source.clone());
        if !options.allow_empty && !is_one(&restored.plan) && records_of(&restored.store.snapshot()) == 0 {
            // Retention may delete the chain for it, and with the chain all there ever was.
            if let Some(last) = Past::of(&entries, restored.plan.source.as_ref()).filled() {
                return Err(DictError::Empty { last: last.to_owned() });
            }
        }
        let name = name.unwrap_or_else(|| NAME_DEFAULT.to_owned());
        Ok(Self { store: store.clone(), options: options.clone(), run: run.clone(), restored, name })
    }

    /// The files that become one.
    #[must_use]
    pub fn plan(&self) -> &RestorePlan {
        &self.restored.plan
    }

    /// Writes what was read as a full backup of the same store. The old files stay until retention deletes them;
    /// those that DictDB wrote have no manifest and are not its business: they stay until somebody deletes them.
    ///
    /// # Errors
    /// [`DictError::Interrupted`]; what the store says. Then nothing was published.
    pub async fn run(self) -> DictResult<Compacted> {
        Box::pin(self.write().instrument(info_span!("dict.compact"))).await
    }

    async fn write(self) -> DictResult<Compacted> {
        let Self { store, options, run, restored, name } = self;
        if is_one(&restored.plan) {
            return Ok(Compacted { restored, written: None });
        }
        let owner = Owner::Of(restored.plan.source.clone());
        let mut writer = BackupWriter::open(store, name, &owner, run).await?;
        let written = writer.full(Arc::new(restored.store.snapshot()), options.format).await?;
        Ok(Compacted { restored, written: Some(written) })
    }
}

/// Whether the newest is a full backup already. What DictDB left without a manifest gets one by being written anew.
fn is_one(plan: &RestorePlan) -> bool {
    plan.files.len() == 1 && plan.verified
}
