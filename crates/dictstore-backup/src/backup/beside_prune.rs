//! A delta and a prune of what it builds on, at the same time, in every order of their steps.

use std::sync::Arc;
use std::time::Duration;

use backup_core::clock::{FixedClock, SignedDuration, Timestamp};
use backup_core::location::{Init, init_store};
use backup_core::pipeline::read_all;
use backup_core::prune::PruneReport;
use backup_core::retention::{Policy, Rule};
use backup_core::run::Run;
use backup_core::store::fault::{Faults, Harm, Rule as Fault};
use backup_core::store::memory::MemoryStore;
use backup_core::store::{SharedStore, list_all};

use super::*;
use crate::list;
use crate::options::PruneOptions;
use crate::plan::{self, RestoreTo};
use crate::prune::Prune;
use crate::store::{DictStore, TableOptions};
use crate::value::Record;

/// How long each step of the prune takes, by a clock that stands still meanwhile.
const STEP: Duration = Duration::from_secs(1);

/// More steps than a prune of this location takes.
const STEPS: u32 = 40;

/// What a location holds: a full backup and a delta of one store, and a full backup that another service wrote in its name.
/// Retention keeps the last one alone, and the first service goes on from its delta.
struct Location {
    /// Of the first service.
    own: Vec<(Key, Bytes)>,
    /// Of the other one.
    rivals: Vec<(Key, Bytes)>,
    /// What is in the delta.
    base: Uuid,
    data: DictStore,
    changes: Changes,
}

impl Location {
    async fn new() -> Self {
        let store: SharedStore = Arc::new(MemoryStore::new());
        init_store(&store, &Init::new(&[])).await.unwrap();
        let data = DictStore::new();
        data.create_table("t", TableOptions::new()).unwrap();
        data.insert("t", Record::new().with("v", 1)).unwrap();
        let owner = Owner::Store { base: None, takes_over: false };
        let mut writer = BackupWriter::open(store.clone(), "s".to_owned(), &owner, Run::silent()).await.unwrap();
        let full = Arc::new(data.snapshot());
        writer.full(full.clone(), Format::Json).await.unwrap();
        data.insert("t", Record::new().with("v", 2)).unwrap();
        let delta = data.snapshot();
        data.insert("t", Record::new().with("v", 3)).unwrap();
        let base = writer.delta(&delta.changes(full.generation()).unwrap(), 2).await.unwrap().unwrap().id;
        let own = objects(&store).await;
        let owner = Owner::Of(writer.identity().cloned());
        let mut rival = BackupWriter::open(store.clone(), "s".to_owned(), &owner, Run::silent()).await.unwrap();
        rival.full(Arc::new(data.snapshot()), Format::Json).await.unwrap();
        let rivals = objects(&store).await.into_iter().filter(|object| !own.contains(object)).collect();
        let changes = data.snapshot().changes(delta.generation()).unwrap();
        Self { own, rivals, base, data, changes }
    }
}

async fn objects(store: &SharedStore) -> Vec<(Key, Bytes)> {
    let mut objects = Vec::new();
    for object in list_all(&**store, "").await.unwrap() {
        let body = read_all(&**store, &object.key, object.bytes).await.unwrap();
        objects.push((object.key, body));
    }
    objects
}

/// The first service in such a location.
struct Scene {
    store: SharedStore,
    writer: BackupWriter,
}

impl Scene {
    async fn at(location: &Location) -> Self {
        let store: SharedStore = Arc::new(MemoryStore::new());
        let put = async |objects: &[(Key, Bytes)]| {
            for (key, body) in objects {
                store.put(key, body.clone(), &PutOptions::new(PutMode::Replace)).await.unwrap();
            }
        };
        put(&location.own).await;
        let owner = Owner::Store { base: Some(location.base), takes_over: false };
        let writer = BackupWriter::open(store.clone(), "s".to_owned(), &owner, Run::silent()).await.unwrap();
        put(&location.rivals).await;
        Self { store, writer }
    }

