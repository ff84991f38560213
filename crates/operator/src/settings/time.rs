//! Durations as people write them: `30s`, `36h`, `14d`.

use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};

/// A text that is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeError {
    /// It is a number alone.
    #[error("`{0}` has no unit: write {0}s or {0}m")]
    NoUnit(String),
    /// It cannot be read, or has units that have no fixed length.
    #[error("use a duration with its unit, such as `30s`, `36h` or `14d`")]
    Unreadable,
    /// It is negative.
    #[error("a duration cannot be negative")]
    Negative,
}

/// A duration that may have months and years in it.
///
/// # Errors
/// [`TimeError`].
pub fn span(text: &str) -> Result<Span, TimeError> {
    let span: Span = text.parse().map_err(|_| unreadable(text))?;
    if span.is_negative() { Err(TimeError::Negative) } else { Ok(span) }
}

fn unreadable(text: &str) -> TimeError {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { TimeError::NoUnit(text.to_owned()) } else { TimeError::Unreadable }
}

/// A duration of fixed length; days count 24 hours.
///
/// # Errors
/// [`TimeError`], also for months and years.
pub fn duration(text: &str) -> Result<SignedDuration, TimeError> {
    span(text)?.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| TimeError::Unreadable)
}

/// How long something may take; `0` means for ever.
///
/// # Errors
/// [`TimeError`].
pub fn timeout(text: &str) -> Result<Duration, TimeError> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    Duration::try_from(duration(text)?).map_err(|_| TimeError::Negative)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_have_units_and_zero_is_none() {
        let seconds = |text: &str| timeout(text).map(|time| time.as_secs());
        assert_eq!((seconds("30s"), seconds("5m"), seconds("0")), (Ok(30), Ok(300), Ok(0)));
        assert_eq!(timeout("5").unwrap_err().to_string(), "`5` has no unit: write 5s or 5m");
        for wrong in ["soon", "", "1mo", "5 5"] {
            assert_eq!(timeout(wrong), Err(TimeError::Unreadable), "{wrong}");
        }
        assert_eq!(timeout("-5s"), Err(TimeError::Negative));
    }

    #[test]
    fn only_a_span_has_months() {
        assert_eq!(span("6mo").map(|span| span.get_months()), Ok(6));
        assert_eq!(duration("6mo"), Err(TimeError::Unreadable));
        assert_eq!(duration("2d"), Ok(SignedDuration::from_hours(48)));
    }
}
