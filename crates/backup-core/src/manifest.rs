//! The manifest: a backup exists only when its manifest exists.
//!
//! Canonical JSON (keys sorted, no white space, no floating point numbers) with `manifest_sha256` over the same document
//! without that field. The stored bytes must be exactly the canonical form, so that a duplicate key or any other edit is
//! detected even if a JSON parser would accept it.

mod amounts;
mod external;
mod features;

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
/// Identity of a backup.
pub use uuid::Uuid;

pub use self::external::{EXTERNAL, External};
pub use self::features::{FEATURES, LISTS};

use crate::digest::Sha256Digest;
use crate::document;
use crate::error::FormatError;
use crate::key::Key;
use crate::source::Identity;

/// The newest major format this version reads, and the one it writes.
pub const FORMAT: u64 = 1;

/// Name of the manifest inside a backup that is a folder; a suffix (`.manifest.json`) of backups that are one object.
pub const MANIFEST_NAME: &str = "manifest.json";

/// Which subsystem made the backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A PostgreSQL database (pg-clone).
    Pg,
    /// An application's records (object-backup).
    App,
    /// Database and files in cold storage (glacier-archive).
    Glacier,
    /// EBS snapshots (ec2-snapshots).
    Ec2,
    /// An in-memory dictionary database (dictstore-backup).
    Dict,
}

/// Whether everything that should be in the backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Everything.
    Good,
    /// Published, and some source items could not be read. Never counts as a last good backup.
    Partial,
}

/// How a part's content was turned into its stored bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// Stored as it is.
    None,
    /// Independent zstd frames, one after the other (RFC 8878); `zstd -d` opens them.
    Zstd,
    /// Gzip (RFC 1952).
    Gzip,
}

/// Who wrote the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// The program.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Host and process, so that two writers can tell each other apart: `db1/4711`.
    pub writer: String,
}

impl Tool {
    /// This process, as lastgood of this version.
    #[must_use]
    pub fn current() -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self {
            name: "lastgood".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            writer: format!("{host}/{}", std::process::id()),
        }
    }
}

/// One stored object, or a slice of one, that belongs to the backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Where it is, relative to the location. Several backups may refer to the same key.
    pub key: Key,
    /// What it is to its subsystem: `schema`, `data`, `large-objects`, `archive`.
    pub role: String,
    /// Digest of the content before compression, where the whole content has one; packs of many frames do not: their
    /// frames carry digests and their tables carry row hashes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub content_sha256: Option<Sha256Digest>,
    /// Bytes before compression.
    pub content_bytes: u64,
    /// Digest of the stored bytes.
    pub stored_sha256: Sha256Digest,
    /// Stored bytes.
    pub stored_bytes: u64,
    /// How content became stored bytes.
    pub codec: Codec,
    /// Offset inside the object, when the part is a slice of a pack.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub offset: Option<u64>,
    /// Length of that slice in bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub length: Option<u64>,
}

impl Part {
    /// The same part, whose stored bytes `codec` made of other content.
    #[must_use]
    pub fn encoded_from(self, content_sha256: Sha256Digest, content_bytes: u64, codec: Codec) -> Self {
        Self { content_sha256: Some(content_sha256), content_bytes, codec, ..self }
    }
}

/// What a manifest requires that has [`Manifest::encryption`], even where it does not say so. This version cannot decrypt.
const ENCRYPTION: &str = "encryption";

/// To whom the stored bytes are encrypted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// Scheme, such as `age`.
    pub scheme: String,
    /// Public recipients.
    pub recipients: Vec<String>,
}

/// What a backup is, with `D` typed by its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest<D = Value> {
    /// Major format, [`FORMAT`].
    pub format: u64,
    /// Features a program must know to do anything with the backup, deleting it included: of [`FEATURES`].
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub requires: Vec<String>,
    /// Identity of this backup (UUIDv7, RFC 9562).
    pub id: Uuid,
    /// Which subsystem made it.
    pub kind: Kind,
    /// What was backed up, such as the database's name. Retention never mixes sources.
    pub source: String,
    /// Which server, file or folder that name was looked up in; absent in manifests of earlier versions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub identity: Option<Identity>,
    /// Name of the configuration it was made with.
    pub config: String,
    /// When the source was as the backup has it.
    pub created_at: Timestamp,
    /// When the run began.
    pub started_at: Timestamp,
    /// Who wrote it.
    pub tool: Tool,
    /// The backup this one builds on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parent: Option<Uuid>,
    /// Position among the backups of its source, from 1; orders them even when clocks step back.
    pub sequence: u64,
    /// Whether everything that was asked for could be read.
    pub outcome: Outcome,
    /// Whether nothing was left out on request; absent in manifests of earlier versions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub complete: Option<bool>,
    /// What it consists of.
    pub parts: Vec<Part>,
    /// What belongs to it outside the location. Only with [`EXTERNAL`] in `requires`; see [`Manifest::with_external`].
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub external: Vec<External>,
    /// Totals by name: `tables`, `rows`, `bytes`.
    pub counts: BTreeMap<String, u64>,
    /// Labels; retention can keep by them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tags: Vec<String>,
    /// Present when parts are encrypted: such a manifest is refused when it is read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub encryption: Option<Encryption>,
    /// What only its subsystem understands.
    pub detail: D,
    /// Fields of a later minor version: kept and ignored.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl<D> Manifest<D> {
    /// Of a backup of `source` that this program made and that nothing is said of yet: of now, good, the first of its
    /// source, of the configuration `default`, without parts. Its maker sets the rest.
    #[must_use]
    pub fn new(kind: Kind, source: impl Into<String>, started_at: Timestamp, detail: D) -> Self {
        Self {
            format: FORMAT,
            requires: Vec::new(),
            id: Uuid::now_v7(),
            kind,
            source: source.into(),
            identity: None,
            config: "default".to_owned(),
            created_at: started_at,
            started_at,
            tool: Tool::current(),
            parent: None,
            sequence: 1,
            outcome: Outcome::Good,
            complete: None,
            parts: Vec::new(),
            external: Vec::new(),
            counts: BTreeMap::new(),
            tags: Vec::new(),
            encryption: None,
            detail,
            unknown: Map::new(),
        }
    }

    /// Whether it holds everything of its source: all could be read, and nothing was left out on request. Only such a
    /// backup is ever the last good one.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.outcome == Outcome::Good && self.complete != Some(false)
    }

    /// The same manifest with what belongs to it outside the location, and the feature that this requires.
    #[must_use]
    pub fn with_external(mut self, external: Vec<External>) -> Self {
        self.requires.retain(|feature| feature != EXTERNAL);
        if !external.is_empty() {
            self.requires.push(EXTERNAL.to_owned());
        }
        Self { external, ..self }
    }

    /// Requires `feature` of whoever reads the manifest.
    pub fn require(&mut self, feature: &str) {
        if !self.requires.iter().any(|required| required == feature) {
            self.requires.push(feature.to_owned());
        }
    }

    /// Why what it says of external resources cannot be relied on.
    fn external_fault(&self) -> Option<String> {
        if !self.external.is_empty() && !self.requires.iter().any(|feature| feature == EXTERNAL) {
            return Some(format!("it has `external` and does not require the feature `{EXTERNAL}`"));
        }
        self.external.iter().find_map(External::fault)
    }

    /// Bytes the backup occupies, shared parts counted in full.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.stored_bytes).sum()
    }

    /// Bytes of content before compression.
    #[must_use]
    pub fn content_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.content_bytes).sum()
    }
}

