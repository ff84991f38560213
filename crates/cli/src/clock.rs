//! Whether this machine's clock can be worked with: what is dated before 1970 or beyond 9999 has no date here.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

use crate::error::{CliError, CliResult};

/// The year 9999. Identifiers count from 1970, and what comes a year later must have a date too.
const END: Duration = Duration::from_secs(253_370_764_800);

/// Refuses a clock that shows a time nothing can be dated with.
pub(crate) fn check(now: SystemTime) -> CliResult<()> {
    if now.duration_since(UNIX_EPOCH).is_ok_and(|since| since < END) {
        return Ok(());
    }
    let shows = Timestamp::try_from(now).map_or_else(|_| beyond(now), |time| time.to_string());
    Err(CliError::Clock { shows })
}

fn beyond(now: SystemTime) -> String {
    match now.duration_since(UNIX_EPOCH) {
        Ok(after) => format!("{} seconds after 1970", after.as_secs()),
        Err(before) => format!("{} seconds before 1970", before.duration().as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_told_that_shows_no_time_to_date_with() {
        for seconds in [0, 1_795_000_000, END.as_secs() - 1] {
            assert!(check(UNIX_EPOCH + Duration::from_secs(seconds)).is_ok(), "{seconds}");
        }
        let told = |now: SystemTime| check(now).unwrap_err().to_string();
        assert!(told(UNIX_EPOCH - Duration::from_secs(86_400)).contains("1969-12-31T00:00:00Z"));
        assert!(told(UNIX_EPOCH + END).contains("9999-01-01T00:00:00Z"));
        assert!(told(UNIX_EPOCH + Duration::from_secs(260_000_000_000)).contains("260000000000 seconds after 1970"));
        assert!(told(UNIX_EPOCH - Duration::from_secs(400_000_000_000)).contains("400000000000 seconds before 1970"));
    }
}
