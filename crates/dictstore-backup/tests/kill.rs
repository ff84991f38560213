//! T1: a service is killed at any moment (SIGKILL), again and again; what it was told to be durable is restored, whole.
//!
//! `LASTGOOD_DICT_KILL_SEEDS` says how many services live and die; 200 is the full run.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use backup_core::retention::{Policy, Rule};
use backup_core::run::Run;
use dictstore_backup::verify::verify;
use dictstore_backup::{
    Backups, DictError, DictStore, Format, Key, OnConflict, Record, RestoreTo, TableOptions, restore,
};

/// Services by default: enough to meet every step of a backup, quick enough for every run of the tests.
const SEEDS: u64 = 40;

/// Lives of each service.
const LIVES: u64 = 3;

/// A life ends within so many milliseconds of its start, or of its first backup: enough for dozens.
const LIFE_MS: u64 = 150;

/// Counts steps; in every backup.
const META: &str = "meta";

/// What the stores must be equal to: value by key by table.
type Model = BTreeMap<String, BTreeMap<i64, i64>>;

/// Random enough, and the same for the service and whoever checks it (splitmix64).
struct Dice(u64);

impl Dice {
    fn of(seed: u64, step: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ step.wrapping_mul(0xD1B5_4A32_D192_ED03))
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (x ^ (x >> 31)) % sides
    }
}

enum Op {
    Create(String),
    Drop(String),
    Put(String, i64, i64),
    Delete(String, i64),
}

/// What happens in a step.
fn ops(seed: u64, step: u64) -> Vec<Op> {
    let mut dice = Dice::of(seed, step);
    let count = 1 + dice.roll(20);
    let one = |_| {
        let table = format!("t{}", dice.roll(3));
        let key = dice.roll(30).cast_signed();
        match dice.roll(20) {
            0 => Op::Drop(table),
            1..=3 => Op::Create(table),
            4..=7 => Op::Delete(table, key),
            _ => Op::Put(table, key, dice.roll(1_000).cast_signed()),
        }
    };
    (0..count).map(one).collect()
}

fn apply(store: &DictStore, op: Op) {
    // A table that is there already, or is not, is part of the game.
    let _ = match op {
        Op::Create(table) => store.create_table(table, TableOptions::new()),
        Op::Drop(table) => store.drop_table(table),
        Op::Put(table, key, value) => {
            store.upsert(&table, Record::new().with("id", key).with("v", value), OnConflict::Replace).map(drop)
        }
        Op::Delete(table, key) => store.delete(&table, &Key::from(key)).map(drop),
    };
}

/// What a store is after `steps` steps.
fn model(seed: u64, steps: u64) -> Model {
    let mut model = Model::new();
    for op in (1..=steps).flat_map(|step| ops(seed, step)) {
        match op {
            Op::Create(table) => drop(model.entry(table).or_default()),
            Op::Drop(table) => drop(model.remove(&table)),
            Op::Put(table, key, value) => drop(model.get_mut(&table).map(|table| table.insert(key, value))),
            Op::Delete(table, key) => drop(model.get_mut(&table).map(|table| table.remove(&key))),
        }
    }
    model
}

fn picture(store: &DictStore) -> Model {
    let tables = store.table_names().into_iter().map(|name| name.to_string()).filter(|name| name != META);
    let rows = |table: &String| {
        let mut rows = BTreeMap::new();
        let row = |row: &dictstore_backup::Row| {
            let value = row.record().get("v").and_then(dictstore_backup::Value::as_int);
            rows.insert(row.key().value().as_int().unwrap(), value.unwrap());
        };
        store.scan(table, row).unwrap();
        rows
    };
    tables.map(|table| (table.clone(), rows(&table))).collect()
}

/// How many steps a store has behind it.
fn steps(store: &DictStore) -> u64 {
    let row = store.get(META, &Key::from(0)).unwrap();
    row.and_then(|row| row.record().get("step")?.as_int()).unwrap().cast_unsigned()
}

