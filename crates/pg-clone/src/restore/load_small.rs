//! Loads small tables together: one request of the store, one transaction and few round trips for hundreds of them.

use backup_core::progress::Event;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};

use crate::adapters::connection::Session;
use crate::adapters::sql::copy_in::{CopyIn, Prepared};
use crate::adapters::sql::transaction;
use crate::error::{PgError, PgResult};
use crate::restore::frames::{Unpacked, unpack_now};
use crate::restore::loading::{Load, TakenRows};
use crate::restore::units::{LoadBatch, LoadUnit};
use crate::stored::detail::Frame;
use crate::stored::frames::Frames;

/// COPYs sent before an earlier one is known to have ended well. More would gain nothing: the server has enough to do.
const COPIES_AHEAD: usize = 8;

/// Loads a batch in one transaction; returns the rows the server took, by table.
pub(crate) async fn load_together(load: &Load, session: &Session, batch: &LoadBatch) -> PgResult<Vec<TakenRows>> {
    let contents = read(load, batch).await?;
    let doing = "loading small tables";
    transaction::begin(session, doing).await?;
    let loaded = copy_all(load, session, batch, contents).await?;
    transaction::commit(session, doing).await?;
    Ok(loaded)
}

/// Loads a batch within the session's transaction; returns the rows the server took, by table.
pub(crate) async fn load_together_within(
    load: &Load,
    session: &Session,
    batch: &LoadBatch,
) -> PgResult<Vec<TakenRows>> {
    let contents = read(load, batch).await?;
    copy_all(load, session, batch, contents).await
}

async fn copy_all(load: &Load, session: &Session, batch: &LoadBatch, contents: Vec<Bytes>) -> PgResult<Vec<TakenRows>> {
    let copies: Vec<CopyIn> = batch.units.iter().map(|unit| load.copy_of(unit.table, false)).collect();
    // The first error counts.
    let prepared: Vec<Prepared> = CopyIn::prepare_all(session, &copies)
        .await
        .into_iter()
        .zip(&batch.units)
        .map(|(prepared, unit)| prepared.map_err(|error| PgError::sql(doing(load, unit), error)))
        .collect::<PgResult<_>>()?;
    // A loop and not a closure: the compiler cannot tell that such a closure's future may go to another thread.
    let mut copies = Vec::with_capacity(batch.units.len());
    for ((prepared, unit), rows) in prepared.iter().zip(&batch.units).zip(contents) {
        copies.push(copy(load, session, prepared, unit, rows));
    }
    stream::iter(copies).buffered(COPIES_AHEAD).try_collect().await
}

fn doing(load: &Load, unit: &LoadUnit) -> String {
    let table = &load.tables[unit.table];
    format!("loading the rows of `{}.{}`", table.schema, table.name)
}

async fn copy(
    load: &Load,
    session: &Session,
    prepared: &Prepared,
    unit: &LoadUnit,
    rows: Bytes,
) -> PgResult<TakenRows> {
    let bytes = rows.len() as u64;
    let mut begun = prepared.begin(session, doing(load, unit)).await?;
    begun.send(rows).await?;
    let taken = begun.finish().await?;
    load.check_count(unit, taken)?;
    load.run.progress.event(Event::Advance { bytes, items: 0 });
    Ok(TakenRows { table: unit.table, rows: taken })
}

/// The rows of each unit, read by one ranged request; each frame is hashed before it is unpacked.
async fn read(load: &Load, batch: &LoadBatch) -> PgResult<Vec<Bytes>> {
    let Some((part, range)) = batch.range() else { return Ok(Vec::new()) };
    let key = &load.part(part)?.key;
    let mut body = load.store.get(key, Some(range.clone())).await?;
    let mut stored = BytesMut::new();
    while let Some(more) = body.try_next().await? {
        stored.extend_from_slice(&more);
    }
    let stored = stored.freeze();
    let frames: Vec<Frames> = batch.units.iter().map(|unit| unit.frames.clone()).collect();
    let unpacked = tokio::task::spawn_blocking(move || {
        let unit = |frames: &Frames| frames.iter().map(|frame| frame_of(&stored, range.start, frame)).collect();
        frames.iter().map(unit).collect::<Result<Vec<Vec<Unpacked>>, String>>()
    });
    let unpacked = unpacked
        .await
        .map_err(|error| PgError::died("unpacking frames", &error, "the live database was not touched"))?;
    let unpacked = unpacked.map_err(|what| load.damaged(format!("`{key}` {what}")))?;
    let mut contents = Vec::with_capacity(unpacked.len());
    for (unit, unpacked) in batch.units.iter().zip(unpacked) {
        for (frame, content) in unit.frames.iter().zip(&unpacked) {
            load.hashes.note(frame, content.hash);
        }
        contents.push(joined(unpacked));
    }
    Ok(contents)
}

fn frame_of(stored: &Bytes, start: u64, frame: &Frame) -> Result<Unpacked, String> {
    let at = |offset: u64| offset.checked_sub(start).and_then(|offset| usize::try_from(offset).ok());
    let range = at(frame.offset).zip(at(frame.offset.saturating_add(frame.length)));
    let (from, to) =
        range.filter(|(_, to)| *to <= stored.len()).ok_or_else(|| format!("ended early at offset {}", frame.offset))?;
    unpack_now(&stored.slice(from..to), frame).map_err(|what| format!("at offset {}: {what}", frame.offset))
}

/// Mostly one frame, which is then not copied.
fn joined(mut frames: Vec<Unpacked>) -> Bytes {
    match frames.as_mut_slice() {
        [only] => std::mem::take(&mut only.rows),
        _ => frames.iter().map(|frame| frame.rows.as_ref()).collect::<Vec<_>>().concat().into(),
    }
}
