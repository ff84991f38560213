//! Backups by themselves: what is written when, what survives failures, and what a restart finds.

use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backup_core::clock::{Clock, FixedClock};
use backup_core::location::Location;
use backup_core::retention::{Policy, Rule};
use backup_core::run::Run;
use backup_core::store::fs::FsStore;
use backup_core::store::{SharedStore, Verb, fault};
use dictstore_backup::list::{self, State};
use dictstore_backup::source::Cut as _;
use dictstore_backup::{
    BackupKind, Backups, Builder, DictError, DictStore, FieldType, Format, Key, Prune, PruneOptions, Record, Restore,
    RestoreTo, Schema, TableOptions, Value, restore,
};

const HOUR: Duration = Duration::from_secs(3_600);

fn store() -> DictStore {
    let store = DictStore::new();
    store.create_table("t", TableOptions::new()).unwrap();
    store.insert("t", Record::new().with("v", "first")).unwrap();
    store
}

fn backups(store: &DictStore, folder: &Path) -> Builder {
    Backups::builder(store.clone(), folder).init().interval(HOUR).incremental(true)
}

fn put(store: &DictStore, text: &str) -> Key {
    store.insert("t", Record::new().with("v", text)).unwrap()
}

fn picture(store: &DictStore) -> String {
    let snapshot = store.snapshot();
    let tables = snapshot.tables();
    let rows: Vec<Vec<Record>> = tables
        .iter()
        .map(|table| snapshot.rows_of(table.name.as_str().unwrap()).unwrap().map(|row| row.record().clone()).collect())
        .collect();
    let heads: Vec<_> = tables.iter().map(|t| (t.name.clone(), t.schema.clone(), t.next_key)).collect();
    format!("{heads:?} {rows:?}")
}

fn latest(folder: &Path) -> DictStore {
    restore(folder.to_str().unwrap(), RestoreTo::Latest).unwrap()
}

fn files(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("dictdb_")).collect();
    names.sort_by_key(|name| name.split_once('_').unwrap().1.split_once('_').unwrap().1.to_owned());
    names
}

fn kind(written: Result<Option<dictstore_backup::Written>, DictError>) -> Option<BackupKind> {
    written.unwrap().map(|written| written.kind)
}

#[test]
fn full_first_then_deltas_then_full_again_and_nothing_without_a_change() {
    let (folder, store) = (tempfile::tempdir().unwrap(), store());
    let backups = backups(&store, folder.path()).max_deltas_before_full(2).start().unwrap();
    assert_eq!(kind(backups.backup_now()), Some(BackupKind::Full));
    assert_eq!(kind(backups.backup_now()), None);
    for expected in [BackupKind::Delta, BackupKind::Delta, BackupKind::Full, BackupKind::Delta] {
        put(&store, "more");
        assert_eq!(kind(backups.backup_now()), Some(expected));
        assert_eq!(picture(&latest(folder.path())), picture(&store));
    }
    assert_eq!(backups.deltas_since_full(), 1);
    assert_eq!(kind(backups.backup_delta()), None);
    assert_eq!(kind(backups.backup_full()), Some(BackupKind::Full));
    assert_eq!(backups.deltas_since_full(), 0);
    assert_eq!(kind(backups.stop()), None);
    assert!(matches!(backups.backup_now(), Err(DictError::Stopped)));
    assert_eq!(files(folder.path()).len(), 6);
}

#[test]
fn tables_schemas_keys_and_counters_come_back() {
    let (folder, store) = (tempfile::tempdir().unwrap(), store());
    let backups = backups(&store, folder.path()).start().unwrap();
    backups.backup_now().unwrap();
    let schema = Schema::new().field("n", FieldType::Float);
    store.create_table("late", TableOptions::new().schema(schema)).unwrap();
    store.insert("late", Record::new().with("n", 0.5)).unwrap();
    store.insert("t", Record::new().with("id", Value::Null).with("v", "null key")).unwrap();
    let gone = put(&store, "gone");
    backups.backup_now().unwrap();
    store.delete("t", &gone).unwrap();
    store.delete("t", &Key::from(1)).unwrap();
    store.insert("t", Record::new().with("id", 1).with("w", "without the old field")).unwrap();
    store.update("t", &Key::new(Value::Null).unwrap(), Record::new().with("id", "moved")).unwrap();
    backups.backup_now().unwrap();
    store.drop_table("t").unwrap();
    store.create_table("t", TableOptions::new().primary_key("k")).unwrap();
    store.insert("t", Record::new().with("k", "again")).unwrap();
    backups.stop().unwrap();
    assert_eq!(picture(&latest(folder.path())), picture(&store));
    assert_eq!(files(folder.path()).len(), 4);
}

