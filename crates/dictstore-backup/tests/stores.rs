//! Several stores in one location, stores without records, and sudden falls: what is one service's is never another's.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backup_core::progress::{Event, Progress};
use backup_core::retention::{Policy, Rule};
use backup_core::run::Run;
use backup_core::source::UNKNOWN;
use backup_core::store::SharedStore;
use backup_core::store::fs::FsStore;
use dictstore_backup::list::{self, Entry};
use dictstore_backup::{
    BackupKind, Backups, Builder, DictError, DictStore, Key, Record, Restore, RestoreOptions, RestoreTo, Restored,
    TableOptions, Written, restore,
};

const HOUR: Duration = Duration::from_secs(3_600);

/// A store of so many records, each with a text.
fn store(text: &str, records: i64) -> DictStore {
    let store = DictStore::new();
    store.create_table("t", TableOptions::new()).unwrap();
    for _ in 0..records {
        put(&store, text);
    }
    store
}

fn put(store: &DictStore, text: &str) {
    store.insert("t", Record::new().with("v", text)).unwrap();
}

fn empty(store: &DictStore) {
    store.drop_table("t").unwrap();
    store.create_table("t", TableOptions::new()).unwrap();
}

fn backups(store: &DictStore, folder: &Path) -> Builder {
    Backups::builder(store.clone(), folder).init().interval(HOUR).incremental(true)
}

fn written(result: Result<Option<Written>, DictError>) -> Written {
    result.unwrap().unwrap()
}

fn blocking<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn open(folder: &Path) -> SharedStore {
    Arc::new(FsStore::open(folder).unwrap())
}

fn of(folder: &Path, source: &str, to: RestoreTo) -> Result<Restored, DictError> {
    let options = RestoreOptions::new(to).source(source.to_owned());
    blocking(async { Restore::prepare(&open(folder), &options, &Run::silent()).await?.run().await })
}

fn latest(folder: &Path) -> Result<DictStore, DictError> {
    restore(folder.to_str().unwrap(), RestoreTo::Latest)
}

fn entries(folder: &Path) -> Vec<Entry> {
    blocking(list::list(&FsStore::open(folder).unwrap())).unwrap()
}

fn texts(store: &DictStore) -> Vec<String> {
    let mut texts = Vec::new();
    store.scan("t", |row| texts.push(row.record().get("v").unwrap().as_str().unwrap().to_owned())).unwrap();
    texts
}

/// Keeps the warnings.
#[derive(Debug, Default)]
struct Heard(Mutex<Vec<String>>);

impl Progress for Heard {
    fn event(&self, event: Event) {
        if let Event::Warning { message, .. } = event {
            self.0.lock().unwrap().push(message);
        }
    }
}

impl Heard {
    fn take(&self) -> String {
        std::mem::take(&mut *self.0.lock().unwrap()).join("\n")
    }
}

#[test]
fn w2_two_services_in_one_folder_are_two_stores() {
    let folder = tempfile::tempdir().unwrap();
    let keep = || Policy::new(vec![Rule::Last(1)]);
    let (anna, bert) = (store("anna", 3), store("bert", 1));
    let annas = backups(&anna, folder.path()).name("anna").keep(keep()).max_deltas_before_full(1).start().unwrap();
    let berts = backups(&bert, folder.path()).keep(keep()).max_deltas_before_full(1).start().unwrap();
    // In turn: full, delta, full of each, each with its own retention.
    for round in 0..3 {
        for (store, backups, name) in [(&anna, &annas, "anna"), (&bert, &berts, "bert")] {
            let made = written(backups.backup_now());
            assert_eq!(made.kind, if round == 1 { BackupKind::Delta } else { BackupKind::Full }, "{name} {round}");
            assert_eq!(made.fall, None, "one is less than the other, which is no fall");
            put(store, name);
        }
    }
    let [annas_last, berts_last] = [&annas, &berts].map(|backups| written(backups.backup_now()));
    drop((annas, berts));
    let sources: Vec<_> = entries(folder.path()).iter().map(|entry| entry.identity().unwrap().id.clone()).collect();
    assert_eq!(sources.len(), 4, "a full backup and a delta of each are left");

    let error = latest(folder.path()).unwrap_err();
    let DictError::Source { what, help } = &error else { panic!("{error}") };
    assert!(
        what.contains("2 stores") && what.contains("`anna`") && help.to_string().contains("`source`"),
        "{what}; {help}"
    );
    for (made, name, records) in [(&annas_last, "anna", 6), (&berts_last, "bert", 4)] {
        let id = &made.source.as_ref().unwrap().id;
        let restored = of(folder.path(), id, RestoreTo::Latest).unwrap();
        assert_eq!(texts(&restored.store), vec![name; records]);
        assert_eq!(restored.plan.source.unwrap().id, *id);
        let by_file = restore(folder.path().to_str().unwrap(), RestoreTo::File(made.file.clone())).unwrap();
        assert_eq!(texts(&by_file).len(), records);
        // What goes on goes on in its own chain.
        put(&restored.store, name);
        let again = backups(&restored.store, folder.path()).start().unwrap();
        let delta = written(again.backup_delta());
        assert_eq!((delta.kind, &delta.source.unwrap().id), (BackupKind::Delta, id));
    }
    assert_eq!(texts(&of(folder.path(), "anna", RestoreTo::Latest).unwrap().store).len(), 7, "by its name");
    assert!(matches!(of(folder.path(), "carl", RestoreTo::Latest), Err(DictError::Source { .. })));
}

