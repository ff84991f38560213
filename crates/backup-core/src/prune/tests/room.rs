//! Pruning on a full disk: rows of bad days.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use jiff::SignedDuration;

use super::peer::{AGE, Peer};
use super::*;
use crate::progress::{Event, Progress, Silent};
use crate::prune::names::{self, Uses};
use crate::prune::{GRACE, PruneOutcome, PrunePlan, apply, clear, folder_layout, incomplete};
use crate::run::Run;
use crate::store::StoreDelete;

async fn prune(store: &Peer, run: &Run) -> PruneOutcome {
    let entries = entries(store).await;
    let plan = PrunePlan::new(&entries, &keep_last(&entries, 1)).unwrap();
    apply(store, &plan, SCOPE, &[], run).await.unwrap()
}

#[tokio::test]
async fn a_full_disk_is_pruned_all_the_same() {
    let store = Peer::prompt();
    for (sequence, name) in [(1, "a"), (2, "b"), (3, "c"), (4, "d")] {
        backup(&store, name, sequence, &["p0", "p1"]).await;
    }
    store.fill().await;
    let outcome = prune(&store, &Run::silent()).await;
    assert!(outcome.is_complete(), "{outcome:?}");
    assert_eq!(outcome.removed.len(), 3);
    assert_eq!(objects(&store).await.len(), 4, "the last one and its hint");
    assert_readable(&store, "after").await;
}

#[tokio::test]
async fn a_chain_on_a_full_disk_goes_from_its_end() {
    let store = Peer::prompt();
    backup(&store, "full", 1, &["p"]).await;
    for (sequence, name, parent) in [(2, "one", "full"), (3, "two", "one")] {
        put(&store, &part_key(name, "p")).await;
        let delta = Manifest { parent: Some(id(parent)), ..manifest(name, sequence, &[part_key(name, "p")]) };
        publish(&store, name, &delta).await;
    }
    backup(&store, "last", 4, &["p"]).await;
    store.fill().await;
    let outcome = prune(&store, &Run::silent()).await;
    assert!(outcome.is_complete() && outcome.kept_back.is_empty(), "{outcome:?}");
    assert_eq!(outcome.removed.len(), 3);
    assert_readable(&store, "after").await;
}

/// At a step somebody says that a backup will be made that builds on `a`, as a writer does that was asleep until then.
#[derive(Debug)]
struct LateWriter {
    store: Arc<Peer>,
    at: &'static str,
    /// Whether that is when the manifest is gone already, so that it finds none and takes its word back.
    too_late: bool,
    seen: AtomicUsize,
}

impl LateWriter {
    fn uses() -> Key {
        names::uses_key(&manifest_key("delta")).unwrap()
    }
}

impl Progress for LateWriter {
    fn event(&self, event: Event) {
        let Event::Step { name, .. } = event else { return };
        let at = Self::uses();
        if name == self.at {
            let uses = Uses { format: names::FORMAT, keys: vec![manifest_key("a")] };
            let body = names::bytes(&at, &uses).unwrap();
            if !self.too_late {
                self.store.grow();
            }
            self.store.put(&at, body, &PutOptions::new(PutMode::Replace)).now_or_never().unwrap().unwrap();
        }
        // Not at once: for a while its word takes the room.
        if name == "prune.put_back" && self.too_late && self.seen.fetch_add(1, Ordering::Relaxed) == 1 {
            self.store.delete(&[at]).now_or_never().unwrap().unwrap();
        }
    }
}

async fn beside_a_late_writer(at: &'static str, too_late: bool) -> (Arc<Peer>, PruneOutcome) {
    let store = Arc::new(Peer::prompt());
    backup(&*store, "a", 1, &["p0", "p1"]).await;
    backup(&*store, "b", 2, &["p0", "p1"]).await;
    store.fill().await;
    let run = Run::new(Arc::new(LateWriter { store: Arc::clone(&store), at, too_late, seen: AtomicUsize::new(0) }));
    let outcome = prune(&store, &run).await;
    assert_readable(&*store, at).await;
    (store, outcome)
}

#[tokio::test]
async fn what_somebody_builds_on_meanwhile_stays_or_is_put_back() {
    for at in ["prune.mark", "prune.room"] {
        let (store, outcome) = beside_a_late_writer(at, false).await;
        assert_eq!(outcome.removed, [], "{at}");
        assert_eq!(entries(&*store).await.len(), 2, "{at}");
    }
}

#[tokio::test]
async fn a_writer_that_takes_the_room_of_what_it_wants_gives_it_back() {
    let (store, outcome) = beside_a_late_writer("prune.unmarked", true).await;
    assert!(outcome.is_complete(), "{outcome:?}");
    assert_eq!(outcome.kept_back, [manifest_key("a")]);
    assert_eq!(entries(&*store).await.len(), 2);
}

