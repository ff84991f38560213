//! A dump that was prepared: what it dumps, how, and where to.

use std::sync::Arc;

use backup_core::store::SharedStore;

use crate::adapters::connection::Server;
use crate::error::PgResult;
use crate::options::DumpOptions;
use crate::run::Run;

/// A dump that is not yet run. It owns what it was prepared with. Which tables are in it is decided under its locks, so
/// that [`Dump::plan`] tells what a dump would hold that ran now.
#[derive(Debug)]
pub struct Dump {
    pub(super) server: Server,
    pub(super) store: SharedStore,
    pub(super) options: DumpOptions,
    pub(super) run: Run,
}

impl Dump {
    /// Prepares a dump into `store`; asks neither the server nor the store.
    ///
    /// # Errors
    /// [`PgError::Usage`](crate::PgError::Usage) for options that contradict each other.
    pub fn prepare(server: &Server, store: &SharedStore, options: DumpOptions, run: &Run) -> PgResult<Self> {
        options.check()?;
        Ok(Self { server: server.clone(), store: Arc::clone(store), options, run: run.clone() })
    }
}
