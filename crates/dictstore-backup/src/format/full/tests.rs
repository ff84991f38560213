//! Large files, whose rows are made on a thread beside, say what small ones say.

use std::ops::ControlFlow;

use super::*;
use crate::load::{Loader, Note, Semantics};
use crate::store::{DictStore, OnConflict, TableOptions};

/// Enough records for several batches, and for a thread beside.
const RECORDS: i64 = 12_345;

fn record(number: i64) -> Record {
    Record::new().with("key", number).with("text", "x".repeat(20))
}

fn store() -> DictStore {
    let store = DictStore::new();
    for table in ["a", "b"] {
        store.create_table(table, TableOptions::new().primary_key("key")).unwrap();
        store.insert_many(table, (0..RECORDS).map(record).collect()).unwrap();
    }
    store
}

fn written(store: &DictStore) -> String {
    let mut bytes = Vec::new();
    let encoded = encode(&store.snapshot(), &mut |chunk| {
        bytes.extend(chunk);
        ControlFlow::Continue(())
    });
    assert!(encoded.unwrap().is_continue());
    String::from_utf8(bytes).unwrap()
}

/// What a file holds, and whether rows were made of it while it was read.
fn read(text: &str, semantics: Semantics) -> DictResult<(DictStore, Vec<Note>, bool)> {
    let tables = decode("f", text.as_bytes())?;
    let built = tables.iter().any(|table| table.built.is_some());
    assert!(!built || tables.iter().all(|table| table.records.is_empty()));
    let (store, notes) = Loader::full("f", tables, None, semantics)?.finish(None);
    Ok((store, notes, built))
}

fn same(store: &DictStore, text: &str) -> bool {
    let (read, notes, built) = read(text, Semantics::Exact).unwrap();
    assert_eq!(notes, []);
    assert!(crate::diff::diff(store, &read).is_empty());
    // The order too, and the next key.
    assert_eq!(written(&read), written(store));
    let next = |store: &DictStore| store.insert("a", Record::new()).unwrap();
    assert_eq!(next(&read), RECORDS.into());
    built
}

#[test]
fn a_large_file_is_the_same_however_it_is_read() {
    let (store, text) = (store(), written(&store()));
    assert!(same(&store, &text));
    // Records that come before what their table is are read without rows.
    let key = r#""primary_key": "key","#;
    let (head, table) = text.split_once(key).unwrap();
    let end = table.find("\n        }").unwrap();
    let late = format!("{head}{},\n            {}{}", &table[..end], key.trim_end_matches(','), &table[end..]);
    assert!(!same(&store, &late));
    // And so are those whose key is said to be another after them.
    let twice = late.replacen("\"schema\"", r#""primary_key": "text", "schema""#, 1);
    assert!(!same(&store, &twice));
}

#[test]
fn of_tables_and_lists_of_one_name_the_last_counts() {
    let (store, text) = (store(), written(&store()));
    assert!(same(&store, &text.replacen("\"records\": [", "\"records\": [{\"key\": 7}],\n\"records\": [", 1)));
    assert!(same(
        &store,
        &text.replacen(
            "\"b\": {",
            "\"b\": {\"primary_key\": \"id\", \"schema\": null, \"records\": [{\"id\": 1}]}, \"b\": {",
            1
        )
    ));
    let earlier = "\"tables\": {\"c\": {\"primary_key\": \"id\", \"schema\": null, \"records\": []}}, \"tables\": {";
    assert!(same(&store, &text.replacen("\"tables\": {", earlier, 1)));
}

#[test]
fn what_is_to_be_told_of_a_record_is_told_of_large_files_too() {
    let text = written(&store());
    let error = |text: &str, semantics| read(text, semantics).unwrap_err().to_string();
    let repeated = text.replacen("{\"key\": 9000,", "{\"key\": 8000,", 1);
    assert!(error(&repeated, Semantics::Exact).contains("two records with the key 8000"));
    assert!(error(&text.replacen("{\"key\": 9000,", "{\"key\": [],", 1), Semantics::Exact).contains("cannot be a key"));
    assert!(error(&text[..text.len() - 9], Semantics::Exact).contains("ends too early"));
    // A record without a key is numbered in the order of the file.
    let (numbered, _, built) = read(&text.replacen("{\"key\": 12344,", "{\"none\": 0,", 1), Semantics::Exact).unwrap();
    assert!(!built && numbered.get("a", &12_344.into()).unwrap().unwrap().record().get("none").is_some());
    // A record that breaks the schema is kept and told, or refused where DictDB refuses it.
    let schema = text.replacen("\"schema\": null", "\"schema\": {\"text\": \"str\"}", 1);
    assert!(read(&schema, Semantics::DictDb).unwrap().2);
    let broken = schema.replacen("{\"key\": 9000, \"text\": \"xxx", "{\"key\": 9000, \"text\": 5, \"more\": \"", 1);
    let (_, notes, built) = read(&broken, Semantics::Exact).unwrap();
    assert!(!built && notes[0].what.contains("1 records of the table `a` do not fit its schema"), "{notes:?}");
    assert!(error(&broken, Semantics::DictDb).contains("text"));
}

#[test]
fn a_store_made_of_rows_goes_on_as_any() {
    let (store, _, built) = read(&written(&store()), Semantics::Exact).unwrap();
    assert!(built);
    store.upsert("a", Record::new().with("key", 5).with("text", "other"), OnConflict::Update).unwrap();
    assert!(store.delete("a", &6.into()).unwrap());
    assert_eq!(store.len("a").unwrap() as i64, RECORDS - 1);
    let changes = crate::source::Cut::changes(&store.snapshot(), 1).unwrap();
    assert_eq!((changes.tables[0].upserts.len(), changes.tables[0].deletes.len()), (1, 1));
}
