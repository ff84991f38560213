//! Random operations, backups, failures, losses and restarts against a plain model: a restore is always exactly the state
//! of some backup that was published, and the newest one if nothing was lost.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use backup_core::store::fs::FsStore;
use backup_core::store::{Verb, fault};
use dictstore_backup::source::Cut as _;
use dictstore_backup::{Backups, DictStore, Key, OnConflict, Record, RestoreTo, TableOptions, Value, restore};
use proptest::prelude::*;

/// What may happen.
#[derive(Clone, Debug)]
enum Op {
    Put {
        table: u8,
        key: i8,
        value: u8,
    },
    Replace {
        table: u8,
        key: i8,
        value: u8,
    },
    Delete {
        table: u8,
        key: i8,
    },
    Move {
        table: u8,
        from: i8,
        to: i8,
    },
    Auto {
        table: u8,
    },
    Create {
        table: u8,
    },
    Drop {
        table: u8,
    },
    Backup,
    Full,
    /// A backup that fails when it writes its file (or its manifest).
    Fails {
        manifest: bool,
    },
    /// The process ends; the next one restores.
    Restart,
    /// The process is killed: what was not backed up is gone.
    Killed,
}

fn op() -> impl Strategy<Value = Op> {
    let (table, key) = (0_u8..3, -1_i8..6);
    prop_oneof![
        6 => (table.clone(), key.clone(), any::<u8>()).prop_map(|(table, key, value)| Op::Put { table, key, value }),
        2 => (table.clone(), key.clone(), any::<u8>()).prop_map(|(table, key, value)| Op::Replace { table, key, value }),
        3 => (table.clone(), key.clone()).prop_map(|(table, key)| Op::Delete { table, key }),
        2 => (table.clone(), key.clone(), key).prop_map(|(table, from, to)| Op::Move { table, from, to }),
        2 => table.clone().prop_map(|table| Op::Auto { table }),
        2 => table.clone().prop_map(|table| Op::Create { table }),
        1 => table.prop_map(|table| Op::Drop { table }),
        5 => Just(Op::Backup),
        1 => Just(Op::Full),
        1 => any::<bool>().prop_map(|manifest| Op::Fails { manifest }),
        1 => Just(Op::Restart),
        1 => Just(Op::Killed),
    ]
}

/// -1 stands for null.
fn key(number: i8) -> Key {
    if number < 0 { Key::new(Value::Null).unwrap() } else { Key::from(i64::from(number)) }
}

fn record(number: i8, field: &str, value: u8) -> Record {
    Record::new().with("id", key(number).value().clone()).with(field, i64::from(value))
}

/// Refusals (no such table, a key taken) are part of what may happen.
fn apply(store: &DictStore, op: &Op) {
    let name = |table: &u8| format!("t{table}");
    match op {
        Op::Put { table, key, value } => {
            let field = if value % 2 == 0 { "a" } else { "b" };
            let _ = store.upsert(&name(table), record(*key, field, *value), OnConflict::Update);
        }
        Op::Replace { table, key, value } => {
            let _ = store.upsert(&name(table), record(*key, "c", *value), OnConflict::Replace);
        }
        Op::Delete { table, key } => {
            let _ = store.delete(&name(table), &self::key(*key));
        }
        Op::Move { table, from, to } => {
            let _ = store.update(&name(table), &key(*from), Record::new().with("id", key(*to).value().clone()));
        }
        Op::Auto { table } => {
            let _ = store.insert(&name(table), Record::new());
        }
        Op::Create { table } => {
            let _ = store.create_table(name(table), TableOptions::new());
        }
        Op::Drop { table } => {
            let _ = store.drop_table(name(table));
        }
        _ => {}
    }
}

/// Everything that must come back: order of records is none of it, since deltas do not carry it.
fn picture(store: &DictStore) -> String {
    let snapshot = store.snapshot();
    let tables = snapshot.tables().into_iter().map(|table| {
        let rows = snapshot.rows_of(table.name.as_str().unwrap()).unwrap();
        let mut rows: Vec<String> = rows.map(|row| format!("{:?}={:?}", row.key(), row.record())).collect();
        rows.sort();
        format!("{} next {} {rows:?}", table.name, table.next_key)
    });
    tables.collect::<Vec<_>>().join("\n")
}

fn latest(folder: &Path) -> DictStore {
    restore(folder.to_str().unwrap(), RestoreTo::Latest).unwrap()
}

/// Backups whose next write to a key that contains `key` fails.
fn start(store: &DictStore, folder: &Path, key: Option<&str>) -> Backups {
    let rules = key.map(|key| fault::Rule::new(fault::Harm::NoSpace).on(Verb::Put).where_key_contains(key).times(1));
    let harmed = fault::Faults::new(FsStore::create(folder).unwrap(), rules.into_iter().collect());
    let place: backup_core::store::SharedStore = Arc::new(harmed);
    let hour = Duration::from_secs(3_600);
    let builder = Backups::builder(store.clone(), place).init().interval(hour).min_interval(hour);
    builder.incremental(true).max_deltas_before_full(4).start().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_restore_is_the_newest_backup(ops in proptest::collection::vec(op(), 1..60)) {
        let folder = tempfile::tempdir().unwrap();
        let mut store = DictStore::new();
        let mut backups = start(&store, folder.path(), None);
        backups.backup_full().unwrap();
        let mut published = picture(&store);
        for op in &ops {
            match op {
                Op::Backup => {
                    backups.backup_now().unwrap();
                    published = picture(&store);
                }
                Op::Full => {
                    backups.backup_full().unwrap();
                    published = picture(&store);
                }
                Op::Restart => {
                    backups.stop().unwrap();
                    store = latest(folder.path());
                    backups = start(&store, folder.path(), None);
                    published = picture(&store);
                }
                Op::Killed => {
                    // Neither stopped nor dropped: its thread sleeps for an hour and writes nothing more.
                    std::mem::forget(backups);
                    store = latest(folder.path());
                    published = picture(&store);
                    backups = start(&store, folder.path(), None);
                }
                Op::Fails { manifest } => {
                    backups.stop().unwrap();
                    store = latest(folder.path());
                    published = picture(&store);
                    let key = if *manifest { "manifests/dictdb_" } else { "dictdb_" };
                    backups = start(&store, folder.path(), Some(key));
                    store.create_table("failing", TableOptions::new()).ok();
                    store.insert("failing", Record::new()).ok();
                    prop_assert!(backups.backup_now().is_err());
                }
                other => apply(&store, other),
            }
            prop_assert_eq!(picture(&latest(folder.path())), published.clone(), "after {:?}", op);
        }
        backups.stop().unwrap();
        prop_assert_eq!(picture(&latest(folder.path())), picture(&store));
    }
}
