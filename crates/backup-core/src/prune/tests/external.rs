//! Backups that own something outside the location are whole or gone, whatever fails and wherever a prune is cut short.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Mutex;

use async_trait::async_trait;
use futures_util::future::{Either, select};

use super::interleaved::later;
use super::peer::{Peer, Random};
use super::*;
use crate::error::{CoreError, FormatError, StoreError};
use crate::manifest::External;
use crate::progress::Silent;
use crate::prune::{GRACE, PruneOutcome, PrunePlan, Remover, apply, clear, folder_layout, incomplete};
use crate::run::Run;
use crate::store::StoreDelete as _;

const SEEDS: u64 = 400;

/// Most times a prune is let go on before it is killed: about as many as a whole one takes.
const POLLS_MAX: u64 = 600;

/// More than there are backups.
const KEEP_ALL: u32 = 99;

fn thing(id: &str) -> External {
    let [service, region, account] = ["ebs", "eu-west-1", "123456789012"].map(str::to_owned);
    External { service, region, account, id: id.to_owned(), bytes: Some(1) }
}

/// Holds what backups own. It removes what it is asked to, and then loses its answer now and then, or says that it was
/// never reached; what is locked it refuses to remove.
#[derive(Debug)]
struct LosesAnswers {
    things: Mutex<BTreeSet<String>>,
    locked: Mutex<BTreeSet<String>>,
    dice: Mutex<Option<Random>>,
}

impl LosesAnswers {
    /// Does as it is told until [`LosesAnswers::with_dice`].
    fn calm() -> Self {
        Self { things: Mutex::default(), locked: Mutex::default(), dice: Mutex::new(None) }
    }

    fn with_dice(seed: u64) -> Self {
        Self { dice: Mutex::new(Some(Random(seed))), ..Self::calm() }
    }

    fn roll(&self, sides: u64) -> u64 {
        self.dice.lock().unwrap().as_mut().map_or(u64::MAX, |dice| dice.below(sides))
    }

    fn calm_down(&self) {
        *self.dice.lock().unwrap() = None;
        self.locked.lock().unwrap().clear();
    }

    fn has(&self, external: &External) -> bool {
        self.things.lock().unwrap().contains(&external.to_string())
    }
}

#[async_trait]
impl Remover for LosesAnswers {
    fn removes(&self, external: &External) -> bool {
        external.service == "ebs"
    }

    async fn remove(&self, external: &External) -> Result<(), StoreError> {
        let (key, action) = (external.to_string(), "DeleteSnapshot".to_owned());
        let lost =
            |key: &String| StoreError::Unreachable { key: key.clone(), action: action.clone(), source: "lost".into() };
        tokio::task::yield_now().await;
        if self.locked.lock().unwrap().contains(&key) {
            let help = "unlock it".into();
            return Err(StoreError::PermissionDenied { key, action, help, source: "locked".into() });
        }
        if self.roll(8) == 0 {
            return Err(lost(&key));
        }
        let was_there = self.things.lock().unwrap().remove(&key);
        tokio::task::yield_now().await;
        match (self.roll(4), was_there) {
            (0, _) => Err(lost(&key)),
            (_, true) => Ok(()),
            (_, false) => Err(StoreError::NotFound { key }),
        }
    }
}

/// Publishes a backup that owns `ids`.
async fn owning(store: &Peer, cloud: &LosesAnswers, name: &str, sequence: u64, ids: &[&str]) {
    let external: Vec<External> = ids.iter().map(|id| thing(id)).collect();
    cloud.things.lock().unwrap().extend(external.iter().map(ToString::to_string));
    put(store, &part_key(name, "p")).await;
    publish(store, name, &manifest(name, sequence, &[part_key(name, "p")]).with_external(external)).await;
}

async fn prune(store: &Peer, cloud: &LosesAnswers, count: u32) -> PruneOutcome {
    let entries = entries(store).await;
    let plan = PrunePlan::new(&entries, &keep_last(&entries, count)).unwrap();
    let outcome = apply(store, &plan, SCOPE, &[cloud], &Run::silent()).await.unwrap();
    let left = incomplete(store, SCOPE, folder_layout(3, ".dump"), Timestamp::now(), GRACE).await.unwrap();
    clear(store, &left, SCOPE, &Silent).await.unwrap();
    outcome
}

/// Every backup that is listed has all it owns.
async fn assert_whole(store: &Peer, cloud: &LosesAnswers, when: &str) {
    for entry in entries(&store.inner).await {
        for external in &entry.manifest.as_ref().unwrap().external {
            assert!(cloud.has(external), "{when}: {} lost {external}", entry.key);
        }
    }
    assert_readable(&store.inner, when).await;
}

