//! All details of one dump, for people and for `--json`.

use std::collections::BTreeSet;

use backup_core::key::Key;
use backup_core::manifest::{Manifest, Outcome, Part, Tool};
use backup_core::source::Identity;
use backup_core::store::StoreRead;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::error::PgResult;
use crate::stored::base::{Reading, TableReading};
use crate::stored::database_settings::DatabaseSettings;
use crate::stored::detail::{
    DumpDetail, Extension, Filters, ForeignKey, LargeObjects, MatviewState, RowData, SequenceState, ServerInfo,
    TableKind,
};
use crate::stored::key::DumpKey;
use crate::stored::legacy::{self, ArchiveHeader};
use crate::stored::list::{self, Found};
use crate::stored::lists;
use crate::stored::row_hash::RowHash;
use crate::stored::sizes::Sizes;
use crate::stored::tags_now::TagsNow;

/// One dump.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "form", rename_all = "snake_case")]
pub enum Shown {
    /// One of ours.
    Dump(Box<ShownDump>),
    /// A single-file dump of django-pgclone.
    SingleFile(Box<ShownFile>),
}

/// One of our dumps.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ShownDump {
    /// Its key.
    pub key: String,
    /// Its identity.
    pub id: Uuid,
    /// The database.
    pub database: String,
    /// The configuration it was made with.
    pub config: String,
    /// The cluster it is of; absent where the dump does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Identity>,
    /// Whether everything that was asked for could be read.
    pub outcome: Outcome,
    /// Whether nothing was left out on request either. Only a complete dump is ever the last good one.
    pub complete: bool,
    /// When the source was as the dump has it.
    pub created_at: Timestamp,
    /// When the run began.
    pub started_at: Timestamp,
    /// Position among the dumps of the database.
    pub sequence: u64,
    /// Who wrote it.
    pub tool: Tool,
    /// Its tags as they are now.
    pub tags: Vec<String>,
    /// Why only the tags are known that it was made with, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags_unknown: Option<String>,
    /// The server it was taken from.
    pub server: ServerInfo,
    /// What was kept of an earlier dump without reading it; absent in dumps of earlier versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
    /// Version of the `pg_dump` that wrote the schema.
    pub pg_dump_version: String,
    /// Bytes of all that it needs, wherever they lie.
    pub stored_bytes: u64,
    /// Bytes of it that it stored itself.
    pub added_bytes: u64,
    /// Bytes of it that earlier dumps had stored.
    pub shared_bytes: u64,
    /// Bytes of rows and schema before compression.
    pub content_bytes: u64,
    /// Rows of all tables.
    pub rows: u64,
    /// Tables, by schema and name.
    pub tables: Vec<ShownTable>,
    /// Sequences.
    pub sequences: Vec<SequenceState>,
    /// Materialized views.
    pub matviews: Vec<MatviewState>,
    /// Large objects, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub large_objects: Option<ShownLargeObjects>,
    /// Installed extensions.
    pub extensions: Vec<Extension>,
    /// Roles it needs.
    pub roles: Vec<String>,
    /// Owner, privileges, settings, encoding and locale of the database.
    pub settings: DatabaseSettings,
    /// What was left out on request.
    pub filters: Filters,
    /// Foreign keys to tables that were left out.
    pub excluded_foreign_keys: Vec<ForeignKey>,
    /// The stored objects with their digests.
    pub parts: Vec<Part>,
}

/// A table of a dump.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ShownTable {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// How it belongs to the database.
    pub kind: TableKind,
    /// Its columns.
    pub columns: Vec<String>,
    /// How it was read; absent where all of every table was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reading: Option<TableReading>,
    /// Its rows.
    #[serde(flatten)]
    pub data: ShownRows,
}

/// Rows of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ShownRows {
    /// How many.
    pub rows: u64,
    /// Their order-independent hash.
    pub row_hash: RowHash,
    /// Bytes of COPY text.
    pub content_bytes: u64,
    /// Bytes they occupy.
    pub stored_bytes: u64,
    /// Pieces they are stored in.
    pub frames: u64,
}

