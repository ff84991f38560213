//! Loads one unit of rows: a ranged read straight from the store, hashed and unpacked off the socket task, one COPY.

use backup_core::progress::Event;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use tokio::sync::mpsc;

use crate::adapters::connection::{Server, Session};
use crate::adapters::sql::copy_in::CopyIn;
use crate::adapters::sql::{session_settings, transaction};
use crate::error::{PgError, PgResult};
use crate::restore::frames::unpack_to;
use crate::restore::loading::Load;
use crate::restore::units::LoadUnit;
use crate::stored::detail::{Frame, RowText, TableKind};

/// Pieces of unpacked rows waiting for the server, per worker: about a frame's worth.
const PIECES_AHEAD: usize = 4;

/// Rows are loaded frozen (PostgreSQL manual, COPY, FREEZE) into tables at least this large: it saves them a rewrite by
/// VACUUM, and needs a TRUNCATE that would cost thousands of tiny tables more than it gains.
const FREEZE_STORED_BYTES_MIN: u64 = 1024 * 1024;

/// Rows that the server refused, and may take another time.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) unit: LoadUnit,
    pub(super) error: PgError,
}

/// A session of the restore.
pub(crate) async fn connect(server: &Server, database: &str, text: RowText) -> PgResult<Session> {
    let session = server.connect(database).await?;
    session_settings::for_writing(&session, text).await?;
    Ok(session)
}

pub(super) async fn load_unit(load: &Load, session: &Session, unit: &LoadUnit) -> PgResult<u64> {
    let table = &load.tables[unit.table];
    let name = table.qualified_name();
    let doing = format!("loading the rows of `{}`", name.label());
    let frozen = unit.whole_table
        && table.kind == TableKind::Table
        && unit.stored_bytes() >= FREEZE_STORED_BYTES_MIN
        && !load.detours.contains_key(&unit.table);
    if frozen {
        transaction::begin_emptying(session, &name, &doing).await?;
    }
    let rows = copy_in(load, session, &load.copy_of(unit.table, frozen), &unit.frames, &doing).await?;
    if frozen {
        transaction::commit(session, &doing).await?;
    }
    load.check_count(unit, rows)?;
    Ok(rows)
}

/// Sends frames through one `COPY … FROM STDIN`; returns the rows the server counted.
pub(crate) async fn copy_in(
    load: &Load,
    session: &Session,
    copy: &CopyIn,
    frames: &[Frame],
    doing: &str,
) -> PgResult<u64> {
    let mut taken = copy.begin(session, doing).await?;
    let (sender, mut content) = mpsc::channel(PIECES_AHEAD);
    let read = async move {
        read_frames(load, frames, &sender).await?;
        Ok::<(), PgError>(())
    };
    let send = async {
        while let Some(rows) = content.recv().await {
            let bytes = Bytes::len(&rows) as u64;
            taken.send(rows).await?;
            load.run.progress.event(Event::Advance { bytes, items: 0 });
        }
        Ok(())
    };
    tokio::try_join!(read, send)?;
    taken.finish().await
}

/// Reads neighbouring frames by one ranged request; each is hashed before it is unpacked. Whether its content is what it should
/// be shows at its end: what was sent of it until then goes with the COPY.
async fn read_frames(load: &Load, frames: &[Frame], sender: &mpsc::Sender<Bytes>) -> PgResult<()> {
    let (Some(first), Some(last)) = (frames.first(), frames.last()) else { return Ok(()) };
    let damaged = |what: String| load.damaged(what);
    let part = load.part(first.part)?;
    let mut body = load.store.get(&part.key, Some(first.offset..last.offset + last.length)).await?;
    let mut waiting = BytesMut::new();
    for frame in frames {
        let length = usize::try_from(frame.length).unwrap_or(usize::MAX);
        while waiting.len() < length {
            match body.try_next().await? {
                Some(more) => waiting.extend_from_slice(&more),
                None => return Err(damaged(format!("`{}` ended early at offset {}", part.key, frame.offset))),
            }
        }
        let stored = waiting.split_to(length).freeze();
        let hash = unpack_to(stored, frame.clone(), sender.clone())
            .await
            .map_err(|what| damaged(format!("`{}` at offset {}: {what}", part.key, frame.offset)))?;
        // Without one the sending side failed and says so itself.
        let Some(hash) = hash else { return Ok(()) };
        load.hashes.note(frame, hash);
    }
    Ok(())
}
