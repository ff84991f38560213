//! Reads a view into the tarball and uploads it; it becomes visible only if it may be published.

use std::sync::Arc;
use std::time::Duration;

use backup_core::pipeline::{ObjectWriter, Stored, UploadBudget};
use backup_core::progress::Event;
use backup_core::source::{Fall, Size};
use backup_core::store::{PutMode, PutOptions, SharedStore, StoreWrite};
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::judge::{self, Evidence};
use super::place::Place;
use super::spool::Spool;
use crate::detail::FailedType;
use crate::encode::{Encoded, encode};
use crate::error::{ObjectError, ObjectResult};
use crate::gzip;
use crate::key::BackupKey;
use crate::options::BackupOptions;
use crate::run::{Cancelled, Run};
use crate::source::View;
use crate::type_key::TypeKey;

/// Blocks encoded ahead of the compressors: reading and compressing overlap, and memory stays bounded.
const BLOCKS_AHEAD: usize = 4;

/// Size of the parts of an upload. Ten thousand of them are 156 GiB of compressed records.
const PART_BYTES: usize = 16 * 1024 * 1024;

/// Upload buffers of a run: three parts on their way and one being filled.
const UPLOAD_BYTES: usize = 4 * PART_BYTES;

/// How long a write may still take when the run is cancelled. Dropped at once, an upload the store is just making would
/// have no name by which to give it up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Told when the spool is full.
const NO_ROOM: &str = "nobody can write to the source until the upload has caught up: there is no room left to keep what was read; \
                       set TMPDIR to a folder with more";

/// What is to be read, as planned.
pub(super) struct Reading {
    pub(super) view: Box<dyn View>,
    pub(super) types: Vec<TypeKey>,
    /// Types the source has that are left out on request.
    pub(super) left_out: Vec<String>,
}

/// What was read and stored.
pub(super) struct Read {
    pub(super) encoded: Encoded,
    /// Types the source has that were left out on request.
    pub(super) left_out: Vec<String>,
    pub(super) stored: Stored,
    pub(super) size: Size,
    /// By how much it holds less than the complete one before, if that is worth telling.
    pub(super) fall: Option<Fall>,
}

/// What the encoder found.
struct Found {
    encoded: Encoded,
    left_out: Vec<String>,
    form: &'static str,
}

/// Streams the tarball. It becomes visible only if there is something, and what was there before is still there.
pub(super) async fn write(
    store: &SharedStore,
    reading: Reading,
    options: &BackupOptions,
    place: &Place,
    key: &BackupKey,
    run: &Run,
) -> ObjectResult<Read> {
    let put = PutOptions::new(PutMode::Create).part_bytes(PART_BYTES);
    let writing: Arc<dyn StoreWrite> = store.clone();
    let mut writer =
        ObjectWriter::new(writing, key.object()?, put, UploadBudget::new(UPLOAD_BYTES)).with_parts_in_flight(3);
    let (sender, blocks) = mpsc::channel(BLOCKS_AHEAD);
    let spool = if reading.view.holds_writers() { Spool::on_disk() } else { Spool::in_memory() };
    let encoder = encoding(reading, options, sender, run);
    let uploaded = upload(blocks, &spool, &mut writer, run).await;
    let finished = match uploaded {
        Err(error) => Err(error),
        Ok(()) if run.cancel.is_cancelled() => Err(Cancelled.into()),
        // The blocks have ended, so that the encoder has too.
        Ok(()) => encoder
            .await
            .map_err(|error| ObjectError::panicked(&error))
            .flatten()
            .and_then(|found| judged(found, options, place, run)),
    };
    match finished {
        Ok((Found { encoded, left_out, .. }, size, fall)) => {
            run.step("app.finish", &key.to_string());
            Ok(Read { encoded, left_out, stored: writer.finish().await?, size, fall })
        }
        Err(error) => {
            // The first error is the one to tell.
            drop(writer.abort().await);
            Err(error)
        }
    }
}