#[tokio::test]
async fn a_run_killed_between_manifest_and_tombstone_leaves_leftovers_that_go_on_a_full_disk_too() {
    let store = Peer::prompt();
    backup(&store, "a", 1, &["p0", "p1"]).await;
    backup(&store, "b", 2, &["p0", "p1"]).await;
    store.delete(&[manifest_key("a")]).await.unwrap();
    store.age().await;
    store.fill().await;
    assert_eq!(entries(&store).await.len(), 1, "what lost its manifest is no backup");
    let now = Timestamp::now();
    let plan = incomplete(&store, SCOPE, folder_layout(3, ".dump"), now, GRACE).await.unwrap();
    let outcome = clear(&store, &plan, SCOPE, &Silent).await.unwrap();
    assert!(outcome.is_complete(), "{outcome:?}");
    assert!(!objects(&store).await.iter().any(|key| key.contains("a.dump/data")));
    assert_readable(&store, "after").await;
    // Its claim holds off a writer that was only slow, and goes in the end.
    let later = now + AGE + SignedDuration::from_hours(1);
    let plan = incomplete(&store, SCOPE, folder_layout(3, ".dump"), later, GRACE).await.unwrap();
    clear(&store, &plan, SCOPE, &Silent).await.unwrap();
    assert!(!objects(&store).await.iter().any(|key| key.contains("a.dump")));
}

#[tokio::test]
async fn a_writer_that_was_only_slow_gets_back_what_made_room() {
    let store = Arc::new(Peer::prompt());
    backup(&*store, "b", 1, &["p0"]).await;
    for part in ["p0", "p1"] {
        put(&*store, &part_key("slow", part)).await;
    }
    store.age().await;
    let plan = incomplete(&*store, SCOPE, folder_layout(3, ".dump"), Timestamp::now(), GRACE).await.unwrap();
    // It publishes after the plan was made, and then the disk is full.
    let parts = ["p0", "p1"].map(|part| part_key("slow", part));
    publish(&*store, "slow", &manifest("slow", 2, &parts)).await;
    store.fill().await;
    let outcome = clear(&*store, &plan, SCOPE, &Silent).await.unwrap();
    assert_eq!(outcome.removed, []);
    assert_eq!(entries(&*store).await.len(), 2);
    assert_readable(&*store, "after").await;
}

#[tokio::test]
async fn the_mark_of_a_claim_that_is_about_to_come_is_left_to_its_prune() {
    let store = Peer::prompt();
    backup(&store, "b", 1, &["p0"]).await;
    let manifest = manifest_key("dead");
    let mark = names::Tombstone {
        format: names::FORMAT,
        manifest: manifest.clone(),
        deleted_at: Timestamp::now(),
        writer: "another".to_owned(),
        parts: Vec::new(),
        requires: Vec::new(),
        external: Vec::new(),
        removing: false,
    };
    let at = names::tombstone_key(&manifest).unwrap();
    let body = names::bytes(&at, &mark).unwrap();
    store.put(&at, body, &PutOptions::new(PutMode::Create)).await.unwrap();
    prune(&store, &Run::silent()).await;
    let find =
        async |now| incomplete(&store, SCOPE, folder_layout(3, ".dump"), now, SignedDuration::ZERO).await.unwrap();
    assert!(find(Timestamp::now()).await.is_empty());
    assert!(objects(&store).await.contains(&at.to_string()));
    // One that stayed alone is nobody's.
    let plan = find(Timestamp::now() + AGE).await;
    clear(&store, &plan, SCOPE, &Silent).await.unwrap();
    assert!(!objects(&store).await.contains(&at.to_string()));
}

#[tokio::test]
async fn two_prunes_of_the_same_leftovers_are_both_done() {
    let store = Peer::prompt();
    backup(&store, "b", 1, &["p0"]).await;
    put(&store, &part_key("dead", "p0")).await;
    store.age().await;
    let now = Timestamp::now();
    let one = incomplete(&store, SCOPE, folder_layout(3, ".dump"), now, GRACE).await.unwrap();
    let other = incomplete(&store, SCOPE, folder_layout(3, ".dump"), now, GRACE).await.unwrap();
    for plan in [one, other] {
        let outcome = clear(&store, &plan, SCOPE, &Silent).await.unwrap();
        assert!(outcome.is_complete() && outcome.kept_back.is_empty(), "{outcome:?}");
    }
    let tombstone = names::tombstone_key(&manifest_key("dead")).unwrap();
    assert!(objects(&store).await.contains(&tombstone.to_string()), "the claim is not found without its tombstone");
}
