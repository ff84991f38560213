//! The index of a segment: which blocks 32 GiB of a volume have, and where each is stored.

use std::collections::BTreeMap;

use backup_core::FormatError;
use backup_core::digest::Sha256Digest;
use backup_core::key::Key;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::BLOCK_BYTES;
use crate::error::{Ec2Error, Ec2Result};

/// Blocks of a segment: 32 GiB of a volume. Its index in memory stays below 8 MiB, whatever the size of the volume.
pub(super) const SEGMENT_BLOCKS: u32 = 65_536;

/// Longest index in bytes as it is stored, and unpacked: an entry has at most 120 bytes.
pub(super) const INDEX_STORED_MAX: u64 = 16 * 1024 * 1024;
const INDEX_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The format of an index that this version writes and reads.
const FORMAT: u64 = 1;

/// zstd's usual level: an index is small.
const LEVEL: i32 = 3;

/// Where a block is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The digest of its 512 KiB.
    pub(super) sha256: Sha256Digest,
    /// The pack.
    pub(super) pack: Key,
    /// Where its zstd frame begins in the pack.
    pub(super) offset: u64,
    /// How long the frame is.
    pub(super) length: u32,
}

/// Blocks by their index.
pub(super) type Segment = BTreeMap<u32, Place>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u64,
    first: u32,
    packs: Vec<Key>,
    /// Index, digest, position in `packs`, offset, length.
    blocks: Vec<(u32, Sha256Digest, u32, u64, u32)>,
}

/// The index as it is stored.
pub(super) fn write(first: u32, segment: &Segment) -> Ec2Result<Bytes> {
    let mut packs: Vec<Key> = segment.values().map(|place| place.pack.clone()).collect();
    packs.sort();
    packs.dedup();
    let number = |key: &Key| packs.binary_search(key).ok().and_then(|at| u32::try_from(at).ok()).unwrap_or(u32::MAX);
    let blocks = segment
        .iter()
        .map(|(index, place)| (*index, place.sha256, number(&place.pack), place.offset, place.length))
        .collect();
    let json = serde_json::to_vec(&Stored { format: FORMAT, first, packs, blocks });
    let packed = json.map_err(std::io::Error::from).and_then(|json| zstd::bulk::compress(&json, LEVEL));
    packed.map(Bytes::from).map_err(|source| Ec2Error::Io {
        action: "compress",
        path: format!("index {first}"),
        source,
    })
}

/// Reads a stored index, of the object `key`.
pub(super) fn read(key: &Key, first: u32, stored: &[u8]) -> Ec2Result<Segment> {
    let invalid = |what: String| Ec2Error::from(FormatError::Invalid { key: key.to_string(), what });
    let json = zstd::bulk::decompress(stored, INDEX_BYTES_MAX).map_err(|error| invalid(error.to_string()))?;
    let stored: Stored = serde_json::from_slice(&json).map_err(|error| invalid(error.to_string()))?;
    if stored.format != FORMAT {
        return Err(invalid(format!("its format is {}", stored.format)));
    }
    let mut segment = Segment::new();
    for (index, sha256, pack, offset, length) in stored.blocks {
        let pack = stored.packs.get(pack as usize).cloned();
        let within = stored.first == first && (first..first.saturating_add(SEGMENT_BLOCKS)).contains(&index);
        let Some(pack) = pack.filter(|_| within) else {
            return Err(invalid(format!("block {index} is not where it can be")));
        };
        if segment.insert(index, Place { sha256, pack, offset, length }).is_some() {
            return Err(invalid(format!("block {index} is there twice")));
        }
    }
    Ok(segment)
}

/// Unpacks a block's frame and compares its digest.
pub(super) fn unpack(place: &Place, frame: &[u8]) -> Result<Vec<u8>, String> {
    let bytes = zstd::bulk::decompress(frame, BLOCK_BYTES).map_err(|error| error.to_string())?;
    let found = Sha256Digest::of(&bytes);
    match bytes.len() {
        BLOCK_BYTES if found == place.sha256 => Ok(bytes),
        BLOCK_BYTES => Err(format!("its SHA-256 is {found} instead of {}", place.sha256)),
        other => Err(format!("it has {other} bytes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(pack: &str, offset: u64) -> Place {
        Place { sha256: Sha256Digest::of(pack.as_bytes()), pack: Key::new(pack).unwrap(), offset, length: 9 }
    }

    #[test]
    fn an_index_is_read_as_it_was_written() {
        let first = SEGMENT_BLOCKS;
        let segment = Segment::from([(first, place("b", 0)), (first + 7, place("a", 9)), (first + 9, place("b", 9))]);
        let key = Key::new("index").unwrap();
        let stored = write(first, &segment).unwrap();
        assert_eq!(read(&key, first, &stored).unwrap(), segment);
        assert!(read(&key, 0, &stored).is_err());
        assert!(read(&key, first, &stored[1..]).is_err());
    }

    #[test]
    fn a_block_is_whole_and_itself() {
        let block = vec![7; BLOCK_BYTES];
        let place = Place { sha256: Sha256Digest::of(&block), ..place("p", 0) };
        let packed = |bytes: &[u8]| zstd::bulk::compress(bytes, 1).unwrap();
        assert_eq!(unpack(&place, &packed(&block)), Ok(block.clone()));
        assert!(unpack(&place, &packed(&block[1..])).is_err());
        assert!(unpack(&place, &packed(&vec![8; BLOCK_BYTES])).is_err());
        assert!(unpack(&place, &packed(&vec![7; BLOCK_BYTES + 1])).is_err());
    }
}
