//! The report of a dump.

use backup_core::source::{Fall, Identity};
use serde::Serialize;
use uuid::Uuid;

use super::reuse::Reuse;
use super::write::Written;
use crate::hook::HookReport;
use crate::stored::base::Reading;
use crate::stored::key::DumpKey;
use crate::stored::sizes::Sizes;

/// What a dump did.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DumpReport {
    /// Its key: `{database}/{timestamp}.{config}.dump`.
    pub key: String,
    /// Its identity.
    pub id: Uuid,
    /// The cluster it is of.
    pub cluster: Identity,
    /// Whether nothing was left out on request. Only a complete dump is ever the last good one.
    pub complete: bool,
    /// What was left out, a line each, for people.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// By how much less it holds than the complete dump before, if that is worth telling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fall: Option<Fall>,
    /// Tables whose rows it holds.
    pub tables: u64,
    /// Rows.
    pub rows: u64,
    /// Large objects.
    pub large_objects: u64,
    /// Bytes of rows and schema before compression.
    pub content_bytes: u64,
    /// Bytes of all that it needs, manifest included.
    pub stored_bytes: u64,
    /// Bytes of it that it stored itself.
    pub added_bytes: u64,
    /// Bytes of it that earlier dumps had stored.
    pub shared_bytes: u64,
    /// The dumps whose manifests told what need not be stored again, by their keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub builds_on: Vec<String>,
    /// Why all of it was stored, if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored_all: Option<String>,
    /// The dump whose rows were kept without reading them where they had not changed, by its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Why all rows were read, if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_all: Option<String>,
    /// Bytes of rows before compression that were not read.
    pub kept_bytes: u64,
    /// Tables of which nothing was read.
    pub tables_kept: u64,
    /// Tables of which some ranges of pages were read.
    pub tables_partly_read: u64,
    /// Why a later dump cannot keep rows of this one, if that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_base: Option<String>,
    /// Seconds it took.
    pub seconds: f64,
    /// Why one session copied all rows, whatever was asked for, if that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_session: Option<String>,
    /// What ran before, in order.
    pub hooks: Vec<HookReport>,
}

impl DumpReport {
    /// The report of a complete dump that holds nothing: every other field can be set.
    #[must_use]
    pub fn new(key: impl Into<String>, id: Uuid, cluster: Identity) -> Self {
        Self {
            key: key.into(),
            id,
            cluster,
            complete: true,
            missing: Vec::new(),
            fall: None,
            tables: 0,
            rows: 0,
            large_objects: 0,
            content_bytes: 0,
            stored_bytes: 0,
            added_bytes: 0,
            shared_bytes: 0,
            builds_on: Vec::new(),
            stored_all: None,
            since: None,
            read_all: None,
            kept_bytes: 0,
            tables_kept: 0,
            tables_partly_read: 0,
            no_base: None,
            seconds: 0.0,
            one_session: None,
            hooks: Vec::new(),
        }
    }

    pub(super) fn of(
        key: &DumpKey,
        cluster: &Identity,
        written: Written,
        seconds: f64,
        hooks: Vec<HookReport>,
    ) -> Self {
        let Written { manifest, manifest_bytes, detail, fall, one_session, reuse, kept_bytes, kept_tables } = written;
        let Reading { since, read_all, no_base } = detail.reading.unwrap_or_default();
        let sizes = Sizes::of(&manifest);
        let (builds_on, stored_all) = match reuse {
            Reuse::Of { keys, .. } => (keys, None),
            Reuse::Nothing { why } => (Vec::new(), Some(why)),
        };
        let count = |name: &str| manifest.counts.get(name).copied().unwrap_or_default();
        Self {
            complete: manifest.is_complete(),
            missing: detail.filters.missing(),
            fall,
            tables: count("tables"),
            rows: count("rows"),
            large_objects: count("large_objects"),
            content_bytes: sizes.content,
            stored_bytes: sizes.stored() + manifest_bytes,
            added_bytes: sizes.added + manifest_bytes,
            shared_bytes: sizes.shared,
            builds_on,
            stored_all,
            since,
            read_all,
            kept_bytes,
            tables_kept: kept_tables.kept,
            tables_partly_read: kept_tables.partly,
            no_base,
            seconds,
            one_session: one_session.map(|reason| reason.to_string()),
            hooks,
            ..Self::new(key.to_string(), manifest.id, cluster.clone())
        }
    }
}
