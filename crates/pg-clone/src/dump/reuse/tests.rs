//! What is used of earlier dumps, and when nothing is.

mod beside_prune;

use std::sync::Arc;

use backup_core::catalogue;
use backup_core::prune;
use backup_core::store::memory::MemoryStore;
use backup_core::store::{PutMode, PutOptions, StoreDelete as _, StoreWrite as _, list_all};

use super::*;
use crate::stored::detail::{ROLE_DATA, RowData};
use crate::stored::known_frames::ContentOf;
use crate::stored::list::read_manifest;
use crate::stored::sizes::Sizes;
use crate::stored::verify::{ReadAmount, verify};
use crate::test_dump::{SHOP, TestDump, overwrite};

const FIRST: &str = "2026-11-01T03:00:00Z";
const SECOND: &str = "2026-11-02T03:00:00Z";

/// Where the new dump will be published.
fn place() -> Key {
    DumpKey::new("shop", "2026-11-03T03:00:00Z".parse().unwrap(), "nightly").manifest().unwrap()
}

/// A location with dumps.
struct Scene {
    memory: Arc<MemoryStore>,
    store: SharedStore,
}

impl Scene {
    async fn of(dumps: &[&TestDump]) -> Self {
        let memory = Arc::new(MemoryStore::new());
        for dump in dumps {
            dump.publish(&*memory).await;
        }
        Self { store: memory.clone(), memory }
    }

    async fn sources(&self) -> Sources {
        let mut sources = Sources::new("nightly");
        for entry in catalogue::list(&*self.store, "pg/shop/").await.unwrap() {
            sources.see(Backup { key: entry.key, manifest: entry.manifest.unwrap() });
        }
        sources
    }

    async fn prepare(&self, sources: Sources) -> Reuse {
        let options = DumpOptions::new("shop");
        Reuse::prepare(&self.store, ("shop", &place()), sources, &options, &Run::silent()).await.unwrap()
    }

    async fn prepared(&self) -> Reuse {
        self.prepare(self.sources().await).await
    }

    async fn reservations(&self) -> Vec<String> {
        let objects = list_all(&*self.store, "pg/").await.unwrap();
        objects.iter().map(|object| object.key.to_string()).filter(|key| key.ends_with("uses.json")).collect()
    }
}

fn why(reuse: &Reuse) -> &str {
    match reuse {
        Reuse::Nothing { why } => why,
        Reuse::Of { keys, .. } => panic!("{keys:?} are used"),
    }
}

/// The contents of all frames of a dump.
fn contents(dump: &TestDump) -> Vec<ContentOf> {
    let of = |data: &RowData| -> Vec<ContentOf> {
        data.frames
            .iter()
            .filter_map(|frame| {
                Some(ContentOf { sha256: frame.content_sha256?, bytes: frame.content_bytes, rows: frame.rows })
            })
            .collect()
    };
    dump.manifest.detail.tables.iter().flat_map(|table| of(&table.data)).collect()
}

#[tokio::test]
async fn all_frames_of_an_earlier_dump_are_known_and_its_packs_reserved() {
    let first = TestDump::new("shop", FIRST, SHOP);
    let scene = Scene::of(&[&first]).await;
    let reuse = scene.prepared().await;
    let Reuse::Of { keys, known, reserved } = &reuse else { panic!("{}", why(&reuse)) };
    assert_eq!(keys, &[first.key.to_string()]);
    for content in contents(&first) {
        let found = known.take(&content).unwrap();
        assert!(known.packs()[found.pack as usize].key.as_str().contains("/data/"));
        assert_eq!(known.take(&content), None, "no two frames lie in the same place");
    }
    let at = place().as_str().replace("manifest.json", "uses.json");
    assert_eq!(scene.reservations().await, std::slice::from_ref(&at));
    let body = backup_core::pipeline::read_all(&*scene.store, &at.parse().unwrap(), 1 << 20).await.unwrap();
    let said = String::from_utf8(body.to_vec()).unwrap();
    assert!(first.objects.keys().filter(|key| key.as_str().contains("/data/")).all(|key| said.contains(key.as_str())));
    reserved.release().await;
    assert!(scene.reservations().await.is_empty());
}

#[tokio::test]
async fn frames_in_lists_are_known_too() {
    let mut first = TestDump::new("shop", FIRST, SHOP);
    let contents = contents(&first);
    let scene = Scene::of(&[]).await;
    let writer = scene.memory.clone() as Arc<dyn backup_core::store::StoreWrite>;
    let space = lists::ListSpace::new(writer, first.key.folder().unwrap());
    let parts = lists::write(&space, &mut first.manifest.detail).await.unwrap();
    first.manifest.parts.extend(parts);
    first.manifest.require(backup_core::manifest::LISTS);
    first.publish(&*scene.memory).await;
    let known = scene.prepared().await.known().unwrap();
    assert!(contents.iter().all(|content| known.take(content).is_some()));
}

#[tokio::test]
async fn nothing_is_used_where_that_was_asked_for_or_nothing_is_there() {
    let scene = Scene::of(&[]).await;
    assert!(why(&scene.prepared().await).contains("no earlier dump"));
    let mut old = TestDump::new("shop", FIRST, SHOP);
    for frame in old.manifest.detail.tables.iter_mut().flat_map(|table| &mut table.data.frames) {
        frame.content_sha256 = None;
    }
    let scene = Scene::of(&[&old]).await;
    assert!(why(&scene.prepared().await).contains("an earlier version"));
    let scene = Scene::of(&[&TestDump::new("shop", FIRST, SHOP)]).await;
    let options = DumpOptions::new("shop").full();
    let sources = scene.sources().await;
    let reuse = Reuse::prepare(&scene.store, ("shop", &place()), sources, &options, &Run::silent()).await.unwrap();
    assert!(why(&reuse).contains("asked for"));
    assert!(scene.reservations().await.is_empty());
}

