//! What django-fabfile's trimming kept, with its defects: a list of cut-offs that is not sorted and a pointer into it that
//! only moves forward. Quarterly and yearly numbers have no effect, and one a month is kept for ever.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// The tag that saves a snapshot from trimming (if its value is not empty, which is the caller's to see).
pub const PRESERVE_TAG: &str = "preserve_snapshot";

/// How far back the original lists first days of months.
const FIRST_CUTOFF: Date = Date::constant(2000, 1, 1);

/// Months the original takes for a quarter.
const QUARTER_MONTHS: i64 = 4;

/// The numbers of the original's `[purge_backups]`. Order is that of [`super::Candidate::sequence`] (give it the order of
/// EC2's start times), periods that of [`super::Candidate::time`] (the time in the description).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FabfileCompatible {
    /// `HOURLY_BACKUPS`.
    pub hourly: u32,
    /// `DAILY_BACKUPS`.
    pub daily: u32,
    /// `WEEKLY_BACKUPS`.
    pub weekly: u32,
    /// `MONTHLY_BACKUPS`.
    pub monthly: u32,
    /// `QUARTERLY_BACKUPS`.
    pub quarterly: u32,
    /// `YEARLY_BACKUPS`.
    pub yearly: u32,
    /// The zone of the machine's clock, which the original mixes with UTC.
    pub local: TimeZone,
}

impl Default for FabfileCompatible {
    fn default() -> Self {
        Self { hourly: 24, daily: 7, weekly: 4, monthly: 12, quarterly: 4, yearly: 10, local: TimeZone::UTC }
    }
}

/// One snapshot of a volume as the original sees it.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) time: Timestamp,
    pub(super) preserved: bool,
}

impl FabfileCompatible {
    /// Which of one volume's snapshots, oldest first, the original keeps.
    pub(super) fn keep(&self, snapshots: &[Snapshot], now: Timestamp) -> Vec<usize> {
        let cutoffs = self.cutoffs(now);
        let Some(newest) = snapshots.len().checked_sub(1) else { return Vec::new() };
        let mut kept = Vec::new();
        let (mut pointer, mut found) = (0, false);
        for (index, snapshot) in snapshots[..newest].iter().enumerate() {
            let time = TimeZone::UTC.to_datetime(snapshot.time);
            while cutoffs.get(pointer).is_some_and(|cutoff| time >= *cutoff) {
                pointer += 1;
                found = false;
            }
            let first_of_period = !found;
            if pointer == cutoffs.len() || first_of_period || snapshot.preserved {
                kept.push(index);
            }
            found = pointer < cutoffs.len();
        }
        kept.push(newest);
        kept
    }

    /// The original's list, in its order.
    fn cutoffs(&self, now: Timestamp) -> Vec<DateTime> {
        let utc = TimeZone::UTC.to_datetime(now);
        let local = self.local.to_datetime(now);
        let hour = utc.date().at(utc.hour(), 0, 0, 0);
        let midnight = utc.date().at(0, 0, 0, 0);
        let sunday = midnight.saturating_sub(i64::from(utc.weekday().to_sunday_zero_offset()).days());
        let back = |start: DateTime, count: u32, step: fn(i64) -> jiff::Span| {
            (0..i64::from(count)).map(move |index| start.saturating_sub(step(index)))
        };
        let mut list: Vec<DateTime> = Vec::new();
        list.extend(back(hour, self.hourly, |index| index.hours()));
        list.extend(back(midnight, self.daily, |index| index.days()));
        list.extend(back(sunday, self.weekly, |index| index.weeks()));
        list.extend(back(local.saturating_sub(1.month()), self.monthly, |index| index.months()));
        list.extend(back(local.saturating_sub(1.year()), self.quarterly, |index| (QUARTER_MONTHS * index).months()));
        list.extend(back(local.saturating_sub(2.years()), self.yearly, |index| index.years()));
        let mut month = utc.date().first_of_month();
        while month > FIRST_CUTOFF {
            list.push(month.at(0, 0, 0, 0));
            month = month.saturating_sub(1.month());
        }
        let mut seen = std::collections::HashSet::new();
        list.retain(|cutoff| seen.insert(*cutoff));
        list.reverse();
        list
    }
}
