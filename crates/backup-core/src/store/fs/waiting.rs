//! How long the lock of a folder is waited for, who hears of it, and what ends a wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::progress::SharedProgress;

/// How long is waited for it. It is held for a rename, or for the deletion of some dozens of files; whoever has it longer was
/// stopped, or is no store.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(30);

/// The same once the run was asked to end: what clears up after it deletes, and meets others who have the lock for a moment.
const CLEARING_UP_MAX: Duration = Duration::from_secs(1);

/// What a wait looks at meanwhile.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Is told of it.
    progress: Option<SharedProgress>,
    /// Ends it.
    cancel: CancellationToken,
    /// It was waited for in vain: of a thousand objects the rest need not wait as long each.
    in_vain: AtomicBool,
}

impl Waiting {
    pub(super) fn new(progress: Option<SharedProgress>, cancel: CancellationToken) -> Self {
        Self { progress, cancel, in_vain: AtomicBool::new(false) }
    }

    /// Whether a wait of this length is over, whatever came of it.
    pub(super) fn is_over(&self, waited: Duration) -> bool {
        let asked_to_end = self.cancel.is_cancelled() && waited >= CLEARING_UP_MAX;
        waited >= WAIT_MAX || asked_to_end || self.in_vain.load(Ordering::Relaxed)
    }

    /// Remembers what came of a wait.
    pub(super) fn was_in_vain(&self, in_vain: bool) {
        self.in_vain.store(in_vain, Ordering::Relaxed);
    }

    /// Who is told of waits.
    pub(super) fn progress(&self) -> Option<&SharedProgress> {
        self.progress.as_ref()
    }
}
