//! Cold storage: what must be retrieved before it is read, how long that takes, and when the copy expires.
//!
//! Durations are the longest that AWS names ("Archive retrieval options"). Only retrievals go by the virtual clock, which
//! a test moves on: signatures and times of objects stay real.

use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use s3s::{S3Result, s3_error};

const HOUR: u64 = 3600;

/// A retrieval that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Restore {
    ready: SystemTime,
    days: i32,
}

/// What can be read of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copy {
    /// It is in no cold class.
    Hot,
    /// Nothing.
    Cold,
    /// Nothing yet.
    Running,
    /// All of it, until then.
    Until(SystemTime),
}

/// How long a tier takes; `None` if the class does not have it.
fn duration(class: &str, tier: &str) -> Option<Duration> {
    let seconds = match (class, tier) {
        ("GLACIER", "Expedited") => 5 * 60,
        ("GLACIER", "Standard") => 5 * HOUR,
        ("GLACIER", "Bulk") | ("DEEP_ARCHIVE", "Standard") => 12 * HOUR,
        ("DEEP_ARCHIVE", "Bulk") => 48 * HOUR,
        _ => return None,
    };
    Some(Duration::from_secs(seconds))
}

/// The end of the day, UTC, that `days` days after `ready` is in (AWS, "Restoring an archived object").
fn expiry(ready: SystemTime, days: i32) -> SystemTime {
    let ready = Timestamp::try_from(ready).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::UTC);
    let after = ready.checked_add(i64::from(days).days()).unwrap_or(ready);
    let midnight = after.tomorrow().and_then(|day| day.start_of_day()).unwrap_or(after);
    midnight.timestamp().into()
}

/// The class, if what is in it must be retrieved before it is read.
fn cold_class(class: Option<&str>) -> Option<&str> {
    class.filter(|class| matches!(*class, "GLACIER" | "DEEP_ARCHIVE"))
}

/// What can be read at `now` of an object in this class.
pub(super) fn copy(class: Option<&str>, restore: Option<Restore>, now: SystemTime) -> Copy {
    match (cold_class(class), restore) {
        (None, _) => Copy::Hot,
        (Some(_), None) => Copy::Cold,
        (Some(_), Some(restore)) if now < restore.ready => Copy::Running,
        (Some(_), Some(restore)) => {
            let until = expiry(restore.ready, restore.days);
            if now < until { Copy::Until(until) } else { Copy::Cold }
        }
    }
}

impl Copy {
    /// Refuses to read what is cold.
    pub(super) fn readable(self) -> S3Result<()> {
        match self {
            Self::Hot | Self::Until(_) => Ok(()),
            Self::Cold | Self::Running => {
                Err(s3_error!(InvalidObjectState, "the operation is not valid for the object's storage class"))
            }
        }
    }

    /// The header `x-amz-restore`.
    pub(super) fn header(self) -> Option<String> {
        match self {
            Self::Hot | Self::Cold => None,
            Self::Running => Some(r#"ongoing-request="true""#.to_owned()),
            Self::Until(until) => {
                let until = Timestamp::try_from(until).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::UTC);
                let date = until.strftime("%a, %d %b %Y %H:%M:%S GMT");
                Some(format!(r#"ongoing-request="false", expiry-date="{date}""#))
            }
        }
    }
}

/// Asks for a copy; tells whether that is a retrieval (202) or was there already and stays longer now (200).
pub(super) fn request(
    class: Option<&str>,
    restore: Option<Restore>,
    (days, tier): (Option<i32>, &str),
    now: SystemTime,
) -> S3Result<(Restore, bool)> {
    let Some(cold) = cold_class(class) else {
        return Err(s3_error!(InvalidObjectState, "restore is not allowed for the object's storage class"));
    };
    let days = days.filter(|days| *days > 0).ok_or_else(|| s3_error!(MalformedXML, "a restore needs `Days`"))?;
    let takes = duration(cold, tier).ok_or_else(|| s3_error!(InvalidArgument, "{cold} has no tier {tier}"))?;
    let ready = now + takes;
    match (copy(class, restore, now), restore) {
        (Copy::Until(_), _) => Ok((Restore { ready: now, days }, false)),
        // A faster tier speeds a running one up; any other is refused.
        (Copy::Running, Some(running)) if ready >= running.ready => Err(s3_error!(RestoreAlreadyInProgress)),
        _ => Ok((Restore { ready, days }, true)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SystemTime {
        text.parse::<Timestamp>().unwrap().into()
    }

    fn of(restore: Option<Restore>, now: SystemTime) -> Copy {
        copy(Some("GLACIER"), restore, now)
    }

    #[test]
    fn a_copy_comes_after_hours_and_goes_at_a_midnight() {
        let asked = at("2026-11-21T20:00:00Z");
        assert_eq!((of(None, asked), of(None, asked).header()), (Copy::Cold, None));
        assert!(of(None, asked).readable().is_err());
        let (running, is_new) = request(Some("GLACIER"), None, (Some(1), "Standard"), asked).unwrap();
        assert!(is_new);
        assert_eq!(of(Some(running), asked).header().unwrap(), r#"ongoing-request="true""#);
        let again = request(Some("GLACIER"), Some(running), (Some(1), "Bulk"), asked).unwrap_err();
        assert_eq!(again.code().as_str(), "RestoreAlreadyInProgress");
        let ready = at("2026-11-22T01:00:00Z");
        assert!(of(Some(running), ready).readable().is_ok());
        let header = r#"ongoing-request="false", expiry-date="Tue, 24 Nov 2026 00:00:00 GMT""#;
        assert_eq!(of(Some(running), ready).header().unwrap(), header);
        assert_eq!(of(Some(running), at("2026-11-24T00:00:00Z")), Copy::Cold);
        let (longer, is_new) = request(Some("GLACIER"), Some(running), (Some(9), "Bulk"), ready).unwrap();
        assert!(!is_new, "it stays longer");
        assert_eq!(of(Some(longer), at("2026-11-30T00:00:00Z")), Copy::Until(at("2026-12-02T00:00:00Z")));
    }

    #[test]
    fn what_aws_refuses_is_refused() {
        let now = at("2026-11-21T20:00:00Z");
        for (class, days, tier, code) in [
            ("GLACIER", None, "Bulk", "MalformedXML"),
            ("GLACIER", Some(0), "Bulk", "MalformedXML"),
            ("DEEP_ARCHIVE", Some(1), "Expedited", "InvalidArgument"),
            ("GLACIER", Some(1), "Fast", "InvalidArgument"),
            ("GLACIER_IR", Some(1), "Bulk", "InvalidObjectState"),
        ] {
            let refused = request(Some(class), None, (days, tier), now).unwrap_err();
            assert_eq!(refused.code().as_str(), code, "{class} {tier}");
        }
        let (running, _) = request(Some("GLACIER"), None, (Some(1), "Bulk"), now).unwrap();
        let (_, is_new) = request(Some("GLACIER"), Some(running), (Some(1), "Expedited"), now).unwrap();
        assert!(is_new, "a faster tier speeds it up");
        assert_eq!(copy(Some("GLACIER_IR"), None, now), Copy::Hot);
    }
}
