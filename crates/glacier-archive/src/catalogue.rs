//! What this machine knows: which files are archived where, and which retrievals were asked for.
//!
//! It spares hashing and asking; what it says can be found again. Files and archives are in the manifests of the location,
//! and retrievals are known to the service.

use std::collections::BTreeMap;
use std::fmt;

use backup_core::digest::Sha256Digest;
use backup_core::key::Key;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::class::Class;
use crate::entry::Entry;
use crate::error::GlacierResult;
use crate::lifecycle::Retrieval;
use crate::vaulted::Vaulted;

/// An object with the content of one file or many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archive {
    /// Its key.
    pub key: Key,
    /// `archive` or `bundle`.
    pub role: String,
    /// Its bytes.
    pub bytes: u64,
    /// Their digest.
    pub sha256: Sha256Digest,
    /// The class it was written in; absent if it is always readable.
    pub class: Option<Class>,
    /// When it was stored; absent while that is only intended.
    pub stored: Option<Timestamp>,
}

/// Where a content lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The archive.
    pub archive: Key,
    /// Where it begins there.
    pub offset: u64,
}

/// By what a file is recognised without reading it, as by rsync and restic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Time of the last change in nanoseconds since 1970.
    pub modified_ns: i64,
    /// Number of its inode.
    pub inode: u64,
}

/// A file that is archived, or empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownFile {
    /// The file.
    pub entry: Entry,
    /// What it looked like when it was hashed; absent if it never was on this machine.
    pub stamp: Option<Stamp>,
    /// Where its content lies; absent if it is empty.
    pub place: Option<Place>,
}

/// Keeps what is known. Everything a method writes is durable when it returns, and whole or not at all.
pub trait Catalogue: fmt::Debug + Send + Sync {
    /// All archives, those that are only intended too.
    ///
    /// # Errors
    /// [`GlacierError::Catalogue`](crate::GlacierError::Catalogue), as of every method.
    fn archives(&self) -> GlacierResult<Vec<Archive>>;

    /// All files.
    ///
    /// # Errors
    /// As [`Catalogue::archives`].
    fn files(&self) -> GlacierResult<Vec<KnownFile>>;

    /// Notes an archive with the files in it, before or after it is stored.
    ///
    /// # Errors
    /// As [`Catalogue::archives`].
    fn add(&self, archive: Option<&Archive>, files: &[KnownFile]) -> GlacierResult<()>;

    /// Notes that an intended archive is stored.
    ///
    /// # Errors
    /// As [`Catalogue::archives`].
    fn stored(&self, archive: &Key, at: Timestamp) -> GlacierResult<()>;

    /// Forgets an archive that never came to be, or was deleted, with its files, its retrieval and its leaves. What
    /// [`Catalogue::vaulted`] tells of it stays: an upload that was begun can go on.
    ///
    /// # Errors
    /// As [`Catalogue::archives`].
    fn forget(&self, archive: &Key) -> GlacierResult<()>;

    /// Every archive of which a retrieval was ever asked for or seen.
    ///
    /// # Errors
    /// As [`Catalogue::archives`].
    fn retrievals(&self) -> GlacierResult<BTreeMap<Key, Retrieval>>;

    /// Keeps what became of a retrieval.
    ///
    /// # Errors
    /// As [`Catalogue::archives`].
    fn keep(&self, archive: &Key, retrieval: &Retrieval) -> GlacierResult<()>;

    /// What is known of archives in a vault, also of those that are only begun.
    ///
    /// # Errors
    /// As [`Catalogue::archives`].
    fn vaulted(&self) -> GlacierResult<BTreeMap<Key, Vaulted>>;

    /// Keeps what is known of an archive in a vault; nothing at all forgets it.
    ///
    /// # Errors
    /// As [`Catalogue::archives`].
    fn keep_vaulted(&self, archive: &Key, vaulted: &Vaulted) -> GlacierResult<()>;

    /// The digests of an archive's mebibytes, with which any range of it can be checked; empty where they are not known.
    ///
    /// # Errors
    /// As [`Catalogue::archives`].
    fn leaves(&self, archive: &Key) -> GlacierResult<Vec<Sha256Digest>>;

    /// Keeps them; none forgets them.
    ///
    /// # Errors
    /// As [`Catalogue::archives`].
    fn keep_leaves(&self, archive: &Key, leaves: &[Sha256Digest]) -> GlacierResult<()>;
}
