//! Writes backups: the file first, its manifest last.

use std::ops::ControlFlow;
use std::sync::Arc;

use backup_core::catalogue;
use backup_core::clock::Clock;
use backup_core::clock::Timestamp;
use backup_core::digest::Sha256Digest;
use backup_core::key::Key;
use backup_core::manifest::Uuid;
use backup_core::manifest::{Codec, FORMAT, Kind, Manifest, Outcome, Part, Tool};
use backup_core::pipeline::{ObjectWriter, Stored, UploadBudget};
use backup_core::probe;
use backup_core::progress::SharedProgress;
use backup_core::store::Bytes;
use backup_core::store::{PutMode, PutOptions, SharedStore, StoreWrite};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::error::{DictError, DictResult};
use crate::folder::{self, DictManifest, Entry, State};
use crate::format::{
    BackupKind, BackupName, DictDetail, Format, MANIFEST_FOLDER, TableDetail, delta, detail_of_ddl, full, pickle,
};
use crate::source::{Changes, Cut};

/// Chunks encoded ahead of what is written: encoding and writing overlap, and memory stays bounded.
const CHUNKS_AHEAD: usize = 2;

/// Parts of a full backup on their way at once: little beside the store itself, and enough for a disk.
const UPLOAD_BYTES: usize = 2 * PART_BYTES;

/// Size of a part: the least that every store takes.
const PART_BYTES: usize = 5 * 1024 * 1024;

/// A delta of up to so many bytes is in its manifest too. A manifest stays small enough to be listed by the hundred.
const CONTENT_BYTES_MAX: usize = 64 * 1024;

/// Role of the one file of a backup.
const ROLE_DATA: &str = "data";

/// What a backup wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Written {
    /// The file.
    pub file: String,
    /// Full or delta.
    pub kind: BackupKind,
    /// Identity of the backup.
    pub id: Uuid,
    /// Position among the backups.
    pub sequence: u64,
    /// Size of the file.
    pub bytes: u64,
    /// Records written, and keys deleted.
    pub records: u64,
    /// Deltas since the full backup.
    pub deltas: u64,
}

/// The newest backup, on which the next builds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) id: Uuid,
    full: Uuid,
    pub(crate) deltas: u64,
}

/// Writes the backups of one location, in order.
#[derive(Debug)]
pub(crate) struct BackupWriter {
    store: SharedStore,
    /// Name of what is backed up, in manifests.
    source: String,
    clock: Arc<dyn Clock>,
    progress: SharedProgress,
    sequence: u64,
    /// Highest time in a name.
    micros: i64,
    pub(crate) head: Option<Head>,
}

impl BackupWriter {
    /// Looks at what is there and goes on after it.
    ///
    /// # Errors
    /// What the store says; [`backup_core::StoreError::NotInitialized`] if nobody made it a location.
    pub(crate) async fn open(
        store: SharedStore,
        source: String,
        clock: Arc<dyn Clock>,
        progress: SharedProgress,
    ) -> DictResult<Self> {
        probe::require(&*store).await?;
        let entries = folder::list(&*store).await?;
        mend(&*store, &entries).await?;
        let micros = entries.iter().map(|entry| entry.name.micros).max().unwrap_or(0);
        let sequence = entries.iter().filter_map(folder::Entry::sequence).max().unwrap_or(0);
        let newest = entries.iter().rev().find(|entry| entry.manifest.is_some());
        let head = newest
            .filter(|entry| entry.state == State::Good)
            .and_then(|entry| entry.manifest.as_ref())
            .map(|manifest| Head { id: manifest.id, full: manifest.detail.full, deltas: manifest.detail.deltas });
        Ok(Self { store, source, clock, progress, sequence, micros, head })
    }

    /// The location.
    pub(crate) fn store(&self) -> &SharedStore {
        &self.store
    }

    /// Writes everything.
    ///
    /// # Errors
    /// [`DictError::Encode`]; what the store says. Then nothing was published.
    pub(crate) async fn full(&mut self, cut: Arc<dyn Cut>, format: Format) -> DictResult<Written> {
        let started = self.clock.now();
        let name = self.name(BackupKind::Full, format, started);
        self.progress.step("dict.full", &name.to_string());
        let stored = write_full(self.store.clone(), name.key()?, Arc::clone(&cut), format).await?;
        let id = Uuid::now_v7();
        let tables: Vec<TableDetail> = cut.tables().iter().map(TableDetail::of).collect();
        let records = tables.iter().map(|table| table.records).sum();
        let detail = DictDetail {
            backup: BackupKind::Full,
            format,
            full: id,
            deltas: 0,
            tables,
            ddl: Vec::new(),
            content: None,
        };
        self.publish(name, id, None, started, stored, detail, records).await
    }

    /// Writes what changed since the backup before.
    ///
    /// # Errors
    /// As [`BackupWriter::full`]; [`DictError::Usage`] if there is none to build on.
    pub(crate) async fn delta(&mut self, changes: &Changes) -> DictResult<Written> {
        let Some(head) = self.head else {
            return Err(DictError::Usage { what: "a delta needs a full backup before it".to_owned() });
        };
        let started = self.clock.now();
        let name = self.name(BackupKind::Delta, Format::Json, started);
        self.progress.step("dict.delta", &name.to_string());
        let body = Bytes::from(delta::encode(changes, name.micros)?);
        let stored = Stored { sha256: Sha256Digest::of(&body), bytes: body.len() as u64 };
        let content = content_of(&body);
        // Where the manifest has the content, the file beside it is for DictDB, and its durability is the manifest's.
        let options = PutOptions { volatile: content.is_some(), ..PutOptions::new(PutMode::Create) };
        self.store.put(&name.key()?, body, &options).await?;
        let tables = changes.tables.iter().map(|table| TableDetail {
            name: table.name.clone(),
            next_key: table.next_key.to_string(),
            records: table.upserts.len() as u64,
            deletes: table.deletes.len() as u64,
        });
        let detail = DictDetail {
            backup: BackupKind::Delta,
            format: Format::Json,
            full: head.full,
            deltas: head.deltas + 1,
            tables: tables.collect(),
            ddl: changes.ddl.iter().map(detail_of_ddl).collect(),
            content,
        };
        self.publish(name, Uuid::now_v7(), Some(head.id), started, stored, detail, changes.records()).await
    }

