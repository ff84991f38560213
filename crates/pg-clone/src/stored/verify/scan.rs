//! Reads a dump's objects from the store and passes their bytes to the checks, outside the task that reads.

use std::sync::Arc;

use backup_core::error::StoreError;
use backup_core::key::Key;
use backup_core::manifest::{Manifest, Part};
use backup_core::progress::{Event, SharedProgress};
use backup_core::store::StoreRead;
use backup_core::units::exact_bytes;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;

use super::amount::ReadAmount;
use super::damage::Damage;
use super::part::{FrameCheck, PartChecker, PartFindings};
use super::report::{VerifyReport, row_sets};
use crate::error::{PgError, PgResult};
use crate::stored::detail::{DumpDetail, RowData};
use crate::stored::{frame_content, legacy};

/// Requests for sizes in flight: they are small, and 32 hide the latency of S3.
const HEADS_IN_FLIGHT: usize = 32;

/// Chunks of an object on their way to its check: enough that neither waits for the other's every step, few enough to
/// bound memory.
const CHUNKS_IN_FLIGHT: usize = 4;

/// Largest piece handed over at a time: stores may deliver whole objects in one.
const CHUNK_BYTES_MAX: usize = 1024 * 1024;

/// Bytes after which progress is told.
const ADVANCE_BYTES: u64 = 1024 * 1024;

/// One pass over a dump.
pub(super) struct Scan<'a> {
    store: &'a dyn StoreRead,
    manifest: &'a Manifest<DumpDetail>,
    progress: &'a SharedProgress,
    /// The dump's sets of rows, with their names.
    sets: Vec<(Arc<str>, &'a RowData)>,
    /// The frames to check in each part: of which set, and which of its frames.
    frames: Vec<Vec<(usize, usize)>>,
}

impl<'a> Scan<'a> {
    /// A pass that hashes stored bytes.
    pub(super) fn new(
        store: &'a dyn StoreRead,
        manifest: &'a Manifest<DumpDetail>,
        progress: &'a SharedProgress,
    ) -> Self {
        let sets = row_sets(&manifest.detail).into_iter().map(|(name, data)| (name.into(), data)).collect();
        Self { store, manifest, progress, sets, frames: vec![Vec::new(); manifest.parts.len()] }
    }

    /// The same pass, that also checks every frame: its digest, its content, its rows.
    pub(super) fn with_contents(mut self) -> Self {
        for (rows_of, (_, data)) in self.sets.iter().enumerate() {
            for (at, frame) in data.frames.iter().enumerate() {
                if let Some(frames) = self.frames.get_mut(frame.part as usize) {
                    frames.push((rows_of, at));
                }
            }
        }
        self
    }

    /// The frames to check in part number `index`.
    fn checks(&self, index: usize) -> Vec<FrameCheck> {
        let check = |&(rows_of, at): &(usize, usize)| {
            let (table, data) = self.sets.get(rows_of)?;
            Some(FrameCheck { frame: data.frames.get(at)?.clone(), rows_of, table: Arc::clone(table) })
        };
        self.frames[index].iter().filter_map(check).collect()
    }

    /// What is missing, has another size, or is not there although the manifest refers to it.
    pub(super) async fn structure(&self) -> PgResult<Vec<Damage>> {
        let manifest = self.manifest;
        let sizes = stream::iter(&manifest.parts).map(|part| size_damage(self.store, part)).buffered(HEADS_IN_FLIGHT);
        let mut damage: Vec<Damage> = sizes.try_filter_map(async |damage| Ok(damage)).try_collect().await?;
        for (name, data) in &self.sets {
            for frame in &data.frames {
                let part = manifest.parts.get(frame.part as usize);
                let within = part.filter(|part| frame.is_within(part));
                if let (None, Some(part)) = (within, part.or(manifest.parts.first())) {
                    let what = "the manifest refers to a frame outside the object";
                    damage.push(Damage::new(&part.key, what).at(frame.offset, frame.length).with_table(name));
                } else if let (Some(part), Some(what)) = (part, frame_content::fault(frame)) {
                    damage.push(Damage::new(&part.key, what).at(frame.offset, frame.length).with_table(name));
                }
            }
        }
        Ok(damage)
    }

