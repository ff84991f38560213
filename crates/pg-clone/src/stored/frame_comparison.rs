//! Compares stored bytes with the strongest hash that a manifest has of them.

use xxhash_rust::xxh3::Xxh3;

use crate::stored::detail::Frame;
use crate::stored::frame_digest::FrameDigest;
use crate::stored::frame_hash::FrameHash;

/// A frame's stored bytes on their way to being compared with the strongest hash that its manifest has of them.
pub(crate) enum FrameComparison {
    /// What dumps of this version have.
    Blake3(Box<blake3::Hasher>, FrameDigest),
    /// All that dumps of earlier versions have: it finds damage, and no forgery.
    Xxh3(Box<Xxh3>, FrameHash),
}

impl FrameComparison {
    /// The comparison with what `frame` says.
    pub(crate) fn with(frame: &Frame) -> Self {
        match frame.blake3 {
            Some(digest) => Self::Blake3(Box::default(), digest),
            None => Self::Xxh3(Box::default(), frame.xxh3),
        }
    }

    /// Takes more bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Blake3(hasher, _) => drop(hasher.update(bytes)),
            Self::Xxh3(hasher, _) => hasher.update(bytes),
        }
    }

    /// Whether the bytes taken are those that were dumped.
    pub(crate) fn is_same(&self) -> bool {
        match self {
            Self::Blake3(hasher, digest) => hasher.finalize() == digest.0,
            Self::Xxh3(hasher, hash) => FrameHash::from(hasher.digest128()) == *hash,
        }
    }
}

impl Frame {
    /// Whether `stored` are the bytes that were dumped.
    pub(crate) fn is_same(&self, stored: &[u8]) -> bool {
        let mut comparison = FrameComparison::with(self);
        comparison.update(stored);
        comparison.is_same()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stored: &[u8], blake3: Option<FrameDigest>) -> Frame {
        let length = stored.len() as u64;
        Frame {
            part: 1,
            offset: 0,
            length,
            content_bytes: 1,
            rows: 1,
            xxh3: FrameHash::of(stored),
            blake3,
            content_sha256: None,
        }
    }

    #[test]
    fn bytes_that_only_fit_xxh3_are_not_the_same() {
        let (dumped, other) = (b"dumped".as_slice(), b"forged".as_slice());
        // Stands for bytes made to fit: XXH3 promises nothing against whoever chooses them.
        let forged = Frame { xxh3: FrameHash::of(other), ..frame(dumped, Some(FrameDigest::of(dumped))) };
        assert!(forged.is_same(dumped));
        assert!(!forged.is_same(other));
    }

    #[test]
    fn frames_of_earlier_versions_are_compared_by_what_they_have() {
        let old = frame(b"dumped", None);
        assert!(old.is_same(b"dumped"));
        assert!(!old.is_same(b"dumpeD"));
    }
}
