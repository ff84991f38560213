//! Asks EC2 again what may succeed later. The only layer that does: neither ports nor the SDK try again.

use std::time::Duration;

use backup_core::progress::Event;
use backup_core::retry::{Attempts, FailedAttempt, RetryPolicy};
use backup_core::run::Run;

use crate::error::{Ec2Error, Ec2Result};
use crate::ports::{CallError, CallResult, Fault};

/// Waits out throttling: EC2 refills a bucket of describe calls within a minute (EC2 API reference, "Request throttling").
/// A listing of 100,000 snapshots is 100 requests and may meet it several times.
const BUSY: RetryPolicy = RetryPolicy {
    attempts_max: 16,
    delay_first: Duration::from_millis(500),
    delay_max: Duration::from_secs(20),
    delay_budget: Duration::from_secs(180),
};

/// EC2's code when a volume was snapshotted a moment ago.
const VOLUME_BUSY: &str = "SnapshotCreationPerVolumeRateExceeded";

/// How long EC2 asks to wait then: "at least 15 seconds between concurrent volume snapshots" (EC2 API reference, error
/// codes), and how often we do: two minutes are more than a schedule that is too dense by one run needs.
const VOLUME_POLICY: RetryPolicy = RetryPolicy {
    attempts_max: 8,
    delay_first: Duration::from_secs(15),
    delay_max: Duration::from_secs(15),
    delay_budget: Duration::from_secs(120),
};

/// Repeats a request that changes nothing, or that has the same result however often it is sent, until it succeeds, is
/// refused or was tried for too long. `about` is named when it has to wait.
///
/// # Errors
/// [`Ec2Error`] of the last attempt; [`Ec2Error::Interrupted`].
pub async fn again<T, F>(run: &Run, about: &str, request: impl FnMut() -> F) -> Ec2Result<T>
where
    F: Future<Output = CallResult<T>>,
{
    repeat(run, about, request, CallError::is_permanent).await.map_err(Ended::error)
}

/// Repeats a request that makes something anew each time, only while EC2 says that it was not carried out.
///
/// # Errors
/// [`Ended`]: the caller looks for what was asked for if the last attempt [`CallError::is_ambiguous`].
pub async fn unless_done<T, F>(run: &Run, about: &str, request: impl FnMut() -> F) -> Result<T, Ended>
where
    F: Future<Output = CallResult<T>>,
{
    repeat(run, about, request, |error| error.fault != Fault::Throttled).await
}

/// How a repeated request ended without success.
#[derive(Debug)]
pub enum Ended {
    /// With this error.
    Failed(CallError),
    /// The run was cancelled while nothing was under way.
    Cancelled,
}

impl Ended {
    /// The error of the crate.
    #[must_use]
    pub fn error(self) -> Ec2Error {
        match self {
            Self::Failed(error) => error.into(),
            Self::Cancelled => Ec2Error::Interrupted,
        }
    }
}

async fn repeat<T, F>(
    run: &Run,
    about: &str,
    mut request: impl FnMut() -> F,
    is_final: impl Fn(&CallError) -> bool,
) -> Result<T, Ended>
where
    F: Future<Output = CallResult<T>>,
{
    let mut pauses = Pauses::new();
    loop {
        // An attempt under way is not dropped: what it makes would be lost sight of. Its time limits end it.
        match request().await {
            Ok(value) => return Ok(value),
            Err(error) if is_final(&error) => return Err(Ended::Failed(error)),
            Err(error) => pauses.wait(run, about, error).await?,
        }
    }
}

/// The pauses between the attempts of one request: for whoever has more to do for an attempt than to send it.
#[derive(Debug)]
pub(crate) struct Pauses {
    volume: Attempts,
    busy: Attempts,
    failing: Attempts,
}

impl Pauses {
    pub(crate) fn new() -> Self {
        Self {
            volume: Attempts::new(VOLUME_POLICY),
            busy: Attempts::new(BUSY),
            failing: Attempts::new(RetryPolicy::default()),
        }
    }

    /// Waits after an attempt that failed with `error`, unless there were enough.
    pub(crate) async fn wait(&mut self, run: &Run, about: &str, error: CallError) -> Result<(), Ended> {
        let is_volume = error.is(VOLUME_BUSY);
        let attempts = match error.fault {
            Fault::Throttled if is_volume => &mut self.volume,
            Fault::Throttled => &mut self.busy,
            _ => &mut self.failing,
        };
        let told = |attempt: &FailedAttempt<'_, CallError>| tell(run, about, attempt, is_volume);
        attempts.pause(error, run.cancel.cancelled(), told).await.map_err(|error| match run.stop_if_cancelled() {
            Ok(()) => Ended::Failed(error),
            Err(_) => Ended::Cancelled,
        })
    }
}

fn tell(run: &Run, about: &str, attempt: &FailedAttempt<'_, CallError>, is_volume: bool) {
    let error = attempt.error;
    if is_volume {
        run.warn(format!(
            "a volume of {about} was snapshotted a moment ago: EC2 allows the next snapshot in about {} s; waiting at \
             most {} s in all",
            attempt.delay.as_secs(),
            VOLUME_POLICY.delay_budget.as_secs()
        ));
        return;
    }
    run.progress.event(Event::Retry {
        request: error.action.to_owned(),
        key: format!("{about} in {}", error.region),
        why: error.to_string(),
        attempt: attempt.failed + 1,
        attempts_max: attempt.attempts_max,
    });
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::Instant;

    use super::*;

    fn failed(fault: Fault, code: &str) -> CallError {
        let region = "eu-west-1".parse().unwrap();
        CallError { action: "ec2:CreateSnapshots", region, fault, code: code.to_owned(), message: String::new() }
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_is_waited_out_and_a_missing_right_is_told_at_once() {
        let (run, calls) = (Run::silent(), Cell::new(0));
        let request = || {
            calls.set(calls.get() + 1);
            let result = if calls.get() <= 9 { Err(failed(Fault::Throttled, "RequestLimitExceeded")) } else { Ok(7) };
            async move { result }
        };
        assert_eq!(again(&run, "snapshots", request).await.unwrap(), 7);
        let begin = Instant::now();
        let denied =
            again(&run, "snapshots", || async { Err::<(), _>(failed(Fault::Denied, "UnauthorizedOperation")) });
        assert!(matches!(denied.await, Err(Ec2Error::Denied { .. })));
        assert!(begin.elapsed() < Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_volume_snapshotted_a_moment_ago_is_waited_for_and_not_for_ever() {
        let (run, begin) = (Run::silent(), Instant::now());
        let busy = unless_done(&run, "i-1", || async { Err::<(), _>(failed(Fault::Throttled, VOLUME_BUSY)) }).await;
        assert!(matches!(busy, Err(Ended::Failed(_))));
        let waited = begin.elapsed();
        // Pauses are lengthened at random by up to once their length.
        assert!(waited >= Duration::from_secs(15) && waited <= 2 * VOLUME_POLICY.delay_budget, "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_makes_something_anew_is_not_sent_again_after_a_lost_answer() {
        let (run, calls) = (Run::silent(), Cell::new(0));
        let request = || {
            calls.set(calls.get() + 1);
            async { Err::<(), _>(failed(Fault::NoAnswer, "")) }
        };
        assert!(matches!(unless_done(&run, "i-1", request).await, Err(Ended::Failed(error)) if error.is_ambiguous()));
        assert_eq!(calls.get(), 1);
    }
}