async fn mark(scene: &Scene, dump: &TestDump) {
    let tombstone = dump.key.folder().unwrap().join(prune::TOMBSTONE_NAME).unwrap();
    scene.store.put(&tombstone, "{}".into(), &PutOptions::new(PutMode::Create)).await.unwrap();
}

#[tokio::test]
async fn of_a_dump_that_is_about_to_go_nothing_is_used() {
    let (first, second) = (TestDump::new("shop", FIRST, SHOP), TestDump::new("shop", SECOND, SHOP).with_sequence(2));
    let scene = Scene::of(&[&first]).await;
    let sources = scene.sources().await;
    // Between the look at its manifest and the reservation.
    mark(&scene, &first).await;
    assert!(why(&scene.prepare(sources).await).contains("is being deleted"));
    assert!(scene.reservations().await.is_empty());

    let scene = Scene::of(&[&first]).await;
    let sources = scene.sources().await;
    scene.store.delete(&[first.key.manifest().unwrap()]).await.unwrap();
    assert!(why(&scene.prepare(sources).await).contains("is being deleted"), "it is gone already");

    // Of two, the other one is used.
    let mut partial = second.clone();
    partial.manifest.complete = Some(false);
    for (at, going) in [(0, &first), (1, &partial)] {
        let scene = Scene::of(&[&first, &partial]).await;
        let sources = scene.sources().await;
        mark(&scene, going).await;
        let reuse = scene.prepare(sources).await;
        let Reuse::Of { keys, known, .. } = &reuse else { panic!("{}", why(&reuse)) };
        assert_eq!(keys, &[[&partial, &first][at].key.to_string()]);
        let folder = going.key.folder().unwrap();
        assert!(known.packs().iter().all(|pack| !pack.key.as_str().starts_with(folder.as_str())));
        assert_eq!(scene.reservations().await.len(), 1);
    }
}

#[tokio::test]
async fn packs_that_are_gone_or_cut_are_stored_again() {
    let first = TestDump::new("shop", FIRST, SHOP);
    let packs: Vec<Key> = first.objects.keys().filter(|key| key.as_str().contains("/data/")).cloned().collect();
    for damage in ["missing", "cut", "longer"] {
        let scene = Scene::of(&[&first]).await;
        let body = first.objects[&packs[0]].clone();
        match damage {
            "missing" => drop(scene.store.delete(&packs[..1]).await.unwrap()),
            "cut" => overwrite(&scene.memory, &packs[0], body.slice(1..)).await,
            _ => overwrite(&scene.memory, &packs[0], [&body[..], b"x"].concat()).await,
        }
        let known = scene.prepared().await.known().unwrap();
        let found = contents(&first).iter().filter(|content| known.take(content).is_some()).count();
        assert_eq!(found, 1, "{damage}: only that of the other pack");
    }
}

#[tokio::test]
async fn what_a_manifest_names_elsewhere_is_not_used() {
    let other = TestDump::new("blog", FIRST, SHOP);
    let mut forged = TestDump::new("shop", FIRST, SHOP);
    forged.manifest.parts[1].key = other.manifest.parts[1].key.clone();
    let scene = Scene::of(&[&other, &forged]).await;
    let known = scene.prepared().await.known().unwrap();
    assert_eq!(known.usable().count(), 1);
    assert!(known.usable().all(|pack| pack.key.as_str().starts_with("pg/shop/")));
}

#[tokio::test]
async fn frames_get_their_packs_for_parts_behind_those_of_the_dump() {
    let first = TestDump::new("shop", FIRST, SHOP);
    let scene = Scene::of(&[&first]).await;
    let known = scene.prepared().await.known().unwrap();
    let mut later = TestDump::new("shop", SECOND, SHOP);
    let mut parts = later.manifest.parts.clone();
    // The second table is stored already, the first is new.
    let content = contents(&first)[2];
    let found = known.take(&content).unwrap();
    let frame = &mut later.manifest.detail.tables[1].data.frames[0];
    (frame.part, frame.offset) = (KNOWN_PACK_PART + found.pack, found.offset);
    parts.pop();
    let shared = Shared::settle(&mut later.manifest.detail, &mut parts, &known);
    assert_eq!(parts.len(), 3);
    assert_eq!((parts[2].key.clone(), parts[2].role.as_str()), (first.manifest.parts[2].key.clone(), ROLE_DATA));
    assert_eq!(shared, Shared { bytes: found.length, content_bytes: content.bytes });
    later.manifest.parts = parts;
    shared.note(&mut later.manifest.counts);
    later.objects.remove(&later.key.folder().unwrap().join("data/p00001.pack").unwrap());
    let key = later.publish(&*scene.memory).await;
    let report = verify(&*scene.store, key.as_str(), ReadAmount::All, 1, &Run::silent()).await.unwrap();
    assert_eq!(report.into_result().unwrap().rows_checked, 5);
    let manifest = read_manifest(&*scene.store, &later.key).await.unwrap();
    assert_eq!(Sizes::of(&manifest).shared, found.length);
}
