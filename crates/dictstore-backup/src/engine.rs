//! Automatic backups: periodically, after changes, on demand, and a last one at the end.

mod background;
mod builder;
mod request;
mod schedule;
mod settings;
mod worker;

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, ThreadId};

pub use self::builder::{
    Builder, INTERVAL_DEFAULT, MAX_DELTAS_BEFORE_FULL_DEFAULT, MIN_INTERVAL_DEFAULT, NAME_DEFAULT, NICENESS_DEFAULT,
};
use self::request::{Request, Shared, Wanted};
pub use self::settings::Place;
use self::settings::Settings;
use self::worker::Worker;
use crate::backup::Written;
use crate::error::{DictError, DictResult};
use crate::restore::no_thread;
use crate::source::Source;

/// What is told to the user's callback, on a thread of its own: it may take its time, panic, or ask for a backup.
type OnFailure = Box<dyn FnMut(&DictError, u64) + Send>;

/// The running backups of one store. Dropping them stops them as [`Backups::stop`] does.
pub struct Backups {
    requests: Sender<Request>,
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    callback: Option<ThreadId>,
}

impl fmt::Debug for Backups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backups").field("shared", &self.shared).finish_non_exhaustive()
    }
}

impl Backups {
    /// Backups of `source` in `place`: a folder, `s3://…` with the feature `s3`, or any open store.
    pub fn builder(source: impl Source, place: impl Into<Place>) -> Builder {
        Builder::new(Arc::new(source), place.into())
    }

    fn start(settings: Settings, on_failure: Option<OnFailure>) -> DictResult<Self> {
        let shared = Arc::new(Shared::default());
        let mut threads = Vec::new();
        let mut callback = None;
        let (failures, heard) = channel::<(Arc<DictError>, u64)>();
        if let Some(on_failure) = on_failure {
            let thread = spawn("lastgood-dict-callback", move || call_back(on_failure, &heard))?;
            callback = Some(thread.thread().id());
            threads.push(thread);
        }
        let (requests, received) = channel();
        let (ready, opened) = sync_channel(1);
        let told = Arc::clone(&shared);
        threads.push(spawn("lastgood-dict-backup", move || Worker::run(settings, told, &received, &failures, &ready))?);
        let backups = Self { requests, shared, threads: Mutex::new(threads), callback };
        opened.recv().map_err(|_| DictError::Stopped)??;
        Ok(backups)
    }

    /// Does what is due now: nothing if nothing changed since the last backup; in incremental mode a delta, or a full one
    /// when there is no base or there are [`Builder::max_deltas_before_full`] deltas; else a full one.
    ///
    /// # Errors
    /// Why nothing was written; the changes are kept for the next backup. [`DictError::Empty`] if there is nothing to back up
    /// and there are backups of something. [`DictError::Stopped`] after [`Backups::stop`].
    pub fn backup_now(&self) -> DictResult<Option<Written>> {
        self.ask(Wanted::Due)
    }

    /// Writes a full backup, whatever changed. Of a store that has lost its last record it writes what changed, so that the
    /// last full backup stays what it builds on: see [`Builder::allow_empty`].
    ///
    /// # Errors
    /// As [`Backups::backup_now`].
    pub fn backup_full(&self) -> DictResult<Option<Written>> {
        self.ask(Wanted::Full)
    }

    /// Writes what changed since the last backup, in incremental mode or not; a full one if there is none to build on.
    ///
    /// # Errors
    /// As [`Backups::backup_now`].
    pub fn backup_delta(&self) -> DictResult<Option<Written>> {
        self.ask(Wanted::Delta)
    }

    /// Says that something worth a backup changed, and returns at once. The backup follows as soon as
    /// [`Builder::min_interval`] allows; the last of many such calls is never lost.
    pub fn notify_change(&self) {
        if !self.shared.notified.swap(true, Ordering::AcqRel) {
            // After the stop there is nobody to tell.
            let _ = self.requests.send(Request::Changed);
        }
    }

    /// Failures since the last backup that worked.
    #[must_use]
    pub fn consecutive_failures(&self) -> u64 {
        self.shared.consecutive_failures.load(Ordering::Acquire)
    }

    /// Deltas since the last full backup, earlier runs' included.
    #[must_use]
    pub fn deltas_since_full(&self) -> u64 {
        self.shared.deltas_since_full.load(Ordering::Acquire)
    }

    /// Stops, after a last backup if anything changed. Stopping twice does nothing.
    ///
    /// # Errors
    /// Why the last backup failed; it is not tried again.
    pub fn stop(&self) -> DictResult<Option<Written>> {
        let (reply, answer) = sync_channel(1);
        let last = match self.requests.send(Request::Stop(reply)) {
            Ok(()) => answer.recv().unwrap_or(Ok(None)),
            Err(_) => Ok(None),
        };
        let here = std::thread::current().id();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // From within the callback its own thread cannot be waited for.
            if thread.thread().id() != here || self.callback != Some(here) {
                // Panics are caught inside.
                let _ = thread.join();
            }
        }
        last
    }

    fn ask(&self, wanted: Wanted) -> DictResult<Option<Written>> {
        let (reply, answer) = sync_channel(1);
        self.requests.send(Request::Backup(wanted, reply)).map_err(|_| DictError::Stopped)?;
        answer.recv().map_err(|_| DictError::Stopped)?
    }
}

impl Drop for Backups {
    fn drop(&mut self) {
        // Whoever wants to know calls `stop`; the callback hears of a failure all the same.
        let _ = self.stop();
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> DictResult<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(no_thread)
}

fn call_back(mut on_failure: OnFailure, heard: &Receiver<(Arc<DictError>, u64)>) {
    while let Ok((error, consecutive)) = heard.recv() {
        // A callback that panics is told by the panic hook; backups go on.
        let call = std::panic::AssertUnwindSafe(|| on_failure(&error, consecutive));
        let _ = std::panic::catch_unwind(call);
    }
}
