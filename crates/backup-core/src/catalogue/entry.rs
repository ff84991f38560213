//! A manifest found, and how manifests are named and ordered.

use crate::error::FormatError;
use crate::key::Key;
use crate::manifest::{MANIFEST_NAME, Manifest, Outcome};

/// Requests in flight while manifests are read: enough to hide the latency of S3, few enough for its request limits.
pub const CONCURRENCY: usize = 32;

/// Longest manifest in bytes. A hundred thousand tables need about half of it.
pub const MANIFEST_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One manifest found. A damaged one is an entry too: hiding it would hide that a backup was lost.
#[derive(Debug)]
pub struct Entry {
    /// Where the manifest is.
    pub key: Key,
    /// The manifest, or why it cannot be used.
    pub manifest: Result<Manifest, FormatError>,
}

impl Entry {
    /// The manifest if it can be used and its backup has everything that was asked for.
    #[must_use]
    pub fn good(&self) -> Option<&Manifest> {
        self.manifest.as_ref().ok().filter(|manifest| manifest.outcome == Outcome::Good)
    }

    /// The manifest if it can be used and its backup has everything of its source.
    #[must_use]
    pub fn complete(&self) -> Option<&Manifest> {
        self.manifest.as_ref().ok().filter(|manifest| manifest.is_complete())
    }
}

/// Whether `key` is named as manifests are: `manifest.json` in a folder, or `….manifest.json` beside an object.
#[must_use]
pub fn is_manifest(key: &Key) -> bool {
    key.name() == MANIFEST_NAME || key.name().strip_suffix(MANIFEST_NAME).is_some_and(|stem| stem.ends_with('.'))
}

/// A backup whose manifest was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Backup {
    /// Where its manifest is.
    pub key: Key,
    /// What it says.
    pub manifest: Manifest,
}

/// Order among the backups of one source: by sequence, then by time, since clocks step back and sequences may tie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    /// Position among the backups of the source, from 1.
    pub sequence: u64,
    /// When the source was as the backup has it.
    pub created_at: jiff::Timestamp,
}

impl Order {
    /// Where the backup of this manifest stands.
    #[must_use]
    pub fn of<D>(manifest: &Manifest<D>) -> Self {
        Self { sequence: manifest.sequence, created_at: manifest.created_at }
    }
}
