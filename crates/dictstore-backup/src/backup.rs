//! Writes backups: the file first, its manifest last.

mod past;

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use backup_core::catalogue;
use backup_core::clock::Timestamp;
use backup_core::digest::Sha256Digest;
use backup_core::key::Key;
use backup_core::manifest::Uuid;
use backup_core::manifest::{Codec, FORMAT, Kind, Manifest, Outcome, Part, Tool};
use backup_core::pipeline::{ObjectWriter, Stored, UploadBudget};
use backup_core::probe;
use backup_core::run::Run;
use backup_core::source::{Fall, Identity};
use backup_core::store::Bytes;
use backup_core::store::{PutMode, PutOptions, SharedStore, StoreDelete, StoreWrite};
use backup_core::{CoreError, StoreError};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::entry::{DictManifest, Entry};
use crate::error::{DictError, DictResult};
use crate::folder;
use crate::format::{
    BackupKind, BackupName, DictDetail, Format, MANIFEST_FOLDER, TableDetail, delta, detail_of_ddl, full, pickle,
};
use crate::origin;
use crate::source::{Changes, Cut};
use crate::unclear::unclear_error;

use self::past::Held;
pub(crate) use self::past::{Head, Owner, Past};

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
    /// Which store it is of; absent if it was made of backups that do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Identity>,
    /// Records of the store.
    pub store_records: u64,
    /// By how much it holds less than the one it follows, if that is worth telling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fall: Option<Fall>,
}

/// Writes the backups of one store in one location, in order.
#[derive(Debug)]
pub(crate) struct BackupWriter {
    store: SharedStore,
    /// What the service calls its store.
    name: String,
    /// Which store it is.
    identity: Option<Identity>,
    run: Run,
    sequence: u64,
    /// Highest time in a name.
    micros: i64,
    past: Past,
    /// Backups of ours of which nobody knows whether they were published.
    uncertain: HashSet<Uuid>,
}

impl BackupWriter {
    /// Looks at what is there and goes on after it.
    ///
    /// # Errors
    /// What the store says; [`backup_core::StoreError::NotInitialized`] if nobody made it a location;
    /// [`DictError::Source`] if it cannot be told whose place `owner` takes.
    pub(crate) async fn open(store: SharedStore, name: String, owner: &Owner, run: Run) -> DictResult<Self> {
        probe::require(&*store).await?;
        let entries = run.or_cancelled(folder::list(&*store)).await?;
        mend(&*store, &entries, &run).await?;
        let micros = entries.iter().map(|entry| entry.name.micros).max().unwrap_or(0);
        let sequence = entries.iter().filter_map(Entry::sequence).max().unwrap_or(0);
        let identity = owner.identity(&entries).map_err(|unclear| unclear_error(&*store, unclear, None))?;
        let past = Past::of(&entries, identity.as_ref());
        let uncertain = HashSet::new();
        Ok(Self { store, name, identity, run, sequence, micros, past, uncertain })
    }

    /// The newest backup, on which the next builds.
    pub(crate) fn head(&self) -> Option<Head> {
        self.past.head
    }

    /// Builds on nothing that is there.
    pub(crate) fn forget_head(&mut self) {
        self.past.head = None;
    }

    /// What is known of earlier backups.
    pub(crate) fn past(&self) -> &Past {
        &self.past
    }

    /// Which store it is.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// The location.
    pub(crate) fn store(&self) -> &SharedStore {
        &self.store
    }

    /// Writes everything.
    ///
    /// # Errors
    /// [`DictError::Encode`]; [`DictError::Interrupted`]; what the store says. Then nothing was published.
    pub(crate) async fn full(&mut self, cut: Arc<dyn Cut>, format: Format) -> DictResult<Written> {
        self.look_around().await?;
        self.run.stop_if_cancelled()?;
        let started = self.run.clock.now();
        let name = self.file(BackupKind::Full, format, started);
        self.run.step("dict.full", &name.to_string());
        let stored = write_full(self.store.clone(), name.key()?, Arc::clone(&cut), format, &self.run).await?;
        let id = Uuid::now_v7();
        let tables: Vec<TableDetail> = cut.tables().iter().map(TableDetail::of).collect();
        let records = records_of(&*cut);
        let detail = DictDetail {
            backup: BackupKind::Full,
            format,
            full: id,
            deltas: 0,
            tables,
            ddl: Vec::new(),
            store_records: Some(records),
            content: None,
        };
        self.publish(name, id, None, started, stored, detail, records).await
    }

