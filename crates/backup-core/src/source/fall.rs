//! Whether a backup is suspiciously smaller than the one before.

use std::fmt;

use serde::Serialize;

use crate::units;

/// A fall by more than this is told, in percent.
pub const FALL_TOLD_PERCENT: u8 = 50;

/// How much a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Rows or records.
    pub rows: u64,
    /// Bytes of content before compression.
    pub bytes: u64,
}

/// A backup holds less than the one before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fall {
    /// The complete backup before, by its key.
    pub previous: String,
    /// What it holds.
    pub before: Size,
    /// What this one holds.
    pub now: Size,
    /// By how many percent rows or bytes fell, whichever fell more; rounded down.
    pub percent: u8,
}

/// By how much `now` holds less than `before`; `None` if neither rows nor bytes fell.
#[must_use]
pub fn fall(previous: &str, before: Size, now: Size) -> Option<Fall> {
    let percent = percent(before.rows, now.rows).max(percent(before.bytes, now.bytes));
    let fell = now.rows < before.rows || now.bytes < before.bytes;
    fell.then(|| Fall { previous: previous.to_owned(), before, now, percent })
}

impl Fall {
    /// Whether it is worth telling: see [`FALL_TOLD_PERCENT`].
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.exceeds(FALL_TOLD_PERCENT)
    }

    /// In words, where `rows` are called so.
    #[must_use]
    pub fn told_in(&self, rows: &str) -> String {
        let Self { previous, before, now, percent } = self;
        let bytes = match before.bytes {
            0 => String::new(),
            bytes => format!(", {} of content instead of {}", units::bytes(now.bytes), units::bytes(bytes)),
        };
        format!(
            "this backup is {percent} % smaller than `{previous}`: {} {rows} instead of {}{bytes}",
            units::count(now.rows),
            units::count(before.rows)
        )
    }

    /// Whether rows or bytes fell by more than `percent`.
    #[must_use]
    pub fn exceeds(&self, percent: u8) -> bool {
        let more = |before: u64, now: u64| {
            let lost = u128::from(before.saturating_sub(now));
            lost * 100 > u128::from(before) * u128::from(percent)
        };
        more(self.before.rows, self.now.rows) || more(self.before.bytes, self.now.bytes)
    }
}

impl fmt::Display for Fall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told_in("rows"))
    }
}

/// By how many percent `now` is less than `before`, rounded down.
fn percent(before: u64, now: u64) -> u8 {
    let lost = u128::from(before.saturating_sub(now)) * 100;
    lost.checked_div(u128::from(before)).and_then(|percent| u8::try_from(percent).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(before: (u64, u64), now: (u64, u64)) -> Option<Fall> {
        let size = |(rows, bytes)| Size { rows, bytes };
        fall("shop/a", size(before), size(now))
    }

    #[test]
    fn a_fall_by_more_than_half_is_told() {
        assert_eq!(of((100, 100), (100, 100)), None);
        assert_eq!(of((100, 100), (300, 101)), None);
        assert!(!of((100, 1_000), (50, 900)).unwrap().is_told(), "just half");
        assert!(of((100, 1_000), (49, 900)).unwrap().is_told(), "rows");
        assert!(of((100, 1_000), (200, 499)).unwrap().is_told(), "bytes alone");
        assert_eq!(of((100, 1_000), (0, 10)).unwrap().percent, 100);
    }

    #[test]
    fn nothing_before_is_no_fall_and_large_numbers_do_not_overflow() {
        assert_eq!(of((0, 0), (0, 0)), None);
        let fall = of((u64::MAX, u64::MAX), (u64::MAX / 3, 1)).unwrap();
        assert!(fall.is_told() && fall.exceeds(99) && !fall.exceeds(100));
    }

    #[test]
    fn any_limit_can_be_asked_for() {
        let fall = of((1_000, 1_000), (899, 1_000)).unwrap();
        assert!(fall.exceeds(10) && !fall.exceeds(11) && fall.percent == 10);
        assert!(of((3, 100), (2, 100)).unwrap().exceeds(33));
        assert!(of((3, 100), (0, 100)).unwrap().exceeds(99));
    }
}
