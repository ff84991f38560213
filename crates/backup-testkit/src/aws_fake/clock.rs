//! A clock that tests set and advance, and that runs by itself only as fast as it is told to.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use backup_core::clock::{Clock, SignedDuration, Timestamp};

/// The fake's time: what was set, plus what it was advanced by, plus the real time since then times its rate.
#[derive(Debug)]
pub struct VirtualClock(Mutex<State>);

#[derive(Clone, Copy, Debug)]
struct State {
    base: Timestamp,
    since: Instant,
    rate: u32,
    step: Duration,
}

impl VirtualClock {
    /// A clock that shows `now` and runs as fast as the machine's.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(Mutex::new(State { base: now, since: Instant::now(), rate: 1, step: Duration::ZERO }))
    }

    /// Shows `now` from now on.
    pub fn set(&self, now: Timestamp) {
        self.change(|state, _| state.base = now);
    }

    /// Goes forward by `time` at once.
    pub fn advance(&self, time: Duration) {
        self.change(|state, now| state.base = later(now, time));
    }

    /// Runs so many times as fast as the machine's clock; 0 stops it.
    pub fn set_rate(&self, rate: u32) {
        self.change(|state, _| state.rate = rate);
    }

    /// Goes forward by `step` at each call that the fake answers, so that a client that polls without waiting sees the end.
    pub fn set_step(&self, step: Duration) {
        self.change(|state, _| state.step = step);
    }

    /// A call begins: goes forward by one step and shows the time.
    pub(super) fn tick(&self) -> Timestamp {
        self.change(|state, now| state.base = later(now, state.step));
        self.now()
    }

    fn change(&self, change: impl FnOnce(&mut State, Timestamp)) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = shown(&state);
        state.base = now;
        state.since = Instant::now();
        change(&mut state, now);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        shown(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn shown(state: &State) -> Timestamp {
    if state.rate == 0 { state.base } else { later(state.base, state.since.elapsed().saturating_mul(state.rate)) }
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| time.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_clock_moves_only_when_it_is_told_to() {
        let start: Timestamp = "2026-11-21T03:00:00Z".parse().unwrap();
        let clock = VirtualClock::at(start);
        clock.set_rate(0);
        clock.set(start);
        assert_eq!((clock.now(), clock.tick()), (start, start));
        clock.advance(Duration::from_secs(3600));
        assert_eq!(clock.now().to_string(), "2026-11-21T04:00:00Z");
        clock.set_step(Duration::from_secs(60));
        assert_eq!(clock.tick().to_string(), "2026-11-21T04:01:00Z");
        assert_eq!(clock.now().to_string(), "2026-11-21T04:01:00Z");
    }

    #[test]
    fn a_fast_clock_overtakes_the_machines() {
        let start: Timestamp = "2026-11-21T03:00:00Z".parse().unwrap();
        let clock = VirtualClock::at(start);
        clock.set_rate(1_000_000);
        std::thread::sleep(Duration::from_millis(2));
        assert!(clock.now() > later(start, Duration::from_secs(1000)));
    }
}
