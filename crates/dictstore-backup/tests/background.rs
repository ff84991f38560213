//! Backups step back for the service: what their threads leave to its own.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use dictstore_backup::source::{Changes, Cut, Source, TableHead};
use dictstore_backup::{Backups, Builder, DictStore, Key, Record, Snapshot, TableOptions};

fn store() -> DictStore {
    let store = DictStore::new();
    store.create_table("t", TableOptions::new()).unwrap();
    store.insert("t", Record::new().with("v", "first")).unwrap();
    store
}

/// What is asked of a store, at which niceness, and how many processors whoever asks may use.
type Asking = (&'static str, i64, u32);

/// A store that notes what is asked of it.
#[derive(Clone, Debug)]
struct Asked(DictStore, Arc<Mutex<Vec<Asking>>>);

impl Asked {
    fn note(&self, what: &'static str) {
        let own = |file| std::fs::read_to_string(format!("/proc/thread-self/{file}")).unwrap();
        // Of what follows the name, which may hold anything, the seventeenth field; proc(5).
        let niceness = own("stat").rsplit(')').next().unwrap().split_whitespace().nth(16).unwrap().parse().unwrap();
        let status = own("status");
        let processors = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed:")).unwrap();
        let processors = processors.chars().filter_map(|digit| digit.to_digit(16)).map(u32::count_ones).sum();
        self.1.lock().unwrap().push((what, niceness, processors));
    }
}

impl Source for Asked {
    fn cut(&self) -> Box<dyn Cut> {
        self.note("cut");
        Box::new(AskedCut(self.clone(), self.0.snapshot()))
    }

    fn changed_since(&self, since: u64) -> bool {
        Source::changed_since(&self.0, since)
    }

    fn forget(&self, until: u64) {
        self.note("forget");
        self.0.forget(until);
    }
}

struct AskedCut(Asked, Snapshot);

impl Cut for AskedCut {
    fn generation(&self) -> u64 {
        self.1.generation()
    }

    fn tables(&self) -> Vec<TableHead> {
        self.1.tables()
    }

    fn rows(&self, table: usize, each: &mut dyn FnMut(&Key, &Record) -> ControlFlow<()>) {
        self.0.note("rows");
        self.1.rows(table, each);
    }

    fn changes(&self, since: u64) -> Option<Changes> {
        self.1.changes(since)
    }
}

impl Drop for AskedCut {
    fn drop(&mut self) {
        self.0.note("freed");
    }
}

#[test]
fn encoding_steps_back_and_what_holds_the_lock_does_not() {
    let folder = tempfile::tempdir().unwrap();
    for (niceness, expected) in [(None, 19), (Some(7), 7), (Some(0), 0)] {
        let asked = Asked(store(), Arc::default());
        asked.note("here");
        let builder = Backups::builder(asked.clone(), folder.path()).init();
        let builder = niceness.into_iter().fold(builder, Builder::niceness);
        builder.start().unwrap().backup_full().unwrap();
        let noted = asked.1.lock().unwrap().clone();
        let (_, here, all) = noted[0];
        let (nice, some) = if niceness == Some(0) { (here, all) } else { (here.max(expected), (all - 1).max(1)) };
        assert_eq!(
            noted[1..],
            [("cut", here, all), ("rows", nice, some), ("freed", nice, some), ("forget", here, all)]
        );
    }
    let refused = Backups::builder(store(), folder.path()).init().niceness(20).start().unwrap_err();
    assert!(refused.to_string().contains("20"), "{refused}");
}
