//! Calendar periods: which one a moment falls in, in an explicit time zone.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// Length of a calendar period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Period {
    /// An hour of the clock; the hour that occurs twice when summer time ends is two.
    Hourly,
    /// From midnight to midnight.
    Daily,
    /// An ISO 8601 week, from Monday.
    Weekly,
    /// A month.
    Monthly,
    /// January to March and so on.
    Quarterly,
    /// A year.
    Yearly,
}

impl Period {
    /// All, shortest first.
    pub const ALL: [Self; 6] = [Self::Hourly, Self::Daily, Self::Weekly, Self::Monthly, Self::Quarterly, Self::Yearly];

    /// The period `time` falls in, named as people name it; equal names are the same period.
    pub(super) fn name(self, time: Timestamp, zone: &TimeZone) -> String {
        let time: Zoned = time.to_zoned(zone.clone());
        let date: Date = time.date();
        match self {
            Self::Hourly => format!("{date} {:02}h{}", time.hour(), time.offset()),
            Self::Daily => date.to_string(),
            Self::Weekly => {
                let week = date.iso_week_date();
                format!("{}-W{:02}", week.year(), week.week())
            }
            Self::Monthly => format!("{}-{:02}", date.year(), date.month()),
            Self::Quarterly => format!("{}-Q{}", date.year(), (date.month() - 1) / 3 + 1),
            Self::Yearly => date.year().to_string(),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Quarterly => "quarterly",
            Self::Yearly => "yearly",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_follow_iso_weeks_quarters_and_the_time_zone() {
        let time: Timestamp = "2024-12-30T23:30:00Z".parse().unwrap();
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        for (period, utc, local) in [
            (Period::Hourly, "2024-12-30 23h+00", "2024-12-31 00h+01"),
            (Period::Daily, "2024-12-30", "2024-12-31"),
            (Period::Weekly, "2025-W01", "2025-W01"),
            (Period::Monthly, "2024-12", "2024-12"),
            (Period::Quarterly, "2024-Q4", "2024-Q4"),
            (Period::Yearly, "2024", "2024"),
        ] {
            assert_eq!(period.name(time, &TimeZone::UTC), utc);
            assert_eq!(period.name(time, &berlin), local);
        }
    }

    #[test]
    fn the_hour_that_occurs_twice_is_two_hours() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let name = |time: &str| Period::Hourly.name(time.parse().unwrap(), &berlin);
        assert_eq!(name("2026-10-25T00:30:00Z"), "2026-10-25 02h+02");
        assert_eq!(name("2026-10-25T01:30:00Z"), "2026-10-25 02h+01");
    }
}
