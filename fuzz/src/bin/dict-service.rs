//! `dict-service`: a service with tables in memory that backs up each step it makes, to be killed at any moment, and the check
//! of what was restored afterwards.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use backup_core::clock::{Clock, SignedDuration, Timestamp};
use backup_core::retention::{Policy, Rule};
use backup_core::{CoreError, StoreError};
use backup_testkit::dice::Dice;
use clap::Parser;
use dictstore_backup::{
    Backups, DictError, DictResult, DictStore, Format, Key, OnConflict, Record, RestoreTo, Row, Run, Semantics,
    TableOptions, Value, file, restore,
};

/// Counts steps; in every backup.
const META: &str = "meta";

/// Nothing is backed up by the clock: each step is.
const INTERVAL: Duration = Duration::from_secs(3_600);

/// A service that lives until it is killed, or has made its steps; and what checks what is left of it.
#[derive(Debug, Parser)]
#[command(name = "dict-service")]
enum Args {
    /// Goes on from the newest state, one backup a step, and says each step once it is durable.
    Live(Live),
    /// Compares a restored file with what the service had after its last steps.
    Check(Check),
}

#[derive(Debug, Parser)]
struct Live {
    /// The location.
    location: String,
    /// What happens in each step.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Ends after so many steps.
    #[arg(long)]
    steps: Option<u64>,
    /// Seconds by which the clock is wrong.
    #[arg(long, default_value_t = 0, allow_hyphen_values = true)]
    clock: i64,
}

#[derive(Debug, Parser)]
struct Check {
    /// The file, in JSON.
    file: PathBuf,
    /// That of the service.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The last step that it said to be durable; there may be one more.
    #[arg(long, default_value_t = 0)]
    durable: u64,
}

fn main() -> ExitCode {
    let ended = match Args::parse() {
        Args::Live(live) => lives(&live).map_err(|error| error.to_string()),
        Args::Check(check) => checked(&check),
    };
    match ended {
        Ok(step) => {
            // With stdout closed there is nobody to tell.
            let _ = writeln!(std::io::stdout(), "step {step}");
            ExitCode::SUCCESS
        }
        Err(what) => {
            let _ = writeln!(std::io::stderr(), "error: {what}");
            ExitCode::FAILURE
        }
    }
}

/// A clock that is wrong by always the same.
#[derive(Debug)]
struct Wrong(SignedDuration);

impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        Timestamp::now() + self.0
    }
}

/// What the tables must hold: value by key by table.
type Model = BTreeMap<String, BTreeMap<i64, i64>>;

enum Op {
    Create(String),
    Drop(String),
    Put(String, i64, i64),
    Delete(String, i64),
}

/// What happens in a step.
fn ops(seed: u64, step: u64) -> Vec<Op> {
    let mut dice = Dice::new(seed, "step", step);
    let mut ops = Vec::new();
    for _ in 0..dice.between(1, 20) {
        let table = format!("t{}", dice.below(3));
        let key = dice.below(30) as i64;
        ops.push(match dice.below(20) {
            0 => Op::Drop(table),
            1..=3 => Op::Create(table),
            4..=7 => Op::Delete(table, key),
            _ => Op::Put(table, key, dice.below(1_000) as i64),
        });
    }
    ops
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

/// What the store is after `steps` steps.
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

/// How many steps a store has behind it.
fn steps(store: &DictStore) -> DictResult<u64> {
    let row = store.get(META, &Key::from(0))?;
    let step = row.and_then(|row| row.record().get("step").and_then(Value::as_int));
    Ok(step.unwrap_or_default().cast_unsigned())
}

fn lives(live: &Live) -> DictResult<u64> {
    let store = match restore(&live.location, RestoreTo::Latest) {
        Ok(store) => store,
        Err(DictError::NoBackup { .. } | DictError::Core(CoreError::Store(StoreError::NoLocation { .. }))) => {
            let store = DictStore::new();
            store.create_table(META, TableOptions::new())?;
            store.insert(META, Record::new().with("id", 0).with("step", 0))?;
            store
        }
        Err(error) => return Err(error),
    };
    let format = if live.seed.is_multiple_of(2) { Format::Json } else { Format::Pickle };
    let clock = Wrong(SignedDuration::from_secs(live.clock));
    let backups = Backups::builder(store.clone(), live.location.as_str()).init().interval(INTERVAL);
    let backups = backups.name("torture").format(format).incremental(true).max_deltas_before_full(live.seed % 5);
    let backups = backups.clock(Arc::new(clock)).keep(Policy::new(vec![Rule::Last(2)])).start()?;
    let first = steps(&store)? + 1;
    let mut last = first - 1;
    for step in first.. {
        if live.steps.is_some_and(|steps| step >= first + steps) {
            break;
        }
        ops(live.seed, step).into_iter().for_each(|op| apply(&store, op));
        store.update(META, &Key::from(0), Record::new().with("step", step.cast_signed()))?;
        backups.backup_now()?;
        last = step;
        // Whoever kills reads this.
        let _ = writeln!(std::io::stdout(), "durable {step}");
        let _ = std::io::stdout().flush();
    }
    backups.stop()?;
    Ok(last)
}

fn checked(check: &Check) -> Result<u64, String> {
    let text = |error: DictError| error.to_string();
    let store = loaded(&check.file).map_err(text)?;
    let found = steps(&store).map_err(text)?;
    // The step under way may have become durable before it could be said.
    if !(check.durable..=check.durable + 1).contains(&found) {
        return Err(format!("{found} steps were restored, and {} were durable", check.durable));
    }
    let mut restored = Model::new();
    for table in store.table_names().into_iter().map(|name| name.to_string()).filter(|name| name != META) {
        let mut rows = BTreeMap::new();
        let row = |row: &Row| {
            let value = row.record().get("v").and_then(Value::as_int);
            // A record that is another is another record.
            rows.insert(row.key().value().as_int().unwrap_or(i64::MIN), value.unwrap_or(i64::MIN));
        };
        store.scan(&table, row).map_err(text)?;
        restored.insert(table, rows);
    }
    let expected = model(check.seed, found);
    if restored != expected {
        return Err(format!("after {found} steps it is {restored:?}, and should be {expected:?}"));
    }
    Ok(found)
}

fn loaded(path: &Path) -> DictResult<DictStore> {
    Ok(file::read(path, Format::Json, Semantics::Exact, &Run::silent())?.store)
}
