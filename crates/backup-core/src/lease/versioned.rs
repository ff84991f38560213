//! Objects that are replaced by their version, and what is there after a write whose fate is unknown.

use bytes::Bytes;

use crate::document;
use crate::error::StoreError;
use crate::key::Key;
use crate::store::{StoreResult, StoreWrite, Tag};

/// Whether what the store has must be looked at to know what became of a write.
pub(crate) fn is_open(error: &StoreError) -> bool {
    error.is_ambiguous() || matches!(error, StoreError::AlreadyExists { .. } | StoreError::Precondition { .. })
}

/// An object as it was at one version, or before.
pub(crate) struct Versioned {
    /// The version; a replacement of it fails if the object is newer.
    pub(crate) tag: Tag,
    pub(crate) bytes: Bytes,
}

/// The object and its version. The version is asked for first: if the object is newer, a replacement of that version
/// fails.
pub(crate) async fn versioned(store: &dyn StoreWrite, key: &Key, bytes_max: usize) -> StoreResult<Option<Versioned>> {
    let head = match store.head(key).await {
        Err(error) if error.is_not_found() => return Ok(None),
        head => head?,
    };
    let tag = head.tag.ok_or_else(|| StoreError::Unsuitable {
        what: format!("`{}` tells no version of `{key}`", store.describe()),
        help: "name a store that tells the ETag of an object, such as Amazon S3, or a folder".into(),
    })?;
    match document::read(store, key, bytes_max).await {
        Err(error) if error.is_not_found() => Ok(None),
        bytes => Ok(Some(Versioned { tag, bytes: bytes? })),
    }
}
