//! Finds out in which order a server lists, by an object that stands elsewhere in each order.

use bytes::Bytes;

use super::bucket::Bucket;
use super::{delete, listing, write};
use crate::error::StoreError;
use crate::key::Key;
use crate::probe::MARKER_KEY;
use crate::store::{ListingOrder, PutMode, PutOptions, StoreResult};

/// By key it comes after the marker `lastgood.json`, because `.` comes before `/`. Folder by folder it comes before it, because
/// the folder `lastgood` comes before that name.
const TELLTALE: &str = "lastgood/order";

/// What both names begin with.
const PREFIX: &str = "lastgood";

pub(super) async fn order(bucket: &Bucket) -> StoreResult<ListingOrder> {
    // Amazon's is known (AWS, "ListObjectsV2"), and checked as pages arrive.
    if bucket.place.endpoint.is_none() {
        return Ok(ListingOrder::ByKey);
    }
    let key = Key::new(TELLTALE)?;
    let body = Bytes::from_static(b"lastgood tells by this object in which order the server lists, and deletes it\n");
    write::put(bucket, &key, body, &PutOptions::new(PutMode::Replace)).await?;
    let listed = listing::as_listed(bucket, PREFIX).await;
    // Best effort: whoever may not delete leaves one small object, which nothing reads and the next attempt replaces.
    if let Err(error) = delete::keys(bucket, &[key]).await {
        tracing::debug!(%error, "`{TELLTALE}` could not be deleted");
    }
    told(&listed?)
}

/// The order of names as they were listed.
fn told(names: &[String]) -> StoreResult<ListingOrder> {
    let place = |wanted: &str| {
        let found = names.iter().position(|name| name == wanted);
        found.ok_or_else(|| StoreError::NotFound { key: wanted.to_owned() })
    };
    Ok(if place(MARKER_KEY)? < place(TELLTALE)? { ListingOrder::ByKey } else { ListingOrder::ByFolder })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_told_by_which_comes_first() {
        let names = |names: [&str; 2]| names.map(str::to_owned);
        assert!(MARKER_KEY < TELLTALE, "by key");
        assert_eq!(told(&names([MARKER_KEY, TELLTALE])).unwrap(), ListingOrder::ByKey);
        assert_eq!(told(&names([TELLTALE, MARKER_KEY])).unwrap(), ListingOrder::ByFolder);
        assert!(told(&names([MARKER_KEY, "lastgood.txt"])).unwrap_err().is_not_found(), "a listing that lags");
    }
}
