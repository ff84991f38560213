//! XXH3-128 of a frame's stored bytes.
//!
//! A restore has read and SHA-256-hashed every whole object before it begins; what it reads again, frame by frame, it
//! only has to recognise as the same bytes. XXH3 does that at the speed of memory, where a second SHA-256 would be a
//! noticeable part of a dump's time.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

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

/// A hash in the making, of bytes that arrive cut anywhere.
#[derive(Default)]
pub struct FrameHasher(Box<Xxh3>);

impl FrameHasher {
    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all bytes taken.
    #[must_use]
    pub fn finish(&self) -> FrameHash {
        FrameHash(self.0.digest128())
    }
}

impl fmt::Debug for FrameHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FrameHasher")
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
    fn pieces_hash_as_the_whole_and_text_is_read_back() {
        let mut hasher = FrameHasher::default();
        for piece in [b"one ".as_slice(), b"", b"two"] {
            hasher.update(piece);
        }
        let hash = FrameHash::of(b"one two");
        assert_eq!(hasher.finish(), hash);
        assert_eq!(hash.to_string().parse::<FrameHash>().unwrap(), hash);
        assert!("ABCDEFABCDEFABCDEFABCDEFABCDEFAB".parse::<FrameHash>().is_err());
        assert_ne!(FrameHash::of(b"one tw0"), hash);
    }
}