#[test]
fn t5_the_last_of_many_changes_is_backed_up() {
    let (folder, store) = (tempfile::tempdir().unwrap(), store());
    let backups = backups(&store, folder.path()).min_interval(Duration::from_millis(200)).start().unwrap();
    for number in 0..1_000 {
        put(&store, &number.to_string());
        backups.notify_change();
    }
    // Waits for what must come, however long the machine takes.
    while picture(&latest_or_empty(folder.path())) != picture(&store) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(files(folder.path()).len() < 100, "the least interval was not kept");
}

fn latest_or_empty(folder: &Path) -> DictStore {
    restore(folder.to_str().unwrap(), RestoreTo::Latest).unwrap_or_default()
}

/// Backups on a store that refuses the first `times` deltas or their manifests.
fn faulty(folder: &Path, key: &str, times: u64) -> SharedStore {
    let rule = fault::Rule::new(fault::Harm::NoSpace).on(Verb::Put).where_key_contains(key).times(times);
    Arc::new(fault::Faults::new(FsStore::create(folder).unwrap(), vec![rule]))
}

#[test]
fn t6_failures_are_counted_and_told_and_no_change_is_lost() {
    // The file and the reservation are written at the same time.
    for (key, puts) in [("dictdb_delta", 2), ("manifests/dictdb_delta", 1)] {
        let (folder, store) = (tempfile::tempdir().unwrap(), store());
        let (told, heard) = channel();
        let backups = Backups::builder(store.clone(), faulty(folder.path(), key, 3 * puts))
            .init()
            .interval(HOUR)
            .min_interval(HOUR)
            .incremental(true)
            .on_failure(move |error, consecutive| told.send((error.to_string(), consecutive)).unwrap())
            .start()
            .unwrap();
        backups.backup_now().unwrap();
        for failures in 1..=3 {
            put(&store, "kept");
            assert!(backups.backup_now().is_err());
            let (error, consecutive) = heard.recv().unwrap();
            assert_eq!((consecutive, backups.consecutive_failures()), (failures, failures));
            assert!(error.contains("no space"), "{error}");
        }
        let written = backups.backup_now().unwrap().unwrap();
        assert_eq!((written.kind, written.records), (BackupKind::Delta, 3));
        assert_eq!(backups.consecutive_failures(), 0);
        assert_eq!(picture(&latest(folder.path())), picture(&store));
    }
}

#[test]
fn t7_a_callback_may_panic_or_ask_for_a_backup() {
    let (folder, store) = (tempfile::tempdir().unwrap(), store());
    let (handle, given): (std::sync::mpsc::Sender<Arc<Backups>>, _) = channel();
    let (told, heard) = channel();
    let backups = Backups::builder(store.clone(), faulty(folder.path(), "dictdb_backup", 1))
        .init()
        .interval(HOUR)
        .min_interval(HOUR)
        .on_failure(move |_, _| {
            let backups = given.recv().unwrap();
            told.send(backups.backup_full().map(|written| written.unwrap().kind)).unwrap();
            panic!("as callbacks do");
        })
        .start()
        .unwrap();
    let backups = Arc::new(backups);
    assert!(backups.backup_now().is_err());
    handle.send(Arc::clone(&backups)).unwrap();
    assert_eq!(heard.recv().unwrap().unwrap(), BackupKind::Full);
    put(&store, "later");
    assert!(backups.backup_now().unwrap().is_some());
}

