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
}

/// Everything known of the backup that is `sought`, without reading it.
///
/// # Errors
/// As [`list::find`].
pub async fn show(store: &dyn StoreRead, sought: impl Into<Sought<'_>>) -> ObjectResult<Shown> {
    let mut entry = list::find(store, sought).await?.entry;
    list::settle_tags(store, std::slice::from_mut(&mut entry)).await?;
    let detail = entry.manifest.as_ref().map(|manifest| manifest.detail.clone());
    Ok(Shown { entry, detail })
}