/// What is restored; none if there was no backup yet.
fn restored(folder: &str) -> Option<DictStore> {
    match restore(folder, RestoreTo::Latest) {
        Ok(store) => Some(store),
        Err(DictError::NoBackup { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

/// The service: goes on from what is restored, one backup a step, and says each step once it is durable.
#[test]
#[ignore = "the program that `t1_…` starts and kills"]
fn service() {
    let (folder, seed) = (std::env::var("KILL_FOLDER").unwrap(), std::env::var("KILL_SEED").unwrap());
    let seed: u64 = seed.parse().unwrap();
    let store = restored(&folder).unwrap_or_else(|| {
        let store = DictStore::new();
        store.create_table(META, TableOptions::new()).unwrap();
        store.insert(META, Record::new().with("id", 0).with("step", 0)).unwrap();
        store
    });
    let format = if seed.is_multiple_of(2) { Format::Json } else { Format::Pickle };
    let backups = Backups::builder(store.clone(), folder.as_str()).init().interval(Duration::from_secs(3_600));
    let backups = backups.format(format).incremental(true).max_deltas_before_full(seed % 5);
    let backups = backups.keep(Policy::new(vec![Rule::Last(2)])).start().unwrap();
    for step in steps(&store) + 1.. {
        ops(seed, step).into_iter().for_each(|op| apply(&store, op));
        store.update(META, &Key::from(0), Record::new().with("step", step.cast_signed())).unwrap();
        backups.backup_now().unwrap().unwrap();
        writeln!(std::io::stdout(), "\ndurable {step}").unwrap();
        std::io::stdout().flush().unwrap();
    }
}

/// Starts the service and kills it after `life`, which begins at once or with its first backup; the last step it said to
/// be durable.
fn live(folder: &Path, seed: u64, at_once: bool, life: Duration) -> Option<u64> {
    let mut service = Command::new(std::env::current_exe().unwrap());
    service.args(["--exact", "service", "--ignored", "--nocapture", "--test-threads=1"]);
    service.env("KILL_FOLDER", folder).env("KILL_SEED", seed.to_string());
    let mut service = service.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(service.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut said = lines.filter_map(|line| line.strip_prefix("durable ")?.parse().ok());
    let first = if at_once { None } else { said.next() };
    std::thread::sleep(life);
    service.kill().unwrap();
    let ended = service.wait_with_output().unwrap();
    // It never ends by itself: if it did, something refused.
    assert!(ended.status.code().is_none(), "seed {seed}: {}", String::from_utf8_lossy(&ended.stderr));
    said.last().or(first)
}

#[test]
fn t1_what_was_durable_survives_any_kill() {
    let seeds = std::env::var("LASTGOOD_DICT_KILL_SEEDS").map_or(SEEDS, |seeds| seeds.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut kills_after_a_backup, mut steps_seen) = (0, 0);
    for seed in 0..seeds {
        let folder = tempfile::tempdir().unwrap();
        let location = folder.path().display().to_string();
        let mut durable = 0;
        for life in 0..LIVES {
            let at_once = (seed + life).is_multiple_of(2);
            let life = Duration::from_millis(Dice::of(seed, u64::MAX - life).roll(LIFE_MS));
            let said = live(folder.path(), seed, at_once, life);
            kills_after_a_backup += u64::from(said.is_some());
            durable = said.unwrap_or(durable);
            let Some(store) = restored(&location) else {
                assert_eq!(durable, 0, "seed {seed}: a backup that was durable is gone");
                continue;
            };
            let found = steps(&store);
            // The step under way may have become durable before it could be said.
            assert!((durable..=durable + 1).contains(&found), "seed {seed}: {found} steps, {durable} were durable");
            assert_eq!(picture(&store), model(seed, found), "seed {seed} after {found} steps");
            let place = backup_core::store::fs::FsStore::open(folder.path()).unwrap();
            let report = runtime.block_on(verify(&place, None, &Run::silent())).unwrap();
            assert_eq!(report.broken().count(), 0, "seed {seed}: {report:?}");
            durable = found;
        }
        steps_seen += durable;
    }
    assert!(kills_after_a_backup >= seeds, "the services die before they do anything");
    // For whoever runs it with `--nocapture`.
    writeln!(std::io::stderr(), "{seeds} seeds, {kills_after_a_backup} kills after a backup, {steps_seen} steps")
        .unwrap();
}
