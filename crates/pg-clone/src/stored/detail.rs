//! The part of the manifest that only dumps have: `detail` of `manifest.json` for kind `pg`.

use serde::{Deserialize, Serialize};

use crate::ident::QualifiedName;
use crate::stored::base::{Base, Reading, TableBase, TableReading};
use crate::stored::database_settings::DatabaseSettings;
pub use crate::stored::frames::Frame;
use crate::stored::frames::Frames;
use crate::stored::row_hash::RowHash;

/// Role of the part holding the schema archive, as `pg_dump -Fc --schema-only` wrote it.
pub const ROLE_SCHEMA: &str = "schema";
/// Role of packs of table rows.
pub const ROLE_DATA: &str = "data";
/// Role of packs of large objects.
pub const ROLE_LARGE_OBJECTS: &str = "large-objects";
/// Role of lists of tables and sequences.
pub const ROLE_TABLE_LIST: &str = "table-list";
/// Role of lists of frames.
pub const ROLE_FRAME_LIST: &str = "frame-list";

/// Everything about a dump that only pg-clone understands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DumpDetail {
    /// The server the dump was taken from.
    pub server: ServerInfo,
    /// Version of the `pg_dump` that wrote the schema archive.
    pub pg_dump_version: String,
    /// Owner, privileges, settings, encoding and locale of the database.
    pub database: DatabaseSettings,
    /// What was left out on request.
    pub filters: Filters,
    /// Installed extensions.
    pub extensions: Vec<Extension>,
    /// Roles that own something in the database or have a privilege on it.
    pub roles: Vec<String>,
    /// Those of them that policies name: without them the policies cannot be made. Dumps of earlier versions do not say.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub policy_roles: Vec<String>,
    /// Tables whose rows are in the dump, ordered by schema and name.
    pub tables: Vec<TableDump>,
    /// States of the sequences.
    pub sequences: Vec<SequenceState>,
    /// Materialized views, in the order in which they can be refreshed.
    pub matviews: Vec<MatviewState>,
    /// Foreign keys that refer to an excluded table and so cannot be restored.
    pub excluded_foreign_keys: Vec<ForeignKey>,
    /// Large objects, if there are any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub large_objects: Option<LargeObjects>,
    /// The `lc_monetary` of the rows' text, `C`; in dumps of earlier versions, without it, that of the server.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lc_monetary: Option<String>,
    /// What is in lists, if that is too much for the manifest: then `tables`, `sequences` and all `frames` are empty in it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lists: Option<Lists>,
    /// From where on changes count, for a later dump that keeps what did not change; absent where none can.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub base: Option<Base>,
    /// What was kept of an earlier dump, or why all rows were read; absent in dumps of earlier versions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reading: Option<Reading>,
}

/// What of a dump is in lists, which are parts of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lists {
    /// Lines of each list of tables and sequences, in the order of the parts.
    pub tables: Vec<u64>,
    /// Frames in each list of frames, likewise: first those of the tables in their order, then those of the large objects'
    /// metadata, then those of their slices.
    pub frames: Vec<u64>,
    /// Frames of the large objects' metadata.
    pub metadata: ListedFrames,
    /// Frames of their slices.
    pub slices: ListedFrames,
}

/// Frames that are in lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedFrames {
    /// How many.
    pub frames: u64,
    /// Bytes they occupy.
    pub stored_bytes: u64,
}

impl DumpDetail {
    /// All rows: of the tables in their order, then the large objects' metadata and slices.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &RowData> {
        let objects = self.large_objects.iter().flat_map(|objects| [&objects.metadata, &objects.slices]);
        self.tables.iter().map(|table| &table.data).chain(objects)
    }

    /// The same, to be changed.
    pub(crate) fn rows_mut(&mut self) -> impl Iterator<Item = &mut RowData> {
        let objects = self.large_objects.iter_mut().flat_map(|objects| [&mut objects.metadata, &mut objects.slices]);
        self.tables.iter_mut().map(|table| &mut table.data).chain(objects)
    }

    /// In which form the rows are.
    pub(crate) fn row_text(&self) -> RowText {
        RowText {
            raw_encoding: self.database.encoding == "SQL_ASCII",
            plain_money: self.lc_monetary.as_deref() == Some(MONEY_LOCALE),
        }
    }
}

