//! Durations as people write them: `30s`, `36h`, `14d`.

use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};

/// A text that is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeError {
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
    let span: Span = text.parse().map_err(|_| TimeError::Unreadable)?;
    if span.is_negative() { Err(TimeError::Negative) } else { Ok(span) }
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
        for wrong in ["30", "soon", "", "1mo"] {
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
