//! Everything known of one backup.

use backup_core::store::StoreRead;
use serde::Serialize;

use crate::detail::{DdlDetail, TableDetail};
use crate::error::{DictError, DictResult};
use crate::list::{self, Listed};
use crate::plan::{self, RestoreTo};

/// One backup with all its manifest says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Shown {
    /// The backup.
    #[serde(flatten)]
    pub backup: Listed,
    /// The files a restore of it takes; absent if it cannot be restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<Vec<String>>,
    /// Its tables: all of a full backup, those a delta changes.
    pub tables: Vec<TableDetail>,
    /// Tables a delta makes, drops or alters.
    pub ddl: Vec<DdlDetail>,
}

/// Everything known of the backup in the file `file`, without reading it.
///
/// # Errors
/// [`DictError::NoBackup`]; what the store says.
pub async fn show(store: &dyn StoreRead, file: &str) -> DictResult<Shown> {
    let entries = list::list(store).await?;
    let Some(entry) = entries.iter().find(|entry| entry.name.to_string() == file) else {
        return Err(DictError::NoBackup { which: format!("named `{file}`"), location: store.describe() });
    };
    let chain = plan::plan(&entries, &RestoreTo::File(file.to_owned())).ok().map(|plan| plan.files);
    let detail = entry.manifest.as_ref().map(|manifest| manifest.detail.clone());
    let (tables, ddl) = detail.map(|detail| (detail.tables, detail.ddl)).unwrap_or_default();
    Ok(Shown { backup: entry.listed(), chain, tables, ddl })
}
