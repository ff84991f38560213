//! Names of stored objects: validated, relative, with `/` between segments.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::StoreError;

/// Longest key in bytes. S3 allows 1,024 with its prefix (AWS, "Naming Amazon S3 objects"); the rest is for the prefix.
pub const KEY_BYTES_MAX: usize = 900;

/// Longest segment in bytes: what common file systems allow for one name.
pub const SEGMENT_BYTES_MAX: usize = 255;

/// A validated key: segments joined by `/`, none of them empty, `.` or `..`, no control characters, no backslash.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Key(String);

impl Key {
    /// Checks `text` and takes it as a key.
    ///
    /// # Errors
    /// [`StoreError::Invalid`], naming what is wrong and at which byte.
    pub fn new(text: impl Into<String>) -> Result<Self, StoreError> {
        let text = text.into();
        match fault(&text) {
            None => Ok(Self(text)),
            Some((position, what)) => {
                Err(StoreError::Invalid { what: format!("invalid key {text:?}: {what} at byte {position}") })
            }
        }
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// This key with `/` and `below` after it.
    ///
    /// # Errors
    /// As [`Key::new`].
    pub fn join(&self, below: &str) -> Result<Self, StoreError> {
        Self::new(format!("{}/{below}", self.0))
    }

    /// The last segment.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

fn fault(text: &str) -> Option<(usize, String)> {
    if text.len() > KEY_BYTES_MAX {
        return Some((KEY_BYTES_MAX, format!("longer than {KEY_BYTES_MAX} bytes")));
    }
    if let Some((position, found)) = text.char_indices().find(|(_, c)| c.is_control() || *c == '\\') {
        return Some((position, format!("the character {found:?} is not allowed")));
    }
    let mut position = 0;
    for segment in text.split('/') {
        let what = match segment {
            "" => Some("an empty segment".to_owned()),
            "." | ".." => Some(format!("the segment `{segment}`")),
            long if long.len() > SEGMENT_BYTES_MAX => Some(format!("a segment longer than {SEGMENT_BYTES_MAX} bytes")),
            _ => None,
        };
        if let Some(what) = what {
            return Some((position, what));
        }
        position += segment.len() + 1;
    }
    None
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Equality, order and hash of a key are those of its text, so that maps can be searched by prefixes that are no keys.
impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0
    }
}

impl TryFrom<String> for Key {
    type Error = StoreError;

    fn try_from(text: String) -> Result<Self, StoreError> {
        Self::new(text)
    }
}

impl FromStr for Key {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c14_hostile_keys_are_refused_with_their_position() {
        let long = "x".repeat(2_000);
        for (text, position) in [
            ("a/../b", 2),
            ("..", 0),
            ("a//b", 2),
            ("/a", 0),
            ("a/", 2),
            ("", 0),
            ("a\0b", 1),
            ("a\r\nb", 1),
            ("a\\b", 1),
            ("./a", 0),
            (long.as_str(), KEY_BYTES_MAX),
        ] {
            let error = Key::new(text).expect_err(text).to_string();
            assert!(error.ends_with(&format!("at byte {position}")), "{error}");
        }
    }

    #[test]
    fn unusual_but_harmless_keys_are_taken() {
        for text in ["pg/we\"ird é; drop/x.dump", "a/...", "a b/%2e%2e/c", "ü"] {
            assert_eq!(Key::new(text).unwrap().as_str(), text);
        }
    }
}
