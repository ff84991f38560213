//! Tries an operation again that may succeed later: the only layer that does, whatever is asked.
//!
//! Stores have it as a wrapper, [`crate::store::retry::Retry`]. Whoever asks another service calls [`run`], and says which
//! errors are permanent; a request that makes something anew each time must count those as permanent after which it may
//! have been carried out.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use backon::BackoffBuilder;
use futures_util::future::{Either, select};

/// Attempts of one operation: with [`DELAY_FIRST`] doubling they span about 13 s, longer than S3 needs to scale a prefix
/// out after `503 SlowDown` bursts and than a failing-over endpoint stays away.
pub const ATTEMPTS_MAX: usize = 8;

/// The first pause; a connection that was merely reset is back by then.
pub const DELAY_FIRST: Duration = Duration::from_millis(100);

/// The longest pause.
pub const DELAY_MAX: Duration = Duration::from_secs(10);

/// All pauses of one operation together: a run that cannot go on says so within a minute.
pub const DELAY_BUDGET: Duration = Duration::from_secs(60);

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

/// An attempt that failed and is followed by another.
#[derive(Clone, Copy, Debug)]
pub struct FailedAttempt<'a, E> {
    /// Why it failed.
    pub error: &'a E,
    /// How many attempts failed since something last arrived, this one included.
    pub failed: usize,
    /// How many there may be.
    pub attempts_max: usize,
    /// How long until the next one.
    pub delay: Duration,
}

/// Runs `operation`, which makes an attempt each time it is called, until one succeeds, fails for good, or `policy` has
/// no more. `on_retry` hears of each attempt that is followed by another. Once `cancelled` is ready no pause is waited
/// out; an attempt under way ends as it ends.
///
/// # Errors
/// That of the last attempt.
pub async fn run<T, E, F>(
    policy: RetryPolicy,
    mut operation: impl FnMut() -> F,
    is_permanent: impl Fn(&E) -> bool,
    cancelled: impl Future<Output = ()>,
    mut on_retry: impl FnMut(&FailedAttempt<'_, E>),
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut attempts = Attempts::new(policy);
    let mut cancelled = pin!(cancelled);
    loop {
        let error = match operation().await {
            Ok(value) => return Ok(value),
            Err(error) if is_permanent(&error) => return Err(error),
            Err(error) => error,
        };
        attempts.pause(error, cancelled.as_mut(), &mut on_retry).await?;
    }
}

/// The attempts of one operation, for what is no plain repetition: a body that goes on where it broke off.
pub struct Attempts {
    policy: RetryPolicy,
    delays: Box<dyn Iterator<Item = Duration> + Send + Sync>,
    /// Attempts that failed since something last arrived.
    failed: usize,
}

impl Attempts {
    /// None was made yet.
    #[must_use]
    pub fn new(policy: RetryPolicy) -> Self {
        Self { policy, delays: Box::new(policy.delays()), failed: 0 }
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// `error` if there is to be none, or if `cancelled` was ready first.
    pub async fn pause<E>(
        &mut self,
        error: E,
        cancelled: impl Future<Output = ()>,
        on_retry: impl FnOnce(&FailedAttempt<'_, E>),
    ) -> Result<(), E> {
        let Some(delay) = self.delays.next() else { return Err(error) };
        self.failed += 1;
        let attempts_max = self.policy.attempts_max;
        on_retry(&FailedAttempt { error: &error, failed: self.failed, attempts_max, delay });
        match select(pin!(cancelled), pin!(tokio::time::sleep(delay))).await {
            Either::Left(_) => Err(error),
            Either::Right(_) => Ok(()),
        }
    }

    /// Something arrived: what fails from here on is a new trouble, with as many attempts as the first.
    pub fn progressed(&mut self) {
        if self.failed > 0 {
            self.failed = 0;
            self.delays = Box::new(self.policy.delays());
        }
    }
}

impl std::fmt::Debug for Attempts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attempts").field("policy", &self.policy).field("failed", &self.failed).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::pending;

    use proptest::prelude::*;
    use tokio::time::Instant;

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

    /// Fails with 503 so many times, then with 403 if it is called again.
    async fn asked(calls: &Cell<u32>, busy: u32) -> Result<u32, u16> {
        calls.set(calls.get() + 1);
        match calls.get() {
            call if call <= busy => Err(503),
            call if call == busy + 1 => Ok(call),
            _ => Err(403),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_again_and_each_failure_is_told() {
        let (calls, mut told) = (Cell::new(0), Vec::new());
        let on_retry = |attempt: &FailedAttempt<'_, u16>| told.push((*attempt.error, attempt.failed));
        let done = run(RetryPolicy::default(), || asked(&calls, 3), |status| *status == 403, pending(), on_retry).await;
        assert_eq!((done, told), (Ok(4), vec![(503, 1), (503, 2), (503, 3)]));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_permanent_or_lasts_too_long_is_given_up() {
        let (calls, policy) = (Cell::new(0), RetryPolicy::default());
        let permanent = run(policy, || asked(&calls, 1), |_| true, pending(), |_| panic!("not tried again")).await;
        assert_eq!((permanent, calls.take()), (Err(503), 1));
        let busy = run(policy, || asked(&calls, u32::MAX), |_| false, pending(), |_| ()).await;
        assert_eq!((busy, calls.get()), (Err(503), ATTEMPTS_MAX as u32));
    }

    #[tokio::test(start_paused = true)]
    async fn who_cancels_waits_for_no_pause() {
        let (calls, begin) = (Cell::new(0), Instant::now());
        let policy = RetryPolicy { delay_first: DELAY_MAX, ..RetryPolicy::default() };
        let cancelled = tokio::time::sleep(Duration::from_millis(50));
        let ended = run(policy, || asked(&calls, 5), |_| false, cancelled, |_| ()).await;
        assert_eq!((ended, calls.get(), begin.elapsed()), (Err(503), 1, Duration::from_millis(50)));
    }
}
