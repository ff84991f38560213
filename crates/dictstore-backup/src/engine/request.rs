//! What the thread of the engine is asked for.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::mpsc::SyncSender;

use crate::backup::Written;
use crate::error::DictResult;

/// What a backup is asked to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Whatever is due: nothing, a delta, or a full one.
    Due,
    /// A full one, whatever changed.
    Full,
    /// A delta, if anything changed; a full one if there is none to build on.
    Delta,
}

pub(super) enum Request {
    Backup(Wanted, SyncSender<DictResult<Option<Written>>>),
    /// [`Shared::notified`] was set.
    Changed,
    Stop(SyncSender<DictResult<Option<Written>>>),
}

/// What the worker tells whoever asks.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) notified: AtomicBool,
    pub(super) consecutive_failures: AtomicU64,
    pub(super) deltas_since_full: AtomicU64,
}
