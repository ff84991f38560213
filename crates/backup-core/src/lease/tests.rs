//! The lease over a store whose answers are lost, late and given twice, with holders that stop, die and drift.

mod weather;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Map, json};
use tokio::time::{Instant, sleep};

use self::weather::{Dice, Drifting, Weather};
use super::*;
use crate::error::{CoreError, StoreError};
use crate::key::Key;
use crate::store::{PutMode, PutOptions, StoreWrite as _};

const TTL: Duration = Duration::from_secs(10);

/// How long the contenders of one case go on.
const CASE: Duration = Duration::from_secs(400);

fn key() -> Key {
    Key::new("jobs/lease.json").unwrap()
}

fn protected() -> Key {
    Key::new("jobs/state.json").unwrap()
}

async fn claim(store: &Weather, holder: &str) -> LeaseResult<Lease> {
    claim_drifting(store, holder, 0).await
}

async fn claim_drifting(store: &Weather, holder: &str, per_mille: i32) -> LeaseResult<Lease> {
    let terms = Terms { holder: holder.to_owned(), ttl: TTL };
    Lease::claim_by(Arc::new(store.clone()), key(), &terms, Arc::new(Drifting::new(per_mille))).await
}

/// What everybody sees who looks at all contenders at once.
#[derive(Debug, Default)]
struct Referee {
    held: Mutex<Vec<Arc<Lease>>>,
    claims: Mutex<Vec<u64>>,
    faults: Mutex<Vec<String>>,
}

impl Referee {
    fn claimed(&self, lease: &Arc<Lease>) {
        let mut claims = self.claims.lock().unwrap();
        if claims.last().is_some_and(|last| *last >= lease.generation()) {
            self.faults.lock().unwrap().push(format!("generation {} after {claims:?}", lease.generation()));
        }
        claims.push(lease.generation());
        self.held.lock().unwrap().push(lease.clone());
        self.look();
    }

    fn gone(&self, lease: &Arc<Lease>) {
        self.held.lock().unwrap().retain(|held| !Arc::ptr_eq(held, lease));
    }

    /// At most one may believe that it holds the lease.
    fn look(&self) {
        let mut held = self.held.lock().unwrap();
        held.retain(|lease| lease.check().is_ok());
        if held.len() > 1 {
            let generations: Vec<u64> = held.iter().map(|lease| lease.generation()).collect();
            self.faults.lock().unwrap().push(format!("held at a time: {generations:?}"));
        }
    }
}

/// Claims, and does with what it has claimed what processes do: renew, write, stop for a while, give back, die.
async fn contend(number: u64, seed: u64, store: Weather, referee: Arc<Referee>, until: Instant) {
    let mut dice = Dice::new(seed ^ number);
    while Instant::now() < until {
        let drift = i32::try_from(dice.below(19)).unwrap() - 9;
        let Ok(lease) = claim_drifting(&store, &format!("contender {number}"), drift).await else {
            sleep(dice.time(TTL)).await;
            continue;
        };
        let lease = Arc::new(lease);
        referee.claimed(&lease);
        while lease.check().is_ok() {
            match dice.below(10) {
                0 => break,
                1 => {
                    referee.gone(&lease);
                    if let Some(lease) = Arc::into_inner(lease) {
                        drop(lease.release().await);
                    }
                    break;
                }
                2 => sleep(dice.time(4 * TTL)).await,
                3 | 4 => drop(count(&lease).await),
                _ => drop(lease.renew().await),
            }
            sleep(dice.time(TTL / 4)).await;
        }
        // Killed, unless it gave the lease back: nobody renews it any more.
    }
}

async fn count(lease: &Lease) -> LeaseResult<()> {
    let mut document = lease.document(&protected()).await?;
    let count = document.fields().get("count").and_then(serde_json::Value::as_u64).unwrap_or_default();
    document.write(Map::from_iter([("count".to_owned(), json!(count + 1))])).await
}

/// Three contenders in weather of `seed`: the claims there were, and what must not have happened.
async fn battle(seed: u64) -> (usize, Vec<String>) {
    let store = Weather::bad(seed);
    let referee = Arc::new(Referee::default());
    let until = Instant::now() + CASE;
    let contenders: Vec<_> =
        (0..3).map(|number| tokio::spawn(contend(number, seed, store.clone(), referee.clone(), until))).collect();
    while contenders.iter().any(|contender| !contender.is_finished()) {
        referee.look();
        sleep(Duration::from_millis(25)).await;
    }
    for contender in contenders {
        contender.await.unwrap();
    }
    let mut faults = referee.faults.lock().unwrap().clone();
    faults.extend(store.faults());
    let claims = referee.claims.lock().unwrap().len();
    (claims, faults)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn two_never_hold_one_lease_and_nobody_overtaken_writes(seed in any::<u64>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let (claims, faults) = runtime.block_on(battle(seed));
        prop_assert_eq!(faults, Vec::<String>::new());
        prop_assert!(claims > 1, "{} claims: nothing was shown", claims);
    }
}

