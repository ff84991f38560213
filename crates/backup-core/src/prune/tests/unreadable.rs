//! A manifest that cannot be read: its source keeps everything, and others are pruned as ever.

use super::peer::Peer;
use super::*;
use crate::progress::Silent;
use crate::prune::{GRACE, HeldBack, PruneOutcome, PrunePlan, apply, clear, folder_layout, hold_back, incomplete};
use crate::run::Run;

async fn prune(store: &Peer) -> (PruneOutcome, Vec<HeldBack>) {
    let entries = entries(store).await;
    let mut retention = keep_last(&entries, 1);
    let held = hold_back(&entries, &mut retention);
    let plan = PrunePlan::new(&entries, &retention).unwrap();
    (apply(store, &plan, SCOPE, &[], &Run::silent()).await.unwrap(), held)
}

async fn blog(store: &Peer) {
    for (sequence, name) in [(1, "x"), (2, "y")] {
        let part = key(&format!("pg/blog/{name}.dump/data/p"));
        put(store, &part).await;
        let manifest = Manifest { source: "blog".to_owned(), ..manifest(&format!("blog-{name}"), sequence, &[part]) };
        let at = key(&format!("pg/blog/{name}.dump/manifest.json"));
        catalogue::publish(store, &at, &manifest, &key("pg/blog/latest.json")).await.unwrap();
    }
}

#[tokio::test]
async fn nothing_beside_it_goes_until_it_can_be_read() {
    let store = Peer::prompt();
    for (sequence, name) in [(1, "a"), (2, "b"), (3, "c")] {
        backup(&store, name, sequence, &["p"]).await;
    }
    blog(&store).await;
    store.deny([manifest_key("b")]);
    let (outcome, held) = prune(&store).await;
    assert_eq!(outcome.removed, [key("pg/blog/x.dump/manifest.json")]);
    assert_eq!(held.iter().map(|held| (&held.manifest, held.backups)).collect::<Vec<_>>(), [(&manifest_key("b"), 1)]);
    store.deny([]);
    let (outcome, held) = prune(&store).await;
    assert_eq!((outcome.removed.len(), held.len()), (2, 0));
    assert_readable(&store, "after").await;
}

#[tokio::test]
async fn one_that_becomes_unreadable_after_the_plan_keeps_what_it_may_need() {
    let store = Peer::prompt();
    for (sequence, name) in [(1, "a"), (2, "b")] {
        backup(&store, name, sequence, &["p"]).await;
    }
    let entries = entries(&store).await;
    let plan = PrunePlan::new(&entries, &keep_last(&entries, 1)).unwrap();
    // Published after the plan, by another user.
    publish(&store, "late", &Manifest { parent: Some(id("a")), ..manifest("late", 3, &[]) }).await;
    store.deny([manifest_key("late")]);
    let outcome = apply(&store, &plan, SCOPE, &[], &Run::silent()).await.unwrap();
    assert_eq!((outcome.removed.len(), outcome.kept_back), (0, vec![manifest_key("a")]));
    store.deny([]);
    assert_readable(&store, "after").await;
}

#[tokio::test]
async fn leftovers_beside_it_wait_and_it_is_none_itself() {
    let store = Peer::prompt();
    backup(&store, "a", 1, &["p"]).await;
    put(&store, &part_key("dead", "p")).await;
    store.age().await;
    store.deny([manifest_key("a")]);
    let find = async || incomplete(&store, SCOPE, folder_layout(3, ".dump"), Timestamp::now(), GRACE).await.unwrap();
    assert!(find().await.is_empty());
    store.deny([]);
    let plan = find().await;
    store.deny([manifest_key("a")]);
    assert_eq!(clear(&store, &plan, SCOPE, &Silent).await.unwrap().objects, 0);
    store.deny([]);
    assert_readable(&store, "after").await;
}

#[tokio::test]
async fn the_next_backup_comes_after_whatever_it_may_be() {
    let store = Peer::prompt();
    for (sequence, name) in [(1, "a"), (2, "b")] {
        backup(&store, name, sequence, &["p"]).await;
    }
    let pointer = key("pg/shop/latest.json");
    let next = async || catalogue::next_sequence(&store, "pg/shop/", &pointer).await.unwrap();
    assert_eq!(next().await, 3);
    store.deny([manifest_key("a")]);
    assert!(next().await > catalogue::UNREADABLE_GAP);
    // Neither does a pointer that cannot be read stop anything, nor the manifest it names.
    store.deny([manifest_key("b"), pointer.clone()]);
    assert!(next().await > catalogue::UNREADABLE_GAP);
    store.deny([manifest_key("b")]);
    assert_eq!(catalogue::pointed(&store, &pointer).await.unwrap(), None);
    assert!(
        entries(&store).await.iter().any(|entry| entry.manifest.as_ref().is_err_and(|error| error.is_unreadable()))
    );
}
