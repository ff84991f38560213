//! SHA-256 digests, and the one text form of every digest and hash.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A SHA-256 digest (FIPS 180-4); text form is 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Sha256Digest([u8; 32]);

impl Sha256Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digests of two pieces, made together: see [`Sha256Pair`].
    #[must_use]
    pub fn of_two(one: &[u8], other: &[u8]) -> [Self; 2] {
        let mut pair = Sha256Pair::default();
        pair.update(one, other);
        pair.finish()
    }

    /// The digest that these bytes are.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest itself.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A digest in the making.
#[derive(Clone, Debug, Default)]
pub struct Sha256Hasher(Sha256);

impl Sha256Hasher {
    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes taken.
    #[must_use]
    pub fn finish(self) -> Sha256Digest {
        Sha256Digest(self.0.finalize().into())
    }
}

/// Bytes that SHA-256 takes in one step (FIPS 180-4, section 1).
const STEP_BYTES: usize = 64;

/// Two digests in the making, faster together than one after the other: each step of SHA-256 waits for the result of the
/// one before, and a processor with instructions for it does a step of the other digest meanwhile, if that comes next.
#[derive(Clone, Debug, Default)]
pub struct Sha256Pair(Sha256, Sha256);

impl Sha256Pair {
    /// Takes more bytes for each. What one has more than the other is hashed alone.
    pub fn update(&mut self, one: &[u8], other: &[u8]) {
        let (ones, others) = (one.as_chunks::<STEP_BYTES>().0, other.as_chunks::<STEP_BYTES>().0);
        for (one, other) in ones.iter().zip(others) {
            self.0.update(one);
            self.1.update(other);
        }
        let together = ones.len().min(others.len()) * STEP_BYTES;
        self.0.update(&one[together..]);
        self.1.update(&other[together..]);
    }

    /// The digest of all bytes taken for the first, which begins anew.
    pub fn take_first(&mut self) -> Sha256Digest {
        Sha256Digest(self.0.finalize_reset().into())
    }

    /// The digests of all bytes taken.
    #[must_use]
    pub fn finish(self) -> [Sha256Digest; 2] {
        [self.0, self.1].map(|hasher| Sha256Digest(hasher.finalize().into()))
    }
}

impl From<[u8; 32]> for Sha256Digest {
    fn from(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

impl From<Sha256Digest> for [u8; 32] {
    fn from(digest: Sha256Digest) -> Self {
        digest.0
    }
}

crate::hex_text!(Sha256Digest, 32);

/// Text that is not a digest or hash of so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {} lower-case hexadecimal digits", 2 * bytes)]
pub struct InvalidHex {
    /// How many bytes it has.
    pub bytes: usize,
}

/// Reads a digest or hash of `N` bytes: two lower-case hexadecimal digits each, and nothing else.
///
/// # Errors
/// [`InvalidHex`] for any other text, so that one value has one text.
pub fn from_hex<const N: usize>(text: &str) -> Result<[u8; N], InvalidHex> {
    let text = text.as_bytes();
    if text.len() != 2 * N {
        return Err(InvalidHex { bytes: N });
    }
    let nibble = |byte: u8| match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        _ => Err(InvalidHex { bytes: N }),
    };
    let mut digest = [0; N];
    for (out, pair) in digest.iter_mut().zip(text.chunks_exact(2)) {
        *out = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Ok(digest)
}

/// Gives a digest or hash of so many bytes, which converts to and from an array of them, its one text form: for `Display`,
/// `Debug`, [`FromStr`](std::str::FromStr), and serde by `#[serde(into = "String", try_from = "String")]`.
#[macro_export]
macro_rules! hex_text {
    ($type:ty, $bytes:literal) => {
        impl ::std::fmt::Display for $type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                <[u8; $bytes]>::from(*self).iter().try_for_each(|byte| ::std::write!(f, "{byte:02x}"))
            }
        }

        impl ::std::fmt::Debug for $type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(self, f)
            }
        }

        impl ::std::convert::From<$type> for ::std::string::String {
            fn from(value: $type) -> Self {
                ::std::string::ToString::to_string(&value)
            }
        }

        impl ::std::convert::TryFrom<::std::string::String> for $type {
            type Error = $crate::digest::InvalidHex;

            fn try_from(text: ::std::string::String) -> ::std::result::Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl ::std::str::FromStr for $type {
            type Err = $crate::digest::InvalidHex;

            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                $crate::digest::from_hex::<$bytes>(text).map(Self::from)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_input_has_the_published_digest() {
        let published = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Sha256Digest::of(b"").to_string(), published);
        assert_eq!(published.parse::<Sha256Digest>().unwrap(), Sha256Digest::of(b""));
    }

    #[test]
    fn two_together_have_the_digests_that_each_has_alone() {
        let bytes: Vec<u8> = (0..1000).map(|at| (at * 31 % 251) as u8).collect();
        for (one, other) in [(0, 0), (64, 64), (63, 1000), (640, 65), (1000, 999)] {
            let (one, other) = (&bytes[..one], &bytes[1000 - other..]);
            let alone = [Sha256Digest::of(one), Sha256Digest::of(other)];
            assert_eq!(Sha256Digest::of_two(one, other), alone, "{} and {}", one.len(), other.len());
            let mut by_and_by = Sha256Pair::default();
            let (first, further) = (one.split_at(one.len() / 3), other.split_at(other.len() / 2));
            by_and_by.update(first.0, further.0);
            by_and_by.update(first.1, further.1);
            assert_eq!(by_and_by.finish(), alone);
        }
    }

    #[test]
    fn upper_case_and_short_texts_are_refused() {
        assert!("E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855".parse::<Sha256Digest>().is_err());
        assert!("e3b0".parse::<Sha256Digest>().is_err());
    }
}
