//! Configures backups; the defaults are DictDB's.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use backup_core::clock::Clock;
use backup_core::progress::SharedProgress;
use backup_core::retention::Policy;
use backup_core::run::Run;

use super::settings::{Place, Settings};
use super::{Backups, OnFailure};
use crate::error::{DictError, DictResult};
use crate::format::Format;
use crate::source::Source;

/// Time between periodic backups, unless said otherwise.
pub const INTERVAL_DEFAULT: Duration = Duration::from_secs(300);

/// Least time between backups that [`Backups::notify_change`] asks for, unless said otherwise.
pub const MIN_INTERVAL_DEFAULT: Duration = Duration::from_secs(5);

/// Deltas before a full backup, unless said otherwise.
pub const MAX_DELTAS_BEFORE_FULL_DEFAULT: u64 = 10;

/// Niceness of the threads that write backups, unless said otherwise: whoever serves requests goes first.
pub const NICENESS_DEFAULT: u8 = NICENESS_MAX;

/// The lowest priority there is; setpriority(2).
const NICENESS_MAX: u8 = 19;

/// What a store is called, unless said otherwise.
pub const NAME_DEFAULT: &str = "dictstore";

/// Sets backups up.
pub struct Builder {
    settings: Settings,
    on_failure: Option<OnFailure>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Builder {
    pub(super) fn new(source: Arc<dyn Source>, place: Place) -> Self {
        let settings = Settings {
            source,
            place,
            init: false,
            name: NAME_DEFAULT.to_owned(),
            interval: INTERVAL_DEFAULT,
            min_interval: MIN_INTERVAL_DEFAULT,
            format: Format::Json,
            incremental: false,
            max_deltas_before_full: MAX_DELTAS_BEFORE_FULL_DEFAULT,
            keep: None,
            allow_empty: false,
            takes_over: false,
            niceness: NICENESS_DEFAULT,
            run: Run::silent(),
        };
        Self { settings, on_failure: None }
    }

    /// Makes the location when it starts, as `lastgood init` does beforehand. Without it nothing is written where nobody
    /// made a location: the name may have been mistyped.
    #[must_use]
    pub fn init(mut self) -> Self {
        self.settings.init = true;
        self
    }

    /// Time between periodic backups; [`INTERVAL_DEFAULT`] without it.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.settings.interval = interval;
        self
    }

    /// Least time between backups that [`Backups::notify_change`] asks for; [`MIN_INTERVAL_DEFAULT`] without it.
    #[must_use]
    pub fn min_interval(mut self, min_interval: Duration) -> Self {
        self.settings.min_interval = min_interval;
        self
    }

    /// Format of full backups; JSON without it. Deltas are always JSON.
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.settings.format = format;
        self
    }

    /// Whether to write deltas between full backups; not without it.
    #[must_use]
    pub fn incremental(mut self, incremental: bool) -> Self {
        self.settings.incremental = incremental;
        self
    }

    /// Deltas after which a full backup is due; [`MAX_DELTAS_BEFORE_FULL_DEFAULT`] without it.
    #[must_use]
    pub fn max_deltas_before_full(mut self, deltas: u64) -> Self {
        self.settings.max_deltas_before_full = deltas;
        self
    }

    /// Calls `on_failure` with the error and the number of failures in a row. It runs on a thread of its own: it may
    /// take its time, ask for a backup, or panic.
    #[must_use]
    pub fn on_failure(mut self, on_failure: impl FnMut(&DictError, u64) + Send + 'static) -> Self {
        self.on_failure = Some(Box::new(on_failure));
        self
    }

    /// Deletes after each full backup what `policy` does not keep of this store's, whole chains at a time; everything stays
    /// without it.
    #[must_use]
    pub fn keep(mut self, policy: Policy) -> Self {
        self.settings.keep = Some(policy);
        self
    }

    /// How far the threads that encode and write backups step back behind the service's own, from 1 to 19;
    /// [`NICENESS_DEFAULT`] without it. It only counts while there are more threads to run than processors: on one that
    /// is always busy, 19 leaves a backup a seventieth of a processor and 10 a tenth (sched(7)). They also leave one of
    /// several processors to the service alone. 0 is not to step back at all.
    #[must_use]
    pub fn niceness(mut self, niceness: u8) -> Self {
        self.settings.niceness = niceness;
        self
    }

    /// What the store is called, for people and for [`crate::RestoreOptions::source`]; [`NAME_DEFAULT`] without it. It does
    /// not make one store of two: a store that was not restored from the backups that are there is another one.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// Has this store take the place of the one whose backups are there, although it was not restored from them, such as one
    /// that is filled from elsewhere at every start. Without it, its backups and those are of two stores, and a restore
    /// asks which is meant.
    #[must_use]
    pub fn takes_over(mut self) -> Self {
        self.settings.takes_over = true;
        self
    }

    /// Writes a full backup of a store without any record also where there are backups with records. Without it, such a store
    /// is backed up as what changed since the last full backup, if that is known, and else [`DictError::Empty`]
    /// says so: a service that forgot to restore must not put nothing in the place of its data.
    #[must_use]
    pub fn allow_empty(mut self) -> Self {
        self.settings.allow_empty = true;
        self
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.settings.run.clock = clock;
        self
    }

    /// Who hears of steps and warnings.
    #[must_use]
    pub fn progress(mut self, progress: SharedProgress) -> Self {
        self.settings.run.progress = progress;
        self
    }

    /// Clock, receiver and the way to stop, all at once. What is cancelled is a backup under way, and every later one: to end
    /// with a last backup there is [`Backups::stop`].
    #[must_use]
    pub fn surroundings(mut self, run: Run) -> Self {
        self.settings.run = run;
        self
    }

    /// Opens the location and starts. The first periodic backup follows after one interval.
    ///
    /// # Errors
    /// [`DictError::Usage`] for settings that make no sense; [`DictError::Source`] if several stores have backups there, so that
    /// it cannot be told whose place is to be taken; what the store says.
    pub fn start(self) -> DictResult<Backups> {
        if self.settings.interval.is_zero() {
            return Err(DictError::Usage { what: "the interval must be more than zero".to_owned() });
        }
        if self.settings.niceness > NICENESS_MAX {
            let what =
                format!("invalid niceness {}: use 0 to {NICENESS_MAX}, the lowest priority", self.settings.niceness);
            return Err(DictError::Usage { what });
        }
        Backups::start(self.settings, self.on_failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::DictStore;

    #[test]
    fn the_defaults_are_dictdbs() {
        let settings = Backups::builder(DictStore::new(), "./backups").settings;
        assert_eq!((settings.interval, settings.min_interval), (Duration::from_secs(300), Duration::from_secs(5)));
        assert_eq!((settings.format, settings.incremental), (Format::Json, false));
        assert_eq!(settings.max_deltas_before_full, 10);
        assert!(settings.keep.is_none());
    }
}
