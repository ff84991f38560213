//! What one version wrote every later one reads: `fixtures/ours`, two chains of ours. The acceptance rows use it too.
//!
//! `cargo test -p dictstore-backup --test ours -- --ignored` writes it anew, for which only a new format is a reason.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backup_core::clock::Clock;
use dictstore_backup::{
    Backups, DictStore, FieldType, Format, Key, Record, RestoreTo, Schema, TableOptions, Value, diff, restore,
};

const BEGIN: &str = "2026-11-21T03:00:00Z";

/// A minute later at every backup.
#[derive(Debug)]
struct Minutes(Mutex<jiff::Timestamp>);

impl Minutes {
    fn pass(&self) {
        *self.0.lock().unwrap() += jiff::SignedDuration::from_mins(1);
    }
}

impl Clock for Minutes {
    fn now(&self) -> jiff::Timestamp {
        *self.0.lock().unwrap()
    }
}

fn ours() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ours")
}

/// What happened before each of the five backups.
fn change(store: &DictStore, backup: u64) {
    let event = |text: &str| Record::new().with("type", text);
    match backup {
        1 => {
            store.create_table("events", TableOptions::new().primary_key("event_id")).unwrap();
            for text in ["click", "scroll", "日本語"] {
                store.insert("events", event(text)).unwrap();
            }
        }
        2 => {
            let schema = Schema::new().field("name", FieldType::Str).field("age", FieldType::Int);
            store.create_table("users", TableOptions::new().schema(schema)).unwrap();
            store.insert("users", Record::new().with("name", "Alice").with("age", 30)).unwrap();
            store.delete("events", &Key::from(2)).unwrap();
            store.insert("events", event("after")).unwrap();
        }
        3 => {
            let null = Record::new().with("event_id", Value::Null).with("type", "null key");
            store.insert("events", null).unwrap();
            store.update("events", &Key::from(1), Record::new().with("event_id", "moved")).unwrap();
        }
        4 => drop(store.insert("events", event("the second chain")).unwrap()),
        _ => {
            store.drop_table("users").unwrap();
            store.create_table("late", TableOptions::new()).unwrap();
            store.insert("late", Record::new().with("v", 0.1)).unwrap();
        }
    }
}

#[test]
fn every_backup_of_this_format_is_read() {
    let store = DictStore::new();
    for backup in 1..=5 {
        change(&store, backup);
        let restored = restore(ours().to_str().unwrap(), RestoreTo::Sequence(backup)).unwrap();
        let found = diff::diff(&store, &restored);
        assert!(found.is_empty(), "{backup}: {found:?}");
    }
}

#[test]
#[ignore = "writes the files that the other test reads"]
fn write() {
    std::fs::remove_dir_all(ours()).ok();
    let clock = Arc::new(Minutes(Mutex::new(BEGIN.parse().unwrap())));
    let hour = Duration::from_secs(3_600);
    let store = DictStore::new();
    let start = |store: &DictStore, format| {
        let backups = Backups::builder(store.clone(), ours()).init().interval(hour).incremental(true).format(format);
        backups.clock(Arc::<Minutes>::clone(&clock)).start().unwrap()
    };
    let json = start(&store, Format::Json);
    for backup in 1..=3 {
        change(&store, backup);
        json.backup_now().unwrap().unwrap();
        clock.pass();
    }
    json.stop().unwrap();
    let store = restore(ours().to_str().unwrap(), RestoreTo::Latest).unwrap();
    let pickle = start(&store, Format::Pickle);
    change(&store, 4);
    pickle.backup_full().unwrap().unwrap();
    clock.pass();
    change(&store, 5);
    pickle.backup_now().unwrap().unwrap();
    pickle.stop().unwrap();
    // Of this machine, and empty.
    std::fs::remove_file(ours().join(".lastgood-lock")).ok();
}
