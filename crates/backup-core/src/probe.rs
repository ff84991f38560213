//! Checks that a store supports conditional writes before anything is written to it.
//!
//! The marker at the root of the location records the result. Creating a location creates the marker, tries to create it
//! again, which the store must refuse, and then notes in it that the store passed. Every later run only reads the marker.
//! Without it nothing is written, so that a mistyped name does not become a location. It also notes in which order the store
//! lists by itself, for whoever wants to know what kind of store it is; no decision depends on it.

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::document;
use crate::error::{CoreError, FormatError, StoreError};
use crate::failure::{Operation, Setting};
use crate::key::Key;
use crate::remedy;
use crate::store::{ListingOrder, PutMode, PutOptions, StoreRead, StoreWrite};

/// The marker's key.
pub const MARKER_KEY: &str = "lastgood.json";

/// The newest layout of a location this version reads and writes.
pub const LAYOUT_FORMAT: u64 = 1;

/// What tells a second attempt's bytes from the first one's.
const A_NANOSECOND: jiff::SignedDuration = jiff::SignedDuration::from_nanos(1);

/// Longest marker in bytes: ours have less than 100, the rest is room for later fields.
const MARKER_BYTES_MAX: usize = 64 * 1024;

/// What the marker at a location's root says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// Layout of the location, [`LAYOUT_FORMAT`].
    pub format: u64,
    /// When the location was first written to.
    pub created_at: Timestamp,
    /// Whether the store was seen to refuse a second create.
    #[serde(default)]
    pub atomic: bool,
    /// In which order the store was seen to list; absent if that was not looked at, or could not be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listing: Option<ListingOrder>,
}

