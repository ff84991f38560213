//! Everything known of one backup.

use backup_core::store::StoreRead;
use serde::Serialize;

use crate::detail::AppDetail;
use crate::error::ObjectResult;
use crate::list::{self, Entry, Sought};

/// A backup and what its manifest says.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Shown {
    /// The backup.
    #[serde(flatten)]
    pub entry: Entry,
    /// Its types; absent without a manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<AppDetail>,
    /// Its labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// Everything known of the backup that is `sought`, without reading it.
///
/// # Errors
/// As [`list::find`].
pub async fn show(store: &dyn StoreRead, sought: impl Into<Sought<'_>>) -> ObjectResult<Shown> {
    let entry = list::find(store, sought).await?.entry;
    let detail = entry.manifest.as_ref().map(|manifest| manifest.detail.clone());
    let tags = entry.manifest.as_ref().map(|manifest| manifest.tags.clone()).unwrap_or_default();
    Ok(Shown { entry, detail, tags })
}
