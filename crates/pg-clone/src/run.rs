//! The surroundings of a run: progress, clock and cancellation.

use std::future::Future;
use std::sync::Arc;

use backup_core::clock::{Clock, SystemClock};
use backup_core::progress::{SharedProgress, Silent};
use tokio_util::sync::CancellationToken;

use crate::error::{PgError, PgResult};

/// The surroundings of a run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Hears what happens.
    pub progress: SharedProgress,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Set when the run should stop and clear up.
    pub cancel: CancellationToken,
}

impl Run {
    /// A run that reports to `progress`, by the machine's clock.
    #[must_use]
    pub fn new(progress: SharedProgress) -> Self {
        Self { progress, clock: Arc::new(SystemClock), cancel: CancellationToken::new() }
    }

    /// A run that tells nobody.
    #[must_use]
    pub fn silent() -> Self {
        Self::new(Arc::new(Silent))
    }

    /// A step begins.
    pub fn step(&self, name: &'static str, detail: &str) {
        self.progress.step(name, detail);
    }

    /// Ends a cancelled run just before what it made comes into being, so that whoever stopped it is not surprised by it.
    pub(crate) fn last_chance_to_stop(&self) -> PgResult<()> {
        if self.cancel.is_cancelled() { Err(PgError::Interrupted) } else { Ok(()) }
    }

    /// Runs `work` until it ends or the run is cancelled.
    pub(crate) async fn or_cancelled<T>(&self, work: impl Future<Output = PgResult<T>>) -> PgResult<T> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(PgError::Interrupted),
            result = work => result,
        }
    }
}
