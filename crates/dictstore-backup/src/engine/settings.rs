//! How an engine backs up, as its builder was told.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use backup_core::location::{Access, Init, Location, init_store};
use backup_core::retention::Policy;
use backup_core::run::Run;
use backup_core::store::SharedStore;

use crate::error::DictResult;
use crate::format::Format;
use crate::source::Source;

/// Where backups go.
#[derive(Clone, Debug)]
pub enum Place {
    /// A location as users write it.
    Location(String),
    /// An open store.
    Store(SharedStore),
}

impl From<&str> for Place {
    fn from(location: &str) -> Self {
        Self::Location(location.to_owned())
    }
}

impl From<String> for Place {
    fn from(location: String) -> Self {
        Self::Location(location)
    }
}

impl From<&Path> for Place {
    fn from(folder: &Path) -> Self {
        Self::Location(folder.display().to_string())
    }
}

impl From<PathBuf> for Place {
    fn from(folder: PathBuf) -> Self {
        folder.as_path().into()
    }
}

impl From<SharedStore> for Place {
    fn from(store: SharedStore) -> Self {
        Self::Store(store)
    }
}

impl Place {
    /// Opens it, and makes it if `init` says how.
    pub(super) async fn open(&self, init: Option<&Init<'_>>, access: &Access) -> DictResult<SharedStore> {
        Ok(match (self, init) {
            (Self::Location(text), Some(init)) => text.parse::<Location>()?.init(init).await?.store,
            (Self::Location(text), None) => text.parse::<Location>()?.open_with(access).await?,
            (Self::Store(store), Some(init)) => init_store(store, init).await?.store,
            (Self::Store(store), None) => store.clone(),
        })
    }
}

/// What the worker works by.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) source: Arc<dyn Source>,
    pub(super) place: Place,
    pub(super) init: bool,
    pub(super) name: String,
    pub(super) interval: Duration,
    pub(super) min_interval: Duration,
    pub(super) format: Format,
    pub(super) incremental: bool,
    pub(super) max_deltas_before_full: u64,
    pub(super) keep: Option<Policy>,
    pub(super) allow_empty: bool,
    pub(super) takes_over: bool,
    pub(super) niceness: u8,
    pub(super) run: Run,
}
