//! Moments as S3 tells them.

use aws_sdk_s3::primitives::DateTime;
use jiff::Timestamp;

/// A moment as we write it; the epoch where the server does not tell or what it tells is none.
pub(super) fn timestamp(time: Option<&DateTime>) -> Timestamp {
    time.and_then(moment).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A moment as we write it.
pub(super) fn moment(time: &DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}
