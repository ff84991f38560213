//! Priorities of the threads that encode and write, below those of the service.

use rustix::process;
use rustix::thread::{self, CpuSet};

/// What such a thread does to itself: on Linux priority and processors are a thread's own (setpriority(2), Notes;
/// sched_setaffinity(2)).
#[derive(Clone, Copy, Debug)]
pub(super) struct Background {
    niceness: u8,
    /// All but one of those the process may use. Priority is not enough: who runs beside a writer at last runs until the
    /// scheduler's next tick, and that may be 4 ms away.
    processors: Option<CpuSet>,
}

impl Background {
    /// Of a process whose threads may run where this one may. A niceness of 0 is not to step back at all.
    pub(super) fn new(niceness: u8) -> Self {
        let mut processors = thread::sched_getaffinity(None).ok().filter(|all| all.count() > 1);
        if let Some(all) = &mut processors
            && let Some(last) = (0..CpuSet::MAX_CPU).rev().find(|number| all.is_set(*number))
        {
            all.unset(last);
        }
        Self { niceness, processors }
    }

    /// Has the calling thread step back. Where that is refused backups are quicker, and writers wait longer.
    pub(super) fn enter(self) {
        if self.niceness == 0 {
            return;
        }
        if process::getpriority_process(None).is_ok_and(|own| own < self.niceness.into()) {
            let _ = process::setpriority_process(None, self.niceness.into());
        }
        if let Some(processors) = &self.processors {
            let _ = thread::sched_setaffinity(None, processors);
        }
    }
}
