//! The part of the manifest that only backups of records have.

use backup_core::digest::Sha256Digest;
use backup_core::manifest::Manifest;
use serde::{Deserialize, Serialize};

use crate::type_key::TypeKey;

/// A manifest of kind `app`.
pub type AppManifest = Manifest<AppDetail>;

/// Role of the one part of a backup.
pub(crate) const ROLE_ARCHIVE: &str = "archive";

/// What only this crate understands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppDetail {
    /// Kind of source: `sqlite`, `postgres`, `ndjson`, `exec`, or what an application's own source says.
    pub source_kind: String,
    /// The members of the tarball, in its order.
    pub types: Vec<TypeDetail>,
    /// Types that could not be read: then the outcome is `partial`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub failed: Vec<FailedType>,
    /// Types the source had that were left out on request: then the backup is not complete. As users name them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub left_out: Vec<String>,
}

impl AppDetail {
    /// What a restore of this backup will not bring, a line each, for people.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let failed: Vec<String> = self.failed.iter().map(|failed| failed.key.to_string()).collect();
        let named = |what: &str, types: &[String]| (!types.is_empty()).then(|| format!("{what} {}", types.join(", ")));
        [named("left out on request:", &self.left_out), named("could not be read:", &failed)]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeDetail {
    /// Which type.
    #[serde(flatten)]
    pub key: TypeKey,
    /// Records in it.
    pub records: u64,
    /// Bytes of the member.
    pub bytes: u64,
    /// Digest of the member.
    pub sha256: Sha256Digest,
    /// Columns the table has beside `id` and `value`: its indexes.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub columns: Vec<Column>,
}

/// A column by which an application looks records up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Whether each record has the column's text in its field of that name, so that a restore can fill it.
    pub derived: bool,
}

/// A type that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedType {
    /// Which type.
    #[serde(flatten)]
    pub key: TypeKey,
    /// Why.
    pub what: String,
}
