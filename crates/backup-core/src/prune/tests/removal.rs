//! Plans and their execution, one at a time: rows R8 and R6, shared parts, later users.

use super::peer::Peer;
use super::*;
use crate::error::{CoreError, FormatError, StoreError};
use crate::probe::MARKER_KEY;
use crate::prune::plan::is_own;
use crate::prune::{PruneOutcome, PrunePlan, apply, reserve};
use crate::run::Run;
use crate::store::StoreDelete as _;
use crate::store::memory::MemoryStore;

async fn prune(store: &Peer, count: u32) -> PruneOutcome {
    let entries = entries(store).await;
    let plan = PrunePlan::new(&entries, &keep_last(&entries, count)).unwrap();
    run(store, &plan).await
}

async fn run(store: &Peer, plan: &PrunePlan) -> PruneOutcome {
    apply(store, plan, SCOPE, &[], &Run::silent()).await.unwrap()
}

#[tokio::test]
async fn only_what_retention_gave_up_goes_and_nothing_is_left_of_it() {
    let store = Peer::prompt();
    for (sequence, name) in [(1, "a"), (2, "b"), (3, "c")] {
        backup(&store, name, sequence, &["p0", "p1"]).await;
    }
    let entries = entries(&store).await;
    let plan = PrunePlan::new(&entries, &keep_last(&entries, 1)).unwrap();
    let before = objects(&store).await;
    assert_eq!(
        plan.removals.iter().map(|removal| removal.manifest.clone()).collect::<Vec<_>>(),
        ["a", "b"].map(manifest_key)
    );
    assert_eq!(plan.removals[0].parts.keys().cloned().collect::<Vec<_>>(), ["p0", "p1"].map(|p| part_key("a", p)));
    assert_eq!(objects(&store).await, before, "planning changes nothing");

    let outcome = run(&store, &plan).await;
    assert!(outcome.is_complete());
    assert_eq!((outcome.removed.len(), outcome.freed_bytes), (2, plan.freed_bytes));
    assert_eq!(
        objects(&store).await,
        ["pg/shop/c.dump/data/p0", "pg/shop/c.dump/data/p1", "pg/shop/c.dump/manifest.json", "pg/shop/latest.json"]
    );
    assert_eq!(prune(&store, 1).await.removed.len(), 0);
}

#[tokio::test]
async fn parts_shared_with_kept_backups_stay_and_are_not_counted() {
    let store = Peer::prompt();
    backup(&store, "a", 1, &["own", "shared"]).await;
    publish(&store, "b", &manifest("b", 2, &[part_key("a", "shared")])).await;
    let entries = entries(&store).await;
    let plan = PrunePlan::new(&entries, &keep_last(&entries, 1)).unwrap();
    assert_eq!(plan.removals[0].shared.iter().collect::<Vec<_>>(), [&part_key("a", "shared")]);
    assert_eq!(plan.freed_bytes, body(&part_key("a", "own")).len() as u64);
    run(&store, &plan).await;
    assert_readable(&store, "after").await;
    assert!(!objects(&store).await.contains(&part_key("a", "own").to_string()));
}

#[tokio::test]
async fn a_part_two_removed_backups_share_goes_and_counts_once() {
    let store = Peer::prompt();
    backup(&store, "a", 1, &["shared"]).await;
    publish(&store, "b", &manifest("b", 2, &[part_key("a", "shared")])).await;
    backup(&store, "c", 3, &["p"]).await;
    let outcome = prune(&store, 1).await;
    assert_eq!(outcome.freed_bytes, body(&part_key("a", "shared")).len() as u64);
    assert!(!objects(&store).await.iter().any(|object| object.contains("shared")));
}

#[tokio::test]
async fn no_manifest_can_make_a_prune_delete_what_is_no_part() {
    let store = Peer::prompt();
    backup(&store, "b", 2, &["p"]).await;
    put(&store, &key("lastgood.json")).await;
    publish(&store, "a", &manifest("a", 1, &[manifest_key("b"), key("lastgood.json")])).await;
    let outcome = prune(&store, 1).await;
    assert_eq!((outcome.removed.len(), outcome.freed_bytes), (1, 0));
    assert_readable(&store, "after").await;
    assert_eq!(entries(&store).await.len(), 1);
    assert!(objects(&store).await.contains(&"lastgood.json".to_owned()));
}

