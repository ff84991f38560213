//! How a location is opened, beside its name: with which credentials, how fast, and who hears of requests that are tried again.

use tokio_util::sync::CancellationToken;

use crate::aws::Credentials;
use crate::progress::SharedProgress;
use crate::store::fs::FsStore;
use crate::store::limit::Rates;

/// How a location is opened. Endpoint and region always come from the environment.
#[derive(Clone, Debug)]
pub struct Access {
    pub(super) credentials: Option<Credentials>,
    pub(super) progress: Option<SharedProgress>,
    pub(super) rates: Rates,
    pub(super) cancel: Option<CancellationToken>,
}

/// What [`super::Location::open`] opens with.
pub(super) static PLAIN: Access = Access::new();

impl Access {
    /// With the environment's credentials, as fast as it goes, and nobody who hears of requests that are tried again.
    #[must_use]
    pub const fn new() -> Self {
        Self { credentials: None, progress: None, rates: Rates { upload: None, download: None }, cancel: None }
    }

    /// With credentials of the program's own.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Sends and receives no faster than at `rates`, all openings of a location by themselves.
    #[must_use]
    pub fn rates(mut self, rates: Rates) -> Self {
        self.rates = rates;
        self
    }

    /// Ends waits for a folder's lock, and those that rates make, when `cancel` is set.
    #[must_use]
    pub fn cancelled_by(mut self, cancel: CancellationToken) -> Self {
        self.cancel = Some(cancel);
        self
    }

    /// Tells `progress` of requests that failed for now and are tried again, and of waits for a folder's lock.
    #[must_use]
    pub fn progress(mut self, progress: SharedProgress) -> Self {
        self.progress = Some(progress);
        self
    }

    /// The folder, whose lock is waited for as this says.
    pub(super) fn waited_for(&self, folder: FsStore) -> FsStore {
        folder.waiting(self.progress.clone(), self.cancel.clone().unwrap_or_default())
    }
}

impl Default for Access {
    fn default() -> Self {
        Self::new()
    }
}
