//! A backup file: what it counts for, and what its manifest says.

use backup_core::clock::Timestamp;
use backup_core::manifest::Manifest;
use backup_core::source::{Identity, UNKNOWN};
use backup_core::store::Bytes;
use serde::Serialize;

use crate::detail::{BackupKind, DictDetail};
use crate::format::Format;
use crate::key::BackupName;

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
    /// The manifest is there and cannot be read now: of another user, in cold storage, on a disk that fails.
    Unreadable(String),
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
        match (self.identity(), &self.manifest) {
            (Some(identity), Some(manifest)) => identity.is_named(source) || manifest.source == source,
            (None, Some(_)) => source == UNKNOWN,
            _ => false,
        }
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

/// An entry, for people and programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
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
