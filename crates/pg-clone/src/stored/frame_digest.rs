//! BLAKE3 of a frame's stored bytes.
//!
//! A restore reads frames twice: once to check them before it creates a database, once to load them. Whoever can write to
//! the location can change an object in between, so the second reading needs a hash that nobody can make other bytes fit.
//! SHA-256 has that property too and would take a noticeable part of a dump's time; see `examples/frame_digests.rs`.

use serde::{Deserialize, Serialize};

/// The digest of a frame; text form is 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct FrameDigest(pub(super) blake3::Hash);

impl FrameDigest {
    /// The digest of `stored`.
    #[must_use]
    pub fn of(stored: &[u8]) -> Self {
        Self(blake3::hash(stored))
    }
}

/// A digest in the making, of bytes that arrive cut anywhere.
#[derive(Default)]
pub(crate) struct FrameDigester(Box<blake3::Hasher>);

impl FrameDigester {
    /// Takes more bytes; pieces of 16 KiB and more are hashed in the processor's wide registers.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes taken. Afterwards it begins anew.
    pub(crate) fn finish(&mut self) -> FrameDigest {
        let digest = FrameDigest(self.0.finalize());
        self.0.reset();
        digest
    }
}

impl From<[u8; 32]> for FrameDigest {
    fn from(digest: [u8; 32]) -> Self {
        Self(digest.into())
    }
}

impl From<FrameDigest> for [u8; 32] {
    fn from(digest: FrameDigest) -> Self {
        digest.0.into()
    }
}

backup_core::hex_text!(FrameDigest, 32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_have_the_digest_of_the_whole_and_text_is_read_back() {
        let mut digester = FrameDigester::default();
        for _ in 0..2 {
            for piece in [b"one ".as_slice(), b"", b"two"] {
                digester.update(piece);
            }
            assert_eq!(digester.finish(), FrameDigest::of(b"one two"), "also when it begins anew");
        }
        let digest = FrameDigest::of(b"one two");
        assert_eq!(digest.to_string().parse::<FrameDigest>().unwrap(), digest);
        assert!(digest.to_string().to_uppercase().parse::<FrameDigest>().is_err());
        assert!("af1349b9".parse::<FrameDigest>().is_err());
        // What the paper's own program says of nothing.
        assert!(FrameDigest::of(b"").to_string().starts_with("af1349b9f5f9a1a6a0404dea36dcc949"));
    }
}
