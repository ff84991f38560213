//! Checks that a store supports conditional writes before anything is written to it.
//!
//! The marker at the root of the location records the result. Creating a location creates the marker, tries to create it
//! again, which the store must refuse, and then notes in it that the store passed. Every later run only reads the marker.
//! Without it nothing is written, so that a mistyped name does not become a location.

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::document;
use crate::error::{CoreError, FormatError, StoreError};
use crate::failure::{Operation, Setting};
use crate::key::Key;
use crate::remedy;
use crate::store::{PutMode, PutOptions, StoreRead, StoreWrite};

/// The marker's key.
pub const MARKER_KEY: &str = "lastgood.json";

/// The newest layout of a location this version reads and writes.
pub const LAYOUT_FORMAT: u64 = 1;

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
            let fresh = Marker { format: LAYOUT_FORMAT, created_at: clock.now(), atomic: false };
            match put(store, &key, &fresh, PutMode::Create).await {
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
    let second = Marker { created_at: marker.created_at + jiff::SignedDuration::from_nanos(1), ..marker.clone() };
    match put(store, key, &second, PutMode::Create).await {
        Err(CoreError::Store(StoreError::AlreadyExists { .. })) => {}
        Err(error) => return Err(error),
        Ok(()) => {
            return Err(StoreError::Unsuitable {
                what: format!(
                    "`{}` does not support conditional writes: it created `{key}` a second time instead of refusing",
                    store.describe()
                ),
                help:
                    "no backup was written. Use a store with conditional writes (`If-None-Match: *`), such as Amazon \
                       S3, or a folder"
                        .into(),
            }
            .into());
        }
    }
    let proved = Marker { atomic: true, ..marker.clone() };
    put(store, key, &proved, PutMode::Replace).await?;
    Ok(proved)
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
