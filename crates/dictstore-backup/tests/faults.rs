//! What a newer version, a full disk and a wrong clock do to the backups of a store.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use backup_core::clock::FixedClock;
use backup_core::retention::{Policy, Rule};
use backup_core::run::Run;
use backup_core::store::fs::FsStore;
use backup_core::store::{SharedStore, Verb, fault};
use backup_core::{CoreError, FormatError};
use dictstore_backup::list::{self, State};
use dictstore_backup::{
    BackupKind, Backups, Builder, DictError, DictStore, Prune, PruneOptions, Record, RestoreTo, TableOptions, restore,
};

const HOUR: Duration = Duration::from_secs(3_600);

fn store() -> DictStore {
    let store = DictStore::new();
    store.create_table("t", TableOptions::new()).unwrap();
    put(&store);
    store
}

fn put(store: &DictStore) {
    store.insert("t", Record::new().with("v", "value")).unwrap();
}

fn backups(store: &DictStore, folder: &Path) -> Builder {
    Backups::builder(store.clone(), folder).init().interval(HOUR).incremental(true)
}

fn rows(folder: &Path) -> usize {
    restore(folder.to_str().unwrap(), RestoreTo::Latest).unwrap().len("t").unwrap()
}

/// Every file below `folder`.
fn content(folder: &Path) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(content(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn c8_backups_of_a_newer_version_are_neither_read_nor_written_beside() {
    let (folder, store) = (tempfile::tempdir().unwrap(), store());
    let running = backups(&store, folder.path()).start().unwrap();
    running.backup_now().unwrap();
    put(&store);
    let delta = running.backup_now().unwrap().unwrap().file;
    running.stop().unwrap();
    let manifest = folder.path().join(format!("manifests/{delta}.manifest.json"));
    let text = std::fs::read_to_string(&manifest).unwrap();
    let newer = text.replace("\"format\":1,", "\"format\":2,");
    assert_ne!(newer, text);
    std::fs::write(&manifest, newer).unwrap();
    let before = content(folder.path());
    let is_newer =
        |error: &DictError| matches!(error, DictError::Core(CoreError::Format(FormatError::Newer { found: 2, .. })));
    let error = restore(folder.path().to_str().unwrap(), RestoreTo::Latest).unwrap_err();
    assert!(is_newer(&error), "{error}");
    let error = backups(&store, folder.path()).start().unwrap_err();
    assert!(is_newer(&error), "{error}");
    assert_eq!(content(folder.path()), before);
}

#[test]
fn c12_a_full_disk_publishes_nothing_and_the_next_backup_has_everything() {
    for (key, state) in [("dictdb_backup", None), ("manifests/dictdb_backup", Some(State::Unpublished))] {
        let (folder, store) = (tempfile::tempdir().unwrap(), store());
        let full = fault::Rule::new(fault::Harm::NoSpace).on(Verb::Put).where_key_contains(key).times(1);
        let disk = fault::Faults::new(FsStore::create(folder.path()).unwrap(), vec![full]);
        let disk: backup_core::store::SharedStore = Arc::new(disk);
        let running = Backups::builder(store.clone(), disk).init().interval(HOUR).start().unwrap();
        let error = running.backup_now().unwrap_err();
        assert!(error.to_string().contains("no space"), "{error}");
        let place = FsStore::open(folder.path()).unwrap();
        let states = runtime().block_on(list::list(&place)).unwrap().into_iter().map(|entry| entry.state);
        assert_eq!(states.collect::<Vec<_>>(), state.into_iter().collect::<Vec<_>>());
        let error = restore(folder.path().to_str().unwrap(), RestoreTo::Latest).unwrap_err();
        assert!(matches!(error, DictError::NoBackup { .. }), "{error}");
        put(&store);
        assert_eq!(running.backup_now().unwrap().unwrap().kind, BackupKind::Full);
        assert_eq!(rows(folder.path()), 2);
        let temporary = |path: &&std::path::PathBuf| path.to_string_lossy().contains("tmp-");
        assert_eq!(content(folder.path()).keys().filter(temporary).count(), 0);
    }
}

#[test]
fn c13_a_clock_that_was_ahead_changes_no_order_and_loses_no_backup() {
    let (folder, store) = (tempfile::tempdir().unwrap(), store());
    let now: jiff::Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    let ahead = now + jiff::SignedDuration::from_hours(2);
    let running = backups(&store, folder.path()).clock(Arc::new(FixedClock(ahead))).start().unwrap();
    running.backup_now().unwrap();
    running.stop().unwrap();
    let store = restore(folder.path().to_str().unwrap(), RestoreTo::Latest).unwrap();
    let running = backups(&store, folder.path()).clock(Arc::new(FixedClock(now))).start().unwrap();
    put(&store);
    running.backup_full().unwrap();
    put(&store);
    running.backup_now().unwrap();
    running.stop().unwrap();
    assert_eq!(rows(folder.path()), 3);
    let place = FsStore::open(folder.path()).unwrap();
    let sequences: Vec<_> = runtime().block_on(list::list(&place)).unwrap().iter().map(list::Entry::sequence).collect();
    assert_eq!(sequences, [Some(1), Some(2), Some(3)]);
    let run = Run { clock: Arc::new(FixedClock(now)), ..Run::silent() };
    let place: SharedStore = Arc::new(place);
    let options = PruneOptions::new(Policy::new(vec![Rule::Last(1)]));
    let prune = runtime().block_on(Prune::prepare(&place, &options, &run)).unwrap();
    let plan = prune.plan();
    assert_eq!(plan.removals.removals.len(), 0);
    assert!(plan.retention.warnings[0].contains("Check the clocks"), "{:?}", plan.retention.warnings);
}
