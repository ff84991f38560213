//! Writes backups: the file first, its manifest last.

#[cfg(test)]
mod beside_prune;
mod past;
mod write;

use std::collections::HashSet;
use std::sync::Arc;

use backup_core::catalogue::{self, UNREADABLE_GAP};
use backup_core::clock::Timestamp;
use backup_core::digest::Sha256Digest;
use backup_core::key::Key;
use backup_core::manifest::Uuid;
use backup_core::manifest::{Kind, Manifest};
use backup_core::pipeline::Stored;
use backup_core::probe;
use backup_core::prune;
use backup_core::run::Run;
use backup_core::source::{Fall, Identity};
use backup_core::store::Bytes;
use backup_core::store::{PutMode, PutOptions, SharedStore, StoreDelete, StoreWrite};
use backup_core::{CoreError, StoreError};
use serde::Serialize;

use crate::detail::{BackupKind, DictDetail, TableDetail, detail_of_ddl};
use crate::entry::{DictManifest, Entry, State};
use crate::error::{DictError, DictResult};
use crate::format::{Format, delta};
use crate::key::{BackupName, MANIFEST_FOLDER};
use crate::list;
use crate::origin;
use crate::source::{Changes, Cut};
use crate::unclear::unclear_error;

use self::past::Held;
pub(crate) use self::past::{Head, Owner, Past};
pub(crate) use self::write::encode;
use self::write::write_full;

/// A delta of up to so many bytes is in its manifest too. A manifest stays small enough to be listed by the hundred.
const CONTENT_BYTES_MAX: usize = 64 * 1024;

/// Role of the one file of a backup.
const ROLE_DATA: &str = "data";

/// What a backup wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
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