/// The locale that the text of `money` is in. In another, `$ 12,34` reads as 1,234 dollars.
pub(crate) const MONEY_LOCALE: &str = "C";

/// In which form the rows are that a session writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RowText {
    /// In no known encoding: in a database that is `SQL_ASCII`.
    pub(crate) raw_encoding: bool,
    /// With `money` as in [`MONEY_LOCALE`], and not as the server that was dumped was set to.
    pub(crate) plain_money: bool,
}

/// The server a dump was taken from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerInfo {
    /// `server_version_num`, such as 150018.
    pub version_num: u32,
    /// `server_version`, such as `15.18 (Debian 15.18-0+deb12u1)`.
    pub version: String,
    /// Whether it was a standby.
    pub in_recovery: bool,
    /// WAL position at the snapshot, as `pg_lsn` text.
    pub snapshot_lsn: String,
}

impl ServerInfo {
    /// The major version, such as 15.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.version_num / 10_000
    }
}

/// What was left out on request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filters {
    /// Patterns of tables left out altogether.
    pub exclude_table: Vec<String>,
    /// Patterns of tables restored empty.
    pub exclude_table_data: Vec<String>,
    /// Tables left out altogether, as `schema.table`.
    pub excluded: Vec<String>,
    /// Tables whose rows were left out, as `schema.table`.
    pub emptied: Vec<String>,
    /// Foreign keys to those tables, as `schema.table.key`: one that a row of the dump needs cannot be restored.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub doubtful_foreign_keys: Vec<String>,
    /// Settings of the database that were left out, by name: they may hold secrets.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub settings: Vec<String>,
}

/// An installed extension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// Its installed version.
    pub version: String,
    /// The schema of its objects.
    pub schema: String,
}

/// Rows as `COPY … TO STDOUT` text in independent zstd frames.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowData {
    /// Number of rows.
    pub rows: u64,
    /// Order-independent hash of the rows.
    pub row_hash: RowHash,
    /// Bytes of COPY text.
    pub content_bytes: u64,
    /// Where the rows are; each frame begins and ends between rows.
    pub frames: Frames,
}

/// How a table belongs to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TableKind {
    /// An ordinary table or a leaf partition.
    Table,
    /// An unlogged table.
    Unlogged,
    /// A configuration table of an extension: only the rows its `extcondition` selects.
    ExtensionConfig,
}

/// A table's rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDump {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// How it belongs to the database.
    pub kind: TableKind,
    /// The columns in the rows, in order; generated columns are left out. Empty for a table without any.
    pub columns: Vec<String>,
    /// Where it was and what its text depended on, if a later dump can keep rows of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub base: Option<TableBase>,
    /// How it was read; absent in dumps of earlier versions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reading: Option<TableReading>,
    /// The rows.
    #[serde(flatten)]
    pub data: RowData,
}

impl TableDump {
    /// Its name, with its schema.
    pub(crate) fn qualified_name(&self) -> QualifiedName {
        QualifiedName::new(&self.schema, &self.name)
    }
}

/// A sequence's state at the dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceState {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// `last_value`.
    pub last_value: i64,
    /// Whether `last_value` has been handed out.
    pub is_called: bool,
}

/// A materialized view's state at the dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatviewState {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Whether it held rows that can be computed again; if not, it is left unpopulated.
    pub populated: bool,
}

/// A foreign key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// Schema of the referencing table.
    pub schema: String,
    /// The referencing table.
    pub table: String,
    /// The constraint's name.
    pub name: String,
}

/// The database's large objects (PostgreSQL manual, chapter "Large Objects").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargeObjects {
    /// How many.
    pub count: u64,
    /// One row an object: oid, owner, ACL as text array, comment.
    pub metadata: RowData,
    /// One row a slice: oid, offset, bytes.
    pub slices: RowData,
}
