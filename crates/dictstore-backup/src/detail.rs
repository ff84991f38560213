//! What the manifest of a backup adds to its file, because DictDB's JSON has no place for it.

use backup_core::digest::Sha256Digest;
use backup_core::manifest::Manifest;
use backup_core::manifest::Uuid;
use backup_core::store::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::format::Format;
use crate::schema::{FieldType, Schema};
use crate::source::{Ddl, TableHead};
use crate::value::Text;

/// Everything, or what changed since the backup before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackupKind {
    /// Everything.
    Full,
    /// What changed since its parent.
    Delta,
}

impl BackupKind {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Delta => "delta",
        }
    }
}

/// `detail` of a manifest of kind `dict`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DictDetail {
    /// Full or delta.
    pub backup: BackupKind,
    /// Format of the file.
    pub format: Format,
    /// The full backup at the root of its chain: itself, if it is one.
    pub full: Uuid,
    /// Deltas from there up to this one.
    pub deltas: u64,
    /// Full: every table. Delta: those whose records changed.
    pub tables: Vec<TableDetail>,
    /// Delta: what happened to tables, in order, before the records are applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ddl: Vec<DdlDetail>,
    /// Records of the store at that moment. Absent in manifests of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_records: Option<u64>,
    /// The file itself, if it is small: then the manifest alone is the backup, and one durable write makes it one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

impl DictDetail {
    /// Records of the store at that moment, as far as it is known.
    pub(crate) fn store_records(&self) -> Option<u64> {
        let of_full = || (self.backup == BackupKind::Full).then(|| self.tables.iter().map(|table| table.records).sum());
        self.store_records.or_else(of_full)
    }

    /// The backup's file out of its manifest, if that holds it whole.
    pub(crate) fn content_of(manifest: &Manifest<Self>) -> Option<Bytes> {
        let content = manifest.detail.content.as_ref()?;
        let part = manifest.parts.first()?;
        let whole = Sha256Digest::of(content.as_bytes()) == part.stored_sha256;
        whole.then(|| Bytes::copy_from_slice(content.as_bytes()))
    }
}

/// What is said of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDetail {
    /// Its name.
    pub name: Text,
    /// The next automatic key: a decimal number of any size.
    pub next_key: String,
    /// Records in the file.
    pub records: u64,
    /// Keys of deleted records in the file.
    #[serde(default)]
    pub deletes: u64,
}

impl TableDetail {
    pub(crate) fn of(head: &TableHead) -> Self {
        Self { name: head.name.clone(), next_key: head.next_key.to_string(), records: head.records, deletes: 0 }
    }
}

/// A change of a table as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum DdlDetail {
    /// Made.
    Create {
        /// Its name.
        table: Text,
        /// Field of the primary key.
        primary_key: Text,
        /// Fields and types in order.
        schema: Option<Vec<(Text, FieldType)>>,
    },
    /// Dropped.
    Drop {
        /// Its name.
        table: Text,
    },
    /// Given another schema.
    Alter {
        /// Its name.
        table: Text,
        /// Fields and types in order; absent for no schema.
        schema: Option<Vec<(Text, FieldType)>>,
    },
}

fn fields(schema: Option<&Schema>) -> Option<Vec<(Text, FieldType)>> {
    schema.map(|schema| schema.iter().map(|(name, kind)| (name.clone(), kind)).collect())
}

pub(crate) fn detail_of_ddl(ddl: &Ddl) -> DdlDetail {
    match ddl {
        Ddl::Create { table, primary_key, schema } => DdlDetail::Create {
            table: table.clone(),
            primary_key: primary_key.clone(),
            schema: fields(schema.as_ref()),
        },
        Ddl::Drop { table } => DdlDetail::Drop { table: table.clone() },
        Ddl::Alter { table, schema } => DdlDetail::Alter { table: table.clone(), schema: fields(schema.as_ref()) },
    }
}

pub(crate) fn ddl_of_detail(detail: &DdlDetail) -> Ddl {
    let schema = |fields: &Option<Vec<_>>| fields.as_ref().map(|fields| fields.iter().cloned().collect::<Schema>());
    match detail {
        DdlDetail::Create { table, primary_key, schema: fields } => {
            Ddl::Create { table: table.clone(), primary_key: primary_key.clone(), schema: schema(fields) }
        }
        DdlDetail::Drop { table } => Ddl::Drop { table: table.clone() },
        DdlDetail::Alter { table, schema: fields } => Ddl::Alter { table: table.clone(), schema: schema(fields) },
    }
}

/// Text as a string; with lone surrogates, which no string can hold, as bytes.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum TextForm {
    Plain(String),
    Bytes { surrogate_utf8: Vec<u8> },
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let form = match self.as_str() {
            Some(text) => TextForm::Plain(text.to_owned()),
            None => TextForm::Bytes { surrogate_utf8: self.as_bytes().to_vec() },
        };
        form.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match TextForm::deserialize(deserializer)? {
            TextForm::Plain(text) => Ok(text.into()),
            TextForm::Bytes { surrogate_utf8 } => {
                Self::from_bytes(&surrogate_utf8).ok_or_else(|| serde::de::Error::custom("a string is not UTF-8"))
            }
        }
    }
}
