//! The attempts of one operation of a store, and at most one warning about them.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::StoreError;
use crate::progress::SharedProgress;
use crate::retry::{Attempts, FailedAttempt, RetryPolicy};
use crate::store::StoreResult;

/// After a warning the next one waits this long, so that a store that is slow for a thousand parts is told of once.
const WARNING_PERIOD: Duration = Duration::from_secs(30);

/// Tells of trouble, rarely.
#[derive(Debug, Default)]
pub(super) struct Warner {
    progress: Option<SharedProgress>,
    last: Mutex<Option<Instant>>,
}

impl Warner {
    pub(super) fn new(progress: SharedProgress) -> Self {
        Self { progress: Some(progress), last: Mutex::default() }
    }

    /// Warns of the first failure of an operation.
    pub(super) fn hear(&self, attempt: &FailedAttempt<'_, StoreError>) {
        if attempt.failed == 1 {
            self.warn(attempt.error);
        }
    }

    fn warn(&self, error: &StoreError) {
        #[cfg(feature = "s3")]
        tracing::debug!(%error, "trying again");
        let Some(progress) = &self.progress else { return };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= WARNING_PERIOD) {
            *last = Some(Instant::now());
            progress.warn(format!("{error}; trying again"));
        }
    }
}

/// The attempts of one operation.
pub(super) struct Tries {
    attempts: Attempts,
    warner: Arc<Warner>,
}

impl Tries {
    pub(super) fn new(policy: RetryPolicy, warner: Arc<Warner>) -> Self {
        Self { attempts: Attempts::new(policy), warner }
    }

    /// Waits before the next attempt, or gives `error` back if there is to be none.
    pub(super) async fn pause(&mut self, error: StoreError) -> StoreResult<()> {
        if error.is_permanent() {
            return Err(error);
        }
        self.attempts.pause(error, pending(), |attempt| self.warner.hear(attempt)).await
    }

    /// Something arrived: what fails from here on is a new trouble.
    pub(super) fn progressed(&mut self) {
        self.attempts.progressed();
    }
}
