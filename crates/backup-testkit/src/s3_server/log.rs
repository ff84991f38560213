//! The log of calls.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// One call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The S3 operation, such as `PutObject`.
    pub op: String,
    /// Its key, or the prefix of a listing.
    pub key: String,
    /// Bytes of the request's body, as announced.
    pub bytes_in: u64,
    /// Bytes of the answer's body, as announced.
    pub bytes_out: u64,
    /// HTTP status; 0 if no answer was given.
    pub status: u16,
    /// The fault that was done to it.
    pub fault: Option<String>,
    /// When it began, in milliseconds since the peer started.
    pub begin_ms: u64,
    /// How long it took until its answer began, in milliseconds.
    pub took_ms: u64,
}

/// All calls so far, and how many are being answered.
#[derive(Debug)]
pub(super) struct Log {
    start: Instant,
    calls: Mutex<Vec<Call>>,
    in_flight: AtomicU64,
    peak_in_flight: AtomicU64,
}

impl Log {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            calls: Mutex::default(),
            in_flight: AtomicU64::new(0),
            peak_in_flight: AtomicU64::new(0),
        }
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn clear(&self) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.peak_in_flight.store(self.in_flight.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Most calls that were being answered at once.
    pub(super) fn peak_in_flight(&self) -> u64 {
        self.peak_in_flight.load(Ordering::Relaxed)
    }

    /// A call begins; it is in the log once the returned guard is dropped.
    pub(super) fn begin(&self, op: &str, key: &str, bytes_in: u64) -> Entry<'_> {
        let now = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.peak_in_flight.fetch_max(now, Ordering::Relaxed);
        let begin_ms = millis(self.start.elapsed());
        let (op, key) = (op.to_owned(), key.to_owned());
        let call = Call { op, key, bytes_in, bytes_out: 0, status: 0, fault: None, begin_ms, took_ms: 0 };
        Entry { log: self, call, begin: Instant::now() }
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A call being answered.
pub(super) struct Entry<'a> {
    log: &'a Log,
    pub(super) call: Call,
    begin: Instant,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.log.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.call.took_ms = millis(self.begin.elapsed());
        self.log.calls.lock().unwrap_or_else(PoisonError::into_inner).push(self.call.clone());
    }
}
