//! Lists a location: every backup file with its manifest, or the reason why it is not a backup.

use std::collections::BTreeMap;

use backup_core::FormatError;
use backup_core::catalogue;
use backup_core::clock::Timestamp;
use backup_core::key::Key;
use backup_core::manifest::{Kind, Manifest};
use backup_core::probe;
use backup_core::source::Identity;
use backup_core::store::{Bytes, StoreRead, list_all};
use backup_core::units::exact_bytes;
use serde::Serialize;

use crate::error::{DictError, DictResult};
use crate::format::{BackupKind, BackupName, DdlDetail, DictDetail, Format, MANIFEST_FOLDER, TableDetail};
use crate::origin::{self, Unclear};
use crate::plan::{self, RestoreTo};
use crate::restore::unclear_error;

/// A backup's manifest.
pub(crate) type DictManifest = Manifest<DictDetail>;

/// What a file counts for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "why", rename_all = "lowercase")]
pub enum State {
    /// It has its manifest, and its size is the one the manifest says.
    Good,
    /// File or manifest is missing, changed or of a newer version.
    Damaged(String),
    /// No manifest, in a folder of ours: an interrupted run left it. It is no backup.
    Unpublished,
    /// No manifest, from before there was any: DictDB wrote it, and nothing vouches for it.
    Foreign,
    /// As [`State::Foreign`], read, and not whole.
    Torn(String),
}

/// A backup file, or the manifest of one that is gone.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name.
    pub name: BackupName,
    /// What it counts for.
    pub state: State,
    /// Its size.
    pub bytes: u64,
    pub(crate) manifest: Option<DictManifest>,
}

/// An entry, for people and programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// The file.
    pub file: String,
    /// Full or delta.
    pub kind: BackupKind,
    /// Its format.
    pub format: Format,
    /// When the store was as the backup has it: from the manifest, else from the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// Its size in bytes.
    pub bytes: u64,
    /// What it counts for.
    #[serde(flatten)]
    pub state: State,
    /// Position among the backups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// Deltas since the full backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deltas: Option<u64>,
    /// Records written, and keys deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// Records of the store, as the backup has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_records: Option<u64>,
    /// What the service calls its store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which store it is of; absent where nothing says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Identity>,
}

impl Entry {
    /// Position among the backups, if its manifest can be read.
    #[must_use]
    pub fn sequence(&self) -> Option<u64> {
        self.manifest.as_ref().map(|manifest| manifest.sequence)
    }

    /// The file out of the manifest, if that holds it.
    pub(crate) fn content(&self) -> Option<Bytes> {
        self.manifest.as_ref().and_then(DictDetail::content_of)
    }

    /// When the store was as the backup has it.
    #[must_use]
    pub fn time(&self) -> Option<Timestamp> {
        self.manifest.as_ref().map(|manifest| manifest.created_at).or_else(|| self.name.time())
    }

    /// Which store it is of, where its manifest says.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.manifest.as_ref().and_then(|manifest| manifest.identity.as_ref())
    }

    /// Whether `source` names its store: its id, host or program, what the service calls it, or
    /// [`backup_core::source::UNKNOWN`].
    #[must_use]
    pub fn is_of(&self, source: &str) -> bool {
        origin::is_named(self, source)
    }

    /// Records of the store, as the backup has it. Deltas of earlier versions do not say.
    pub(crate) fn store_records(&self) -> Option<u64> {
        self.manifest.as_ref().and_then(|manifest| manifest.detail.store_records())
    }

    /// For people and programs.
    #[must_use]
    pub fn listed(&self) -> Listed {
        let detail = self.manifest.as_ref().map(|manifest| &manifest.detail);
        let records = |detail: &DictDetail| detail.tables.iter().map(|table| table.records + table.deletes).sum();
        Listed {
            file: self.name.to_string(),
            kind: self.name.kind,
            format: self.name.format,
            time: self.time(),
            bytes: self.bytes,
            state: self.state.clone(),
            sequence: self.sequence(),
            deltas: detail.map(|detail| detail.deltas),
            records: detail.map(records),
            store_records: self.store_records(),
            name: self.manifest.as_ref().map(|manifest| manifest.source.clone()),
            source: self.identity().cloned(),
        }
    }
}