#[test]
fn w2_a_store_that_was_not_restored_is_another_one_unless_it_takes_over() {
    let folder = tempfile::tempdir().unwrap();
    let first = written(backups(&store("first", 2), folder.path()).start().unwrap().backup_now());
    let second = backups(&store("second", 2), folder.path()).takes_over().start().unwrap();
    let taken = written(second.backup_delta());
    assert_eq!(taken.kind, BackupKind::Full, "nothing goes on from what it was not restored from");
    assert_eq!(taken.source.unwrap().id, first.source.as_ref().unwrap().id);
    drop(second);
    assert_eq!(texts(&latest(folder.path()).unwrap()), ["second", "second"]);
    let third = written(backups(&store("third", 1), folder.path()).start().unwrap().backup_now());
    assert_ne!(third.source.unwrap().id, first.source.unwrap().id);
    let error = backups(&store("fourth", 1), folder.path()).takes_over().start().unwrap_err();
    assert!(matches!(error, DictError::Source { .. }), "{error}");
}

#[test]
fn w2_what_an_earlier_version_wrote_is_a_store_of_its_own() {
    let (from, folder) =
        (Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ours"), tempfile::tempdir().unwrap());
    std::fs::create_dir(folder.path().join("manifests")).unwrap();
    for below in ["", "manifests"] {
        for entry in std::fs::read_dir(from.join(below)).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                std::fs::copy(entry.path(), folder.path().join(below).join(entry.file_name())).unwrap();
            }
        }
    }
    let old = latest(folder.path()).unwrap();
    let before = old.len("events").unwrap();
    old.insert("events", Record::new().with("type", "since")).unwrap();
    let running = backups(&old, folder.path()).keep(Policy::new(vec![Rule::Last(1)])).start().unwrap();
    let made = written(running.backup_now());
    assert_eq!((made.kind, made.fall), (BackupKind::Full, None), "it says from now on whose it is");
    drop(running);
    assert_eq!(entries(folder.path()).len(), 6, "retention of one store deleted another's");
    assert_eq!(latest(folder.path()).unwrap().len("events").unwrap(), before + 1);
    let unknown = of(folder.path(), UNKNOWN, RestoreTo::Latest).unwrap();
    assert_eq!((unknown.store.len("events").unwrap(), unknown.plan.source), (before, None));
}

#[test]
fn w2_two_processes_that_go_on_from_one_backup_become_two_stores() {
    let folder = tempfile::tempdir().unwrap();
    written(backups(&store("both", 2), folder.path()).start().unwrap().backup_now());
    let [old, new] = [(); 2].map(|()| latest(folder.path()).unwrap());
    let (old_heard, new_heard) = (Arc::new(Heard::default()), Arc::new(Heard::default()));
    let start = |store: &DictStore, heard: &Arc<Heard>| {
        backups(store, folder.path()).progress(Arc::<Heard>::clone(heard)).start().unwrap()
    };
    let (old_backups, new_backups) = (start(&old, &old_heard), start(&new, &new_heard));
    // A hand-over: the old one writes once more, and then stops.
    put(&old, "old");
    let last = written(old_backups.backup_now());
    put(&new, "new");
    let taken = written(new_backups.backup_full());
    assert_eq!(taken.source, last.source);
    assert!(new_heard.take().contains(&format!("`{}` was written by", last.file)), "nobody said so");
    assert_eq!(texts(&latest(folder.path()).unwrap()), ["both", "both", "new"]);
    // It does not stop: from here on they are two.
    put(&old, "old");
    written(old_backups.backup_now());
    let own = written(new_backups.backup_full());
    assert_ne!(own.source, last.source);
    assert!(new_heard.take().contains("a new store"), "nobody said so");
    let error = latest(folder.path()).unwrap_err();
    assert!(error.to_string().contains("2 stores"), "{error}");
    let olds = of(folder.path(), &last.source.unwrap().id, RestoreTo::Latest).unwrap();
    assert_eq!(texts(&olds.store), ["both", "both", "old", "old"]);
    put(&new, "new");
    assert_eq!(written(new_backups.backup_now()).source, own.source);
    assert_eq!(new_heard.take(), "", "two stores are nobody's business any more");
}

