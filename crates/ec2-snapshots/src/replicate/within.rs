//! Time-based copies: a copy that EC2 promises to finish within a time, for a fee.

use backup_core::failure::Setting;
use backup_core::remedy;
use std::time::Duration;

use crate::error::{Ec2Error, Ec2Result};

/// The shortest promise (EC2 API reference, `CopySnapshot`, `CompletionDurationMinutes`).
const MINUTES_MIN: u64 = 15;

/// The longest: 48 hours (same page).
const MINUTES_MAX: u64 = 2880;

/// Promises are multiples of this (same page).
const MINUTES_STEP: u64 = 15;

/// Minutes that EC2 takes: 15 to 2880, in steps of 15.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Within(u32);

impl Within {
    /// The longest promise that is no longer than `limit`.
    ///
    /// # Errors
    /// [`Ec2Error::Usage`] for less than 15 minutes or more than 48 hours.
    pub fn of(limit: Duration) -> Ec2Result<Self> {
        let minutes = limit.as_secs() / 60 / MINUTES_STEP * MINUTES_STEP;
        if minutes < MINUTES_MIN || limit > Duration::from_secs(MINUTES_MAX * 60) {
            return Err(Ec2Error::Usage {
                what: "EC2 promises to finish a copy within 15 minutes to 48 hours".to_owned(),
                help: remedy![
                    "use ",
                    Setting::Within.with("15m".to_owned()),
                    " to ",
                    Setting::Within.with("48h".to_owned())
                ],
            });
        }
        u32::try_from(minutes)
            .map(Self)
            .map_err(|_| Ec2Error::usage("that is too long", remedy!["use ", Setting::Within.with("48h".to_owned())]))
    }

    /// As EC2 takes it.
    #[must_use]
    pub fn minutes(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_are_steps_of_a_quarter_of_an_hour() {
        let minutes = |minutes: u64| Within::of(Duration::from_secs(minutes * 60)).ok().map(Within::minutes);
        assert_eq!([15, 16, 29, 30, 240, 2880].map(minutes), [15, 15, 15, 30, 240, 2880].map(Some));
        assert_eq!([0, 14, 2881].map(minutes), [None; 3]);
    }
}
