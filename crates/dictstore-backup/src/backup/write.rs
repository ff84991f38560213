//! Writes the file of a full backup, encoding it on a thread of its own.

use std::ops::ControlFlow;
use std::sync::Arc;

use backup_core::key::Key;
use backup_core::pipeline::{ObjectWriter, Stored, UploadBudget};
use backup_core::run::Run;
use backup_core::store::{PutMode, PutOptions, SharedStore, StoreWrite};
use tokio::sync::mpsc;

use crate::error::{DictError, DictResult};
use crate::format::{Format, full, pickle};
use crate::source::Cut;

/// Chunks encoded ahead of what is written: encoding and writing overlap, and memory stays bounded.
const CHUNKS_AHEAD: usize = 2;

/// Parts of a full backup on their way at once: little beside the store itself, and enough for a disk.
const UPLOAD_BYTES: usize = 2 * PART_BYTES;

/// Size of a part: the least that every store takes.
const PART_BYTES: usize = 5 * 1024 * 1024;

/// Encodes on a thread of its own and writes as the chunks come, until they end or the run is cancelled.
pub(super) async fn write_full(
    store: SharedStore,
    key: Key,
    cut: Arc<dyn Cut>,
    format: Format,
    run: &Run,
) -> DictResult<Stored> {
    let (sender, mut chunks) = mpsc::channel::<Vec<u8>>(CHUNKS_AHEAD);
    let encoder = tokio::task::spawn_blocking(move || {
        let mut emit = |chunk| match sender.blocking_send(chunk) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        };
        encode(&*cut, format, &mut emit)
    });
    let store: Arc<dyn StoreWrite> = store;
    let options = PutOptions::new(PutMode::Create).part_bytes(PART_BYTES);
    let mut writer = ObjectWriter::new(store, key, options, UploadBudget::new(UPLOAD_BYTES));
    let taken = run.or_cancelled(async {
        while let Some(chunk) = chunks.recv().await {
            writer.write(chunk.into()).await?;
        }
        Ok::<(), DictError>(())
    });
    let taken = taken.await;
    // Nobody takes what the encoder still has: it ends.
    drop(chunks);
    let encoded = match (taken, encoder.await) {
        (Err(error), _) => Err(error),
        (Ok(()), Ok(Ok(ControlFlow::Continue(())))) => Ok(()),
        (Ok(()), Ok(Ok(ControlFlow::Break(())))) => Err(DictError::Stopped),
        (Ok(()), Ok(Err(error))) => Err(error),
        (Ok(()), Err(error)) => Err(DictError::Panicked { what: error.to_string() }),
    };
    match encoded {
        Ok(()) => Ok(writer.finish().await?),
        Err(error) => {
            // The first error is the one to tell.
            drop(writer.abort().await);
            Err(error)
        }
    }
}

/// Encodes everything in this format.
pub(crate) fn encode(cut: &dyn Cut, format: Format, emit: &mut dyn FnMut(Vec<u8>) -> ControlFlow<()>) -> full::Encoded {
    match format {
        Format::Json => full::encode(cut, emit),
        Format::Pickle => pickle::encode(cut, emit),
    }
}