/// Large objects of a dump.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ShownLargeObjects {
    /// How many.
    pub count: u64,
    /// Their bytes.
    #[serde(flatten)]
    pub data: ShownRows,
}

/// A single-file dump.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ShownFile {
    /// Its key.
    pub key: String,
    /// The object.
    pub object: Key,
    /// The database, as its key says.
    pub database: String,
    /// When it was made, as its key says.
    pub created_at: Timestamp,
    /// Its size.
    pub stored_bytes: u64,
    /// What its beginning says; absent if that is damaged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<ArchiveHeader>,
    /// What is wrong with its beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// Everything about the dump `wanted`, as for [`list::find`].
///
/// # Errors
/// As [`list::find`].
pub async fn show(store: &dyn StoreRead, wanted: impl Into<list::Wanted>) -> PgResult<Shown> {
    match list::find(store, wanted).await? {
        Found::Ours { key, mut manifest, .. } => {
            lists::read_tables(store, &mut manifest).await.map_err(|fault| fault.of(&key))?;
            let now = TagsNow::read(store, BTreeSet::from([manifest.source.clone()])).await?;
            let mut dump = shown(key, *manifest);
            if let Some(key) = DumpKey::parse(&dump.key) {
                dump.tags = now.of(&key, &dump.tags);
                dump.tags_unknown = now.fault(&key.database).map(str::to_owned);
            }
            Ok(Shown::Dump(Box::new(dump)))
        }
        Found::Legacy { key, database, object, created_at, bytes } => {
            let (header, fault) = match legacy::open(store, &object).await {
                Ok(archive) => (Some(archive.header), None),
                Err(error @ crate::PgError::Integrity { .. }) => (None, Some(error.to_string())),
                Err(error) => return Err(error),
            };
            let file = ShownFile { key, object, database, created_at, stored_bytes: bytes, header, fault };
            Ok(Shown::SingleFile(Box::new(file)))
        }
    }
}

fn shown(key: String, manifest: Manifest<DumpDetail>) -> ShownDump {
    let sizes = Sizes::of(&manifest);
    let complete = manifest.is_complete();
    let detail = manifest.detail;
    let tables = detail.tables.into_iter().map(|table| ShownTable {
        data: ShownRows::of(&table.data),
        schema: table.schema,
        name: table.name,
        kind: table.kind,
        columns: table.columns,
        reading: table.reading,
    });
    let tables: Vec<ShownTable> = tables.collect();
    ShownDump {
        key,
        id: manifest.id,
        database: manifest.source,
        config: manifest.config,
        complete,
        cluster: manifest.identity,
        outcome: manifest.outcome,
        created_at: manifest.created_at,
        started_at: manifest.started_at,
        sequence: manifest.sequence,
        tool: manifest.tool,
        tags: manifest.tags,
        tags_unknown: None,
        server: detail.server,
        reading: detail.reading,
        pg_dump_version: detail.pg_dump_version,
        stored_bytes: sizes.stored(),
        added_bytes: sizes.added,
        shared_bytes: sizes.shared,
        content_bytes: sizes.content,
        rows: tables.iter().map(|table| table.data.rows).sum(),
        tables,
        sequences: detail.sequences,
        matviews: detail.matviews,
        large_objects: detail.large_objects.as_ref().map(ShownLargeObjects::of),
        extensions: detail.extensions,
        roles: detail.roles,
        settings: detail.database,
        filters: detail.filters,
        excluded_foreign_keys: detail.excluded_foreign_keys,
        parts: manifest.parts,
    }
}

impl ShownRows {
    fn of(data: &RowData) -> Self {
        Self {
            rows: data.rows,
            row_hash: data.row_hash,
            content_bytes: data.content_bytes,
            stored_bytes: data.frames.stored_bytes(),
            frames: data.frames.count(),
        }
    }
}

impl ShownLargeObjects {
    fn of(objects: &LargeObjects) -> Self {
        Self { count: objects.count, data: ShownRows::of(&objects.slices) }
    }
}