#[tokio::test(start_paused = true)]
async fn who_holds_it_is_told_and_what_is_given_back_can_be_had_at_once() {
    let store = Weather::fair();
    let first = claim(&store, "one").await.unwrap();
    let error = claim(&store, "two").await.unwrap_err();
    assert!(matches!(&error, LeaseError::Held { holder, .. } if holder == "one"), "{error}");
    first.release().await.unwrap();
    assert_eq!(claim(&store, "two").await.unwrap().generation(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_process_left_is_taken_over_by_its_successor_alone() {
    let store = Weather::fair();
    let dead = claim(&store, "one").await.unwrap();
    let resume = async |holder: &str| {
        let terms = Terms { holder: holder.to_owned(), ttl: TTL };
        Lease::resume(Arc::new(store.clone()), key(), &terms).await
    };
    assert!(matches!(resume("two").await, Err(LeaseError::Held { .. })));
    assert_eq!(resume("one").await.unwrap().generation(), 2);
    // It was not dead after all: it is, from now on.
    assert!(matches!(dead.renew().await, Err(LeaseError::Lost { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_lease_lasts_as_long_as_it_is_renewed_and_no_longer() {
    let store = Weather::fair();
    let lease = claim(&store, "one").await.unwrap();
    lease.during(sleep(5 * TTL)).await.unwrap();
    lease.renew().await.unwrap();
    sleep(TTL - Duration::from_millis(1)).await;
    lease.check().unwrap();
    sleep(Duration::from_millis(1)).await;
    for error in [lease.check().unwrap_err(), lease.renew().await.unwrap_err()] {
        assert!(matches!(error, LeaseError::Lost { generation: 1, .. }), "{error}");
    }
    assert!(matches!(claim(&store, "two").await, Err(LeaseError::Held { .. })), "it is not free as soon as it is lost");
    sleep(TTL / 2).await;
    assert_eq!(claim(&store, "two").await.unwrap().generation(), 2);
}

#[tokio::test(start_paused = true)]
async fn work_ends_when_the_lease_is_lost() {
    let store = Weather::fair();
    let lease = claim(&store, "one").await.unwrap();
    let begin = Instant::now();
    let robbed = async {
        sleep(TTL).await;
        // As by somebody who deletes the object and claims anew.
        store.remove(&key());
        claim(&store, "two").await.unwrap();
        sleep(100 * TTL).await;
    };
    let error = lease.during(robbed).await.unwrap_err();
    assert!(matches!(&error, LeaseError::Lost { why, .. } if why.contains("`two` has it")), "{error}");
    assert!(begin.elapsed() < 2 * TTL, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_ignores_conditions_gives_no_lease() {
    let error = claim(&Weather::lawless(), "one").await.unwrap_err();
    assert!(matches!(error, LeaseError::Core(CoreError::Store(StoreError::Unsuitable { .. }))), "{error}");
}

#[tokio::test(start_paused = true)]
async fn who_was_overtaken_cannot_write_even_before_the_next_holder_did() {
    let store = Weather::fair();
    let old = claim(&store, "old").await.unwrap();
    count(&old).await.unwrap();
    let mut stale = old.document(&protected()).await.unwrap();
    let late = PutMode::IfMatch(store.tag(&protected()).await);
    sleep(2 * TTL).await;
    let new = claim(&store, "new").await.unwrap();
    assert_eq!(new.document(&protected()).await.unwrap().fields()["count"], 1);
    // What was sent while the lease was held, and arrives now.
    let body = Bytes::from_static(b"{\"count\":9,\"lease\":{\"generation\":1,\"revision\":9}}");
    let refused = store.put(&protected(), body, &PutOptions::new(late)).await;
    assert!(matches!(refused, Err(StoreError::Precondition { .. })), "{refused:?}");
    let error = stale.write(Map::new()).await.unwrap_err();
    assert!(matches!(error, LeaseError::Lost { .. }), "{error}");
    assert_eq!(new.document(&protected()).await.unwrap().fields()["count"], 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_document_of_a_lease_is_left_alone() {
    let store = Weather::fair();
    let lease = claim(&store, "one").await.unwrap();
    let options = PutOptions::new(PutMode::Create);
    store.put(&protected(), Bytes::from_static(b"{\"theirs\":1}"), &options).await.unwrap();
    let error = lease.document(&protected()).await.unwrap_err();
    assert!(matches!(error, LeaseError::Core(CoreError::Format(_))), "{error}");
    let long = Map::from_iter([("x".to_owned(), json!("x".repeat(DOCUMENT_BYTES_MAX)))]);
    let mut document = lease.document(&Key::new("jobs/other.json").unwrap()).await.unwrap();
    assert!(document.write(long).await.is_err());
    document.write(Map::from_iter([("x".to_owned(), json!(1))])).await.unwrap();
}