    /// Writes what changed since the backup before, after which the store has so many records.
    ///
    /// # Errors
    /// As [`BackupWriter::full`]; [`DictError::Usage`] if there is none to build on.
    pub(crate) async fn delta(&mut self, changes: &Changes, store_records: u64) -> DictResult<Written> {
        let Some(head) = self.past.head else {
            return Err(DictError::Usage { what: "a delta needs a full backup before it".to_owned() });
        };
        let started = self.run.clock.now();
        let name = self.file(BackupKind::Delta, Format::Json, started);
        self.run.step("dict.delta", &name.to_string());
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
            store_records: Some(store_records),
            content,
        };
        self.publish(name, Uuid::now_v7(), Some(head.id), started, stored, detail, changes.records()).await
    }

    /// A name after all others, even if the clock stepped back or stands still.
    fn file(&mut self, kind: BackupKind, format: Format, now: Timestamp) -> BackupName {
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
            source: self.name.clone(),
            identity: self.identity.clone(),
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
        let held = Held {
            file: name.to_string(),
            records: manifest.detail.store_records().unwrap_or(records),
            full: (name.kind == BackupKind::Full).then_some((stored.bytes, name.format)),
        };
        let fall = self.past.fall(&held);
        let written = Written {
            file: name.to_string(),
            kind: name.kind,
            id,
            sequence: manifest.sequence,
            bytes: stored.bytes,
            records,
            deltas: manifest.detail.deltas,
            source: manifest.identity.clone(),
            store_records: held.records,
            fall,
        };
        let head = Head { id, full: manifest.detail.full, deltas: manifest.detail.deltas };
        self.run.step("dict.publish", &written.file);
        if let Err(cancelled) = self.run.stop_if_cancelled() {
            self.give_up(&name).await?;
            return Err(cancelled.into());
        }
        self.uncertain.insert(id);
        self.put_manifest(name, manifest).await?;
        self.uncertain.remove(&id);
        self.sequence += 1;
        self.past.add(head, held);
        if let Some(fall) = &written.fall {
            let told = fall.told_in("records");
            self.run.warn(format!("{told}; check that no records are missing before older backups are deleted"));
        }
        Ok(written)
    }

    /// Removes the file of a backup that will not be published. Best effort: without a manifest it is no backup, and
    /// pruning clears it away.
    async fn give_up(&self, name: &BackupName) -> DictResult<()> {
        let store: &dyn StoreDelete = &*self.store;
        drop(store.delete(&[name.key()?]).await);
        Ok(())
    }

    /// Looks whether others wrote here since we looked last. Once in our name is a hand-over: a new process was started before
    /// the old one had stopped. Twice is two services, and from then on this one's backups are a source of their own.
    async fn look_around(&mut self) -> DictResult<()> {
        let children = self.store.list_children(MANIFEST_FOLDER).await?;
        let names = children.iter().filter_map(|child| BackupName::parse(child.strip_suffix(".manifest.json")?));
        let names: Vec<String> = names.map(|name| name.to_string()).collect();
        let unknown: Vec<String> = self.past.unknown(&names).into_iter().cloned().collect();
        let mut rival = None;
        for file in &unknown {
            let key = Key::new(format!("{MANIFEST_FOLDER}{file}.manifest.json"))?;
            let manifest = match catalogue::read(&*self.store, &key).await {
                Ok(manifest) => manifest,
                Err(CoreError::Store(StoreError::NotFound { .. }) | CoreError::Format(_)) => continue,
                Err(error) => return Err(error.into()),
            };
            self.sequence = self.sequence.max(manifest.sequence);
            let id = |identity: Option<&Identity>| identity.map(|identity| identity.id.clone());
            if id(manifest.identity.as_ref()) == id(self.identity()) && !self.uncertain.contains(&manifest.id) {
                rival =
                    Some(format!("`{file}` was written by {} as a backup of this same store", manifest.tool.writer));
            }
        }
        self.past.see(unknown);
        let Some(rival) = rival else { return Ok(()) };
        if self.past.rival {
            self.identity = Some(origin::new_identity());
            self.past.leave();
            self.run.warn(format!(
                "{rival}, again: two services write backups of the same store. From now on this one's backups belong to a \
                 new store; give it a location of its own"
            ));
        } else {
            self.past.rival = true;
            self.run.warn(format!("{rival}; what only that backup contains will be missing from the next one"));
        }
        Ok(())
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

/// Records of the store at that moment.
pub(crate) fn records_of(cut: &dyn Cut) -> u64 {
    cut.tables().iter().map(|table| table.records).sum()
}

/// What of a delta's file its manifest holds.
fn content_of(body: &Bytes) -> Option<String> {
    (body.len() <= CONTENT_BYTES_MAX).then(|| String::from_utf8(body.to_vec()).ok()).flatten()
}

/// Writes the files again that a power failure took and whose manifests hold them, so that DictDB finds them too.
async fn mend(store: &dyn StoreWrite, entries: &[Entry], run: &Run) -> DictResult<()> {
    for entry in entries {
        run.stop_if_cancelled()?;
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

/// Encodes on a thread of its own and writes as the chunks come, until they end or the run is cancelled.
async fn write_full(store: SharedStore, key: Key, cut: Arc<dyn Cut>, format: Format, run: &Run) -> DictResult<Stored> {
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
