//! The memory budget that all uploads of a run share.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of upload buffers in memory at once, unless said otherwise: eight parts of 8 MiB keep two busy tables' uploads
/// in flight over a slow line and leave three quarters of a 256 MiB machine to everything else.
pub const BUDGET_BYTES: usize = 64 * 1024 * 1024;

/// Bytes one permit stands for; a semaphore counts to 2³² at most.
const UNIT_BYTES: usize = 1024;

/// Upload buffers of all writers that share it stay below its size together. Clones share it.
///
/// A writer holds at most one part that it fills; the others it holds are on their way and come free by themselves. So
/// writers that are fed independently never wait for each other forever, however small the budget; writers fed by one
/// task in turn need one part each.
#[derive(Clone, Debug)]
pub struct UploadBudget {
    semaphore: Arc<Semaphore>,
    units: u32,
}

/// Part of the budget, given back when dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    _permit: Option<OwnedSemaphorePermit>,
}

impl UploadBudget {
    /// A budget of `bytes` bytes. A part larger than all of it is let through alone.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let units = units(bytes);
        // A `u32` fits `usize` on every platform tokio runs on.
        Self { semaphore: Arc::new(Semaphore::new(units as usize)), units }
    }

    /// Waits until `bytes` bytes are free.
    pub(super) async fn reserve(&self, bytes: usize) -> Reservation {
        let wanted = units(bytes).min(self.units);
        // The semaphore is never closed, so that the only error cannot happen.
        Reservation { _permit: self.semaphore.clone().acquire_many_owned(wanted).await.ok() }
    }

    #[cfg(test)]
    pub(super) fn free_bytes(&self) -> usize {
        self.semaphore.available_permits() * UNIT_BYTES
    }
}

impl Default for UploadBudget {
    fn default() -> Self {
        Self::new(BUDGET_BYTES)
    }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX).clamp(1, u32::MAX >> 4)
}
