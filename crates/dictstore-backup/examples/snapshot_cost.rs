//! Measures what snapshots cost writers: our shared pages against persistent maps (crate `imbl`), the same rows in both.
//!
//! `cargo run --release -p dictstore-backup --example snapshot_cost [ROWS]`

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use dictstore_backup::{DictStore, Key, Record, TableOptions};

fn record(id: i64) -> Record {
    Record::new().with("id", id).with("name", format!("Name{id}")).with("age", id % 90)
}

/// A cheap sequence that jumps about: every row of a power of two once.
fn places(rows: i64) -> impl Iterator<Item = i64> {
    (0..rows).scan(0, move |place, _| {
        *place = (*place + 7_919) % rows;
        Some(*place)
    })
}

/// Seconds per million.
fn rate(begin: Instant, count: i64) -> f64 {
    begin.elapsed().as_secs_f64() * 1e6 / count as f64
}

fn report(name: &str, insert: f64, snapshot_us: f64, idle: f64, shared: f64) {
    #[expect(clippy::print_stdout, reason = "an example that measures")]
    {
        println!(
            "{name:<28} insert {insert:>6.2} s/M   snapshot {snapshot_us:>9.1} µs   update {idle:>6.2} s/M   under a \
             snapshot {shared:>6.2} s/M"
        );
    }
}

fn pages(rows: i64, tracked: bool) {
    let store = if tracked { DictStore::new() } else { DictStore::untracked() };
    let expect = "the table was made here";
    store.create_table("t", TableOptions::new()).expect(expect);
    let begin = Instant::now();
    for id in 0..rows {
        store.insert("t", record(id)).expect(expect);
    }
    let insert = rate(begin, rows);
    let update = || {
        let begin = Instant::now();
        for id in places(rows) {
            store.update("t", &Key::from(id), Record::new().with("age", 1)).expect(expect);
        }
        rate(begin, rows)
    };
    let idle = update();
    let begin = Instant::now();
    let held = store.snapshot();
    let snapshot_us = begin.elapsed().as_secs_f64() * 1e6;
    let shared = update();
    drop(held);
    report(if tracked { "shared pages, tracked" } else { "shared pages" }, insert, snapshot_us, idle, shared);
}

/// Insertion order in one persistent map, slots by key in an ordinary one: what our table would be with `imbl`.
fn persistent(rows: i64) {
    let mut by_slot: imbl::OrdMap<u64, Arc<Record>> = imbl::OrdMap::new();
    let mut slots: HashMap<Key, u64> = HashMap::new();
    let begin = Instant::now();
    for id in 0..rows {
        slots.insert(Key::from(id), id.cast_unsigned());
        by_slot.insert(id.cast_unsigned(), Arc::new(record(id)));
    }
    let insert = rate(begin, rows);
    let update = |by_slot: &mut imbl::OrdMap<u64, Arc<Record>>| {
        let begin = Instant::now();
        for id in places(rows) {
            let slot = slots[&Key::from(id)];
            let mut changed = by_slot.get(&slot).map(|record| Record::clone(record)).unwrap_or_default();
            changed.set("age", 1);
            by_slot.insert(slot, Arc::new(changed));
        }
        rate(begin, rows)
    };
    let idle = update(&mut by_slot);
    let begin = Instant::now();
    let held = by_slot.clone();
    let snapshot_us = begin.elapsed().as_secs_f64() * 1e6;
    let shared = update(&mut by_slot);
    drop(held);
    report("imbl::OrdMap by slot", insert, snapshot_us, idle, shared);
}

fn fully_persistent(rows: i64) {
    let mut by_key: imbl::HashMap<Key, Arc<Record>> = imbl::HashMap::new();
    let begin = Instant::now();
    for id in 0..rows {
        by_key.insert(Key::from(id), Arc::new(record(id)));
    }
    let insert = rate(begin, rows);
    let update = |by_key: &mut imbl::HashMap<Key, Arc<Record>>| {
        let begin = Instant::now();
        for id in places(rows) {
            let mut changed = by_key.get(&Key::from(id)).map(|record| Record::clone(record)).unwrap_or_default();
            changed.set("age", 1);
            by_key.insert(Key::from(id), Arc::new(changed));
        }
        rate(begin, rows)
    };
    let idle = update(&mut by_key);
    let begin = Instant::now();
    let held = by_key.clone();
    let snapshot_us = begin.elapsed().as_secs_f64() * 1e6;
    let shared = update(&mut by_key);
    drop(held);
    report("imbl::HashMap (no order)", insert, snapshot_us, idle, shared);
}

fn main() {
    let rows = std::env::args().nth(1).and_then(|rows| rows.parse().ok()).unwrap_or(1 << 20);
    pages(rows, false);
    pages(rows, true);
    persistent(rows);
    fully_persistent(rows);
}