#[tokio::test]
async fn r8_one_refused_object_of_a_thousand_is_listed_and_a_rerun_completes() {
    let store = Peer::prompt();
    let names: Vec<String> = (0..1_000).map(|n| format!("p{n:04}")).collect();
    backup(&store, "a", 1, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    backup(&store, "b", 2, &["p"]).await;
    store.refuse([part_key("a", "p0500")]);
    let outcome = prune(&store, 1).await;
    assert!(!outcome.is_complete());
    assert_eq!(outcome.failures.iter().map(|failure| &failure.key).collect::<Vec<_>>(), [&part_key("a", "p0500")]);
    assert_eq!(entries(&store).await.len(), 1, "the backup is gone all the same");

    store.refuse([]);
    let outcome = prune(&store, 1).await;
    assert!(outcome.is_complete());
    assert_eq!(outcome.removed, [manifest_key("a")]);
    assert!(!objects(&store).await.iter().any(|object| object.contains("a.dump")));
    assert_readable(&store, "after").await;
}

#[tokio::test]
async fn r8_completing_spares_what_was_referred_to_since() {
    let store = Peer::prompt();
    backup(&store, "a", 1, &["p0", "p1"]).await;
    backup(&store, "b", 2, &["p"]).await;
    store.refuse([part_key("a", "p0"), part_key("a", "p1")]);
    prune(&store, 1).await;
    // Not as `reserve` allows; all the same nothing published may lose a part.
    publish(&store, "c", &manifest("c", 3, &[part_key("a", "p1")])).await;
    store.refuse([]);
    let everything = entries(&store).await;
    let none_goes = PrunePlan::new(&everything, &keep_last(&everything, 9)).unwrap();
    run(&store, &none_goes).await;
    assert_readable(&store, "after").await;
    assert!(!objects(&store).await.contains(&part_key("a", "p0").to_string()));
}

#[tokio::test]
async fn r6_a_full_stays_while_its_delta_cannot_be_removed() {
    let store = Peer::prompt();
    backup(&store, "full", 1, &["p"]).await;
    put(&store, &part_key("delta", "p")).await;
    let delta = Manifest { parent: Some(id("full")), ..manifest("delta", 2, &[part_key("delta", "p")]) };
    publish(&store, "delta", &delta).await;
    backup(&store, "new", 3, &["p"]).await;
    store.refuse([manifest_key("delta")]);
    let outcome = prune(&store, 1).await;
    assert_eq!((outcome.removed.len(), &outcome.kept_back[..]), (0, &[manifest_key("full")][..]));
    assert_readable(&store, "refused").await;
    assert_eq!(entries(&store).await.len(), 3);

    store.refuse([]);
    assert_eq!(prune(&store, 1).await.removed.len(), 2);
    assert_eq!(entries(&store).await.len(), 1);
}

#[tokio::test]
async fn what_is_published_after_the_plan_keeps_what_it_refers_to() {
    let store = Peer::prompt();
    backup(&store, "a", 1, &["p0", "p1"]).await;
    backup(&store, "base", 2, &["p"]).await;
    backup(&store, "b", 3, &["p"]).await;
    let entries = entries(&store).await;
    let plan = PrunePlan::new(&entries, &keep_last(&entries, 1)).unwrap();
    assert_eq!(plan.removals.len(), 2);
    let late = Manifest { parent: Some(id("base")), ..manifest("late", 4, &[part_key("a", "p1")]) };
    publish(&store, "late", &late).await;

    let outcome = run(&store, &plan).await;
    assert_eq!((outcome.removed, outcome.kept_back), (vec![manifest_key("a")], vec![manifest_key("base")]));
    assert_readable(&store, "after").await;
    assert!(!objects(&store).await.iter().any(|object| object.ends_with("deleted.json")));
}

#[tokio::test]
async fn a_reservation_holds_before_publishing_and_is_refused_when_too_late() {
    let store = Peer::prompt();
    backup(&store, "a", 1, &["p0"]).await;
    backup(&store, "b", 2, &["p"]).await;
    let shared = [part_key("a", "p0")];
    reserve(&store, &manifest_key("c"), &shared, &[manifest_key("a")]).await.unwrap();
    assert_eq!(prune(&store, 1).await.removed, [manifest_key("a")]);
    publish(&store, "c", &manifest("c", 3, &shared)).await;
    assert_readable(&store, "after").await;

    let late = reserve(&store, &manifest_key("d"), &shared, &[manifest_key("a")]).await.unwrap_err();
    assert!(matches!(late, CoreError::Store(StoreError::NotFound { .. })), "{late}");
}

#[tokio::test]
async fn a_newer_manifest_stops_a_prune_before_anything_is_deleted() {
    let store = Peer::prompt();
    backup(&store, "a", 1, &["p0"]).await;
    backup(&store, "b", 2, &["p"]).await;
    let before = entries(&store).await;
    let plan = PrunePlan::new(&before, &keep_last(&before, 1)).unwrap();
    let newer = Bytes::from_static(br#"{"format":2}"#);
    store.put(&manifest_key("z"), newer, &PutOptions::new(PutMode::Create)).await.unwrap();

    let with_newer = entries(&store).await;
    let error = PrunePlan::new(&with_newer, &keep_last(&with_newer, 1)).unwrap_err();
    assert!(matches!(error, FormatError::Newer { .. }));
    let error = apply(&store, &plan, SCOPE, &[], &Run::silent()).await.unwrap_err();
    assert!(matches!(error, CoreError::Format(FormatError::Newer { .. })));
    assert!(objects(&store).await.contains(&part_key("a", "p0").to_string()));
}

#[tokio::test]
async fn one_object_backups_go_with_the_object_beside_their_manifest() {
    let store = Peer::prompt();
    let pointer = key("app/notes/latest.json");
    for (sequence, name) in [(1, "old"), (2, "new")] {
        let object = key(&format!("pg/notes/{name}.tar.gz"));
        put(&store, &object).await;
        let at = key(&format!("{object}.manifest.json"));
        catalogue::publish(&store, &at, &manifest(name, sequence, &[object]), &pointer).await.unwrap();
    }
    store.refuse([key("pg/notes/old.tar.gz")]);
    assert_eq!(prune(&store, 1).await.failures.len(), 1);
    store.refuse([]);
    prune(&store, 1).await;
    assert_eq!(
        objects(&store).await,
        ["app/notes/latest.json", "pg/notes/new.tar.gz", "pg/notes/new.tar.gz.manifest.json"]
    );
}

#[tokio::test]
async fn objects_of_others_stay_whatever_a_manifest_or_a_tombstone_lists() {
    let store = MemoryStore::new();
    let others =
        [key("app/recs/Backup.tar.gz"), key("pg/blog/c.dump/data/p"), key("dictdb_backup_1_2.json"), key(MARKER_KEY)];
    for other in &others {
        put(&store, other).await;
    }
    backup(&store, "a", 1, &["own"]).await;
    let mut parts = vec![part_key("a", "own")];
    parts.extend(others.iter().cloned());
    store.delete(&[manifest_key("a")]).await.unwrap();
    publish(&store, "a", &manifest("a", 1, &parts)).await;
    backup(&store, "b", 2, &["own"]).await;
    let before = entries(&store).await;
    let plan = PrunePlan::new(&before, &keep_last(&before, 1)).unwrap();
    assert_eq!(plan.removals[0].parts.keys().collect::<Vec<_>>(), [&part_key("a", "own")]);
    assert_eq!(plan.removals[0].shared.len(), others.len());
}

#[test]
fn a_backup_owns_what_is_beside_it_or_named_as_its_manifest_is() {
    let owns = |manifest: &str, object: &str| is_own(&key(manifest), &key(object));
    for (manifest, object) in [
        ("pg/shop/a.dump/manifest.json", "pg/shop/b.dump/data/p"),
        ("app/recs/B.tar.gz.manifest.json", "app/recs/B.tar.gz"),
        ("glacier/x/backups/1/manifest.json", "glacier/x/bundles/abc"),
        ("manifests/dictdb_backup_1_2.json.manifest.json", "dictdb_backup_1_2.json"),
    ] {
        assert!(owns(manifest, object), "{manifest} {object}");
    }
    for (manifest, object) in [
        ("pg/shop/a.dump/manifest.json", "pg/blog/b.dump/data/p"),
        ("pg/shop/a.dump/manifest.json", "pg/shop/b.dump/manifest.json"),
        ("manifests/dictdb_backup_1_2.json.manifest.json", "dictdb_backup_3_4.json"),
        ("manifest.json", "dictdb_backup_3_4.json"),
        ("pg/manifest.json", "pg/shop/a.dump/data/p"),
    ] {
        assert!(!owns(manifest, object), "{manifest} {object}");
    }
}
