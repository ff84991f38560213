//! When the next backup is due: pure.

use std::time::{Duration, Instant};

/// What happened so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    interval: Duration,
    min_interval: Duration,
    /// When the last period began.
    period: Instant,
    /// When the last backup worked.
    success: Option<Instant>,
    /// When the last backup failed, and how many did in a row.
    failure: Option<(Instant, u32)>,
}

impl Schedule {
    pub(super) fn new(interval: Duration, min_interval: Duration, now: Instant) -> Self {
        Self { interval, min_interval, period: now, success: None, failure: None }
    }

    /// When the next backup is due; `notified` is whether a change was reported since the last one.
    pub(super) fn due(&self, notified: bool) -> Instant {
        let mut due = self.period + self.interval;
        if let Some((failed, times)) = self.failure {
            // Again after the least interval, then twice that, up to the interval.
            let factor = 1_u32.checked_shl(times.saturating_sub(1).min(16)).unwrap_or(u32::MAX);
            return due.min(failed + self.min_interval.saturating_mul(factor).min(self.interval));
        }
        if notified {
            // The trailing edge: as early as allowed, and never dropped.
            due = due.min(self.success.map_or(self.period, |success| success + self.min_interval));
        }
        due
    }

    pub(super) fn succeeded(&mut self, now: Instant) {
        (self.period, self.success, self.failure) = (now, Some(now), None);
    }

    /// Nothing was to be written.
    pub(super) fn idle(&mut self, now: Instant) {
        (self.period, self.failure) = (now, None);
    }

    pub(super) fn failed(&mut self, now: Instant) {
        let times = self.failure.map_or(0, |(_, times)| times);
        (self.period, self.failure) = (now, Some((now, times.saturating_add(1))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn t5_the_last_change_is_backed_up_within_the_least_interval() {
        let begin = Instant::now();
        let mut schedule = Schedule::new(300 * SECOND, 5 * SECOND, begin);
        assert_eq!(schedule.due(false), begin + 300 * SECOND);
        assert_eq!(schedule.due(true), begin);
        schedule.succeeded(begin + SECOND);
        assert_eq!(schedule.due(true), begin + 6 * SECOND);
        assert_eq!(schedule.due(false), begin + 301 * SECOND);
    }

    #[test]
    fn failures_are_tried_again_ever_more_slowly() {
        let begin = Instant::now();
        let mut schedule = Schedule::new(60 * SECOND, 5 * SECOND, begin);
        for wait in [5, 10, 20, 40, 60, 60] {
            schedule.failed(begin);
            assert_eq!(schedule.due(true), begin + wait * SECOND);
        }
        schedule.idle(begin);
        assert_eq!(schedule.due(false), begin + 60 * SECOND);
    }
}