#[tokio::test]
async fn what_a_removed_backup_owns_goes_with_it_and_what_others_own_stays() {
    let (store, cloud) = (Peer::prompt(), LosesAnswers::calm());
    owning(&store, &cloud, "a", 1, &["a1", "a2", "shared"]).await;
    owning(&store, &cloud, "b", 2, &["b1", "shared"]).await;
    let outcome = prune(&store, &cloud, 1).await;
    assert!(outcome.is_complete());
    assert_eq!((outcome.removed, outcome.external), (vec![manifest_key("a")], 2));
    assert_eq!(*cloud.things.lock().unwrap(), ["b1", "shared"].map(|id| thing(id).to_string()).into());
    assert!(!objects(&store).await.iter().any(|object| object.contains("a.dump")));
    assert_eq!(prune(&store, &cloud, KEEP_ALL).await.removed.len(), 0);
}

#[tokio::test]
async fn what_two_removed_backups_own_goes_once() {
    let (store, cloud) = (Peer::prompt(), LosesAnswers::calm());
    owning(&store, &cloud, "a", 1, &["shared"]).await;
    owning(&store, &cloud, "b", 2, &["shared"]).await;
    owning(&store, &cloud, "c", 3, &["c1"]).await;
    let outcome = prune(&store, &cloud, 1).await;
    assert_eq!((outcome.removed.len(), outcome.external), (2, 1));
    assert_eq!(cloud.things.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_prune_that_cannot_remove_what_a_backup_owns_deletes_nothing() {
    let (store, cloud) = (Peer::prompt(), LosesAnswers::calm());
    owning(&store, &cloud, "a", 1, &["a1"]).await;
    backup(&store, "b", 2, &["p"]).await;
    backup(&store, "c", 3, &["p"]).await;
    let before = (objects(&store).await, cloud.things.lock().unwrap().clone());
    let everything = entries(&store).await;
    let plan = PrunePlan::new(&everything, &keep_last(&everything, 1)).unwrap();
    let error = apply(&store, &plan, SCOPE, &[], &Run::silent()).await.unwrap_err();
    assert!(matches!(&error, CoreError::NoRemover { key, .. } if key.contains("a.dump")), "{error}");
    assert!(plan.removable_by(&[]).is_err());
    assert_eq!((objects(&store).await, cloud.things.lock().unwrap().clone()), before);
}

#[tokio::test]
async fn what_is_locked_keeps_its_backup_whole() {
    let (store, cloud) = (Peer::prompt(), LosesAnswers::calm());
    owning(&store, &cloud, "a", 1, &["a1", "a2"]).await;
    owning(&store, &cloud, "b", 2, &["b1"]).await;
    let before = objects(&store).await;
    cloud.locked.lock().unwrap().insert(thing("a1").to_string());
    let outcome = prune(&store, &cloud, 1).await;
    assert_eq!((outcome.kept_back, outcome.failures.len()), (vec![manifest_key("a")], 1));
    assert_eq!(objects(&store).await, before, "the tombstone is taken back");
    assert_whole(&store, &cloud, "locked").await;
    assert_eq!(entries(&store).await.len(), 2);
}

#[tokio::test]
async fn half_a_removal_is_finished_whatever_retention_says() {
    let (store, cloud) = (Peer::prompt(), LosesAnswers::calm());
    owning(&store, &cloud, "a", 1, &["a1", "a2"]).await;
    owning(&store, &cloud, "b", 2, &["b1"]).await;
    cloud.locked.lock().unwrap().insert(thing("a2").to_string());
    let outcome = prune(&store, &cloud, 1).await;
    assert_eq!((outcome.removed.len(), outcome.kept_back.len(), outcome.failures.len()), (0, 0, 1));
    assert_eq!(entries(&store).await.len(), 1, "it is no backup any more");
    let read = catalogue::read(&store, &manifest_key("a")).await;
    assert!(matches!(read, Err(CoreError::Store(StoreError::NotFound { .. }))), "{read:?}");

    // Whoever cannot remove the rest does not end it either.
    let everything = entries(&store).await;
    let none_goes = PrunePlan::new(&everything, &keep_last(&everything, KEEP_ALL)).unwrap();
    let error = apply(&store, &none_goes, SCOPE, &[], &Run::silent()).await.unwrap_err();
    assert!(matches!(error, CoreError::NoRemover { .. }), "{error}");

    cloud.calm_down();
    assert_eq!(prune(&store, &cloud, KEEP_ALL).await.removed, [manifest_key("a")]);
    assert_eq!(*cloud.things.lock().unwrap(), [thing("b1").to_string()].into());
    assert!(!objects(&store).await.iter().any(|object| object.contains("a.dump")));
}

#[tokio::test]
async fn a_feature_nobody_knows_stops_a_prune_and_its_backup_is_named() {
    let (store, cloud) = (Peer::prompt(), LosesAnswers::calm());
    backup(&store, "a", 1, &["p"]).await;
    let unknown = Manifest { requires: vec!["vaults".to_owned()], ..manifest("b", 2, &[]) };
    store.put(&manifest_key("b"), unknown.to_bytes().unwrap(), &PutOptions::new(PutMode::Create)).await.unwrap();
    backup(&store, "c", 3, &["p"]).await;
    let before = objects(&store).await;
    let everything = entries(&store).await;
    let retention = keep_last(&everything, 1);
    let error = PrunePlan::new(&everything, &retention).unwrap_err();
    assert!(error.to_string().contains("pg/shop/b.dump/manifest.json` requires `vaults`"), "{error}");

    // Nor does one end a removal that a newer version began.
    store.inner.delete(&[manifest_key("b")]).await.unwrap();
    let tombstone = r#"{"deleted_at":"2026-11-21T03:00:00Z","format":1,"manifest":"pg/shop/b.dump/manifest.json","parts":[],"requires":["vaults"],"writer":"x"}"#;
    let at = key("pg/shop/b.dump/deleted.json");
    store.put(&at, Bytes::from_static(tombstone.as_bytes()), &PutOptions::new(PutMode::Create)).await.unwrap();
    let left = entries(&store).await;
    let plan = PrunePlan::new(&left, &keep_last(&left, 1)).unwrap();
    let error = apply(&store, &plan, SCOPE, &[&cloud], &Run::silent()).await.unwrap_err();
    assert!(matches!(error, CoreError::Format(FormatError::Requires { .. })), "{error}");
    assert!(objects(&store).await.contains(&part_key("a", "p").to_string()));
    assert_eq!(
        objects(&store).await.len(),
        before.len() + 1,
        "the tombstones of `a` and `b`, and nothing else, changed"
    );
}

/// What the seeds led to, so that the test can tell that it tested something.
#[derive(Debug, Default)]
struct Seen {
    half: u64,
    kept: u64,
    removed: u64,
}

async fn cut_short(seed: u64, seen: &mut Seen) {
    let (store, cloud) = (Peer::interleaving(seed), LosesAnswers::with_dice(!seed));
    let mut random = Random(seed.rotate_left(32));
    for sequence in 1..=5 {
        let own = [0, 1, 2].map(|n| format!("{sequence}-{n}"));
        // The first is also the next one's.
        let shared = format!("{}-0", sequence - 1);
        let mut ids: Vec<&str> =
            own.iter().take(1 + usize::try_from(random.below(3)).unwrap()).map(String::as_str).collect();
        if sequence > 1 && random.below(2) == 0 {
            ids.push(&shared);
        }
        owning(&store, &cloud, &format!("b{sequence}"), sequence, &ids).await;
    }
    if random.below(3) == 0 {
        cloud.locked.lock().unwrap().insert(thing("2-0").to_string());
    }
    for round in 0..3 {
        let when = format!("seed {seed}, round {round}");
        let keep = [1, 2, 3, KEEP_ALL][usize::try_from(random.below(4)).unwrap()];
        match select(pin!(prune(&store, &cloud, keep)), pin!(later(random.below(POLLS_MAX), async {}))).await {
            Either::Left((outcome, _)) => seen.kept += outcome.kept_back.len() as u64,
            Either::Right(_) => {}
        }
        assert_whole(&store, &cloud, &when).await;
        let manifests = objects(&store.inner).await.iter().filter(|object| object.ends_with("manifest.json")).count();
        seen.half += u64::from(manifests > entries(&store.inner).await.len());
    }
    cloud.calm_down();
    // Retention keeps all there is, and what was begun is finished all the same.
    let when = format!("seed {seed}, at the end");
    seen.removed += prune(&store, &cloud, KEEP_ALL).await.removed.len() as u64;
    assert_whole(&store, &cloud, &when).await;
    let entries = entries(&store.inner).await;
    let owned = entries.iter().flat_map(|entry| &entry.manifest.as_ref().unwrap().external);
    assert_eq!(*cloud.things.lock().unwrap(), owned.map(ToString::to_string).collect(), "{when}");
    let left = objects(&store.inner).await;
    assert_eq!(left.iter().filter(|object| object.ends_with("manifest.json")).count(), entries.len(), "{when}");
}

#[test]
fn a_prune_killed_anywhere_leaves_backups_whole_and_the_next_one_finishes() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut seen = Seen::default();
    for seed in 0..SEEDS {
        runtime.block_on(cut_short(seed, &mut seen));
    }
    let Seen { half, kept, removed } = seen;
    assert!([half, kept, removed].iter().all(|count| *count >= SEEDS / 40), "one-sided: {seen:?}");
}
