//! The attempts of one operation of a store, and who hears of them.

use std::collections::HashMap;
use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::StoreError;
use crate::failure::Failure;
use crate::progress::{Event, SharedProgress};
use crate::retry::{Attempts, FailedAttempt, RetryPolicy};
use crate::store::StoreResult;

/// After a word about a kind of request the next one about it waits this long, so that a store that is slow for a thousand
/// parts is told of once.
const QUIET_PERIOD: Duration = Duration::from_secs(30);

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

    pub(super) fn tell(&self, failed: &FailedAttempt<'_, StoreError>) {
        let FailedAttempt { error, failed, attempts_max, .. } = *failed;
        let attempt = failed + 1;
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
    attempts: Attempts,
    teller: Arc<Teller>,
}

impl Tries {
    pub(super) fn new(policy: RetryPolicy, teller: Arc<Teller>) -> Self {
        Self { attempts: Attempts::new(policy), teller }
    }

    /// Waits before the next attempt, or gives `error` back if there is to be none.
    pub(super) async fn pause(&mut self, error: StoreError) -> StoreResult<()> {
        if error.is_permanent() {
            return Err(error);
        }
        self.attempts.pause(error, pending(), |failed| self.teller.tell(failed)).await
    }

    /// Something arrived: what fails from here on is a new trouble.
    pub(super) fn progressed(&mut self) {
        self.attempts.progressed();
    }
}