    /// A name after all others, even if the clock stepped back or stands still.
    fn name(&mut self, kind: BackupKind, format: Format, now: Timestamp) -> BackupName {
        self.micros = now.as_microsecond().max(self.micros.saturating_add(1));
        BackupName { kind, micros: self.micros, format }
    }

    #[expect(clippy::too_many_arguments, reason = "the facts of one manifest, each named where it is given")]
    async fn publish(
        &mut self,
        name: BackupName,
        id: Uuid,
        parent: Option<Uuid>,
        started_at: Timestamp,
        stored: Stored,
        detail: DictDetail,
        records: u64,
    ) -> DictResult<Written> {
        let manifest: DictManifest = Manifest {
            format: FORMAT,
            id,
            kind: Kind::Dict,
            source: self.source.clone(),
            identity: None,
            config: "default".to_owned(),
            created_at: started_at,
            started_at,
            tool: Tool::current(),
            parent,
            sequence: self.sequence + 1,
            outcome: Outcome::Good,
            complete: Some(true),
            parts: vec![part(name.key()?, stored)],
            counts: [("tables".to_owned(), detail.tables.len() as u64), ("records".to_owned(), records)].into(),
            tags: Vec::new(),
            encryption: None,
            detail,
            unknown: serde_json::Map::new(),
        };
        let written = Written {
            file: name.to_string(),
            kind: name.kind,
            id,
            sequence: manifest.sequence,
            bytes: stored.bytes,
            records,
            deltas: manifest.detail.deltas,
        };
        let head = Head { id, full: manifest.detail.full, deltas: manifest.detail.deltas };
        self.progress.step("dict.publish", &written.file);
        self.put_manifest(name, manifest).await?;
        self.sequence += 1;
        self.head = Some(head);
        Ok(written)
    }

    async fn put_manifest(&self, name: BackupName, manifest: DictManifest) -> DictResult<()> {
        let detail = serde_json::to_value(&manifest.detail).map_err(|error| DictError::Damaged {
            file: name.to_string(),
            what: format!("its manifest cannot be written: {error}"),
        })?;
        let manifest = manifest.with_detail(detail);
        let key = name.manifest_key()?;
        if name.kind == BackupKind::Full {
            let pointer = Key::new(format!("{MANIFEST_FOLDER}latest.json"))?;
            catalogue::publish(&*self.store, &key, &manifest, &pointer).await?;
            return Ok(());
        }
        // The pointer is only a hint for stores whose listings lag: a delta is not worth a third durable write.
        self.store.put(&key, manifest.to_bytes()?, &PutOptions::new(PutMode::Create)).await?;
        Ok(())
    }
}

/// What of a delta's file its manifest holds.
fn content_of(body: &Bytes) -> Option<String> {
    (body.len() <= CONTENT_BYTES_MAX).then(|| String::from_utf8(body.to_vec()).ok()).flatten()
}

/// Writes the files again that a power failure took and whose manifests hold them, so that DictDB finds them too.
async fn mend(store: &dyn StoreWrite, entries: &[Entry]) -> DictResult<()> {
    for entry in entries {
        let Some(content) = entry.content() else { continue };
        if entry.bytes != content.len() as u64 {
            match store.put(&entry.name.key()?, content, &PutOptions::new(PutMode::Replace)).await {
                // Somebody put a link there: ours is in the manifest, and theirs is left alone.
                Err(error) if error.is_not_an_object() => {}
                put => put?,
            }
        }
    }
    Ok(())
}

fn part(key: Key, stored: Stored) -> Part {
    Part {
        key,
        role: ROLE_DATA.to_owned(),
        content_sha256: Some(stored.sha256),
        content_bytes: stored.bytes,
        stored_sha256: stored.sha256,
        stored_bytes: stored.bytes,
        codec: Codec::None,
        offset: None,
        length: None,
    }
}

/// Encodes on a thread of its own and writes as the chunks come.
async fn write_full(store: SharedStore, key: Key, cut: Arc<dyn Cut>, format: Format) -> DictResult<Stored> {
    let (sender, mut chunks) = mpsc::channel::<Vec<u8>>(CHUNKS_AHEAD);
    let encoder = tokio::task::spawn_blocking(move || {
        let mut emit = |chunk| match sender.blocking_send(chunk) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        };
        encode(&*cut, format, &mut emit)
    });
    let store: Arc<dyn StoreWrite> = store;
    let options = PutOptions { part_bytes: PART_BYTES, ..PutOptions::new(PutMode::Create) };
    let mut writer = ObjectWriter::new(store, key, options, UploadBudget::new(UPLOAD_BYTES));
    while let Some(chunk) = chunks.recv().await {
        writer.write(chunk.into()).await?;
    }
    match encoder.await {
        Ok(Ok(ControlFlow::Continue(()))) => Ok(writer.finish().await?),
        Ok(Ok(ControlFlow::Break(()))) => Err(DictError::Stopped),
        Ok(Err(error)) => {
            // The first error is the one to tell.
            drop(writer.abort().await);
            Err(error)
        }
        Err(error) => {
            drop(writer.abort().await);
            Err(DictError::Panicked { what: error.to_string() })
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