    /// Reads part number `index` to its end.
    pub(super) async fn part(&self, index: usize) -> PgResult<PartFindings> {
        let part = &self.manifest.parts[index];
        let mut checker = PartChecker::new(part, self.checks(index));
        let (sender, mut receiver) = mpsc::channel::<Bytes>(CHUNKS_IN_FLIGHT);
        let check = tokio::task::spawn_blocking(move || {
            while let Some(chunk) = receiver.blocking_recv() {
                checker.update(&chunk);
            }
            checker.finish()
        });
        let read = read_into(self.store, part, &sender, self.progress).await;
        drop(sender);
        let mut findings = check
            .await
            .map_err(|error| PgError::died(format!("checking `{}`", part.key), &error, "nothing was changed"))?;
        if let Err(error) = read {
            findings.damage = vec![as_damage(&part.key, error)?];
        }
        self.progress.event(Event::Advance { bytes: 0, items: 1 });
        Ok(findings)
    }
}

async fn size_damage(store: &dyn StoreRead, part: &Part) -> PgResult<Option<Damage>> {
    // A slice's object is as long as its last slice needs; reading a range past its end is an error of its own.
    let (wanted, may_be_longer) = match (part.offset, part.length) {
        (Some(offset), Some(length)) => (offset.saturating_add(length), true),
        _ => (part.stored_bytes, false),
    };
    match store.head(&part.key).await {
        Ok(meta) if meta.bytes == wanted || (may_be_longer && meta.bytes > wanted) => Ok(None),
        Ok(meta) => Ok(Some(Damage::new(
            &part.key,
            format!("it has {} instead of {}", exact_bytes(meta.bytes), exact_bytes(wanted)),
        ))),
        Err(error) => as_damage(&part.key, error).map(Some),
    }
}

/// Damage, or an error that says nothing about what is stored.
fn as_damage(object: &Key, error: StoreError) -> PgResult<Damage> {
    match error {
        StoreError::NotFound { .. } => Ok(Damage::new(object, "it is missing")),
        StoreError::Damaged { what, .. } => Ok(Damage::new(object, what)),
        error @ StoreError::NotAnObject { .. } => Ok(Damage::new(object, error.to_string())),
        other => Err(other.into()),
    }
}

async fn read_into(
    store: &dyn StoreRead,
    part: &Part,
    sender: &mpsc::Sender<Bytes>,
    progress: &SharedProgress,
) -> Result<(), StoreError> {
    let range = match (part.offset, part.length) {
        (Some(offset), Some(length)) => Some(offset..offset.saturating_add(length)),
        _ => None,
    };
    let mut body = store.get(&part.key, range).await?;
    let (mut untold, mut taken) = (0, 0);
    while let Some(mut chunk) = body.try_next().await? {
        while !chunk.is_empty() {
            let piece = chunk.split_to(chunk.len().min(CHUNK_BYTES_MAX));
            untold += piece.len() as u64;
            taken += piece.len() as u64;
            if sender.send(piece).await.is_err() {
                return Ok(()); // the check ended early: what it returns says why
            }
        }
        if untold >= ADVANCE_BYTES {
            progress.event(Event::Advance { bytes: untold, items: 0 });
            untold = 0;
        }
        if taken > part.stored_bytes {
            break; // longer than it should be, however long it is
        }
    }
    progress.event(Event::Advance { bytes: untold, items: 0 });
    Ok(())
}

/// Checks what can be checked of a single-file dump: its beginning, and that all of it can be read.
pub(super) async fn legacy(
    store: &dyn StoreRead,
    key: String,
    object: &Key,
    read: ReadAmount,
    progress: &SharedProgress,
) -> PgResult<VerifyReport> {
    let mut report = VerifyReport {
        key,
        read: read.to_string(),
        objects: 1,
        objects_read: 0,
        bytes_read: 0,
        tables_checked: 0,
        rows_checked: 0,
        without_digests: true,
        damage: Vec::new(),
        damage_count: 0,
    };
    let dumps = vec![report.key.clone()];
    let checked = async {
        let mut body = legacy::open(store, object).await?.body;
        if read.covers(0) {
            while let Some(chunk) = body.try_next().await? {
                report.bytes_read += chunk.len() as u64;
                progress.event(Event::Advance { bytes: chunk.len() as u64, items: 0 });
            }
            report.objects_read = 1;
        }
        PgResult::Ok(())
    };
    let fault = match checked.await {
        Ok(()) => None,
        Err(PgError::Integrity { what, .. }) => Some(what),
        Err(PgError::Store(StoreError::Damaged { what, .. })) => Some(what),
        Err(error) => return Err(error),
    };
    if let Some(what) = fault {
        report.take_damage(vec![Damage { dumps, ..Damage::new(object, what) }]);
    }
    Ok(report)
}
