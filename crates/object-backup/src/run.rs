//! What every operation needs: clock, progress and cancellation.

use std::sync::Arc;

use backup_core::clock::{Clock, SystemClock};
use backup_core::progress::{SharedProgress, Silent};
use tokio_util::sync::CancellationToken;

/// The surroundings of one operation.
#[derive(Clone, Debug)]
pub struct Run {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Is told what happens.
    pub progress: SharedProgress,
    /// Stops it.
    pub cancel: CancellationToken,
}

impl Run {
    /// The machine's clock, and nobody to tell.
    #[must_use]
    pub fn silent() -> Self {
        Self { clock: Arc::new(SystemClock), progress: Arc::new(Silent), cancel: CancellationToken::new() }
    }
}

impl Default for Run {
    fn default() -> Self {
        Self::silent()
    }
}
