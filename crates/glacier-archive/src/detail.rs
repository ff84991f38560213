//! The part of the manifest that only backups of archived files have.

use backup_core::manifest::Manifest;
use serde::{Deserialize, Serialize};

use crate::class::Class;
use crate::pattern::Excluded;
use crate::vaulted::VaultArchive;

/// A manifest of kind `glacier`.
pub type GlacierManifest = Manifest<GlacierDetail>;

/// Begins the identity of a folder of files.
pub(crate) const IDENTITY: &str = "files";

/// Role of the list of files.
pub const ROLE_FILES: &str = "files";

/// Role of a file that is an archive of its own.
pub const ROLE_ARCHIVE: &str = "archive";

/// Role of a bundle.
pub const ROLE_BUNDLE: &str = "bundle";

/// Role of an object of the dump of a database.
pub const ROLE_DATABASE: &str = "database";

/// What only this crate understands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlacierDetail {
    /// The class that each part was written in, in their order; none for what is always readable.
    pub classes: Vec<Option<Class>>,
    /// The vault that archives are in, if it is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub vault: Option<String>,
    /// What the vault calls each part, in their order; empty without a vault.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub vaulted: Vec<Option<VaultArchive>>,
    /// The database that is in it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub database: Option<DatabaseDetail>,
    /// Whether it has a database alone, and says nothing of files.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub database_only: bool,
    /// Files that could not be backed up as they are in the folder: then the outcome is `partial`. What was archived under their
    /// names earlier is in the backup.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub failed: Vec<FailedFile>,
    /// What of the folder was left out on request.
    #[serde(skip_serializing_if = "Excluded::is_empty", default)]
    pub excluded: Excluded,
}

/// The database of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseDetail {
    /// Its name.
    pub database: String,
    /// What the program that dumped it calls the dump.
    pub dump: String,
}

/// A file that is not in the backup as it is in the folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedFile {
    /// Its name.
    pub name: String,
    /// Why.
    pub what: String,
}
