//! A dump that builds on another and prunes of that one, at the same time, in every order of their steps.

use std::time::Duration;

use backup_core::manifest::Manifest as Untyped;
use backup_core::retention::{Policy, Rule};
use backup_core::store::fault::{Faults, Harm, Rule as Fault};
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::stored::prune::{Prune, PruneOptions, PruneReport};

/// How long each step of the prune takes, by a clock that stands still meanwhile.
const STEP: Duration = Duration::from_secs(1);

/// More steps than a prune of this location takes.
const STEPS: u32 = 45;

/// The dump that others build on, one that came after it without any of its frames, and a sweep that keeps only the last.
struct Location {
    old: TestDump,
    newer: TestDump,
}

impl Location {
    fn new() -> Self {
        let other: crate::test_dump::Tables<'_> = &[("customers", &[&["7\tother"]])];
        Self { old: TestDump::new("shop", FIRST, SHOP), newer: TestDump::new("shop", SECOND, other).with_sequence(2) }
    }

    /// The location, and what a dump saw of it that looked before the newer one was there.
    async fn open(&self) -> (Scene, Sources) {
        let scene = Scene::of(&[&self.old]).await;
        let sources = scene.sources().await;
        self.newer.publish(&*scene.memory).await;
        (scene, sources)
    }
}

fn slowed(store: &SharedStore, by: Duration) -> SharedStore {
    Arc::new(Faults::new(store.clone(), vec![Fault::new(Harm::Slow(by))]))
}

async fn prune(store: &SharedStore, run: &Run) -> PruneReport {
    let options = PruneOptions::new(Policy::new(vec![Rule::Last(1)]));
    Prune::prepare(store, &options, run).await.unwrap().run().await.unwrap()
}

/// A dump of what the old one holds, as far as it is known to be stored; how many of its frames are shared.
async fn dump(store: &SharedStore, location: &Location, sources: Sources) -> usize {
    let options = DumpOptions::new("shop");
    let reuse = Reuse::prepare(store, ("shop", &place()), sources, &options, &Run::silent()).await.unwrap();
    let mut made = TestDump::new("shop", "2026-11-03T03:00:00Z", SHOP).with_sequence(3);
    let schema = made.manifest.parts[0].clone();
    store.put(&schema.key, made.objects[&schema.key].clone(), &PutOptions::new(PutMode::Create)).await.unwrap();
    let mut shared = 0;
    match reuse.known() {
        None => made.store_objects_but_the_schema(&**store).await,
        Some(known) => {
            let mut parts = vec![schema];
            let frames = made.manifest.detail.tables.iter_mut().flat_map(|table| &mut table.data.frames);
            for (frame, content) in frames.zip(contents(&location.old)) {
                let found = known.take(&content).expect("packs of the old dump were there when they were reserved");
                (frame.part, frame.offset) = (KNOWN_PACK_PART + found.pack, found.offset);
                shared += 1;
            }
            Shared::settle(&mut made.manifest.detail, &mut parts, &known);
            made.manifest.parts = parts;
        }
    }
    let at = made.key.manifest().unwrap();
    let manifest: Untyped = Untyped::from_bytes(&at, &made.manifest.to_bytes().unwrap()).unwrap();
    catalogue::publish(&**store, &at, &manifest, &made.key.pointer().unwrap()).await.unwrap();
    if let Some(reserved) = reuse.reserved() {
        reserved.release().await;
    }
    shared
}

/// Every dump that is there is whole, and nobody says any more that he needs anything.
async fn check(scene: &Scene, when: &str) {
    let entries = catalogue::list(&*scene.store, "pg/shop/").await.unwrap();
    assert!(entries.iter().any(|entry| entry.key == place()), "{when}: the dump is gone");
    for entry in entries {
        let key = name_of(&entry.key);
        let report = verify(&*scene.store, key.as_str(), ReadAmount::All, 1, &Run::silent()).await.unwrap();
        assert!(report.damage.is_empty(), "{when}: `{key}` is damaged: {:?}", report.damage);
    }
    let reserved = scene.reservations().await;
    assert!(reserved.is_empty(), "{when}: {reserved:?} is left");
}

#[tokio::test(start_paused = true)]
async fn a_dump_never_loses_what_it_builds_on_to_a_prune() {
    let location = Location::new();
    let (mut built, mut alone) = (0, 0);
    for pace in [Duration::from_millis(1), STEP / 2, STEP, STEP * 3] {
        for step in 0..STEPS {
            let when = format!("a dump after {step} steps, {pace:?} a step");
            let (scene, sources) = location.open().await;
            let (writing, pruning) = (slowed(&scene.store, pace), slowed(&scene.store, STEP));
            let run = Run::silent();
            let dumping = async {
                tokio::time::sleep(STEP * step + STEP / 4).await;
                dump(&writing, &location, sources).await
            };
            let (shared, _) = tokio::join!(dumping, prune(&pruning, &run));
            check(&scene, &when).await;
            *(if shared > 0 { &mut built } else { &mut alone }) += 1;
            // The next ones take away what is left, and nothing of the dump.
            let later = Timestamp::now() + SignedDuration::from_hours(49);
            let later = Run { clock: Arc::new(backup_core::clock::FixedClock(later)), ..Run::silent() };
            for _ in 0..3 {
                prune(&scene.store, &later).await;
            }
            check(&scene, &format!("{when}, pruned again")).await;
            let objects = list_all(&*scene.store, location.newer.key.folder().unwrap().as_str()).await.unwrap();
            assert!(objects.is_empty(), "{when}: {objects:?} is left");
        }
    }
    assert!(built >= 10 && alone >= 10, "one-sided: {built} built on another, {alone} did not");
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_dump_reserved_goes_once_that_counts_as_abandoned() {
    let location = Location::new();
    let (scene, sources) = location.open().await;
    let reuse = scene.prepare(sources).await;
    assert!(reuse.known().is_some());
    let report = prune(&scene.store, &Run::silent()).await;
    assert_eq!(report.removed, [location.old.key.to_string()]);
    let left = async || {
        let objects = list_all(&*scene.store, location.old.key.folder().unwrap().as_str()).await.unwrap();
        objects.iter().filter(|object| object.key.as_str().ends_with(".pack")).count()
    };
    assert_eq!(left().await, 2, "what the dead dump reserved");
    let later = Timestamp::now() + SignedDuration::from_hours(25);
    let later = Run { clock: Arc::new(backup_core::clock::FixedClock(later)), ..Run::silent() };
    // The dead dump goes first, and then what only that needed.
    for _ in 0..2 {
        prune(&scene.store, &later).await;
    }
    assert_eq!(left().await, 0);
}