#[test]
fn t10_a_restart_goes_on_with_the_chain_it_was_restored_from_and_with_no_other() {
    let (folder, store) = (tempfile::tempdir().unwrap(), store());
    let first = backups(&store, folder.path()).max_deltas_before_full(3).start().unwrap();
    first.backup_now().unwrap();
    for _ in 0..2 {
        put(&store, "more");
        first.backup_now().unwrap();
    }
    first.stop().unwrap();

    let restored = latest(folder.path());
    let second = backups(&restored, folder.path()).max_deltas_before_full(3).start().unwrap();
    assert_eq!(second.deltas_since_full(), 2);
    assert_eq!(kind(second.backup_now()), None);
    put(&restored, "after the restart");
    assert_eq!(kind(second.backup_now()), Some(BackupKind::Delta));
    put(&restored, "one too many");
    assert_eq!(kind(second.backup_now()), Some(BackupKind::Full));
    second.stop().unwrap();
    assert_eq!(picture(&latest(folder.path())), picture(&restored));

    // A store that came from elsewhere has nothing to do with that chain.
    let third = backups(&self::store(), folder.path()).start().unwrap();
    assert_eq!(third.deltas_since_full(), 0);
    assert_eq!(kind(third.backup_delta()), Some(BackupKind::Full));
}

/// A clock that steps back at every look.
#[derive(Debug)]
struct StepsBack(Mutex<jiff::Timestamp>);

impl Clock for StepsBack {
    fn now(&self) -> jiff::Timestamp {
        let mut now = self.0.lock().unwrap();
        *now -= jiff::SignedDuration::from_secs(60);
        *now
    }
}

#[test]
fn t4_the_order_is_right_where_the_clock_steps_back_or_stands_still() {
    let begin: jiff::Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
    let clocks: [Arc<dyn Clock>; 2] = [Arc::new(StepsBack(Mutex::new(begin))), Arc::new(FixedClock(begin))];
    for clock in clocks {
        let (folder, store) = (tempfile::tempdir().unwrap(), store());
        let backups = backups(&store, folder.path()).clock(clock).start().unwrap();
        let mut written = Vec::new();
        for text in ["a", "b", "c"] {
            put(&store, text);
            written.push(backups.backup_now().unwrap().unwrap().file);
            assert_eq!(picture(&latest(folder.path())), picture(&store));
        }
        assert_eq!(files(folder.path()), written);
    }
}

#[test]
fn retention_keeps_whole_chains() {
    let (folder, store) = (tempfile::tempdir().unwrap(), store());
    let keep = Policy::new(vec![Rule::Last(1)]);
    let backups = backups(&store, folder.path()).max_deltas_before_full(1).keep(keep).start().unwrap();
    for number in 0..5 {
        put(&store, &number.to_string());
        backups.backup_now().unwrap();
    }
    // Full, delta | full, delta | full: only the last stands.
    assert_eq!(files(folder.path()).len(), 1);
    put(&store, "delta");
    backups.backup_now().unwrap();
    assert_eq!(files(folder.path()).len(), 2);
    assert_eq!(picture(&latest(folder.path())), picture(&store));
}

#[test]
fn c2_what_has_no_manifest_is_no_backup() {
    let (folder, store) = (tempfile::tempdir().unwrap(), store());
    let backups = backups(&store, folder.path()).start().unwrap();
    backups.backup_now().unwrap();
    let before = picture(&store);
    put(&store, "not published");
    let written = backups.backup_now().unwrap().unwrap();
    std::fs::remove_file(folder.path().join(format!("manifests/{}.manifest.json", written.file))).unwrap();
    assert_eq!(picture(&latest(folder.path())), before);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store: SharedStore = Arc::new(FsStore::open(folder.path()).unwrap());
    let states: Vec<_> = runtime.block_on(list::list(&*store)).unwrap().into_iter().map(|entry| entry.state).collect();
    assert_eq!(states, [State::Good, State::Unpublished]);

    // It stays as long as its writer may be alive, and DictDB's own files stay for ever.
    let foreign = folder.path().join("dictdb_backup_0000000001_000000.json");
    std::fs::write(&foreign, "{}").unwrap();
    let now = jiff::Timestamp::now();
    let hours = jiff::SignedDuration::from_hours;
    let at = |now| Run { clock: Arc::new(FixedClock(now)), ..Run::silent() };
    let options = PruneOptions::incomplete().grace(hours(24));
    let left = |now| runtime.block_on(Prune::prepare(&store, &options, &at(now))).unwrap();
    assert!(left(now + hours(23)).plan().incomplete.is_empty());
    let prune = left(now + hours(25));
    assert_eq!(prune.plan().incomplete.abandoned.len(), 1);
    runtime.block_on(prune.run()).unwrap();
    assert!(foreign.exists() && !folder.path().join(&written.file).exists());
    assert_eq!(picture(&latest(folder.path())), before);
}

