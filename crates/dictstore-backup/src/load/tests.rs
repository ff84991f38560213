//! The fixtures: what DictDB 1.11 itself made of its own files, read by our code.

use std::path::Path;

use backup_core::store::fs::FsStore;

use super::*;
use crate::error::DictError;
use crate::json::{read, write};
use crate::restore::{Restored, load_files};
use crate::source::Cut;
use crate::value::BigInt;

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn first(fields: &Record) -> Option<(String, Value)> {
    fields.iter().next().map(|(name, value)| (name.to_string(), value.clone()))
}

/// What plain JSON cannot say is written `{"$float": "nan"}` and so on.
fn unwrapped(value: Value) -> Value {
    match value {
        Value::List(items) => Value::List(Vec::from(items).into_iter().map(unwrapped).collect()),
        Value::Dict(fields) => match first(&fields) {
            Some((tag, Value::Text(text))) if tag == "$float" => Value::Float(text.as_str().unwrap().parse().unwrap()),
            Some((tag, Value::List(items))) if tag == "$tuple" => {
                Value::Tuple(Vec::from(items).into_iter().map(unwrapped).collect())
            }
            Some((tag, _)) if tag.starts_with('$') => panic!("the fixtures have no {tag} yet"),
            _ => Record::from_fields(
                fields.into_fields().into_iter().map(|(name, value)| (name, unwrapped(value))).collect(),
            )
            .into(),
        },
        scalar => scalar,
    }
}

fn json(value: &Value) -> String {
    let mut out = Vec::new();
    write::value(&mut out, value).unwrap();
    String::from_utf8(out).unwrap()
}

fn list(items: impl Iterator<Item = Value>) -> Value {
    Value::List(items.collect())
}

/// A store in the form `expected.json` has.
fn pictured(store: &DictStore) -> Value {
    let snapshot = store.snapshot();
    let tables = snapshot.tables().into_iter().enumerate().map(|(number, head)| {
        let mut records = Vec::new();
        snapshot.rows(number, &mut |key, record| {
            records.push(Record::new().with("key", key.value().clone()).with("record", record.clone()).into());
            std::ops::ControlFlow::Continue(())
        });
        let schema = head.schema.as_ref().map_or(Value::Null, |schema| {
            schema.iter().map(|(name, kind)| (name.clone(), Value::from(kind.name()))).collect::<Record>().into()
        });
        let next = head.next_key.to_string();
        let next = next.parse().map_or_else(|_| Value::Big(BigInt::parse(&next).unwrap()), Value::Int);
        let table = Record::new()
            .with("primary_key", head.primary_key.clone())
            .with("schema", schema)
            .with("next_pk", next)
            .with("records", list(records.into_iter()));
        (head.name, Value::from(table))
    });
    tables.collect::<Record>().into()
}

async fn loaded(base: &str, deltas: &[&str], semantics: Semantics) -> DictResult<Restored> {
    load_files(&FsStore::open(fixtures()).unwrap(), base, deltas, semantics).await
}

fn field<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    match value {
        Value::Dict(fields) => fields.get(name),
        _ => None,
    }
}

