//! The log of calls.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use backup_core::clock::Timestamp;
use serde::{Deserialize, Serialize};

use super::caller::Caller;

/// One call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The service, such as `ec2`.
    pub service: String,
    /// Its action, such as `CreateSnapshots`.
    pub op: String,
    /// What it was about: ids in the order of the request, with spaces between them.
    pub key: String,
    /// The region.
    pub region: String,
    /// The account.
    pub account: String,
    /// Whether it was a dry run of the API, which changes nothing.
    pub dry_run: bool,
    /// Whether it changes something when it succeeds.
    pub mutating: bool,
    /// HTTP status; 0 if no answer was given.
    pub status: u16,
    /// The error's code, where it failed.
    pub code: Option<String>,
    /// The fault that was done to it.
    pub fault: Option<String>,
    /// Bytes of the request's body.
    pub bytes_in: u64,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
    /// When it began, by the fake's clock.
    pub at: Timestamp,
    /// When it began, in real milliseconds since the fake started.
    pub begin_ms: u64,
    /// How long it really took until its answer began, in milliseconds.
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
    pub(super) fn begin(&self, caller: &Caller, at: Timestamp, bytes_in: u64) -> Entry<'_> {
        let now = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.peak_in_flight.fetch_max(now, Ordering::Relaxed);
        let call = Call {
            service: caller.service.clone(),
            op: String::new(),
            key: String::new(),
            region: caller.region.clone(),
            account: caller.account.clone(),
            dry_run: false,
            mutating: false,
            status: 0,
            code: None,
            fault: None,
            bytes_in,
            bytes_out: 0,
            at,
            begin_ms: millis(self.start.elapsed()),
            took_ms: 0,
        };
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
