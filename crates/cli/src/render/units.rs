//! Ages and times as people read them, beside the core's sizes, counts and durations.

pub(crate) use backup_core::units::{bytes, count, counted, duration};
use jiff::Timestamp;

/// How long ago: `just now`, `5 min ago`, `2 h ago`, `6 d ago`; `in the future` when the clocks disagree.
pub(crate) fn age(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - then.as_second();
    match seconds {
        // A minute of disagreement between two clocks is nothing to report.
        ..-60 => "in the future".to_owned(),
        -60..60 => "just now".to_owned(),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// `2026-11-21 03:00:04`, UTC.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_rough_and_the_future_is_said() {
        let now: Timestamp = "2026-11-21T05:00:00Z".parse().unwrap();
        let ago = |seconds: i64| age(Timestamp::from_second(now.as_second() - seconds).unwrap(), now);
        assert_eq!(ago(5), "just now");
        assert_eq!(ago(7200), "2 h ago");
        assert_eq!(ago(6 * 86_400), "6 d ago");
        assert_eq!(ago(-3600), "in the future");
    }
}
