//! Whether the location can be written to, and what lies about in it.

use backup_core::location::{Access, Location};
use backup_core::probe::{self, Marker};
use backup_core::store::SharedStore;
use jiff::{SignedDuration, Timestamp};

use crate::findings::{Failure, Finding, Found, Subject};

/// An upload that still stores nothing after a day belongs to nobody any more: the longest runs take hours.
const UPLOAD_AGE_MAX: SignedDuration = SignedDuration::from_hours(24);

/// Looks at `location`. A proof of conditional writes that failed or was cut short is tried again, in the marker that is
/// there anyway, and so is in which order the store lists where that is not noted; nothing else is written.
pub async fn location(location: &Location, access: &Access, now: Timestamp) -> Vec<Finding> {
    let about = |result: Result<Found, Failure>| Finding::of(Subject::Location, result);
    let store = match location.open_with(access).await {
        Ok(store) => store,
        Err(error) => return vec![about(Err(error.into()))],
    };
    let mut findings: Vec<Finding> =
        location.exposure().map(|exposure| about(Ok(Found::Exposed(exposure)))).into_iter().collect();
    match probe::require(&*store).await {
        Err(error) => findings.push(about(Err(error.into()))),
        Ok(marker) => {
            findings.push(about(Ok(reachable(location, &store, marker).await)));
            findings.push(about(uploads(&store, now).await));
        }
    }
    findings
}

/// What kind of store it is, and whether it takes anything.
async fn reachable(location: &Location, store: &SharedStore, marker: Marker) -> Found {
    let format = marker.format;
    // The lock that every replacement takes is touched. A bucket is not asked: that may need a right of its own.
    if let Location::File(_) = location
        && let Err(failure) = store.now().await
    {
        return Found::ReadOnly { location: store.describe(), failure };
    }
    let listing = match location {
        Location::S3 { .. } => probe::with_order(&**store, marker).await.listing,
        _ => None,
    };
    Found::Reachable { location: store.describe(), format, listing }
}

async fn uploads(store: &SharedStore, now: Timestamp) -> Result<Found, Failure> {
    let uploads = match store.unfinished("").await {
        Err(error) if error.is_unsupported() => return Ok(Found::UploadsUnknown { why: error.to_string() }),
        found => found?,
    };
    let old = uploads.iter().filter(|upload| now.duration_since(upload.started) > UPLOAD_AGE_MAX).count();
    Ok(Found::Uploads { old: old as u64, age_min: UPLOAD_AGE_MAX })
}
