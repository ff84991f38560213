//! The worker thread: waits, takes snapshots, writes, counts.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender};
use std::time::Instant;

use backup_core::location::{Access, Init};
use tokio::runtime::Runtime;

use super::background::Background;
use super::request::{Request, Shared, Wanted};
use super::schedule::Schedule;
use super::settings::Settings;
use crate::backup::{BackupWriter, Owner, Written, records_of};
use crate::detail::BackupKind;
use crate::error::{DictError, DictResult};
use crate::key::LAYOUTS;
use crate::options::PruneOptions;
use crate::prune::Prune;
use crate::restore::no_thread;
use crate::source::Cut;

pub(super) struct Worker {
    settings: Settings,
    shared: Arc<Shared>,
    failures: Sender<(Arc<DictError>, u64)>,
    writer: BackupWriter,
    background: Background,
    /// Generation of the newest backup of this store; none before the first.
    backed_up: Option<u64>,
}

impl Worker {
    pub(super) fn run(
        settings: Settings,
        shared: Arc<Shared>,
        requests: &Receiver<Request>,
        failures: &Sender<(Arc<DictError>, u64)>,
        ready: &SyncSender<DictResult<()>>,
    ) {
        let background = Background::new(settings.niceness);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .on_thread_start(move || background.enter())
            .build()
            .map_err(no_thread);
        let opened = runtime.and_then(|runtime| {
            let worker = runtime.block_on(Self::open(settings, shared, failures.clone(), background))?;
            Ok((runtime, worker))
        });
        match opened {
            Ok((runtime, mut worker)) => {
                // Whoever started has either heard it or gone.
                let _ = ready.send(Ok(()));
                worker.serve(&runtime, requests);
            }
            Err(error) => {
                let _ = ready.send(Err(error));
            }
        }
    }

    async fn open(
        settings: Settings,
        shared: Arc<Shared>,
        failures: Sender<(Arc<DictError>, u64)>,
        background: Background,
    ) -> DictResult<Self> {
        let access = &Access::new().progress(Arc::clone(&settings.run.progress));
        let init = Init { clock: &*settings.run.clock, access, ..Init::new(&LAYOUTS) };
        let store = settings.place.open(settings.init.then_some(&init), access).await?;
        let base = settings.source.base();
        let owner = Owner::Store { base: base.map(|base| base.id), takes_over: settings.takes_over };
        let mut writer = BackupWriter::open(store, settings.name.clone(), &owner, settings.run.clone()).await?;
        // Deltas go on only where this very store came from: on anything else they would be a mixture.
        let base = base.filter(|base| writer.head().is_some_and(|head| head.id == base.id));
        if base.is_none() {
            writer.forget_head();
        }
        shared.deltas_since_full.store(writer.head().map_or(0, |head| head.deltas), Ordering::Release);
        Ok(Self { settings, shared, failures, writer, background, backed_up: base.map(|base| base.generation) })
    }

