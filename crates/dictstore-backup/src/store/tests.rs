//! Tests of the store: keys, counters, and what a snapshot and its changes see.

use super::*;
use crate::schema::FieldType;
use crate::value::Value;

fn store() -> DictStore {
    let store = DictStore::new();
    store.create_table("t", TableOptions::new()).unwrap();
    store
}

fn record(id: i64, value: i64) -> Record {
    Record::new().with("id", id).with("v", value)
}

fn changes(store: &DictStore, since: u64) -> (u64, crate::source::Changes) {
    let snapshot = store.snapshot();
    (snapshot.generation(), snapshot.changes(since).unwrap())
}

fn ids(records: &[Record]) -> Vec<i64> {
    records.iter().map(|record| record.get("id").and_then(Value::as_int).unwrap()).collect()
}

#[test]
fn automatic_keys_come_last_and_go_on_after_explicit_ones() {
    let store = store();
    assert_eq!(store.insert("t", Record::new().with("v", 1)).unwrap(), Key::from(1));
    store.insert("t", record(10, 0)).unwrap();
    assert_eq!(store.insert("t", Record::new().with("v", 2)).unwrap(), Key::from(11));
    store.insert("t", Record::new().with("id", Value::Null)).unwrap();
    assert_eq!(store.insert("t", Record::new()).unwrap(), Key::from(12));
    let names: Vec<_> =
        store.get("t", &Key::from(11)).unwrap().unwrap().record().iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["v", "id"]);
}

#[test]
fn a_refused_record_changes_nothing_not_even_the_counter() {
    let store = DictStore::new();
    let schema = Schema::new().field("v", FieldType::Int);
    store.create_table("t", TableOptions::new().schema(schema)).unwrap();
    let generation = store.snapshot().generation();
    assert!(matches!(store.insert("t", Record::new().with("v", "x")), Err(DictError::Schema { .. })));
    let batch = vec![Record::new().with("v", 1), Record::new().with("v", 2), Record::new().with("v", "x")];
    assert!(matches!(store.insert_many("t", batch), Err(DictError::Schema { .. })));
    assert_eq!(store.len("t").unwrap(), 0);
    assert_eq!(store.insert("t", Record::new().with("v", 3)).unwrap(), Key::from(1));
    let (_, changes) = changes(&store, generation);
    assert_eq!(ids(&changes.tables[0].upserts), [1]);
}

#[test]
fn each_changed_record_is_in_the_changes_once_and_deleted_keys_are_not_written() {
    let store = store();
    for id in 1..=5 {
        store.insert("t", record(id, 0)).unwrap();
    }
    let base = store.snapshot().generation();
    store.update("t", &Key::from(1), Record::new().with("v", 1)).unwrap();
    let _between = store.snapshot();
    store.update("t", &Key::from(1), Record::new().with("v", 2)).unwrap();
    store.update("t", &Key::from(1), Record::new().with("v", 3)).unwrap();
    store.delete("t", &Key::from(2)).unwrap();
    store.delete("t", &Key::from(3)).unwrap();
    store.insert("t", record(3, 9)).unwrap();
    store.update("t", &Key::from(4), Record::new().with("id", 40)).unwrap();
    let (generation, changes) = changes(&store, base);
    let table = &changes.tables[0];
    assert_eq!(ids(&table.upserts), [1, 3, 40]);
    assert_eq!(table.deletes, [Key::from(2), Key::from(4)]);
    assert_eq!(table.next_key, 41);
    assert!(!store.changed_since(generation));
}

#[test]
fn what_is_forgotten_needs_a_full_backup() {
    let store = store();
    let first = store.snapshot().generation();
    store.insert("t", record(1, 1)).unwrap();
    let second = store.snapshot().generation();
    store.forget(second);
    assert_eq!(store.snapshot().changes(first), None);
    assert!(store.snapshot().changes(second).unwrap().is_empty());
    assert!(store.changed_since(first));
}

#[test]
fn making_dropping_and_altering_tables_is_a_change_in_order() {
    let store = store();
    let base = store.snapshot().generation();
    store.insert("t", record(1, 1)).unwrap();
    store.drop_table("t").unwrap();
    store.create_table("t", TableOptions::new().primary_key("k")).unwrap();
    store.insert("t", Record::new().with("k", "a")).unwrap();
    store.set_schema("t", Some(Schema::new().field("k", FieldType::Str))).unwrap();
    let (_, changes) = changes(&store, base);
    assert!(matches!(&changes.ddl[..], [Ddl::Drop { .. }, Ddl::Create { .. }, Ddl::Alter { .. }]), "{:?}", changes.ddl);
    assert_eq!(changes.tables[0].upserts.len(), 1);
    assert!(changes.tables[0].deletes.is_empty());
}

#[test]
fn clearing_out_empty_slots_loses_no_change() {
    let store = store();
    for id in 0..3_000 {
        store.insert("t", record(id, 0)).unwrap();
    }
    let base = store.snapshot();
    store.update("t", &Key::from(2_999), Record::new().with("v", 1)).unwrap();
    let _sealed = store.snapshot();
    store.update("t", &Key::from(2_998), Record::new().with("v", 1)).unwrap();
    for id in 0..2_500 {
        assert!(store.delete("t", &Key::from(id)).unwrap());
    }
    let (_, changes) = changes(&store, base.generation());
    let mut upserts = ids(&changes.tables[0].upserts);
    upserts.sort_unstable();
    assert_eq!(upserts, [2_998, 2_999]);
    assert_eq!(changes.tables[0].deletes.len(), 2_500);
    assert_eq!(store.get("t", &Key::from(2_700)).unwrap().unwrap().key(), &Key::from(2_700));
    assert_eq!(base.rows_of("t").unwrap().count(), 3_000);
}

#[test]
fn t9_a_snapshot_is_one_moment_over_all_tables_while_writers_write() {
    let store = DictStore::new();
    store.create_table("a", TableOptions::new()).unwrap();
    store.create_table("b", TableOptions::new()).unwrap();
    std::thread::scope(|scope| {
        let writer = store.clone();
        // Always first `a`, then `b`: whoever sees more in `b` than in `a` sees two moments.
        scope.spawn(move || {
            for _ in 0..20_000 {
                writer.insert("a", Record::new()).unwrap();
                writer.insert("b", Record::new()).unwrap();
            }
        });
        let mut last = 0;
        while last < 20_000 {
            let snapshot = store.snapshot();
            let count = |table: &str| snapshot.rows_of(table).unwrap().count();
            let (b, a) = (count("b"), count("a"));
            assert!(a == b || a == b + 1, "{a} and {b}");
            last = b;
        }
    });
}
