//! Names and small documents that keep deletions and publications from interfering.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::catalogue::is_manifest;
use crate::document;
use crate::error::{CoreError, FormatError, StoreError};
use crate::key::Key;
use crate::manifest::{External, MANIFEST_NAME};
use crate::probe::MARKER_KEY;
use crate::store::StoreRead;

/// Name of the object that says that a backup is being removed; stands where `manifest.json` stands in the manifest's key.
pub const TOMBSTONE_NAME: &str = "deleted.json";

/// Name of the object by which an unpublished backup says what it will refer to; likewise.
pub const USES_NAME: &str = "uses.json";

/// Format of these documents.
pub(super) const FORMAT: u64 = 1;

/// Longest of these documents in bytes: a million keys of common length.
pub(super) const DOCUMENT_BYTES_MAX: usize = 128 * 1024 * 1024;

/// A removal begun: written before the manifest goes, deleted after the last part went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tombstone {
    pub(super) format: u64,
    pub(super) manifest: Key,
    pub(super) deleted_at: Timestamp,
    pub(super) writer: String,
    pub(super) parts: Vec<Key>,
    /// As in the manifest: a program that would leave something behind must not end the removal.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) requires: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) external: Vec<External>,
    /// Whether something external may be gone already: from then on there is no such backup, and the removal is finished
    /// whatever retention says.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub(super) removing: bool,
}

impl Tombstone {
    /// Whether nothing goes with it: that of a claim.
    pub(super) fn lists_nothing(&self) -> bool {
        self.parts.is_empty() && self.external.is_empty()
    }
}

/// What an unpublished backup will refer to outside its own folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Uses {
    pub(super) format: u64,
    pub(super) keys: Vec<Key>,
}

/// Stands in a manifest's place while an incomplete backup is removed, so that its writer cannot publish meanwhile:
/// of the two creates of that one key exactly one succeeds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claim {
    pub(super) format: u64,
    pub(super) abandoned_at: Timestamp,
    pub(super) writer: String,
}

/// Whether the bytes are a claim and no manifest.
pub(crate) fn is_claim(bytes: &[u8]) -> bool {
    claim(bytes).is_some()
}

/// Who made the claim.
pub(crate) fn claimed_by(bytes: &[u8]) -> Option<String> {
    claim(bytes).map(|claim| claim.writer)
}

/// Longest claim in bytes: host names have 255 at most. Spares parsing every manifest twice.
pub(super) const CLAIM_BYTES_MAX: usize = 1024;

pub(super) fn claim(bytes: &[u8]) -> Option<Claim> {
    if bytes.len() > CLAIM_BYTES_MAX {
        return None;
    }
    serde_json::from_slice(bytes).ok()
}

/// Whether the key is one by which locations and backups are found: no part of a backup, whatever a manifest says.
pub(super) fn is_infrastructure(key: &Key) -> bool {
    is_manifest(key) || is_tombstone(key) || is_uses(key) || key.as_str() == MARKER_KEY
}

/// Whether the key is a tombstone's.
pub(crate) fn is_tombstone(key: &Key) -> bool {
    is_named(key, TOMBSTONE_NAME)
}

/// Whether the key is that of a [`Uses`].
pub(crate) fn is_uses(key: &Key) -> bool {
    is_named(key, USES_NAME)
}

fn is_named(key: &Key, name: &str) -> bool {
    key.name() == name || key.name().strip_suffix(name).is_some_and(|stem| stem.ends_with('.'))
}

/// The tombstone's key of the backup with this manifest.
pub(crate) fn tombstone_key(manifest: &Key) -> Result<Key, StoreError> {
    beside(manifest, TOMBSTONE_NAME)
}

/// Whether something external of the backup with this manifest may be gone.
///
/// # Errors
/// Why its tombstone cannot be used; what the store says.
pub(crate) async fn is_removing(store: &dyn StoreRead, manifest: &Key) -> Result<bool, CoreError> {
    match read::<Tombstone>(store, &tombstone_key(manifest)?).await {
        Ok(tombstone) => Ok(tombstone.removing),
        Err(CoreError::Store(error)) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the tombstone beside this manifest lists nothing, or is empty.
pub(super) async fn lists_nothing(store: &dyn StoreRead, manifest: &Key) -> bool {
    let Ok(key) = tombstone_key(manifest) else { return false };
    match read::<Tombstone>(store, &key).await {
        Ok(tombstone) => tombstone.lists_nothing(),
        Err(CoreError::Store(error)) => error.is_not_found(),
        Err(_) => false,
    }
}

/// The key of the [`Uses`] of the backup with this manifest.
pub(super) fn uses_key(manifest: &Key) -> Result<Key, StoreError> {
    beside(manifest, USES_NAME)
}

/// The manifest of the backup whose [`Uses`] this is the key of.
pub(super) fn manifest_of_uses(uses: &Key) -> Option<Key> {
    Key::new(format!("{}{MANIFEST_NAME}", uses.as_str().strip_suffix(USES_NAME)?)).ok()
}

fn beside(manifest: &Key, name: &str) -> Result<Key, StoreError> {
    match manifest.as_str().strip_suffix(MANIFEST_NAME) {
        Some(stem) => Key::new(format!("{stem}{name}")),
        None => Err(StoreError::Invalid { what: format!("`{manifest}` is not the key of a manifest") }),
    }
}

/// Reads one of these documents. An empty one is as good as none: a power failure left it before it was durable, and before
/// anything was done that it is about.
pub(super) async fn read<T: serde::de::DeserializeOwned>(store: &dyn StoreRead, key: &Key) -> Result<T, CoreError> {
    let bytes = document::read(store, key, DOCUMENT_BYTES_MAX).await?;
    if bytes.is_empty() {
        return Err(StoreError::not_found(key).into());
    }
    let value = document::parse(key, &bytes, FORMAT)?;
    let invalid = |error: serde_json::Error| FormatError::Invalid { key: key.to_string(), what: error.to_string() };
    Ok(serde_json::from_value(value).map_err(invalid)?)
}

/// The stored form of one of these documents.
pub(super) fn bytes<T: Serialize>(key: &Key, document: &T) -> Result<bytes::Bytes, StoreError> {
    let other = |error| StoreError::Other { key: key.to_string(), action: "write".to_owned(), source: Box::new(error) };
    Ok(serde_json::to_vec(document).map_err(other)?.into())
}
