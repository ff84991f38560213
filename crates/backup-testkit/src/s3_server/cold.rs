//! Cold storage: what must be retrieved before it is read, how long that takes, and when the copy expires.
//!
//! Durations are the longest that AWS names ("Archive retrieval options"). Only retrievals go by the virtual clock, which
//! a test moves on: signatures and times of objects stay real.

use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use s3s::{S3Result, s3_error};

use super::backend::Object;

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

impl Object {
    fn cold_class(&self) -> Option<&str> {
        self.attributes.storage_class.as_deref().filter(|class| matches!(*class, "GLACIER" | "DEEP_ARCHIVE"))
    }

    /// What can be read of it at `now`.
    pub(super) fn copy(&self, now: SystemTime) -> Copy {
        match (self.cold_class(), self.restore) {
            (None, _) => Copy::Hot,
            (Some(_), None) => Copy::Cold,
            (Some(_), Some(restore)) if now < restore.ready => Copy::Running,
            (Some(_), Some(restore)) => {
                let until = expiry(restore.ready, restore.days);
                if now < until { Copy::Until(until) } else { Copy::Cold }
            }
        }
    }

    /// Refuses to read what is cold.
    pub(super) fn readable(&self, now: SystemTime) -> S3Result<()> {
        match self.copy(now) {
            Copy::Hot | Copy::Until(_) => Ok(()),
            Copy::Cold | Copy::Running => {
                Err(s3_error!(InvalidObjectState, "the operation is not valid for the object's storage class"))
            }
        }
    }

    /// The header `x-amz-restore`.
    pub(super) fn restore_header(&self, now: SystemTime) -> Option<String> {
        match self.copy(now) {
            Copy::Hot | Copy::Cold => None,
            Copy::Running => Some(r#"ongoing-request="true""#.to_owned()),
            Copy::Until(until) => {
                let until = Timestamp::try_from(until).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::UTC);
                let date = until.strftime("%a, %d %b %Y %H:%M:%S GMT");
                Some(format!(r#"ongoing-request="false", expiry-date="{date}""#))
            }
        }
    }

    /// Asks for a copy; tells whether that is a retrieval (202) or was there already and stays longer now (200).
    pub(super) fn request(&mut self, days: Option<i32>, tier: &str, now: SystemTime) -> S3Result<bool> {
        let copy = self.copy(now);
        let Some(class) = self.cold_class() else {
            return Err(s3_error!(InvalidObjectState, "restore is not allowed for the object's storage class"));
        };
        let days = days.filter(|days| *days > 0).ok_or_else(|| s3_error!(MalformedXML, "a restore needs `Days`"))?;
        let takes = duration(class, tier).ok_or_else(|| s3_error!(InvalidArgument, "{class} has no tier {tier}"))?;
        let ready = now + takes;
        match (copy, self.restore) {
            (Copy::Until(_), _) => {
                self.restore = Some(Restore { ready: now, days });
                Ok(false)
            }
            // A faster tier speeds a running one up; any other is refused.
            (Copy::Running, Some(running)) if ready >= running.ready => Err(s3_error!(RestoreAlreadyInProgress)),
            _ => {
                self.restore = Some(Restore { ready, days });
                Ok(true)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::backend::Attributes;
    use super::super::body::Segment;
    use super::*;

    fn object(class: &str) -> Object {
        let attributes = Attributes { storage_class: Some(class.to_owned()), ..Attributes::default() };
        Object::of(Segment::new(bytes::Bytes::from_static(b"x"), None).unwrap(), attributes)
    }

    fn at(text: &str) -> SystemTime {
        text.parse::<Timestamp>().unwrap().into()
    }

    #[test]
    fn a_copy_comes_after_hours_and_goes_at_a_midnight() {
        let mut object = object("GLACIER");
        let asked = at("2026-11-21T20:00:00Z");
        assert_eq!((object.copy(asked), object.restore_header(asked)), (Copy::Cold, None));
        assert!(object.readable(asked).is_err());
        assert!(object.request(Some(1), "Standard", asked).unwrap());
        assert_eq!(object.restore_header(asked).unwrap(), r#"ongoing-request="true""#);
        assert_eq!(object.request(Some(1), "Bulk", asked).unwrap_err().code().as_str(), "RestoreAlreadyInProgress");
        let ready = at("2026-11-22T01:00:00Z");
        assert!(object.readable(ready).is_ok());
        let header = r#"ongoing-request="false", expiry-date="Tue, 24 Nov 2026 00:00:00 GMT""#;
        assert_eq!(object.restore_header(ready).unwrap(), header);
        assert_eq!(object.copy(at("2026-11-24T00:00:00Z")), Copy::Cold);
        assert!(!object.request(Some(9), "Bulk", ready).unwrap(), "it stays longer");
        assert_eq!(object.copy(at("2026-11-30T00:00:00Z")), Copy::Until(at("2026-12-02T00:00:00Z")));
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
            let refused = object(class).request(days, tier, now).unwrap_err();
            assert_eq!(refused.code().as_str(), code, "{class} {tier}");
        }
        let mut running = object("GLACIER");
        running.request(Some(1), "Bulk", now).unwrap();
        assert!(running.request(Some(1), "Expedited", now).unwrap(), "a faster tier speeds it up");
        assert_eq!(object("GLACIER_IR").copy(now), Copy::Hot);
    }
}
