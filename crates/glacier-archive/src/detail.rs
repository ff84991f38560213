//! The part of the manifest that only backups of archived files have.

use backup_core::manifest::Manifest;
use serde::{Deserialize, Serialize};

use crate::class::Class;

/// A manifest of kind `glacier`.
pub type GlacierManifest = Manifest<GlacierDetail>;

/// Role of the list of files.
pub const ROLE_FILES: &str = "files";

/// Role of a file that is an archive of its own.
pub const ROLE_ARCHIVE: &str = "archive";

/// Role of a bundle.
pub const ROLE_BUNDLE: &str = "bundle";

/// What only this crate understands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlacierDetail {
    /// The class that each part was written in, in their order; none for what is always readable.
    pub classes: Vec<Option<Class>>,
    /// Files that could not be backed up: then the outcome is `partial`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub failed: Vec<FailedFile>,
}

/// A file that is not in the backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedFile {
    /// Its name.
    pub name: String,
    /// Why.
    pub what: String,
}
