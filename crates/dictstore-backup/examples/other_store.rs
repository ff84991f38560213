//! Backs up a store that is not ours: anything that can show its rows at one moment can be backed up.
//!
//! `cargo run -p dictstore-backup --example other_store -- FOLDER`

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dictstore_backup::source::{Changes, Cut, Source, TableHead};
use dictstore_backup::{Backups, DictError, Key, Record, RestoreTo, restore};

/// Counters by name. Copies everything for a cut, and keeps no notes of changes: each backup is a full one.
#[derive(Clone, Debug, Default)]
struct Counters {
    values: Arc<Mutex<BTreeMap<String, i64>>>,
    version: Arc<AtomicU64>,
}

impl Counters {
    fn add(&self, name: &str) {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        *values.entry(name.to_owned()).or_default() += 1;
        self.version.fetch_add(1, Ordering::AcqRel);
    }
}

impl Source for Counters {
    fn cut(&self) -> Box<dyn Cut> {
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        Box::new(Frozen { values: values.clone(), version: self.version.load(Ordering::Acquire) })
    }

    fn changed_since(&self, since: u64) -> bool {
        self.version.load(Ordering::Acquire) > since
    }

    fn forget(&self, _until: u64) {}
}

struct Frozen {
    values: BTreeMap<String, i64>,
    version: u64,
}

impl Cut for Frozen {
    fn generation(&self) -> u64 {
        self.version
    }

    fn tables(&self) -> Vec<TableHead> {
        let records = self.values.len() as u64;
        let (name, primary_key) = ("counters".into(), "name".into());
        vec![TableHead { name, primary_key, schema: None, next_key: 1, records }]
    }

    fn rows(&self, _table: usize, each: &mut dyn FnMut(&Key, &Record) -> ControlFlow<()>) {
        for (name, value) in &self.values {
            let record = Record::new().with("name", name.as_str()).with("value", *value);
            if each(&Key::from(name.as_str()), &record).is_break() {
                return;
            }
        }
    }

    fn changes(&self, _since: u64) -> Option<Changes> {
        None
    }
}

fn main() -> Result<(), DictError> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "./data/counters".to_owned());
    let counters = Counters::default();
    let backups = Backups::builder(counters.clone(), folder.as_str()).init().incremental(true).start()?;
    for name in ["apples", "pears", "apples"] {
        counters.add(name);
    }
    backups.stop()?;

    let restored = restore(&folder, RestoreTo::Latest)?;
    let apples = restored.get("counters", &Key::from("apples"))?;
    #[expect(clippy::print_stdout, reason = "an example's result")]
    {
        println!("{:?}", apples.map(|row| row.record().clone()));
    }
    Ok(())
}
