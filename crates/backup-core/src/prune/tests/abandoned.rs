//! What interrupted runs left: found after the grace period only, claimed, and never a published backup's.

use jiff::SignedDuration;

use super::peer::Peer;
use super::*;
use crate::error::CoreError;
use crate::progress::Silent;
use crate::prune::{GRACE, IncompletePlan, PruneOutcome, clear, folder_layout, incomplete, tombstone_key};
use crate::store::StoreDelete as _;

async fn find(store: &Peer, now: Timestamp, grace: SignedDuration) -> IncompletePlan {
    incomplete(store, SCOPE, folder_layout(3, ".dump"), now, grace).await.unwrap()
}

async fn sweep(store: &Peer, now: Timestamp) -> PruneOutcome {
    let plan = find(store, now, GRACE).await;
    clear(store, &plan, SCOPE, &Silent).await.unwrap()
}

fn days_ahead(days: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_hours(24 * days)
}

#[test]
fn a_layout_tells_backups_from_what_lies_beside_them() {
    let layout = folder_layout(3, ".dump");
    assert_eq!(layout(&part_key("a", "p")), Some(manifest_key("a")));
    assert_eq!(layout(&manifest_key("a")), Some(manifest_key("a")));
    for other in ["pg/shop/latest.json", "pg/shop/old.dump", "pg/shop/photos/x.jpg", "lastgood.json"] {
        assert_eq!(layout(&key(other)), None, "{other}");
    }
}

#[tokio::test]
async fn c2_an_interrupted_dump_is_freed_after_the_grace_period_and_only_it() {
    let store = Peer::prompt();
    backup(&store, "good", 1, &["p"]).await;
    put(&store, &part_key("killed", "p0")).await;
    put(&store, &part_key("killed", "p1")).await;
    put(&store, &key("pg/shop/photos/x.jpg")).await;
    assert!(find(&store, Timestamp::now(), GRACE).await.is_empty(), "it may still be running");

    let plan = find(&store, days_ahead(2), GRACE).await;
    assert_eq!(plan.abandoned.iter().map(|found| &found.manifest).collect::<Vec<_>>(), [&manifest_key("killed")]);
    assert_eq!(plan.freed_bytes(), 2 * body(&part_key("killed", "p0")).len() as u64);
    let outcome = clear(&store, &plan, SCOPE, &Silent).await.unwrap();
    assert_eq!((outcome.objects, outcome.freed_bytes), (2, plan.freed_bytes()));
    assert_eq!(entries(&store).await.len(), 1, "a claim is no backup");
    assert_readable(&store, "after").await;

    // The claim goes when it is as old; then nothing is left.
    sweep(&store, days_ahead(4)).await;
    let left = objects(&store).await;
    assert!(!left.iter().any(|object| object.contains("killed")), "{left:?}");
    assert!(left.contains(&"pg/shop/photos/x.jpg".to_owned()));
    assert!(find(&store, days_ahead(9), GRACE).await.is_empty());
}

#[tokio::test]
async fn without_grace_the_objects_go_at_once_and_their_writer_cannot_publish_all_the_same() {
    let store = Peer::prompt();
    put(&store, &part_key("alive", "p0")).await;
    let plan = find(&store, Timestamp::now(), SignedDuration::ZERO).await;
    assert_eq!(clear(&store, &plan, SCOPE, &Silent).await.unwrap().objects, 1);
    assert!(find(&store, Timestamp::now(), SignedDuration::ZERO).await.is_empty(), "the claim stands");
    let late = manifest("alive", 1, &[part_key("alive", "p0")]);
    let published = catalogue::publish(&store, &manifest_key("alive"), &late, &key("pg/shop/latest.json")).await;
    assert!(matches!(published, Err(CoreError::Taken { .. })), "{published:?}");

    let plan = find(&store, days_ahead(2), SignedDuration::ZERO).await;
    clear(&store, &plan, SCOPE, &Silent).await.unwrap();
    assert!(objects(&store).await.is_empty());
}

#[tokio::test]
async fn a_claim_is_found_although_another_prune_took_its_tombstone_away() {
    let store = Peer::prompt();
    put(&store, &part_key("killed", "p0")).await;
    let plan = find(&store, Timestamp::now(), SignedDuration::ZERO).await;
    clear(&store, &plan, SCOPE, &Silent).await.unwrap();
    // As the last step of a removal of the same backup does, whose tombstone the claim found in its place.
    store.delete(&[tombstone_key(&manifest_key("killed")).unwrap()]).await.unwrap();
    assert!(find(&store, Timestamp::now(), GRACE).await.is_empty(), "the claim stands");

    sweep(&store, days_ahead(2)).await;
    assert!(objects(&store).await.is_empty());
}

