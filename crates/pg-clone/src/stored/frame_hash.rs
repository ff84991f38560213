//! XXH3-128 of a frame's stored bytes.
//!
//! It finds damage and no forgery. It stays in manifests because earlier versions check frames by it and refuse one without
//! it; this version does so only where a frame has no [`FrameDigest`](super::frame_digest::FrameDigest).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

/// The hash of a frame; text form is 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct FrameHash(u128);

impl FrameHash {
    /// The hash of `stored`.
    #[must_use]
    pub fn of(stored: &[u8]) -> Self {
        Self(xxh3_128(stored))
    }
}

impl From<u128> for FrameHash {
    fn from(hash: u128) -> Self {
        Self(hash)
    }
}

impl fmt::Display for FrameHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for FrameHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<FrameHash> for String {
    fn from(hash: FrameHash) -> Self {
        hash.to_string()
    }
}

/// Text that is not a frame's hash.
#[derive(Debug, thiserror::Error)]
#[error("not a hash of 32 lower-case hexadecimal digits")]
pub struct InvalidFrameHash;

impl TryFrom<String> for FrameHash {
    type Error = InvalidFrameHash;

    fn try_from(text: String) -> Result<Self, InvalidFrameHash> {
        text.parse()
    }
}

impl FromStr for FrameHash {
    type Err = InvalidFrameHash;

    fn from_str(text: &str) -> Result<Self, InvalidFrameHash> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != 32 || !digits {
            return Err(InvalidFrameHash);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| InvalidFrameHash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_back() {
        let hash = FrameHash::of(b"one two");
        assert_eq!(hash.to_string().parse::<FrameHash>().unwrap(), hash);
        assert!("ABCDEFABCDEFABCDEFABCDEFABCDEFAB".parse::<FrameHash>().is_err());
        assert_ne!(FrameHash::of(b"one tw0"), hash);
    }
}
