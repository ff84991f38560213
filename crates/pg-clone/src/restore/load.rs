//! Loads table rows: ranged reads straight from the store, hashed and unpacked off the socket task, one COPY a unit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;

use backup_core::progress::Event;
use backup_core::store::StoreRead;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::adapters::connection::{Server, Session};
use crate::adapters::sql::copy_in::CopyIn;
use crate::adapters::sql::{session_settings, transaction};
use crate::error::{PgError, PgResult};
use crate::restore::frames::unpack;
use crate::restore::load_small::{load_together, load_together_within};
use crate::restore::loading::{Load, TakenRows};
use crate::restore::units::{LoadBatch, LoadUnit, load_batches, load_units};
use crate::stored::detail::{Frame, RowText, TableKind};

/// Unpacked frames waiting for the server, per worker: one being sent, one ready.
const FRAMES_AHEAD: usize = 1;

/// Rows are loaded frozen (PostgreSQL manual, COPY, FREEZE) into tables at least this large: it saves them a rewrite by
/// VACUUM, and needs a TRUNCATE that would cost thousands of tiny tables more than it gains.
const FREEZE_STORED_BYTES_MIN: u64 = 1024 * 1024;

/// Loads all tables with `jobs` workers and returns the rows the server took, by table.
pub(crate) async fn load(load: Arc<Load>, jobs: usize) -> PgResult<BTreeMap<usize, u64>> {
    let all = load.tables.iter().enumerate();
    let (configuration, tables): (Vec<_>, Vec<_>) =
        all.partition(|(_, table)| table.kind == TableKind::ExtensionConfig);
    let configuration: Vec<usize> = configuration.into_iter().map(|(at, _)| at).collect();
    let units = load_batches(tables.into_iter().map(|(at, table)| (at, &table.data)));
    let workers_max = jobs.min(units.len());
    let units = Arc::new(Mutex::new(units));
    let mut workers = JoinSet::new();
    for _ in 0..workers_max {
        workers.spawn(work(Arc::clone(&load), Arc::clone(&units)).in_current_span());
    }
    let mut loaded = BTreeMap::new();
    let gathered = async {
        while let Some(result) = workers.join_next().await {
            let rows =
                result.map_err(|error| PgError::died("a worker", &error, "the live database was not touched"))??;
            for TakenRows { table, rows } in rows {
                *loaded.entry(table).or_default() += rows;
            }
        }
        Ok(())
    };
    let gathered: PgResult<()> = load.run.or_cancelled(gathered).await;
    workers.shutdown().await;
    gathered?;
    if !configuration.is_empty() {
        loaded.extend(load.run.or_cancelled(load_configuration(&load, configuration)).await?);
    }
    Ok(loaded)
}

/// Loads configuration tables of extensions. `CREATE EXTENSION` has made their foreign keys already, so that a table must
/// come after those it refers to: one that finds a key missing waits for the others.
async fn load_configuration(load: &Load, mut waiting: Vec<usize>) -> PgResult<BTreeMap<usize, u64>> {
    /// SQLSTATE of `foreign_key_violation`.
    const KEY_MISSING: &str = "23503";
    let session = connect(&load.server, &load.database, load.text).await?;
    let doing = "loading an extension's configuration tables";
    let mut loaded = BTreeMap::new();
    while !waiting.is_empty() {
        let before = waiting.len();
        let mut refused = None;
        for table in std::mem::take(&mut waiting) {
            transaction::begin(&session, doing).await?;
            match load_whole(load, &session, table).await {
                Ok(rows) => {
                    transaction::commit(&session, doing).await?;
                    loaded.insert(table, rows);
                }
                Err(error) if error.sqlstate() == Some(KEY_MISSING) => {
                    transaction::roll_back(&session, doing).await?;
                    waiting.push(table);
                    refused = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        // Nobody could be loaded: waiting on would be for ever.
        if let (Some(error), true) = (refused, waiting.len() == before) {
            return Err(error);
        }
    }
    Ok(loaded)
}

async fn load_whole(load: &Load, session: &Session, table: usize) -> PgResult<u64> {
    let mut rows = 0;
    for mut unit in load_units(table, &load.tables[table].data) {
        // No TRUNCATE before these: the extension has rows of its own in there.
        unit.whole_table = false;
        rows += load_unit(load, session, &unit).await?;
    }
    Ok(rows)
}

/// Loads all tables one after the other within the session's transaction, and removes nothing; returns the rows the server
/// took, by table.
pub(crate) async fn load_within(load: &Load, session: &Session) -> PgResult<BTreeMap<usize, u64>> {
    let mut batches = load_batches(load.tables.iter().enumerate().map(|(at, table)| (at, &table.data)));
    let mut loaded = BTreeMap::new();
    while let Some(mut batch) = batches.pop() {
        let rows = match batch.units.as_mut_slice() {
            [unit] => {
                // Rows loaded frozen would be seen by those whose snapshot is older than they are.
                unit.whole_table = false;
                vec![TakenRows { table: unit.table, rows: load_unit(load, session, unit).await? }]
            }
            _ => load_together_within(load, session, &batch).await?,
        };
        for TakenRows { table, rows } in rows {
            *loaded.entry(table).or_default() += rows;
        }
    }
    Ok(loaded)
}

async fn work(load: Arc<Load>, batches: Arc<Mutex<Vec<LoadBatch>>>) -> PgResult<Vec<TakenRows>> {
    let session = connect(&load.server, &load.database, load.text).await?;
    let mut loaded = Vec::new();
    loop {
        let batch = batches.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
        let Some(batch) = batch else { return Ok(loaded) };
        match batch.units.as_slice() {
            [unit] => {
                let rows = load_unit(&load, &session, unit).await?;
                loaded.push(TakenRows { table: unit.table, rows });
            }
            _ => loaded.extend(load_together(&load, &session, &batch).await?),
        }
    }
}

/// A session of the restore.
pub(crate) async fn connect(server: &Server, database: &str, text: RowText) -> PgResult<Session> {
    let session = server.connect(database).await?;
    session_settings::for_writing(&session, text).await?;
    Ok(session)
}

async fn load_unit(load: &Load, session: &Session, unit: &LoadUnit) -> PgResult<u64> {
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
    let (sender, mut content) = mpsc::channel(FRAMES_AHEAD);
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

/// Reads neighbouring frames by one ranged request; each is hashed before it is unpacked.
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
        let rows = unpack(stored, frame.clone())
            .await
            .map_err(|what| damaged(format!("`{}` at offset {}: {what}", part.key, frame.offset)))?;
        if sender.send(rows).await.is_err() {
            return Ok(()); // the sending side failed and says so itself
        }
    }
    Ok(())
}