#[tokio::test]
async fn an_unfinished_marker_is_swept_although_it_is_in_no_scope() {
    let store = Peer::prompt();
    let upload = store.multipart(&key("lastgood.json"), &PutOptions::new(PutMode::Create)).await.unwrap();
    let plan = find(&store, days_ahead(2), GRACE).await;
    assert_eq!(clear(&store, &plan, SCOPE, &Silent).await.unwrap().uploads, 1);
    drop(upload);
}

#[tokio::test]
async fn a_manifest_that_appeared_since_the_plan_saves_its_backup() {
    let store = Peer::prompt();
    put(&store, &part_key("slow", "p0")).await;
    let plan = find(&store, days_ahead(2), GRACE).await;
    publish(&store, "slow", &manifest("slow", 1, &[part_key("slow", "p0")])).await;
    let outcome = clear(&store, &plan, SCOPE, &Silent).await.unwrap();
    assert_eq!((outcome.objects, outcome.kept_back), (0, vec![manifest_key("slow")]));
    assert_readable(&store, "after").await;
    assert!(!objects(&store).await.iter().any(|object| object.ends_with("deleted.json")));
}

#[tokio::test]
async fn a_writer_that_slept_cannot_publish_what_was_cleared_away() {
    let store = Peer::prompt();
    put(&store, &part_key("slept", "p0")).await;
    sweep(&store, days_ahead(2)).await;
    let late = manifest("slept", 1, &[part_key("slept", "p0")]);
    let pointer = key("pg/shop/latest.json");
    let error = catalogue::publish(&store, &manifest_key("slept"), &late, &pointer).await.unwrap_err();
    assert!(matches!(&error, CoreError::Taken { theirs, .. } if theirs.starts_with("prune on ")), "{error}");
    assert!(entries(&store).await.is_empty());
}

#[tokio::test]
async fn leftovers_a_published_backup_refers_to_stay() {
    let store = Peer::prompt();
    put(&store, &part_key("killed", "used")).await;
    put(&store, &part_key("killed", "unused")).await;
    publish(&store, "b", &manifest("b", 1, &[part_key("killed", "used")])).await;
    sweep(&store, days_ahead(2)).await;
    assert_readable(&store, "after").await;
    assert!(!objects(&store).await.iter().any(|object| object.ends_with("/unused")));
}

#[tokio::test]
async fn a_sweep_cut_short_is_completed_by_the_next() {
    let store = Peer::prompt();
    put(&store, &part_key("killed", "p0")).await;
    put(&store, &part_key("killed", "p1")).await;
    store.refuse([part_key("killed", "p1")]);
    assert_eq!(sweep(&store, days_ahead(2)).await.failures.len(), 1);
    store.refuse([]);
    assert_eq!(sweep(&store, days_ahead(2)).await.objects, 1, "found by its claim, without another grace period");
    sweep(&store, days_ahead(4)).await;
    assert!(objects(&store).await.is_empty());
}

#[tokio::test]
async fn unfinished_uploads_are_given_up_after_the_grace_period() {
    let store = Peer::prompt();
    let upload = store.multipart(&part_key("killed", "p0"), &PutOptions::new(PutMode::Create)).await.unwrap();
    assert!(find(&store, Timestamp::now(), GRACE).await.is_empty());
    let plan = find(&store, days_ahead(2), GRACE).await;
    assert_eq!(plan.uploads.len(), 1);
    assert_eq!(clear(&store, &plan, SCOPE, &Silent).await.unwrap().uploads, 1);
    assert!(find(&store, days_ahead(2), GRACE).await.is_empty());
    drop(upload);
}

#[tokio::test]
async fn an_upload_that_seems_older_than_its_location_goes_only_where_nobody_else_runs() {
    let store = Peer::prompt();
    let marker = format!(r#"{{"format":1,"created_at":"{}","atomic":true}}"#, days_ahead(3));
    store.put(&key("lastgood.json"), marker.into(), &PutOptions::new(PutMode::Create)).await.unwrap();
    let upload = store.multipart(&part_key("killed", "p0"), &PutOptions::new(PutMode::Create)).await.unwrap();
    assert!(find(&store, days_ahead(9), GRACE).await.is_empty(), "the store may say so of all of them");
    let plan = find(&store, days_ahead(9), SignedDuration::ZERO).await;
    assert_eq!(clear(&store, &plan, SCOPE, &Silent).await.unwrap().uploads, 1);
    drop(upload);
}