    fn serve(&mut self, runtime: &Runtime, requests: &Receiver<Request>) {
        let mut schedule = Schedule::new(self.settings.interval, self.settings.min_interval, Instant::now());
        loop {
            let due = schedule.due(self.shared.notified.load(Ordering::Acquire));
            let wait = due.saturating_duration_since(Instant::now());
            match requests.recv_timeout(wait) {
                Ok(Request::Changed) => {}
                Ok(Request::Backup(wanted, reply)) => {
                    // Whoever asked may have given up.
                    let _ = reply.send(self.attempt(runtime, wanted, &mut schedule));
                }
                Ok(Request::Stop(reply)) => {
                    let _ = reply.send(self.attempt(runtime, Wanted::Due, &mut schedule));
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {
                    // Failures are counted, told, and tried again.
                    let _ = self.attempt(runtime, Wanted::Due, &mut schedule);
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn attempt(&mut self, runtime: &Runtime, wanted: Wanted, schedule: &mut Schedule) -> DictResult<Option<Written>> {
        // Before the cut: a change reported from here on is for the next one.
        let notified = self.shared.notified.swap(false, Ordering::AcqRel);
        let result = catch_unwind(AssertUnwindSafe(|| self.backup(runtime, wanted)));
        let result = result.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(DictError::Panicked { what: text.unwrap_or_else(|| "a panic without a message".to_owned()) })
        });
        let now = Instant::now();
        match result {
            Ok(written) => {
                self.shared.consecutive_failures.store(0, Ordering::Release);
                match written {
                    Some(_) => schedule.succeeded(now),
                    None => schedule.idle(now),
                }
                self.shared
                    .deltas_since_full
                    .store(self.writer.head().map_or(0, |head| head.deltas), Ordering::Release);
                Ok(written)
            }
            Err(error) => {
                schedule.failed(now);
                self.shared.notified.fetch_or(notified, Ordering::AcqRel);
                let consecutive = self.shared.consecutive_failures.fetch_add(1, Ordering::AcqRel) + 1;
                let error = Arc::new(error);
                // Without a callback nobody listens.
                let _ = self.failures.send((Arc::clone(&error), consecutive));
                Err(DictError::Shared(error))
            }
        }
    }

    fn backup(&mut self, runtime: &Runtime, wanted: Wanted) -> DictResult<Option<Written>> {
        let source = Arc::clone(&self.settings.source);
        let changed = self.backed_up.is_none_or(|since| source.changed_since(since));
        if !changed && wanted != Wanted::Full {
            return Ok(None);
        }
        let cut: Arc<dyn Cut> = source.cut().into();
        let generation = cut.generation();
        let records = records_of(&*cut);
        let nothing_for = match records == 0 && !self.settings.allow_empty {
            true => self.writer.past().filled().map(str::to_owned),
            false => None,
        };
        let delta = match &nothing_for {
            // What was there stays below it.
            Some(_) => self.backed_up.filter(|_| self.writer.head().is_some()).and_then(|since| cut.changes(since)),
            None => self.delta_of(&*cut, wanted),
        };
        let written = match delta {
            Some(changes) if changes.is_empty() => None,
            Some(changes) => match runtime.block_on(self.writer.delta(&changes, records))? {
                Some(written) => Some(written),
                None => Some(self.full_if_filled(runtime, cut, nothing_for)?),
            },
            None => Some(self.full_if_filled(runtime, cut, nothing_for)?),
        };
        self.backed_up = Some(generation);
        source.forget(generation);
        if written.as_ref().is_some_and(|written| written.kind == BackupKind::Full) {
            runtime.block_on(self.prune());
        }
        Ok(written)
    }

    /// Writes everything, unless that is nothing and stands before the backup `nothing_for`.
    fn full_if_filled(
        &mut self,
        runtime: &Runtime,
        cut: Arc<dyn Cut>,
        nothing_for: Option<String>,
    ) -> DictResult<Written> {
        match nothing_for {
            Some(last) => Err(DictError::Empty { last }),
            None => self.full(runtime, cut),
        }
    }

    /// Writes everything, on a thread that steps back: this one is needed for what holds the store, so that no writer waits
    /// for somebody who waits for a processor, and could not return. Threads begun meanwhile are born as nice as it is.
    fn full(&mut self, runtime: &Runtime, cut: Arc<dyn Cut>) -> DictResult<Written> {
        let (writer, format, background) = (&mut self.writer, self.settings.format, self.background);
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("lastgood-dict-full".to_owned());
            let written = thread.spawn_scoped(scope, move || {
                background.enter();
                let written = runtime.block_on(writer.full(Arc::clone(&cut), format));
                // Last: whoever frees keeps writers from memory for moments, and must not have to wait for a processor
                // behind the others then.
                drop(cut);
                written
            });
            written.map_err(no_thread)?.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// The changes, if a delta is what is due.
    fn delta_of(&self, cut: &dyn Cut, wanted: Wanted) -> Option<crate::source::Changes> {
        let (since, head) = (self.backed_up?, self.writer.head()?);
        let delta = match wanted {
            Wanted::Full => false,
            Wanted::Delta => true,
            Wanted::Due => self.settings.incremental && head.deltas < self.settings.max_deltas_before_full,
        };
        delta.then(|| cut.changes(since)).flatten()
    }

    /// Retention after a backup that worked: its failure takes nothing away from that.
    async fn prune(&self) {
        let Some(policy) = &self.settings.keep else { return };
        let (store, run) = (self.writer.store(), &self.settings.run);
        let pruned = async {
            // Whoever else writes here has rules of his own.
            let ours = self.writer.identity().map(|identity| identity.id.clone());
            let options = PruneOptions::new(policy.clone()).source(ours).without_leftovers();
            Prune::prepare(store, &options, run).await?.run().await
        };
        if let Err(error) = pruned.await {
            run.warn(format!("older backups could not be deleted: {error}"));
        }
    }
}