#[tokio::test]
async fn every_fixture_is_restored_as_dictdb_restored_it() {
    let expected = read::document(&std::fs::read(fixtures().join("expected.json")).unwrap()).unwrap();
    let Value::Dict(cases) = expected else { panic!("not an object") };
    let mut seen = 0;
    for (name, case) in cases.iter() {
        let Some(base) = field(case, "base").and_then(Value::as_str) else { continue };
        let deltas = match field(case, "deltas") {
            Some(Value::List(deltas)) => deltas.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let result = loaded(base, &deltas, Semantics::DictDb).await;
        seen += 1;
        if let Some(error) = field(case, "error") {
            let kind = field(error, "type").and_then(Value::as_str).unwrap();
            let told = result.expect_err(&name.to_string());
            let fits = match kind {
                "JSONDecodeError" | "ValueError" => matches!(told, DictError::Damaged { .. }),
                "SchemaValidationError" => matches!(told, DictError::Schema { .. }),
                "UnpicklingError" => matches!(told, DictError::Refused { .. }),
                _ => false,
            };
            assert!(fits, "{name}: {kind}, and we say: {told}");
            continue;
        }
        let restored = result.unwrap_or_else(|error| panic!("{name}: {error}"));
        let wanted = unwrapped(field(case, "tables").unwrap().clone());
        assert_eq!(json(&pictured(&restored.store)), json(&wanted), "{name}");
        let affected = list(restored.affected.iter().map(|count| Value::Int((*count).cast_signed())));
        assert_eq!(json(&affected), json(field(case, "affected").unwrap()), "{name}");
    }
    assert_eq!(seen, 34, "cases with files");
}

#[tokio::test]
async fn by_our_rules_what_was_backed_up_comes_back() {
    let rows = |restored: &Restored, table: &str| {
        let snapshot = restored.store.snapshot();
        let rows = snapshot.rows_of(table).unwrap().map(|row| json(&row.record().clone().into()));
        rows.collect::<Vec<_>>().join(" ")
    };
    let merged = loaded("edge/merge_base.json", &["edge/merge_delta.json"], Semantics::Exact).await.unwrap();
    assert_eq!(rows(&merged, "t"), r#"{"id": 1, "c": 3}"#);
    // The counter moves on, so that the next record overwrites none.
    let counted = loaded("edge/nextpk_base.json", &["edge/nextpk_delta.json"], Semantics::Exact).await.unwrap();
    let next = counted.store.insert("t", Record::new()).unwrap();
    assert_eq!(counted.store.len("t").unwrap() as i64, next.value().as_int().unwrap());
    // What DictDB's files could not carry is told.
    let late =
        loaded("edge/missing_table_base.json", &["edge/missing_table_delta.json"], Semantics::Exact).await.unwrap();
    assert!(late.notes.iter().any(|note| note.what.contains("are lost")), "{:?}", late.notes);
    let null = loaded("edge/nullpk_base.json", &["edge/nullpk_delta.json"], Semantics::Exact).await.unwrap();
    assert!(null.notes.iter().any(|note| note.what.contains("key null")), "{:?}", null.notes);
    let broken = loaded("edge/schema_violation.json", &[], Semantics::Exact).await.unwrap();
    assert!(broken.notes.iter().any(|note| note.what.contains("do not fit its schema")), "{:?}", broken.notes);
}

#[tokio::test]
async fn full_files_are_written_byte_for_byte_as_dictdb_wrote_them() {
    for file in [
        "chain/dictdb_backup_1795230100_113698.json",
        "chain/dictdb_backup_1795230100_158366.json",
        "full/full.json",
        "edge/empty_db.json",
        "edge/empty_table.json",
        "edge/nan_inf_surrogate.json",
        "edge/schema_violation.json",
        "recipe/dictdb_backup_1795230995_704806.json",
    ] {
        let restored = loaded(file, &[], Semantics::Exact).await.unwrap();
        let mut written = Vec::new();
        let done = crate::format::full::encode(&restored.store.snapshot(), &mut |chunk| {
            written.extend_from_slice(&chunk);
            std::ops::ControlFlow::Continue(())
        });
        assert!(done.unwrap().is_continue());
        assert_eq!(
            String::from_utf8(written).unwrap(),
            std::fs::read_to_string(fixtures().join(file)).unwrap(),
            "{file}"
        );
    }
}

#[tokio::test]
async fn delta_files_are_written_byte_for_byte_as_dictdb_wrote_them() {
    for entry in
        ["chain", "edge", "recipe"].iter().flat_map(|folder| std::fs::read_dir(fixtures().join(folder)).unwrap())
    {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.contains("delta") || name.contains("partial") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let tables = crate::format::delta::decode(&name, &bytes).unwrap().into_iter().map(|table| {
            let crate::format::delta::LoadedChanges { name, upserts, deletes } = table;
            crate::source::TableChanges { name, next_key: 1, upserts, deletes }
        });
        let changes = crate::source::Changes { ddl: Vec::new(), tables: tables.collect() };
        let written = String::from_utf8(crate::format::delta::encode(&changes, 0).unwrap()).unwrap();
        // The time has more digits than a name can carry.
        let original = String::from_utf8(bytes).unwrap();
        let begin = original.find("\"timestamp\": ").unwrap() + 13;
        let end = begin + original[begin..].find(',').unwrap();
        assert_eq!(written, format!("{}0.0{}", &original[..begin], &original[end..]), "{name}");
    }
}
