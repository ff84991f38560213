//! Small stored documents, read whole up to a limit.

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use serde_json::Value;

use crate::error::{FormatError, StoreError};
use crate::key::Key;
use crate::manifest::FEATURES;
use crate::store::{StoreRead, StoreResult};
use crate::units;

/// Reads the object `key`, which may have up to `bytes_max` bytes.
///
/// # Errors
/// [`StoreError::NotFound`]; [`StoreError::Damaged`] if it is longer; what the store says.
pub async fn read(store: &dyn StoreRead, key: &Key, bytes_max: usize) -> StoreResult<Bytes> {
    read_within(store, key, bytes_max)
        .await?
        .ok_or_else(|| StoreError::Damaged { key: key.to_string(), what: too_large(bytes_max) })
}

/// What is said of a document that is longer than `bytes_max`.
pub(crate) fn too_large(bytes_max: usize) -> String {
    format!("it is larger than {}, the limit for such documents", units::bytes(bytes_max as u64))
}

/// As [`read`]; `None` if it is longer.
///
/// # Errors
/// What the store says.
pub(crate) async fn read_within(store: &dyn StoreRead, key: &Key, bytes_max: usize) -> StoreResult<Option<Bytes>> {
    let mut stream = store.get(key, None).await?;
    let mut whole = BytesMut::new();
    while let Some(chunk) = stream.try_next().await? {
        if whole.len() + chunk.len() > bytes_max {
            return Ok(None);
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(Some(whole.freeze()))
}

/// Parses a document and refuses what a newer version made, whatever else it holds.
///
/// # Errors
/// [`FormatError::Newer`], [`FormatError::Requires`] or [`FormatError::Invalid`], naming `key`.
pub(crate) fn parse(key: &Key, bytes: &[u8], supported: u64) -> Result<Value, FormatError> {
    let invalid = |what: String| FormatError::Invalid { key: key.to_string(), what };
    let value: Value = serde_json::from_slice(bytes).map_err(|error| invalid(error.to_string()))?;
    check(key, &value, supported)?;
    Ok(value)
}

/// Refuses a `format` newer than `supported`, and a feature in `requires` that this version does not know.
///
/// # Errors
/// As [`parse`].
pub(crate) fn check(key: &Key, document: &Value, supported: u64) -> Result<(), FormatError> {
    let invalid = |what: &str| FormatError::Invalid { key: key.to_string(), what: what.to_owned() };
    match document.get("format").and_then(Value::as_u64) {
        None => return Err(invalid("the `format` number is missing")),
        Some(found) if found > supported => {
            return Err(FormatError::Newer { key: key.to_string(), found, supported });
        }
        Some(_) => {}
    }
    let required = match document.get("requires") {
        None => return Ok(()),
        Some(Value::Array(required)) => required.iter().map(Value::as_str).collect::<Option<Vec<&str>>>(),
        Some(_) => None,
    };
    let required = required.ok_or_else(|| invalid("`requires` is not a list of names"))?;
    let unknown: Vec<String> =
        required.into_iter().filter(|name| !FEATURES.contains(name)).map(str::to_owned).collect();
    if unknown.is_empty() { Ok(()) } else { Err(FormatError::Requires { key: key.to_string(), features: unknown }) }
}