#[test]
fn a_full_backup_follows_when_what_a_delta_would_build_on_was_pruned() {
    let (folder, store) = (tempfile::tempdir().unwrap(), store());
    let first = backups(&store, folder.path()).start().unwrap();
    first.backup_now().unwrap();
    // The new process was started before the old one had stopped, and retention runs elsewhere.
    let restored = restore(folder.path().to_str().unwrap(), RestoreTo::Latest).unwrap();
    let second = backups(&restored, folder.path()).start().unwrap();
    put(&restored, "second");
    let kept = second.backup_full().unwrap().unwrap().file;
    second.stop().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let place: SharedStore = Arc::new(FsStore::open(folder.path()).unwrap());
    let options = PruneOptions::new(Policy::new(vec![Rule::Last(1)]));
    let pruned =
        runtime.block_on(async { Prune::prepare(&place, &options, &Run::silent()).await?.run().await }).unwrap();
    assert_eq!(pruned.backups.removed.len(), 1);

    put(&store, "first");
    let written = first.backup_now().unwrap().unwrap();
    assert_eq!(written.kind, BackupKind::Full, "a delta without what it builds on");
    first.stop().unwrap();
    assert_eq!(files(folder.path()), [kept, written.file].map(String::from));
    assert_eq!(picture(&latest(folder.path())), picture(&store));
}

#[test]
fn c5_c6_c7_a_changed_file_or_manifest_is_refused() {
    let (folder, store) = (tempfile::tempdir().unwrap(), store());
    let backups = backups(&store, folder.path()).start().unwrap();
    let full = backups.backup_now().unwrap().unwrap().file;
    // Too large for its manifest to hold it.
    put(&store, &"delta".repeat(20_000));
    let delta = backups.backup_now().unwrap().unwrap().file;
    backups.stop().unwrap();
    for file in [full.clone(), delta.clone(), format!("manifests/{delta}.manifest.json")] {
        let path = folder.path().join(&file);
        let good = std::fs::read(&path).unwrap();
        let flipped = [&good[..good.len() - 3], &[good[good.len() - 3] ^ 1], &good[good.len() - 2..]].concat();
        let longer = [&good[..], b" "].concat();
        for bad in [flipped, good[..good.len() - 1].to_vec(), longer] {
            std::fs::write(&path, bad).unwrap();
            let result = restore(folder.path().to_str().unwrap(), RestoreTo::Latest);
            assert!(result.is_err(), "{file}");
        }
        std::fs::write(&path, good).unwrap();
    }
    latest(folder.path());
    // A gap offers what is whole.
    std::fs::remove_file(folder.path().join(&delta)).unwrap();
    let error = restore(folder.path().to_str().unwrap(), RestoreTo::Latest).unwrap_err();
    let DictError::Gap { help, .. } = &error else { panic!("{error}") };
    assert!(help.to_string().contains(&full), "{help}");
    restore(folder.path().to_str().unwrap(), RestoreTo::File(full)).unwrap();
}

