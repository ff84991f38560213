//! What a dump did.

use backup_core::manifest::Manifest;
use serde::Serialize;
use uuid::Uuid;

use crate::dump_key::DumpKey;
use crate::hook::HookReport;

/// What a dump did.
#[derive(Clone, Debug, Serialize)]
pub struct DumpReport {
    /// Its key: `{database}/{timestamp}.{config}.dump`.
    pub key: String,
    /// Its identity.
    pub id: Uuid,
    /// Tables whose rows it holds.
    pub tables: u64,
    /// Rows.
    pub rows: u64,
    /// Large objects.
    pub large_objects: u64,
    /// Bytes of rows and schema before compression.
    pub content_bytes: u64,
    /// Bytes stored, manifest included.
    pub stored_bytes: u64,
    /// Seconds it took.
    pub seconds: f64,
    /// What ran before, in order.
    pub hooks: Vec<HookReport>,
}

impl DumpReport {
    pub(super) fn of(
        key: &DumpKey,
        manifest: &Manifest,
        manifest_bytes: u64,
        seconds: f64,
        hooks: Vec<HookReport>,
    ) -> Self {
        let count = |name: &str| manifest.counts.get(name).copied().unwrap_or_default();
        Self {
            key: key.to_string(),
            id: manifest.id,
            tables: count("tables"),
            rows: count("rows"),
            large_objects: count("large_objects"),
            content_bytes: manifest.content_bytes(),
            stored_bytes: manifest.stored_bytes() + manifest_bytes,
            seconds,
            hooks,
        }
    }
}
