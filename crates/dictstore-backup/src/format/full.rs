//! DictDB's full JSON, byte for byte.

mod read;

use std::ops::ControlFlow;

pub(crate) use self::read::decode;
use crate::error::{DictError, DictResult};
use crate::json::write::text;
use crate::json::write::{self, Unspeakable};
use crate::schema::Schema;
use crate::source::{Cut, TableHead};
use crate::store::Table;
use crate::value::{Key, Record, Text};

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
        what: format!("the record with the key {key} contains a `{what}`, which JSON cannot represent"),
    }
}

#[cfg(test)]
mod tests;
