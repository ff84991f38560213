//! Checks of the store's clock.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use crate::store::{CLOCK_BOUND, SharedStore};

/// Those who ask at the same time.
const ASKERS: usize = 8;

/// A clock that has not moved after this stands still.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks at whether it has moved.
const PAUSE: Duration = Duration::from_millis(20);

/// Contract 12: the clock goes on, and all who ask are told the same time within its bound.
///
/// # Panics
/// Where the store breaks the contract.
pub async fn the_clock_goes_on_and_is_the_same_for_everybody(store: &SharedStore) {
    let begin = Instant::now();
    let now = async || store.now().await.expect("a store tells the time");
    let first = now().await;
    let answers = join_all((0..ASKERS).map(|_| now())).await;
    let mut last = now().await;
    check(begin, answers.into_iter().chain([first, last]));
    while last <= first {
        assert!(begin.elapsed() < PATIENCE, "the clock stands still at {first}");
        tokio::time::sleep(PAUSE).await;
        last = now().await;
    }
    check(begin, [first, last]);
}

/// No two of the answers, which were all got since `begin`, differ by more than they may.
fn check(begin: Instant, answers: impl IntoIterator<Item = Timestamp> + Clone) {
    let passed = SignedDuration::try_from(begin.elapsed() + CLOCK_BOUND).expect("a short time");
    let (earliest, latest) = (answers.clone().into_iter().min(), answers.into_iter().max());
    let differ = latest.zip(earliest).map(|(latest, earliest)| latest.duration_since(earliest));
    assert!(differ.is_some_and(|differ| differ < passed), "answers differ by {differ:?} within {passed:?}");
}
