//! Where backups are kept: the forms a location has.

use std::path::PathBuf;

/// Where backups are kept. Endpoint, region and credentials are never part of it: they come from the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A bucket, and the folder in it; an empty prefix is the bucket itself.
    S3 {
        /// The bucket's name.
        bucket: String,
        /// Segments joined by `/`, without a `/` at either end.
        prefix: String,
    },
    /// A folder.
    File(PathBuf),
    /// The process's own memory: every opening is a new, empty store. For tests and examples.
    Memory,
}
