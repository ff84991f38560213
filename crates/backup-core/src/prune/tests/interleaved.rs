//! Row R7: publishing and pruning at the same time, in a thousand orders, with prunes cut short in between.

use std::pin::pin;

use futures_util::future::{Either, select};
use jiff::SignedDuration;

use super::peer::{Peer, Random};
use super::*;
use crate::error::{CoreError, StoreError};
use crate::progress::Silent;
use crate::prune::{GRACE, PrunePlan, apply, clear, folder_layout, incomplete, release, reserve};
use crate::run::Run;

const SEEDS: u64 = 1_000;

/// Most times a prune is let go on before it is killed: about as many as a whole one takes.
const POLLS_MAX: u64 = 900;

async fn prune(store: &Peer, now: Timestamp) {
    let entries = entries(store).await;
    let plan = PrunePlan::new(&entries, &keep_last(&entries, 1)).unwrap();
    apply(store, &plan, SCOPE, &[], &Run::silent()).await.unwrap();
    let left = incomplete(store, SCOPE, folder_layout(3, ".dump"), now, GRACE).await.unwrap();
    clear(store, &left, SCOPE, &Silent).await.unwrap();
}

/// Runs a prune and drops it at some point, as a kill would; then runs another, whole.
async fn prune_killed_and_again(store: &Peer, polls: u64) {
    match select(pin!(prune(store, Timestamp::now())), pin!(later(polls, async {}))).await {
        Either::Left(_) | Either::Right(_) => {}
    }
    prune(store, Timestamp::now()).await;
}

/// Begins after it gave way so many times.
pub(super) async fn later<T>(polls: u64, work: impl Future<Output = T>) -> T {
    for _ in 0..polls {
        tokio::task::yield_now().await;
    }
    work.await
}

/// A backup that keeps to itself.
async fn publish_own(store: &Peer, sequence: u64) {
    backup(store, "own", sequence, &["p0", "p1"]).await;
}

/// A backup that refers to another's parts, or does without if it is too late.
async fn publish_sharing(store: &Peer, sequence: u64, choice: u64) -> bool {
    let entries = entries(store).await;
    let choice = usize::try_from(choice).unwrap() % entries.len();
    let owner = &entries[choice];
    let mut parts: Vec<Key> = owner.manifest.as_ref().unwrap().parts.iter().map(|part| part.key.clone()).collect();
    let reserved = match reserve(store, &manifest_key("sharing"), &parts, std::slice::from_ref(&owner.key)).await {
        Ok(()) => true,
        Err(CoreError::Store(StoreError::NotFound { .. })) => false,
        Err(error) => panic!("{error}"),
    };
    if !reserved {
        parts.clear();
    }
    parts.push(part_key("sharing", "p"));
    put(store, &part_key("sharing", "p")).await;
    publish(store, "sharing", &manifest("sharing", sequence, &parts)).await;
    release(store, &manifest_key("sharing")).await.unwrap();
    reserved
}

/// A backup that builds on another, or stands alone if it is too late.
async fn publish_delta(store: &Peer, sequence: u64, choice: u64) {
    let entries = entries(store).await;
    let base = &entries[usize::try_from(choice).unwrap() % entries.len()];
    let owner = std::slice::from_ref(&base.key);
    let parent = match reserve(store, &manifest_key("delta"), owner, owner).await {
        Ok(()) => Some(base.manifest.as_ref().unwrap().id),
        Err(CoreError::Store(StoreError::NotFound { .. })) => None,
        Err(error) => panic!("{error}"),
    };
    put(store, &part_key("delta", "p")).await;
    let delta = Manifest { parent, ..manifest("delta", sequence, &[part_key("delta", "p")]) };
    publish(store, "delta", &delta).await;
    release(store, &manifest_key("delta")).await.unwrap();
}

/// A run that wakes up in a folder left alone for longer than the grace period, and finishes.
async fn publish_woken(store: &Peer, sequence: u64) -> bool {
    put(store, &part_key("woken", "p1")).await;
    let parts = [part_key("woken", "p0"), part_key("woken", "p1")];
    let manifest = manifest("woken", sequence, &parts);
    match catalogue::publish(store, &manifest_key("woken"), &manifest, &key("pg/shop/latest.json")).await {
        Ok(_) => true,
        Err(CoreError::Taken { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

/// What the seeds led to, so that the test can tell that it tested something.
#[derive(Debug, Default)]
struct Seen {
    shared: u64,
    refused: u64,
    woken: u64,
    claimed: u64,
}

async fn interleave(seed: u64, seen: &mut Seen) {
    let store = Peer::interleaving(seed);
    let mut random = Random(!seed);
    for sequence in 1..=3 {
        backup(&store.inner, &format!("old{sequence}"), sequence, &["p0", "p1"]).await;
    }
    let borrowed = [part_key("old3", "p0"), part_key("old4", "p")];
    put(&store.inner, &borrowed[1]).await;
    publish(&store.inner, "old4", &manifest("old4", 4, &borrowed)).await;
    put(&store.inner, &part_key("woken", "p0")).await;
    store.age().await;

    let (one, two, polls) = (random.below(99), random.below(99), random.below(POLLS_MAX));
    let mut starts = || random.below(POLLS_MAX);
    let (shared, (), woken, (), ()) = tokio::join!(
        later(starts(), publish_sharing(&store, 5, one)),
        later(starts(), publish_own(&store, 6)),
        later(starts(), publish_woken(&store, 7)),
        later(starts(), publish_delta(&store, 8, two)),
        prune_killed_and_again(&store, polls),
    );
    *(if shared { &mut seen.shared } else { &mut seen.refused }) += 1;
    *(if woken { &mut seen.woken } else { &mut seen.claimed }) += 1;
    let when = format!("seed {seed}");
    assert_readable(&store.inner, &when).await;

    // Later prunes leave the last good one, what it needs, and nothing else.
    for days in [0, 2, 4, 6, 8] {
        prune(&store, Timestamp::now() + SignedDuration::from_hours(24 * days)).await;
        assert_readable(&store.inner, &when).await;
    }
    let entries = entries(&store.inner).await;
    let wanted: Vec<String> = entries
        .iter()
        .flat_map(|entry| entry.manifest.as_ref().unwrap().parts.iter().map(|part| &part.key).chain([&entry.key]))
        .map(ToString::to_string)
        .chain(["pg/shop/latest.json".to_owned()])
        .collect();
    let left = objects(&store.inner).await;
    let left: Vec<&String> = left.iter().filter(|object| !wanted.contains(object)).collect();
    assert!(left.is_empty(), "{when}: {left:?}");
}

#[test]
fn r7_a_thousand_interleavings_leave_every_published_backup_readable() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut seen = Seen::default();
    for seed in 0..SEEDS {
        runtime.block_on(interleave(seed, &mut seen));
    }
    let Seen { shared, refused, woken, claimed } = seen;
    assert!([shared, refused, woken, claimed].iter().all(|count| *count >= SEEDS / 50), "one-sided: {seen:?}");
}
