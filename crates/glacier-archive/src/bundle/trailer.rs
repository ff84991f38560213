//! The index at the end of a bundle, and the trailer that finds it.

use std::ops::Range;

use backup_core::digest::Sha256Digest;
use bytes::{BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::entry::Entry;

/// Begins the trailer; the digit is the format.
const MAGIC: &[u8; 8] = b"LGBNDL1\n";

/// Bytes of the trailer: magic, the index's length (little-endian), and its SHA-256.
pub const TRAILER_BYTES: usize = 8 + 8 + 32;

/// A file in a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The file.
    #[serde(flatten)]
    pub entry: Entry,
    /// Where its content begins in the bundle.
    pub offset: u64,
}

/// Bytes that are no trailer or index of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no bundle of this version: {0}")]
pub struct DamagedBundle(pub String);

/// The index and the trailer of these members.
pub(super) fn written(members: &[Member]) -> Result<Bytes, serde_json::Error> {
    let index = serde_json::to_vec(members)?;
    let mut bytes = BytesMut::with_capacity(index.len() + TRAILER_BYTES);
    bytes.extend_from_slice(&index);
    bytes.extend_from_slice(MAGIC);
    bytes.put_u64_le(index.len() as u64);
    bytes.extend_from_slice(Sha256Digest::of(&index).as_bytes());
    Ok(bytes.freeze())
}

/// Where the index lies in a bundle of `bytes` bytes whose last [`TRAILER_BYTES`] are `trailer`.
///
/// # Errors
/// [`DamagedBundle`].
pub fn index_range(trailer: &[u8], bytes: u64) -> Result<Range<u64>, DamagedBundle> {
    let damaged = |what: &str| DamagedBundle(what.to_owned());
    let fields: &[u8; TRAILER_BYTES] = trailer.try_into().map_err(|_| damaged("its trailer is too short"))?;
    if fields[..8] != MAGIC[..] {
        return Err(damaged("its trailer does not begin as one"));
    }
    let length = fields[8..16].iter().rev().fold(0, |length: u64, byte| length << 8 | u64::from(*byte));
    let end = bytes.checked_sub(TRAILER_BYTES as u64);
    let start = end.and_then(|end| end.checked_sub(length));
    start.zip(end).map(|(start, end)| start..end).ok_or_else(|| damaged("its index would be larger than it is"))
}

/// The members that `index` lists, if it is the one of the trailer.
///
/// # Errors
/// [`DamagedBundle`].
pub fn read_index(index: &[u8], trailer: &[u8]) -> Result<Vec<Member>, DamagedBundle> {
    if trailer.get(16..TRAILER_BYTES) != Some(&Sha256Digest::of(index).as_bytes()[..]) {
        return Err(DamagedBundle("its index does not have the digest of the trailer".to_owned()));
    }
    serde_json::from_slice(index).map_err(|error| DamagedBundle(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cut_or_changed_is_refused() {
        let members = vec![Member { entry: Entry::example("a", b"x"), offset: 0 }];
        let tail = written(&members).unwrap();
        let (index, trailer) = tail.split_at(tail.len() - TRAILER_BYTES);
        assert_eq!(read_index(index, trailer).unwrap(), members);
        let total = tail.len() as u64;
        assert_eq!(index_range(trailer, total).unwrap(), 0..index.len() as u64);
        assert!(index_range(&trailer[1..], total).is_err());
        assert!(index_range(trailer, TRAILER_BYTES as u64).is_err(), "an index longer than the bundle");
        let mut other = trailer.to_vec();
        other[0] ^= 1;
        assert!(index_range(&other, total).is_err());
        let mut changed = index.to_vec();
        changed[2] ^= 1;
        assert!(read_index(&changed, trailer).is_err());
    }
}