    /// Every backup that has a manifest can be restored, and nothing else is left.
    async fn check(&self, when: &str) {
        let entries = list::list(&*self.store).await.unwrap();
        for entry in &entries {
            let planned = plan::plan(&entries, &RestoreTo::File(entry.name.to_string()));
            assert!(planned.is_ok(), "{when}: `{}` cannot be restored: {planned:?}", entry.name);
        }
        let left = list_all(&*self.store, MANIFEST_FOLDER).await.unwrap();
        let temporary = |key: &&str| key.ends_with(".uses.json") || key.ends_with(".deleted.json");
        let left: Vec<&str> = left.iter().map(|object| object.key.as_str()).filter(temporary).collect();
        assert!(left.is_empty(), "{when}: {left:?} is left");
    }
}

fn slowed(store: &SharedStore, by: Duration) -> SharedStore {
    Arc::new(Faults::new(store.clone(), vec![Fault::new(Harm::Slow(by))]))
}

async fn prune(store: &SharedStore, run: &Run) -> PruneReport {
    let options = PruneOptions::new(Policy::new(vec![Rule::Last(1)]));
    Prune::prepare(store, &options, run).await.unwrap().run().await.unwrap()
}

/// Begins the delta after so long, each of its steps taking `pace`, while a prune runs. Whether it was published.
async fn beside(location: &Location, starts_after: Duration, pace: Duration) -> bool {
    let when = format!("a delta after {starts_after:?}, {pace:?} a step");
    let mut scene = Scene::at(location).await;
    scene.writer.store = slowed(&scene.store, pace);
    let (pruning, run) = (slowed(&scene.store, STEP), Run::silent());
    let writer = &mut scene.writer;
    let delta = async {
        tokio::time::sleep(starts_after).await;
        writer.delta(&location.changes, 3).await.unwrap()
    };
    let (delta, report) = tokio::join!(delta, prune(&pruning, &run));
    scene.writer.store = scene.store.clone();
    scene.check(&when).await;
    let entries = list::list(&*scene.store).await.unwrap();
    let Some(delta) = delta else {
        assert!(report.backups.kept_back.is_empty() || entries.len() == 3, "{when}: {entries:?}");
        assert_eq!(scene.writer.head(), None, "{when}: it would go on from what is gone");
        scene.writer.full(Arc::new(location.data.snapshot()), Format::Json).await.unwrap();
        scene.check(&when).await;
        return false;
    };
    let chain = plan::plan(&entries, &RestoreTo::File(delta.file)).unwrap();
    assert_eq!(chain.files.len(), 3, "{when}: {chain:?}");
    true
}

#[tokio::test(start_paused = true)]
async fn a_delta_never_loses_what_it_builds_on_to_a_prune() {
    let location = Location::new().await;
    let (mut published, mut refused) = (0, 0);
    for pace in [Duration::from_millis(1), STEP / 2, STEP, STEP * 3] {
        for step in 0..STEPS {
            let published_now = beside(&location, STEP * step + STEP / 4, pace).await;
            *(if published_now { &mut published } else { &mut refused }) += 1;
        }
    }
    assert!(published >= 10 && refused >= 10, "one-sided: {published} published, {refused} refused");
}

#[tokio::test(start_paused = true)]
async fn a_reservation_of_a_killed_service_holds_until_it_counts_as_abandoned() {
    let scene = Scene::at(&Location::new().await).await;
    let head = scene.writer.head().unwrap();
    let name = BackupName { kind: BackupKind::Delta, micros: head.name.micros + 1, format: Format::Json };
    assert!(scene.writer.reserve(name, head).await.unwrap());
    let report = prune(&scene.store, &Run::silent()).await;
    assert_eq!((report.backups.removed.len(), report.backups.kept_back.len()), (0, 2));

    // The first run claims the place of its manifest, and the next deletes what nobody can build on any more.
    let later = Timestamp::now() + SignedDuration::from_hours(25);
    let later = Run { clock: Arc::new(FixedClock(later)), ..Run::silent() };
    prune(&scene.store, &later).await;
    assert_eq!(prune(&scene.store, &later).await.backups.removed.len(), 2);
    assert_eq!(list::list(&*scene.store).await.unwrap().len(), 1);
}
