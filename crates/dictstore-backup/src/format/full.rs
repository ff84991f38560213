//! DictDB's full JSON, byte for byte.

use std::ops::ControlFlow;

use indexmap::IndexMap;

use crate::error::{DictError, DictResult};
use crate::json::read::{self, Read, Reader};
use crate::json::write::text;
use crate::json::write::{self, Unspeakable};
use crate::schema::{FieldType, Schema};
use crate::source::{Cut, TableHead};
use crate::store::Table;
use crate::value::{Key, Record, Text, Value};

/// Bytes handed on at a time: enough that the hand-over costs nothing, little enough to hold several.
pub(crate) const CHUNK_BYTES: usize = 256 * 1024;

/// A table as a file has it.
#[derive(Debug)]
pub(crate) struct LoadedTable {
    pub(crate) name: Text,
    pub(crate) primary_key: Text,
    pub(crate) schema: Option<Schema>,
    /// Records with the key each is stored under, where the format says it.
    pub(crate) records: Vec<(Option<Key>, Record)>,
    /// All its rows, if they were built while the file was read; then there are no records.
    pub(crate) built: Option<Table>,
}

/// What became of an encoding.
pub(crate) type Encoded = DictResult<ControlFlow<()>>;

/// Encodes everything in chunks, until `emit` has enough.
///
/// # Errors
/// [`DictError::Encode`] for a value JSON cannot say.
pub(crate) fn encode(cut: &dyn Cut, emit: &mut dyn FnMut(Vec<u8>) -> ControlFlow<()>) -> Encoded {
    let mut out = Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 8);
    out.extend_from_slice(b"{\n    \"tables\": {");
    for (number, table) in cut.tables().iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        head(&mut out, table);
        let mut first = true;
        let mut fault = None;
        let mut stopped = false;
        cut.rows(number, &mut |key, record| {
            out.extend_from_slice(if first { b"\n                " } else { b",\n                " });
            first = false;
            if let Err(what) = row(&mut out, key, record) {
                fault = Some(unspeakable(&table.name, key, what));
                return ControlFlow::Break(());
            }
            if out.len() >= CHUNK_BYTES {
                let chunk = std::mem::replace(&mut out, Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 8));
                if emit(chunk).is_break() {
                    stopped = true;
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        });
        match (fault, stopped) {
            (Some(fault), _) => return Err(fault),
            (None, true) => return Ok(ControlFlow::Break(())),
            (None, false) => out.extend_from_slice(b"\n            ]\n        }"),
        }
    }
    out.extend_from_slice(b"\n    }\n}\n");
    Ok(emit(out))
}

fn head(out: &mut Vec<u8>, table: &TableHead) {
    out.extend_from_slice(b"\n        ");
    text(out, &table.name);
    out.extend_from_slice(b": {\n            \"primary_key\": ");
    text(out, &table.primary_key);
    out.extend_from_slice(b",\n            \"schema\": ");
    match &table.schema {
        None => out.extend_from_slice(b"null"),
        Some(schema) => {
            out.push(b'{');
            for (number, (name, kind)) in schema.iter().enumerate() {
                if number > 0 {
                    out.extend_from_slice(b", ");
                }
                text(out, name);
                out.extend_from_slice(b": ");
                text(out, &kind.name().into());
            }
            out.push(b'}');
        }
    }
    out.extend_from_slice(b",\n            \"records\": [");
}

fn row(out: &mut Vec<u8>, key: &Key, record: &Record) -> Result<(), Unspeakable> {
    // A key that comes back as something else is no backup of the record.
    if !key.is_json() {
        return Err(Unspeakable(key.value().type_name()));
    }
    write::record(out, record)
}

pub(crate) fn unspeakable(table: &Text, key: &Key, Unspeakable(what): Unspeakable) -> DictError {
    DictError::Encode {
        table: table.to_string(),
        what: format!("the record with the key {key} holds a `{what}`, which JSON cannot say"),
    }
}

/// Reads a full JSON file. Records are built as they come: a tree of the whole document would be as large again.
///
/// # Errors
/// [`DictError::Damaged`] naming `file`.
pub(crate) fn decode(file: &str, bytes: &[u8]) -> DictResult<Vec<LoadedTable>> {
    let damaged = |what: String| DictError::Damaged { file: file.to_owned(), what };
    let mut tables = None;
    let read = read::document_of(bytes, |reader| {
        if !reader.stands(b'{') {
            reader.value()?;
            return reader.misfit("it is no object");
        }
        reader.members(|reader, name| {
            // As in Python the last of several members of one name counts.
            if name == "tables" && reader.stands(b'{') {
                let mut found = IndexMap::new();
                reader.members(|reader, name| {
                    let table = table(reader, name.clone())?;
                    found.insert(name, table);
                    Ok(())
                })?;
                tables = Some(found);
                return Ok(());
            }
            reader.value()?;
            if name == "tables" {
                reader.misfit("its `tables` are no object, so that it is no full backup")
            } else {
                Ok(())
            }
        })
    });
    read.map_err(|fault| damaged(fault.to_string()))?;
    let tables = tables.ok_or_else(|| damaged("it has no `tables`, so that it is no full backup".to_owned()))?;
    Ok(tables.into_values().collect())
}

fn table(reader: &mut Reader<'_>, name: Text) -> Read<LoadedTable> {
    if !reader.stands(b'{') {
        reader.value()?;
        return reader.misfit(format!("the table `{name}` is no object"));
    }
    let (mut primary_key, mut schema, mut records) = (None, None, None);
    reader.members(|reader, member| {
        match member.as_str() {
            Some("primary_key") => match reader.value()? {
                Value::Text(field) => primary_key = Some(field),
                _ => return reader.misfit(format!("the primary key of the table `{name}` is no text")),
            },
            Some("schema") => {
                schema = Some(match reader.value()? {
                    Value::Null => None,
                    Value::Dict(fields) => Some(self::schema(*fields).or_else(|what| reader.misfit(what))?),
                    _ => return reader.misfit(format!("the schema of the table `{name}` is no object")),
                });
            }
            Some("records") => records = Some(self::records(reader, &name)?),
            _ => drop(reader.value()?),
        }
        Ok(())
    })?;
    let missing = |field: &str| format!("the table `{name}` has no `{field}`");
    match (primary_key, schema, records) {
        (None, ..) => reader.misfit(missing("primary_key")),
        (_, None, _) => reader.misfit(missing("schema")),
        (.., None) => reader.misfit(missing("records")),
        (Some(primary_key), Some(schema), Some(records)) => {
            Ok(LoadedTable { name, primary_key, schema, records, built: None })
        }
    }
}

fn records(reader: &mut Reader<'_>, table: &Text) -> Read<Vec<(Option<Key>, Record)>> {
    if !reader.stands(b'[') {
        reader.value()?;
        return reader.misfit(format!("the records of the table `{table}` are no list"));
    }
    let mut records = Vec::new();
    reader.items(|reader| {
        if !reader.stands(b'{') {
            reader.value()?;
            return reader.misfit(format!("a record of the table `{table}` is no object"));
        }
        records.push((None, reader.record()?));
        Ok(())
    })?;
    Ok(records)
}

fn schema(fields: Record) -> Result<Schema, String> {
    let fields = fields.into_fields().into_iter().map(|(name, kind)| {
        let kind = kind.as_str().unwrap_or_default().parse::<FieldType>()?;
        Ok((name, kind))
    });
    fields.collect()
}
