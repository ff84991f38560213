//! XXH3-128 of a frame's stored bytes.
//!
//! It finds damage and no forgery. It stays in manifests because earlier versions check frames by it and refuse one without
//! it; this version does so only where a frame has no [`FrameDigest`](super::frame_digest::FrameDigest).

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

impl From<[u8; 16]> for FrameHash {
    fn from(hash: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(hash))
    }
}

impl From<FrameHash> for [u8; 16] {
    fn from(hash: FrameHash) -> Self {
        hash.0.to_be_bytes()
    }
}

backup_core::hex_text!(FrameHash, 16);

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