/// Reads all that [`write()`] would store, stores nothing, and refuses what it would refuse. Returns the types that would be
/// left out.
pub(super) async fn rehearse(
    reading: Reading,
    options: &BackupOptions,
    place: &Place,
    run: &Run,
) -> ObjectResult<Vec<FailedType>> {
    let (sender, mut blocks) = mpsc::channel(BLOCKS_AHEAD);
    let encoder = encoding(reading, options, sender, run);
    while let Some(block) = blocks.recv().await {
        drop(block);
        run.stop_if_cancelled()?;
    }
    let found = encoder.await.map_err(|error| ObjectError::panicked(&error)).flatten()?;
    Ok(judged(found, options, place, run)?.0.encoded.failed)
}

/// Reads the view on a thread of its own.
fn encoding(
    reading: Reading,
    options: &BackupOptions,
    blocks: mpsc::Sender<Vec<u8>>,
    run: &Run,
) -> JoinHandle<ObjectResult<Found>> {
    let (options, run) = (options.clone(), run.clone());
    tokio::task::spawn_blocking(move || read(reading, &options, blocks, &run))
}

fn read(reading: Reading, options: &BackupOptions, blocks: mpsc::Sender<Vec<u8>>, run: &Run) -> ObjectResult<Found> {
    let Reading { mut view, types, left_out } = reading;
    if options.types.wanted().is_empty() {
        view.left_out()?.into_iter().for_each(|what| run.warn(what));
    }
    run.progress.event(Event::Total { bytes: 0, items: types.len() as u64 });
    let encoded = encode(&mut *view, &types, options.allow_partial, blocks, &*run.progress)?;
    Ok(Found { encoded, left_out, form: view.form() })
}

/// What was found, if it may be published, with its size and what it lost.
fn judged(
    found: Found,
    options: &BackupOptions,
    place: &Place,
    run: &Run,
) -> ObjectResult<(Found, Size, Option<Fall>)> {
    let (encoded, complete) = (&found.encoded, found.left_out.is_empty());
    judge::refuse_nothing(&Evidence::of(encoded, complete, found.form), place, options)?;
    let sum = |of: fn(&crate::detail::TypeDetail) -> u64| encoded.types.iter().map(of).sum();
    let size = Size { rows: sum(|detail| detail.records), bytes: sum(|detail| detail.bytes) };
    // What is not complete holds less for a reason.
    let fall = match complete && encoded.failed.is_empty() {
        true => judge::refuse_shrunk(size, place, options)?,
        false => None,
    };
    if let Some(fall) = &fall {
        let told = fall.describe("records");
        run.warn(format!("{told}; check that no records are missing before older backups are pruned"));
    }
    Ok((found, size, fall))
}

/// Compresses the blocks and writes them, until they end or the run is cancelled. They are compressed as fast as they are read,
/// as far as the spool has room, whatever the store takes.
async fn upload(
    blocks: mpsc::Receiver<Vec<u8>>,
    spool: &Spool,
    writer: &mut ObjectWriter,
    run: &Run,
) -> ObjectResult<()> {
    let filled = async {
        let mut members = Box::pin(gzip::members(blocks));
        while let Some(member) = members.next().await {
            let member = member.map_err(|error| ObjectError::source("compress", "the records", error))?;
            spool.push(member, || run.warn(NO_ROOM.to_owned())).await?;
        }
        spool.close();
        ObjectResult::Ok(())
    };
    let drained = async {
        while let Some(member) = spool.pop().await? {
            let patience = async {
                run.cancel.cancelled().await;
                tokio::time::sleep(PATIENCE).await;
            };
            tokio::select! {
                biased;
                written = writer.write(member.into()) => written?,
                () = patience => return Err(ObjectError::from(Cancelled)),
            }
            run.stop_if_cancelled()?;
        }
        Ok(())
    };
    let filled = async {
        tokio::select! {
            biased;
            () = run.cancel.cancelled() => Err(ObjectError::from(Cancelled)),
            () = spool.abandoned() => Err(ObjectError::Interrupted),
            filled = filled => filled,
        }
    };
    // Not dropped at the first error of the other: a write that is just made is given its time.
    let (filled, drained) = futures::join!(
        async {
            let filled = filled.await;
            if filled.is_err() {
                spool.close();
            }
            filled
        },
        async {
            let drained = drained.await;
            if drained.is_err() {
                spool.abandon();
            }
            drained
        }
    );
    // Whoever fills sees only that nobody takes any more.
    drained.and(filled)
}