impl<D: Serialize> Manifest<D> {
    /// The canonical document, `manifest_sha256` included.
    ///
    /// # Errors
    /// [`FormatError::Invalid`] if `detail` does not serialize, or for external resources that no program would respect.
    pub fn to_bytes(&self) -> Result<Bytes, FormatError> {
        if let Some(what) = self.external_fault() {
            return Err(FormatError::Invalid { key: MANIFEST_NAME.to_owned(), what });
        }
        let invalid =
            |error: serde_json::Error| FormatError::Invalid { key: MANIFEST_NAME.to_owned(), what: error.to_string() };
        let mut document = serde_json::to_value(self).map_err(invalid)?;
        let digest = Sha256Digest::of(&serde_json::to_vec(&document).map_err(invalid)?);
        if let Value::Object(fields) = &mut document {
            fields.insert(DIGEST_FIELD.to_owned(), Value::String(digest.to_string()));
        }
        Ok(serde_json::to_vec(&document).map_err(invalid)?.into())
    }
}

impl<D> Manifest<D> {
    /// The same manifest with another detail.
    #[must_use]
    pub fn with_detail<E>(self, detail: E) -> Manifest<E> {
        Manifest {
            format: self.format,
            requires: self.requires,
            id: self.id,
            kind: self.kind,
            source: self.source,
            identity: self.identity,
            config: self.config,
            created_at: self.created_at,
            started_at: self.started_at,
            tool: self.tool,
            parent: self.parent,
            sequence: self.sequence,
            outcome: self.outcome,
            complete: self.complete,
            parts: self.parts,
            external: self.external,
            counts: self.counts,
            tags: self.tags,
            encryption: self.encryption,
            detail,
            unknown: self.unknown,
        }
    }
}

impl<D: DeserializeOwned> Manifest<D> {
    /// Reads a stored manifest: format and required features first, then its digest, then its fields.
    ///
    /// # Errors
    /// [`FormatError::Newer`], [`FormatError::Requires`], [`FormatError::Digest`] or [`FormatError::Invalid`], naming `key`.
    pub fn from_bytes(key: &Key, bytes: &[u8]) -> Result<Self, FormatError> {
        let invalid = |error: serde_json::Error| FormatError::Invalid { key: key.to_string(), what: error.to_string() };
        let mut document: Value = serde_json::from_slice(bytes).map_err(invalid)?;
        document::check(key, &document, FORMAT)?;
        let wrong_digest = || FormatError::Digest { key: key.to_string() };
        if serde_json::to_vec(&document).map_err(invalid)? != bytes {
            return Err(wrong_digest());
        }
        let claimed = document.as_object_mut().and_then(|fields| fields.remove(DIGEST_FIELD));
        let actual = Sha256Digest::of(&serde_json::to_vec(&document).map_err(invalid)?).to_string();
        if claimed.as_ref().and_then(Value::as_str) != Some(&actual) {
            return Err(wrong_digest());
        }
        if let Some(what) = amounts::fault(&document) {
            return Err(FormatError::Invalid { key: key.to_string(), what });
        }
        let manifest: Self = serde_json::from_value(document).map_err(invalid)?;
        if manifest.encryption.is_some() {
            // Whoever reads the stored bytes as they are would restore nonsense, or call them damaged.
            return Err(FormatError::Requires { key: key.to_string(), features: vec![ENCRYPTION.to_owned()] });
        }
        match manifest.external_fault() {
            Some(what) => Err(FormatError::Invalid { key: key.to_string(), what }),
            None => Ok(manifest),
        }
    }
}

const DIGEST_FIELD: &str = "manifest_sha256";

#[cfg(test)]
mod tests;
