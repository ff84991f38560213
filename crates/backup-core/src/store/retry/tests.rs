//! Rows C1, C3, C4, C6, C9 and C10 of the acceptance table, against the faults wrapper.

use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::pipeline::{ObjectWriter, UploadBudget, read_all};
use crate::progress::{Event, Progress};
use crate::store::conformance;
use crate::store::fault::{Chance, Faults, Harm, Rule};
use crate::store::memory::MemoryStore;
use crate::store::{PutMode, Verb};

fn key() -> Key {
    Key::new("pg/shop/x").unwrap()
}

fn quick() -> RetryPolicy {
    RetryPolicy {
        delay_first: Duration::from_micros(10),
        delay_max: Duration::from_micros(50),
        ..RetryPolicy::default()
    }
}

fn harmed(rules: impl IntoIterator<Item = Rule>) -> (MemoryStore, Retry<Faults<MemoryStore>>) {
    let inner = MemoryStore::new();
    (inner.clone(), Retry::new(Faults::new(inner, rules.into_iter().collect()), quick()))
}

async fn create(store: &impl StoreWrite, body: &'static [u8]) -> StoreResult<()> {
    store.put(&key(), Bytes::from_static(body), &PutOptions::new(PutMode::Create)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn conforms() {
    conformance::run(Arc::new(Retry::new(MemoryStore::new(), quick()))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn conforms_over_a_store_that_fails_all_the_time() {
    let passing = [Harm::Busy, Harm::Unreachable, Harm::PutInterrupted, Harm::LostResponse, Harm::TruncatedRead(3)];
    for seed in 0..4 {
        let rules = passing.iter().map(|harm| Rule::new(harm.clone()).with(Chance::PerMille(60))).collect();
        let faults = Faults::seeded(MemoryStore::new(), seed, rules);
        conformance::run(Arc::new(Retry::new(faults, RetryPolicy { attempts_max: 20, ..quick() }))).await;
    }
}

#[tokio::test]
async fn c1_an_interrupted_put_is_repeated() {
    let (inner, store) = harmed([Rule::new(Harm::PutInterrupted).times(2)]);
    create(&store, b"mine").await.unwrap();
    assert_eq!(read_all(&inner, &key(), 100).await.unwrap(), "mine");
}

#[tokio::test]
async fn c3_a_lost_answer_to_a_success_is_a_success() {
    let (_, store) = harmed([Rule::new(Harm::LostResponse).on(Verb::Put).at(1)]);
    create(&store, b"mine").await.unwrap();
    assert!(
        matches!(create(&store, b"mine").await, Err(StoreError::AlreadyExists { .. })),
        "a later create is not ours"
    );
}

#[tokio::test]
async fn c3_a_lost_answer_to_a_complete_is_a_success() {
    for rule in [Rule::new(Harm::LostResponse).on(Verb::Complete).at(1), Rule::new(Harm::Busy).on(Verb::Complete).at(1)]
    {
        let (inner, store) = harmed([rule]);
        let options = PutOptions { part_bytes: 1_000, ..PutOptions::new(PutMode::Create) };
        let mut writer = ObjectWriter::new(Arc::new(store), key(), options, UploadBudget::default());
        writer.write(Bytes::from(vec![5; 2_500])).await.unwrap();
        writer.finish().await.unwrap();
        assert_eq!(read_all(&inner, &key(), 10_000).await.unwrap(), vec![5; 2_500]);
    }
}

#[tokio::test]
async fn c4_somebody_elses_object_is_not_taken_for_ours() {
    for theirs in [&b"them"[..], b"longer than mine"] {
        let (inner, store) = harmed([Rule::new(Harm::Unreachable).on(Verb::Put).at(1)]);
        create(&inner, theirs).await.unwrap();
        let result = create(&store, b"mine").await;
        assert!(matches!(result, Err(StoreError::AlreadyExists { .. })), "{result:?}");
        assert_eq!(read_all(&inner, &key(), 100).await.unwrap(), theirs);
    }
}

#[tokio::test]
async fn c6_a_body_that_breaks_off_goes_on_where_it_broke() {
    for range in [None, Some(2..9)] {
        let (inner, store) = harmed((1..4).map(|bytes| Rule::new(Harm::TruncatedRead(bytes)).at(1)));
        create(&inner, b"0123456789").await.unwrap();
        let body = store.get(&key(), range.clone()).await.unwrap().try_collect::<Vec<_>>().await.unwrap().concat();
        assert_eq!(body, if range.is_some() { &b"2345678"[..] } else { b"0123456789" });
    }
}

#[derive(Debug, Default)]
struct Retries(Mutex<Vec<String>>);

impl Progress for Retries {
    fn event(&self, event: Event) {
        if let Event::Retry { request, key, why, attempt, attempts_max } = event {
            self.0.lock().unwrap().push(format!("{request} {key}: {why} ({attempt} of {attempts_max})"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn c9_five_times_busy_is_a_success_told_once_with_bounded_delay() {
    let retries = Arc::new(Retries::default());
    let faults = Faults::new(MemoryStore::new(), vec![Rule::new(Harm::Busy).times(5)]);
    let store = Retry::new(faults, RetryPolicy::default()).with_progress(retries.clone());
    let begin = tokio::time::Instant::now();
    create(&store, b"mine").await.unwrap();
    assert!(begin.elapsed() <= DELAY_BUDGET && begin.elapsed() >= DELAY_FIRST, "{:?}", begin.elapsed());
    assert_eq!(*retries.0.lock().unwrap(), ["put pg/shop/x: 503 SlowDown, as scripted (2 of 8)"]);
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_request_is_told_of_once_and_again_when_it_goes_on() {
    let retries = Arc::new(Retries::default());
    let rules = vec![Rule::new(Harm::Busy).on(Verb::Put).times(6), Rule::new(Harm::Unreachable).on(Verb::Head).at(1)];
    let store = Retry::new(Faults::new(MemoryStore::new(), rules), RetryPolicy::default());
    let store = store.with_progress(retries.clone());
    create(&store, b"mine").await.unwrap();
    store.head(&key()).await.unwrap();
    assert!(create(&store, b"mine").await.is_err(), "it is there already");
    let told = std::mem::take(&mut *retries.0.lock().unwrap());
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].starts_with("head pg/shop/x: connection reset"), "{told:?}");

    // A store that stays away is heard of again and again, until it is given up.
    let store = Retry::new(
        Faults::new(MemoryStore::new(), vec![Harm::Unreachable.into()]),
        RetryPolicy { attempts_max: 100, delay_budget: Duration::from_secs(600), ..RetryPolicy::default() },
    );
    let store = store.with_progress(retries.clone());
    assert!(store.head(&key()).await.is_err());
    // Pauses are lengthened at random, to 20 s at most: a word falls due every 30 s and comes at the next failure.
    let told = retries.0.lock().unwrap();
    assert!((600 / 50 - 1..=600 / 30 + 1).contains(&told.len()), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stays_away_is_given_up_within_the_budget() {
    let store = Retry::new(Faults::new(MemoryStore::new(), vec![Harm::Unreachable.into()]), RetryPolicy::default());
    let begin = tokio::time::Instant::now();
    assert!(matches!(create(&store, b"mine").await, Err(StoreError::Unreachable { .. })));
    assert!(begin.elapsed() <= DELAY_BUDGET);
    let listed = store.list("", None).try_collect::<Vec<_>>().await;
    assert!(matches!(listed, Err(StoreError::Unreachable { .. })));
}

#[tokio::test(start_paused = true)]
async fn c10_what_is_denied_is_not_repeated() {
    let (_, store) = harmed([Harm::Denied.into()]);
    let begin = tokio::time::Instant::now();
    assert!(matches!(create(&store, b"mine").await, Err(StoreError::PermissionDenied { .. })));
    assert_eq!(begin.elapsed(), Duration::ZERO);
    assert_eq!(store.store.harmed(), 1);
}

#[tokio::test]
async fn r8_one_key_that_cannot_be_deleted_does_not_keep_the_others() {
    let keys: Vec<Key> = (0..10).map(|index| Key::new(format!("x{index}")).unwrap()).collect();
    for (harm, times, gone) in [(Harm::DeleteFails, u64::MAX, false), (Harm::Busy, 3, true), (Harm::Busy, 99, false)] {
        let rule = Rule::new(harm).on(Verb::Delete).where_key_contains("x3").times(times);
        let (_, store) = harmed([rule]);
        let outcomes = store.delete(&keys).await.unwrap();
        assert_eq!(outcomes.iter().map(|outcome| &outcome.key).collect::<Vec<_>>(), keys.iter().collect::<Vec<_>>());
        for (index, outcome) in outcomes.iter().enumerate() {
            assert_eq!(outcome.result.is_ok(), index != 3 || gone, "{index}: {outcome:?}");
        }
    }
}