#[test]
fn a_small_delta_survives_the_loss_of_its_file() {
    let (folder, store) = (tempfile::tempdir().unwrap(), store());
    let running = backups(&store, folder.path()).start().unwrap();
    running.backup_now().unwrap();
    put(&store, "delta");
    let delta = folder.path().join(running.backup_now().unwrap().unwrap().file);
    running.stop().unwrap();
    let good = std::fs::read(&delta).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let place = FsStore::open(folder.path()).unwrap();
    // What a power failure leaves of a file nobody synchronised: nothing, nothing in it, something else in it.
    for lost in [None, Some(Vec::new()), Some(vec![b' '; good.len()])] {
        match &lost {
            None => std::fs::remove_file(&delta).unwrap(),
            Some(bytes) => std::fs::write(&delta, bytes).unwrap(),
        }
        assert_eq!(picture(&latest(folder.path())), picture(&store));
        // DictDB would miss it, and so it is told.
        let report = runtime.block_on(dictstore_backup::verify::verify(&place, None, &Run::silent())).unwrap();
        assert!(report.broken().next().unwrap().broken.as_ref().unwrap().contains("its manifest contains it"));
    }
    std::fs::remove_file(&delta).unwrap();
    backups(&store, folder.path()).start().unwrap().stop().unwrap();
    assert_eq!(std::fs::read(&delta).unwrap(), good);
}

#[test]
fn a_value_json_cannot_say_publishes_nothing_and_stops_nothing() {
    let (folder, store) = (tempfile::tempdir().unwrap(), store());
    let backups = backups(&store, folder.path()).format(Format::Json).start().unwrap();
    let key = store.insert("t", Record::new().with("v", Value::Bytes([1].into()))).unwrap();
    assert!(matches!(backups.backup_now().unwrap_err().inner(), DictError::Encode { .. }));
    assert!(files(folder.path()).is_empty());
    store.update("t", &key, Record::new().with("v", 1)).unwrap();
    assert_eq!(kind(backups.backup_now()), Some(BackupKind::Full));
}

#[test]
fn a_restore_goes_to_a_time_or_a_sequence_number() {
    let (folder, store) = (tempfile::tempdir().unwrap(), store());
    let backups = backups(&store, folder.path()).start().unwrap();
    let mut pictures = Vec::new();
    for number in 0..3 {
        put(&store, &number.to_string());
        let written = backups.backup_now().unwrap().unwrap();
        pictures.push((written.sequence, jiff::Timestamp::now(), picture(&store)));
    }
    let to = |to| picture(&restore(folder.path().to_str().unwrap(), to).unwrap());
    for (sequence, time, expected) in pictures {
        assert_eq!(to(RestoreTo::Sequence(sequence)), expected);
        assert_eq!(to(RestoreTo::Time(time)), expected);
    }
}

#[test]
fn backups_go_to_any_store() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let memory = runtime.block_on(Location::Memory.open()).unwrap();
    let store = store();
    let backups = Backups::builder(store.clone(), memory.clone()).init().start().unwrap();
    backups.backup_now().unwrap();
    let restored =
        runtime.block_on(async { Restore::prepare(&memory, &Default::default(), &Run::silent()).await?.run().await });
    let restored = restored.unwrap();
    assert_eq!(picture(&restored.store), picture(&store));
}

#[test]
fn periodic_backups_come_by_themselves() {
    let (folder, store) = (tempfile::tempdir().unwrap(), store());
    let backups =
        Backups::builder(store.clone(), folder.path()).init().interval(Duration::from_millis(50)).start().unwrap();
    while picture(&latest_or_empty(folder.path())) != picture(&store) {
        std::thread::sleep(Duration::from_millis(20));
    }
    // Nothing changes, so nothing more is written.
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(files(folder.path()).len(), 1);
    drop(backups);
}

#[test]
fn a_folder_whose_name_is_no_text_is_backed_up_to_and_one_like_a_location_is_a_folder() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join(OsStr::from_bytes(b"backups-\xff"));
    let store = store();
    let running = backups(&store, &folder).start().unwrap();
    running.backup_now().unwrap().unwrap();
    running.stop().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let place: SharedStore = Arc::new(FsStore::open(&folder).unwrap());
    let restored =
        runtime.block_on(async { Restore::prepare(&place, &Default::default(), &Run::silent()).await?.run().await });
    let restored = restored.unwrap();
    assert_eq!(picture(&restored.store), picture(&store));
    assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 1, "no other name was made of it");

    let place = dictstore_backup::engine::Place::from(Path::new("s3://bucket/prefix"));
    assert!(matches!(place, dictstore_backup::engine::Place::Folder(_)), "{place:?}");
}
