//! A clock that tests can replace.

use std::fmt;
use std::time::Duration;

/// Moments, and the time between them.
pub use jiff::{SignedDuration, Timestamp};

/// Tells the time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The present moment, UTC.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that stands still at one moment.
#[derive(Clone, Copy, Debug)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// Measures how much time passes, whatever a clock is set to meanwhile.
pub trait Stopwatch: fmt::Debug + Send + Sync {
    /// Time since a moment that stays the same.
    fn elapsed(&self) -> Duration;
}

/// The machine's stopwatch. It goes on while the machine sleeps, unlike [`std::time::Instant`] on Linux.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemStopwatch;

impl Stopwatch for SystemStopwatch {
    fn elapsed(&self) -> Duration {
        #[cfg(target_os = "linux")]
        let clock = rustix::time::ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let clock = rustix::time::ClockId::Monotonic;
        let time = rustix::time::clock_gettime(clock);
        // Neither is ever negative or out of range.
        Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
    }
}
