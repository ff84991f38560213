//! Small stored documents, read whole up to a limit.

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use serde_json::Value;

use crate::error::{FormatError, StoreError};
use crate::key::Key;
use crate::store::{StoreRead, StoreResult};
use crate::units;

/// Reads the object `key`, which may have up to `bytes_max` bytes.
///
/// # Errors
/// [`StoreError::NotFound`]; [`StoreError::Damaged`] if it is longer; what the store says.
pub async fn read(store: &dyn StoreRead, key: &Key, bytes_max: usize) -> StoreResult<Bytes> {
    let mut stream = store.get(key, None).await?;
    let mut whole = BytesMut::new();
    while let Some(chunk) = stream.try_next().await? {
        if whole.len() + chunk.len() > bytes_max {
            return Err(StoreError::Damaged {
                key: key.to_string(),
                what: format!("it is larger than {}, the limit for such documents", units::bytes(bytes_max as u64)),
            });
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

/// Parses a document and refuses a `format` newer than `supported`, whatever else it holds.
///
/// # Errors
/// [`FormatError::Newer`] or [`FormatError::Invalid`], naming `key`.
pub(crate) fn parse(key: &Key, bytes: &[u8], supported: u64) -> Result<Value, FormatError> {
    let invalid = |what: String| FormatError::Invalid { key: key.to_string(), what };
    let value: Value = serde_json::from_slice(bytes).map_err(|error| invalid(error.to_string()))?;
    match value.get("format").and_then(Value::as_u64) {
        None => Err(invalid("the `format` number is missing".to_owned())),
        Some(found) if found > supported => Err(FormatError::Newer { key: key.to_string(), found, supported }),
        Some(_) => Ok(value),
    }
}