/// Reads the marker; `None` if nothing of ours was ever written here. For readers: writes nothing.
///
/// # Errors
/// [`FormatError::Newer`] or [`FormatError::Invalid`]; what the store says.
pub async fn check(store: &dyn StoreRead) -> Result<Option<Marker>, CoreError> {
    let key = marker_key()?;
    match document::read(store, &key, MARKER_BYTES_MAX).await {
        Ok(bytes) => Ok(Some(parse(&key, &bytes)?)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The marker of a location that is to be changed, by which the store is known to publish atomically. For writers, before
/// anything else.
///
/// # Errors
/// [`StoreError::NotInitialized`] if there is no marker; otherwise as [`init`].
pub async fn require(store: &dyn StoreWrite) -> Result<Marker, CoreError> {
    match check(store).await? {
        Some(marker) if marker.atomic => Ok(marker),
        // The first proof failed or was cut short.
        Some(marker) => prove(store, &marker_key()?, &marker).await,
        None => Err(unmarked(store).into()),
    }
}

/// What it means that there is no marker.
#[must_use]
pub fn unmarked(store: &(impl StoreRead + ?Sized)) -> StoreError {
    StoreError::NotInitialized {
        location: store.describe(),
        what: format!("it has no `{MARKER_KEY}`"),
        help: remedy![
            "nothing was written. Choose another location with ",
            Setting::Location,
            ", or create this one with ",
            Operation::Init
        ],
    }
}

/// Writes the marker where there is none, and makes sure that the store publishes atomically. Looks at nothing else:
/// [`crate::location::Location::init`] does.
///
/// # Errors
/// [`StoreError::Unsuitable`] if it does not; otherwise as [`check`].
pub async fn init(store: &dyn StoreWrite, clock: &dyn Clock) -> Result<Marker, CoreError> {
    let key = marker_key()?;
    let marker = match check(store).await? {
        Some(marker) if marker.atomic => return Ok(marker),
        Some(marker) => marker,
        None => {
            let fresh = Marker { format: LAYOUT_FORMAT, created_at: clock.now(), atomic: false, listing: None };
            match create(store, &key, &fresh).await {
                Ok(()) => fresh,
                // Another first run was quicker; whoever comes second proves as much.
                Err(CoreError::Store(StoreError::AlreadyExists { .. })) => check(store).await?.unwrap_or(fresh),
                Err(error) => return Err(error),
            }
        }
    };
    prove(store, &key, &marker).await
}

async fn prove(store: &dyn StoreWrite, key: &Key, marker: &Marker) -> Result<Marker, CoreError> {
    // Other bytes than those stored, or a retry would take the refusal for its own earlier success.
    let second = Marker { created_at: marker.created_at + A_NANOSECOND, ..marker.clone() };
    match create(store, key, &second).await {
        Err(CoreError::Store(StoreError::AlreadyExists { .. })) => {}
        Err(error) => return Err(error),
        Ok(()) => {
            let how = format!("it created `{key}` a second time instead of refusing");
            return Err(unconditional(store, &how).into());
        }
    }
    let proved = Marker { atomic: true, listing: order(store).await, ..marker.clone() };
    put(store, key, &proved, PutMode::Replace).await?;
    Ok(proved)
}

/// The marker with the order in which the store lists, looked at now if it is not noted yet: locations of earlier versions have
/// no such note.
pub async fn with_order(store: &dyn StoreWrite, marker: Marker) -> Marker {
    if marker.listing.is_some() {
        return marker;
    }
    let noted = Marker { listing: order(store).await, ..marker };
    // Best effort: it spares the next one the look, and whoever may not write looks again.
    if let (Some(_), Ok(key)) = (noted.listing, marker_key())
        && let Err(error) = put(store, &key, &noted, PutMode::Replace).await
    {
        tracing::debug!(%error, "in which order the store lists could not be noted");
    }
    noted
}

/// In which order the store lists. Whoever may not list or write cannot see it, and need not: listings are checked as they arrive.
async fn order(store: &dyn StoreWrite) -> Option<ListingOrder> {
    match store.listing_order().await {
        Ok(order) => Some(order),
        Err(error) => {
            tracing::debug!(%error, "in which order the store lists is not known");
            None
        }
    }
}

/// Creates the marker. Some servers do not ignore a condition they do not know: they refuse the request for it, or fail.
async fn create(store: &dyn StoreWrite, key: &Key, marker: &Marker) -> Result<(), CoreError> {
    let error = match put(store, key, marker, PutMode::Create).await {
        Err(CoreError::Store(error)) if may_be_condition(&error) => error,
        done => return done,
    };
    if put(store, key, &Marker { atomic: false, ..marker.clone() }, PutMode::Replace).await.is_err() {
        // It is not the condition.
        return Err(error.into());
    }
    // A server that failed for a while takes both now. Other bytes than those stored, as in `prove`.
    let again = Marker { created_at: marker.created_at + A_NANOSECOND, ..marker.clone() };
    match put(store, key, &again, PutMode::Create).await {
        Err(CoreError::Store(error)) if may_be_condition(&error) => {
            let why = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_else(|| error.to_string());
            let how = format!("it takes `{key}` without a condition, and with one it answers `{why}`");
            Err(unconditional(store, &how).into())
        }
        done => done,
    }
}

/// Whether a create may have failed because of its condition, and not because the condition does not hold.
fn may_be_condition(error: &StoreError) -> bool {
    matches!(error, StoreError::Unsupported { .. } | StoreError::Busy { .. } | StoreError::Other { .. })
}

/// The store takes writes, and not conditional ones.
fn unconditional(store: &dyn StoreWrite, how: &str) -> StoreError {
    StoreError::Unsuitable {
        what: format!("`{}` does not support conditional writes: {how}", store.describe()),
        help: "no backup was written. Use a store with conditional writes (`If-None-Match: *`), such as Amazon S3, or a folder"
            .into(),
    }
}

async fn put(store: &dyn StoreWrite, key: &Key, marker: &Marker, mode: PutMode) -> Result<(), CoreError> {
    let body = serde_json::to_vec(marker)
        .map_err(|error| FormatError::Invalid { key: key.to_string(), what: error.to_string() })?;
    Ok(store.put(key, Bytes::from(body), &PutOptions::new(mode)).await?)
}

fn parse(key: &Key, bytes: &[u8]) -> Result<Marker, FormatError> {
    let value = document::parse(key, bytes, LAYOUT_FORMAT)?;
    serde_json::from_value(value)
        .map_err(|error| FormatError::Invalid { key: key.to_string(), what: error.to_string() })
}

fn marker_key() -> Result<Key, StoreError> {
    Key::new(MARKER_KEY)
}

#[cfg(test)]
mod tests;