/// A backup whose file is stored and that has no manifest yet.
struct Fresh {
    name: BackupName,
    id: Uuid,
    /// The backup it builds on.
    parent: Option<Uuid>,
    started_at: Timestamp,
    stored: Stored,
    detail: DictDetail,
    /// Records written, and keys deleted.
    records: u64,
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
        let entries = run.or_cancelled(list::list(&*store)).await?;
        restore_lost_files(&*store, &entries, &run).await?;
        let micros = entries.iter().map(|entry| entry.name.micros).max().unwrap_or(0);
        let highest = entries.iter().filter_map(Entry::sequence).max().unwrap_or(0);
        // Of what cannot be read nobody knows which it has.
        let unknown = entries.iter().any(|entry| matches!(entry.state, State::Unreadable(_)));
        let sequence = if unknown { highest.saturating_add(UNREADABLE_GAP) } else { highest };
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
        self.detect_rivals().await?;
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
        self.publish(Fresh { name, id, parent: None, started_at: started, stored, detail, records }).await
    }

    /// Writes what changed since the backup before, after which the store has so many records; nothing if that backup is
    /// gone or about to go, since a prune runs: then only a full backup can follow.
    ///
    /// # Errors
    /// As [`BackupWriter::full`]; [`DictError::Usage`] if there is none to build on.
    pub(crate) async fn delta(&mut self, changes: &Changes, store_records: u64) -> DictResult<Option<Written>> {
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
        let options = PutOptions::new(PutMode::Create).volatile(content.is_some());
        let (store, key) = (self.store.clone(), name.key()?);
        // Only the manifest has to wait for the reservation.
        let putting = tokio::spawn(async move { store.put(&key, body, &options).await });
        let reserved = self.reserve(name, head).await;
        let put = putting.await.map_err(|error| DictError::Panicked { what: error.to_string() })?;
        match (&reserved, &put) {
            (Ok(true), Ok(())) => {}
            (_, Ok(())) => self.give_up(name).await?,
            // What has its name may be somebody else's.
            (_, Err(_)) => self.release(name).await,
        }
        if !reserved? {
            self.forget_head();
            return Ok(None);
        }
        put?;
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
        let (id, parent, records) = (Uuid::now_v7(), Some(head.id), changes.records());
        let written = self.publish(Fresh { name, id, parent, started_at: started, stored, detail, records }).await?;
        self.release(name).await;
        Ok(Some(written))
    }

    /// Keeps the backup that `name` will build on from every prune. False if it is too late for that.
    async fn reserve(&self, name: BackupName, head: Head) -> DictResult<bool> {
        let parent = [head.name.manifest_key()?];
        self.run.step("dict.reserve", parent[0].as_str());
        match prune::reserve(&*self.store, &name.manifest_key()?, &parent, &parent).await {
            Ok(()) => Ok(true),
            Err(CoreError::Store(error)) if error.is_not_found() => {
                self.release(name).await;
                self.run.warn(format!(
                    "`{}`, on which the next delta would build, was deleted; a full backup is needed",
                    head.name
                ));
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Best effort: a reservation that stays keeps more than need be, and is cleared away as a leftover.
    async fn release(&self, name: BackupName) {
        if let Ok(manifest) = name.manifest_key() {
            drop(prune::release(&*self.store, &manifest).await);
        }
    }

    /// A name after all others, even if the clock stepped back or stands still.
    fn file(&mut self, kind: BackupKind, format: Format, now: Timestamp) -> BackupName {
        self.micros = now.as_microsecond().max(self.micros.saturating_add(1));
        BackupName { kind, micros: self.micros, format }
    }

    async fn publish(&mut self, fresh: Fresh) -> DictResult<Written> {
        let Fresh { name, id, records, stored, .. } = fresh;
        let manifest = self.manifest(fresh)?;
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
        let head = Head { name, id, full: manifest.detail.full, deltas: manifest.detail.deltas };
        self.run.step("dict.publish", &written.file);
        if let Err(cancelled) = self.run.stop_if_cancelled() {
            self.give_up(name).await?;
            return Err(cancelled.into());
        }
        self.uncertain.insert(id);
        self.put_manifest(name, manifest).await?;
        self.uncertain.remove(&id);
        self.sequence += 1;
        self.past.add(head, held);
        if let Some(fall) = &written.fall {
            let told = fall.describe("records");
            self.run.warn(format!("{told}; check that no records are missing before older backups are deleted"));
        }
        Ok(written)
    }

    /// Removes the file of a backup that will not be published. Best effort: without a manifest it is no backup, and
    /// pruning clears it away.
    async fn give_up(&self, name: BackupName) -> DictResult<()> {
        let store: &dyn StoreDelete = &*self.store;
        drop(store.delete(&[name.key()?]).await);
        self.release(name).await;
        Ok(())
    }

    fn manifest(&self, fresh: Fresh) -> DictResult<DictManifest> {
        let Fresh { name, id, parent, started_at, stored, detail, records } = fresh;
        let counts = [("tables".to_owned(), detail.tables.len() as u64), ("records".to_owned(), records)];
        let mut manifest = Manifest::new(Kind::Dict, &self.name, started_at, detail);
        manifest.id = id;
        manifest.identity.clone_from(&self.identity);
        manifest.parent = parent;
        manifest.sequence = self.sequence + 1;
        manifest.complete = Some(true);
        manifest.parts = vec![stored.whole(name.key()?, ROLE_DATA)];
        manifest.counts = counts.into();
        Ok(manifest)
    }

    /// Looks whether others wrote here since we looked last. Once in our name is a hand-over: a new process was started before
    /// the old one had stopped. Twice is two services, and from then on this one's backups are a source of their own.
    async fn detect_rivals(&mut self) -> DictResult<()> {
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
                Err(CoreError::Store(error)) => {
                    catalogue::unreadable(&key, error)?;
                    self.sequence = self.sequence.saturating_add(UNREADABLE_GAP);
                    continue;
                }
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
async fn restore_lost_files(store: &dyn StoreWrite, entries: &[Entry], run: &Run) -> DictResult<()> {
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
