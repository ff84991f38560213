//! What is damaged, where, and which dumps are affected.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use backup_core::catalogue;
use backup_core::key::Key;
use backup_core::store::StoreRead;
use backup_core::units::exact_bytes;
use futures::TryStreamExt;
use serde::Serialize;

use crate::error::PgResult;
use crate::stored::key::{DumpKey, ROOT};

/// Most damages that are kept; all are counted.
pub const DAMAGE_KEPT_MAX: usize = 1_000;

/// Something stored that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Damage {
    /// The object.
    pub object: Key,
    /// Where in it the damaged piece begins, if not the whole object is in question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Bytes of that piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// What differs.
    pub what: String,
    /// Whose rows the piece holds, if it holds rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The dumps that need the object.
    pub dumps: Vec<String>,
}

impl Damage {
    pub(super) fn new(object: &Key, what: impl Into<String>) -> Self {
        Self { object: object.clone(), offset: None, length: None, what: what.into(), table: None, dumps: Vec::new() }
    }

    pub(super) fn at(mut self, offset: u64, length: u64) -> Self {
        self.offset = Some(offset);
        self.length = Some(length);
        self
    }

    pub(super) fn with_table(mut self, table: &str) -> Self {
        self.table = Some(table.to_owned());
        self
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.object)?;
        if let (Some(offset), Some(length)) = (self.offset, self.length) {
            write!(f, " at offset {offset}, {}", exact_bytes(length))?;
        }
        if let Some(table) = &self.table {
            write!(f, ", rows of `{table}`")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// Finds every dump that refers to a damaged object.
pub(super) async fn name_other_dumps(store: &dyn StoreRead, damage: &mut [Damage]) -> PgResult<()> {
    if damage.is_empty() {
        return Ok(());
    }
    let objects: BTreeSet<&Key> = damage.iter().map(|damage| &damage.object).collect();
    let mut dumps: BTreeMap<Key, BTreeSet<DumpKey>> = BTreeMap::new();
    let mut entries = std::pin::pin!(catalogue::stream(store, &format!("{ROOT}/")));
    while let Some(entry) = entries.try_next().await? {
        let (Ok(manifest), Some(dump)) = (&entry.manifest, DumpKey::of_manifest(&entry.key)) else { continue };
        for part in manifest.parts.iter().filter(|part| objects.contains(&part.key)) {
            dumps.entry(part.key.clone()).or_default().insert(dump.clone());
        }
    }
    for damage in damage {
        damage.dumps = dumps.get(&damage.object).into_iter().flatten().map(ToString::to_string).collect();
    }
    Ok(())
}
