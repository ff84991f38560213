//! DictDB's delta JSON: `{"type": "delta", "timestamp": …, "tables": {name: {"upserts": […], "deletes": […]}}}`.

use crate::error::{DictError, DictResult};
use crate::json::write::{self, Unspeakable};
use crate::json::{read, write::text};
use crate::source::{Changes, TableChanges};
use crate::value::{Key, Record, Text, Value};

/// The records of one table as a delta file has them.
#[derive(Debug)]
pub(crate) struct LoadedChanges {
    pub(crate) name: Text,
    pub(crate) upserts: Vec<Record>,
    pub(crate) deletes: Vec<Key>,
}

/// Encodes the changes of records; `micros` is the time of the cut.
///
/// # Errors
/// [`DictError::Encode`] for a value JSON cannot say.
pub(crate) fn encode(changes: &Changes, micros: i64) -> DictResult<Vec<u8>> {
    let mut out = b"{\n  \"type\": \"delta\",\n  \"timestamp\": ".to_vec();
    // Scalars are never refused.
    let _ = write::value(&mut out, &Value::Float(micros as f64 / 1e6));
    out.extend_from_slice(b",\n  \"tables\": ");
    let mut at = None;
    let written = write::block(&mut out, b"{}", 1, changes.tables.iter(), |out, table| {
        at = Some(&table.name);
        self::table(out, table)
    });
    written.map_err(|Unspeakable(what)| DictError::Encode {
        table: at.map(ToString::to_string).unwrap_or_default(),
        what: format!("a changed record contains a `{what}`, which JSON cannot represent"),
    })?;
    out.extend_from_slice(b"\n}");
    Ok(out)
}

fn table(out: &mut Vec<u8>, table: &TableChanges) -> Result<(), Unspeakable> {
    text(out, &table.name);
    out.extend_from_slice(b": {\n      \"upserts\": ");
    write::block(out, b"[]", 3, table.upserts.iter(), |out, record| write::indented_record(out, record, 4))?;
    out.extend_from_slice(b",\n      \"deletes\": ");
    write::block(out, b"[]", 3, table.deletes.iter(), write::key)?;
    out.extend_from_slice(b"\n    }");
    Ok(())
}

/// Reads a delta file.
///
/// # Errors
/// [`DictError::Damaged`] naming `file`.
pub(crate) fn decode(file: &str, bytes: &[u8]) -> DictResult<Vec<LoadedChanges>> {
    let damaged = |what: String| DictError::Damaged { file: file.to_owned(), what };
    let document = read::document(bytes).map_err(|fault| damaged(fault.to_string()))?;
    let Value::Dict(mut document) = document else { return Err(damaged("it is not an object".to_owned())) };
    if document.get("type").and_then(Value::as_str) != Some("delta") {
        return Err(damaged("it is not a delta file".to_owned()));
    }
    let Some(Value::Dict(tables)) = document.remove(&"tables".into()) else {
        return Err(damaged("it has no `tables`".to_owned()));
    };
    tables.into_fields().into_iter().map(|(name, changes)| loaded(name, changes).map_err(damaged)).collect()
}

fn loaded(name: Text, changes: Value) -> Result<LoadedChanges, String> {
    let Value::Dict(mut changes) = changes else { return Err(format!("the table `{name}` is not an object")) };
    let mut list = |field: &str| match changes.remove(&field.into()) {
        // DictDB takes a missing list for an empty one.
        None => Ok(Vec::new()),
        Some(Value::List(items)) => Ok(Vec::from(items)),
        Some(_) => Err(format!("the {field} of the table `{name}` are not a list")),
    };
    let upserts = list("upserts")?.into_iter().map(|record| match record {
        Value::Dict(record) => Ok(*record),
        _ => Err(format!("a record of the table `{name}` is not an object")),
    });
    let upserts = upserts.collect::<Result<_, String>>()?;
    let deletes = list("deletes")?
        .into_iter()
        .map(|key| Key::new(key).map_err(|value| format!("the table `{name}` has a {} as a key", value.type_name())));
    let deletes = deletes.collect::<Result<_, String>>()?;
    Ok(LoadedChanges { name, upserts, deletes })
}
