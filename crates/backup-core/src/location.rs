//! Where backups are kept, as users write it: `s3://bucket/prefix`, a path, `file:///path`, `mem:`.

mod access;
pub mod contents;
mod exposure;
mod init;
mod parse;
mod peers;
mod place;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

pub use access::Access;
pub use contents::{Contents, Layout, Standing};
pub use exposure::{Exposure, shell_word};
pub use init::{Init, Initialized, init_store};
pub use place::Location;

use crate::error::StoreError;
use crate::store::fs::FsStore;
use crate::store::limit::Limit;
use crate::store::memory::MemoryStore;
use crate::store::observe::Observe;
#[cfg(feature = "retry")]
use crate::store::retry::{Retry, RetryPolicy};
use crate::store::{SharedStore, Store};

/// Folder used when no location is given, below the working directory.
pub const DEFAULT_FOLDER: &str = "./.lastgood";

impl Location {
    /// [`DEFAULT_FOLDER`].
    #[must_use]
    pub fn default_local() -> Self {
        Self::File(PathBuf::from(DEFAULT_FOLDER))
    }

    /// Opens the bucket or folder, for reading and writing. Whether it was made a location is not asked: readers ask by
    /// [`contents::standing`], and whatever writes backups does so itself.
    ///
    /// # Errors
    /// [`StoreError::NoLocation`] if the folder does not exist; what the store says when it cannot be set up.
    pub async fn open(&self) -> Result<SharedStore, StoreError> {
        self.open_with(&access::PLAIN).await
    }

    /// As [`Location::open`], with credentials of the program's own or with somebody who hears of what is tried again.
    ///
    /// # Errors
    /// As [`Location::open`]; [`StoreError::Invalid`] for credentials and a location that takes none.
    pub async fn open_with(&self, access: &Access) -> Result<SharedStore, StoreError> {
        match self {
            Self::S3 { bucket, prefix } => open_s3(bucket, prefix, access).await,
            Self::File(_) | Self::Memory if access.credentials.is_some() => {
                Err(StoreError::Invalid { what: format!("`{self}` takes no credentials: only `s3://…` does") })
            }
            Self::File(path) => Ok(wrapped(access.waited_for(FsStore::open(path)?), access)),
            Self::Memory => Ok(wrapped(MemoryStore::new(), access)),
        }
    }

    /// Whether other users of this machine can read the folder; always `None` for what is no folder.
    #[must_use]
    pub fn exposure(&self) -> Option<Exposure> {
        match self {
            Self::File(path) => Exposure::of(path),
            Self::S3 { .. } | Self::Memory => None,
        }
    }
}

#[cfg(feature = "s3")]
async fn open_s3(bucket: &str, prefix: &str, access: &Access) -> Result<SharedStore, StoreError> {
    // The future is large, and every caller's would be too.
    let settings = Box::pin(crate::aws::Settings::load(access.credentials.as_ref())).await;
    Ok(wrapped(crate::store::s3::S3Store::new(&settings, bucket, prefix)?, access))
}

#[cfg(not(feature = "s3"))]
async fn open_s3(bucket: &str, prefix: &str, _access: &Access) -> Result<SharedStore, StoreError> {
    Err(StoreError::Unsuitable {
        what: format!("this build cannot open `s3://{bucket}/{prefix}`: it has no S3 client"),
        help: "build backup-core with its feature `s3`, or use a folder".into(),
    })
}

/// The store with everything that stands between it and its users. Each attempt is logged and takes its time, so that
/// retries are the outermost layer.
fn wrapped(store: impl Store, access: &Access) -> SharedStore {
    let store = Observe::new(store);
    if !access.rates.is_limited() {
        return retried(store, access);
    }
    let cancel = access.cancel.clone().unwrap_or_default();
    retried(Limit::until(store, access.rates, &cancel), access)
}

#[cfg(not(feature = "retry"))]
fn retried(store: impl Store, _access: &Access) -> SharedStore {
    Arc::new(store)
}

#[cfg(feature = "retry")]
fn retried(store: impl Store, access: &Access) -> SharedStore {
    let retry = Retry::new(store, RetryPolicy::default());
    Arc::new(match &access.progress {
        Some(progress) => retry.with_progress(Arc::clone(progress)),
        None => retry,
    })
}

impl FromStr for Location {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        parse::parse(text).map_err(|what| StoreError::Invalid { what })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
            Self::File(path) => path.display().fmt(f),
            Self::Memory => f.write_str("mem:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn opening_makes_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let location = Location::File(parent.path().join("backups"));
        let error = location.open().await.unwrap_err();
        assert!(matches!(error, StoreError::NoLocation { .. }), "{error}");
        assert!(!parent.path().join("backups").exists());
    }

    #[test]
    fn the_default_is_a_folder_here() {
        assert_eq!(Location::default_local().to_string(), DEFAULT_FOLDER);
    }
}
