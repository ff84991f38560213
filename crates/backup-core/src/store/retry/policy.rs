//! How often and how long to retry: pure delays, and at most one warning.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backon::BackoffBuilder;
use tokio::time::Instant;

use crate::error::StoreError;
use crate::progress::{Event, SharedProgress};
use crate::store::StoreResult;

/// Attempts of one operation: with [`DELAY_FIRST`] doubling they span about 13 s, longer than S3 needs to scale a prefix
/// out after `503 SlowDown` bursts and than a failing-over endpoint stays away.
pub const ATTEMPTS_MAX: usize = 8;

/// The first pause; a connection that was merely reset is back by then.
pub const DELAY_FIRST: Duration = Duration::from_millis(100);

/// The longest pause.
pub const DELAY_MAX: Duration = Duration::from_secs(10);

/// All pauses of one operation together: a run that cannot go on says so within a minute.
pub const DELAY_BUDGET: Duration = Duration::from_secs(60);

/// After a word about a kind of request the next one about it waits this long, so that a store that is slow for a thousand
/// parts is told of once.
const QUIET_PERIOD: Duration = Duration::from_secs(30);

/// How often and how long to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts of one operation, the first included.
    pub attempts_max: usize,
    /// The first pause; each later one is twice as long, and all are lengthened at random by up to once their length.
    pub delay_first: Duration,
    /// The longest pause before it is lengthened at random.
    pub delay_max: Duration,
    /// All pauses of one operation together.
    pub delay_budget: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts_max: ATTEMPTS_MAX, delay_first: DELAY_FIRST, delay_max: DELAY_MAX, delay_budget: DELAY_BUDGET }
    }
}

impl RetryPolicy {
    /// The pauses of one operation.
    fn delays(self) -> impl Iterator<Item = Duration> + Send + Sync + use<> {
        let backoff = backon::ExponentialBuilder::default()
            .with_min_delay(self.delay_first)
            .with_max_delay(self.delay_max)
            .with_max_times(self.attempts_max.saturating_sub(1))
            .with_jitter()
            .build();
        let mut left = self.delay_budget;
        backoff.map_while(move |delay| {
            left = left.checked_sub(delay)?;
            Some(delay)
        })
    }
}

/// Tells of what is tried again, rarely.
#[derive(Debug, Default)]
pub(super) struct Teller {
    progress: Option<SharedProgress>,
    /// When each kind of request was last told of. There are as many kinds as a store has operations.
    last: Mutex<HashMap<String, Instant>>,
}

impl Teller {
    pub(super) fn new(progress: SharedProgress) -> Self {
        Self { progress: Some(progress), last: Mutex::default() }
    }

    fn tell(&self, error: &StoreError, attempt: usize, attempts_max: usize) {
        #[cfg(feature = "s3")]
        tracing::debug!(%error, attempt, "trying again");
        let Some(progress) = &self.progress else { return };
        let Some((request, key, why)) = told(error) else { return };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.get(request).is_none_or(|last| last.elapsed() >= QUIET_PERIOD) {
            last.insert(request.to_owned(), Instant::now());
            drop(last);
            let (request, key) = (request.to_owned(), key.to_owned());
            progress.event(Event::Retry { request, key, why, attempt, attempts_max });
        }
    }
}

/// Kind of request, its key, and why it failed. Only what may pass is tried again, and only that has all three.
fn told(error: &StoreError) -> Option<(&str, &str, String)> {
    let (StoreError::Busy { action, key, source } | StoreError::Unreachable { action, key, source }) = error else {
        return None;
    };
    Some((action, key, source.to_string()))
}

/// The attempts of one operation.
pub(super) struct Tries {
    policy: RetryPolicy,
    delays: Box<dyn Iterator<Item = Duration> + Send + Sync>,
    teller: Arc<Teller>,
    /// Attempts that failed since something last arrived.
    failed: usize,
}

impl Tries {
    pub(super) fn new(policy: RetryPolicy, teller: Arc<Teller>) -> Self {
        Self { policy, delays: Box::new(policy.delays()), teller, failed: 0 }
    }

    /// Waits before the next attempt, or gives `error` back if there is to be none.
    pub(super) async fn pause(&mut self, error: StoreError) -> StoreResult<()> {
        if error.is_permanent() {
            return Err(error);
        }
        let Some(delay) = self.delays.next() else { return Err(error) };
        self.failed += 1;
        self.teller.tell(&error, self.failed + 1, self.policy.attempts_max);
        tokio::time::sleep(delay).await;
        Ok(())
    }

    /// Something arrived: what fails from here on is a new trouble.
    pub(super) fn progressed(&mut self) {
        if self.failed > 0 {
            self.failed = 0;
            self.delays = Box::new(self.policy.delays());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pauses_are_few_and_stay_within_their_budget(
            attempts_max in 0usize..20, first_ms in 1u64..5_000, max_ms in 1u64..60_000, budget_ms in 0u64..100_000,
        ) {
            let policy = RetryPolicy {
                attempts_max,
                delay_first: Duration::from_millis(first_ms),
                delay_max: Duration::from_millis(max_ms),
                delay_budget: Duration::from_millis(budget_ms),
            };
            let delays: Vec<_> = policy.delays().collect();
            prop_assert!(delays.len() < attempts_max.max(1));
            prop_assert!(delays.iter().sum::<Duration>() <= policy.delay_budget);
        }
    }

    #[test]
    fn the_default_survives_five_failures_in_a_row() {
        assert_eq!(RetryPolicy::default().delays().count(), ATTEMPTS_MAX - 1);
    }
}