/// Everything in the location, oldest first: by sequence where there is one, else by name.
///
/// # Errors
/// What the store says.
pub async fn list(store: &dyn StoreRead) -> DictResult<Vec<Entry>> {
    let marker = probe::check(store).await?;
    let mut files: BTreeMap<Key, u64> = BTreeMap::new();
    for object in list_all(store, "dictdb_").await? {
        files.insert(object.key, object.bytes);
    }
    let mut entries = Vec::new();
    for found in catalogue::list(store, MANIFEST_FOLDER).await? {
        let Some(name) = BackupName::of_manifest(&found.key) else { continue };
        let bytes = files.remove(&name.key()?);
        let manifest = match found.manifest {
            // What it refers to, and how, cannot be known: nothing is read past it, and nothing written beside it.
            Err(error @ FormatError::Newer { .. }) => return Err(error.into()),
            manifest => manifest.map_err(|error| error.to_string()).and_then(typed),
        };
        let mut entry = published(name, bytes, manifest);
        if bytes.is_none()
            && let State::Damaged(why) = &mut entry.state
            && let Err(error) = store.head(&name.key()?).await
            && error.is_not_an_object()
        {
            *why = error.to_string();
        }
        entries.push(entry);
    }
    // Whatever has no manifest and is younger than our first word here was left by an interrupted run of ours. The marker
    // says it even when the first backup is gone: a prune that is killed leaves files without their manifests.
    let ours = entries.iter().map(|entry| entry.name.micros).min();
    let ours = ours.into_iter().chain(marker.map(|marker| marker.created_at.as_microsecond())).min();
    for (key, bytes) in files {
        let Some(name) = BackupName::parse(key.as_str()) else { continue };
        let state = if ours.is_some_and(|ours| name.micros >= ours) { State::Unpublished } else { State::Foreign };
        entries.push(Entry { name, state, bytes, manifest: None });
    }
    entries.sort_by_key(|entry| (entry.name.micros, entry.name.kind == BackupKind::Delta));
    // Sequences are right where names are not; entries without one keep their places.
    let mut places: Vec<usize> = (0..entries.len()).filter(|at| entries[*at].manifest.is_some()).collect();
    let mut published: Vec<Entry> = places.iter().map(|at| entries[*at].clone()).collect();
    published.sort_by_key(|entry| (entry.sequence(), entry.time()));
    for (at, entry) in places.drain(..).zip(published) {
        entries[at] = entry;
    }
    Ok(entries)
}

/// The backups of one store.
#[derive(Clone, Debug)]
pub struct OfOneStore {
    /// They, and what does not say whose it is, oldest first.
    pub entries: Vec<Entry>,
    /// Backups that are of other stores, as they say themselves.
    pub others: usize,
}

/// The backups of the store that `source` names as [`crate::RestoreOptions::source`] does, or of the only one that has
/// some. One that is named need not have any yet.
///
/// # Errors
/// [`DictError::Source`] if several have and none is named; what the store says.
pub async fn of_one_store(store: &dyn StoreRead, source: Option<&str>) -> DictResult<OfOneStore> {
    let entries = list(store).await?;
    let told = |entries: &[Entry]| entries.iter().filter(|entry| entry.identity().is_some()).count();
    let all = told(&entries);
    let entries = match origin::meant(&entries, &RestoreTo::Latest, source) {
        Ok(meant) => origin::of(entries, &meant),
        Err(Unclear::NoSuch(_)) => Vec::new(),
        Err(unclear) => return Err(unclear_error(store, unclear, source)),
    };
    Ok(OfOneStore { others: all - told(&entries), entries })
}

/// One backup with all its manifest says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The backup.
    #[serde(flatten)]
    pub backup: Listed,
    /// The files a restore of it takes; absent if it cannot be restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<Vec<String>>,
    /// Its tables: all of a full backup, those a delta changes.
    pub tables: Vec<TableDetail>,
    /// Tables a delta makes, drops or alters.
    pub ddl: Vec<DdlDetail>,
}

/// Everything known of the backup in the file `file`, without reading it.
///
/// # Errors
/// [`DictError::NoBackup`]; what the store says.
pub async fn show(store: &dyn StoreRead, file: &str) -> DictResult<Shown> {
    let entries = list(store).await?;
    let Some(entry) = entries.iter().find(|entry| entry.name.to_string() == file) else {
        return Err(DictError::NoBackup { which: format!("named `{file}`"), location: store.describe() });
    };
    let chain = plan::plan(&entries, &RestoreTo::File(file.to_owned())).ok().map(|plan| plan.files);
    let detail = entry.manifest.as_ref().map(|manifest| manifest.detail.clone());
    let (tables, ddl) = detail.map(|detail| (detail.tables, detail.ddl)).unwrap_or_default();
    Ok(Shown { backup: entry.listed(), chain, tables, ddl })
}

fn typed(manifest: Manifest) -> Result<DictManifest, String> {
    if manifest.kind != Kind::Dict {
        return Err("its manifest belongs to another kind of backup".to_owned());
    }
    let detail = serde_json::from_value(manifest.detail.clone()).map_err(|error| format!("its manifest: {error}"))?;
    Ok(manifest.with_detail(detail))
}

fn published(name: BackupName, bytes: Option<u64>, manifest: Result<DictManifest, String>) -> Entry {
    let manifest = match manifest {
        Ok(manifest) => manifest,
        Err(why) => return Entry { name, state: State::Damaged(why), bytes: bytes.unwrap_or(0), manifest: None },
    };
    let said = manifest.stored_bytes();
    let state = match bytes {
        // The manifest alone is the backup.
        _ if DictDetail::content_of(&manifest).is_some() => State::Good,
        None => State::Damaged("the file is missing".to_owned()),
        Some(bytes) if bytes != said => {
            State::Damaged(format!("it has {} instead of {}", exact_bytes(bytes), exact_bytes(said)))
        }
        Some(_) if manifest.parts.len() != 1 => State::Damaged("its manifest lists another number of files".to_owned()),
        Some(_) => State::Good,
    };
    Entry { name, state, bytes: bytes.unwrap_or(0), manifest: Some(manifest) }
}