#[test]
fn w3_an_empty_store_takes_no_place() {
    let folder = tempfile::tempdir().unwrap();
    // At its very start a service has nothing, and may say so.
    let fresh = store("x", 0);
    let running = backups(&fresh, folder.path()).start().unwrap();
    let made = written(running.backup_now());
    assert_eq!((made.kind, made.store_records), (BackupKind::Full, 0));
    for _ in 0..10 {
        put(&fresh, "kept");
    }
    let full = written(running.backup_full());
    drop(running);

    // A service that forgot to restore.
    let failures = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&failures);
    let forgot = backups(&store("x", 0), folder.path());
    let forgot = forgot.on_failure(move |error, _| told.lock().unwrap().push(error.to_string())).start().unwrap();
    for tried in [forgot.backup_now(), forgot.backup_full(), forgot.stop()] {
        let error = tried.unwrap_err();
        assert!(matches!(error.inner(), DictError::Empty { last } if *last == full.file), "{error}");
    }
    assert_eq!(failures.lock().unwrap().len(), 3);
    assert_eq!(texts(&latest(folder.path()).unwrap()).len(), 10);
    let allowed = backups(&store("x", 0), folder.path()).allow_empty().start().unwrap();
    assert_eq!(written(allowed.backup_now()).store_records, 0);
}

#[test]
fn w3_a_store_that_lost_its_records_stays_above_what_it_had() {
    for incremental in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let store = store("kept", 10);
        let heard = Arc::new(Heard::default());
        let builder = backups(&store, folder.path()).incremental(incremental).max_deltas_before_full(1);
        let builder = builder.keep(Policy::new(vec![Rule::Last(1)])).progress(Arc::<Heard>::clone(&heard));
        let running = builder.start().unwrap();
        let full = written(running.backup_now());
        for _ in 0..3 {
            empty(&store);
            let lost = written(running.backup_full());
            assert_eq!((lost.kind, lost.store_records), (BackupKind::Delta, 0));
        }
        assert!(heard.take().contains("100 % smaller than"), "nobody said so");
        assert_eq!(texts(&latest(folder.path()).unwrap()), Vec::<String>::new(), "it is empty, and comes back so");
        let before = restore(folder.path().to_str().unwrap(), RestoreTo::File(full.file.clone())).unwrap();
        assert_eq!(texts(&before).len(), 10, "and what it had is still there");
        // With a record it is a store again, and much less than it was.
        put(&store, "new");
        let small = written(running.backup_full());
        assert_eq!(small.kind, BackupKind::Full);
        let fall = small.fall.unwrap();
        assert_eq!((fall.previous, fall.before.rows, fall.now.rows), (full.file, 10, 1));
    }
}

#[test]
fn w3_a_sudden_fall_is_told() {
    let (folder, store, heard) = (tempfile::tempdir().unwrap(), store("x", 100), Arc::new(Heard::default()));
    let running = backups(&store, folder.path()).progress(Arc::<Heard>::clone(&heard)).start().unwrap();
    let delete =
        |range: std::ops::Range<i64>| range.for_each(|key| assert!(store.delete("t", &Key::from(key)).unwrap()));
    written(running.backup_now());
    delete(1..41);
    assert_eq!(written(running.backup_now()).fall, None, "less than half");
    delete(41..90);
    let fall = written(running.backup_now()).fall.unwrap();
    assert_eq!((fall.before.rows, fall.now.rows, fall.percent), (60, 11, 81));
    assert!(heard.take().contains("11 records instead of 60"));
    drop(running);
    // A restart does not forget what there was.
    let store = latest(folder.path()).unwrap();
    let running = backups(&store, folder.path()).progress(Arc::<Heard>::clone(&heard)).start().unwrap();
    assert_eq!(written(running.backup_full()).fall.unwrap().before.rows, 100, "the last full one");
}
