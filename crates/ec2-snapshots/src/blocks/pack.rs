//! Packs: zstd frames, one block each, and a last frame that says which they are, so that a run that goes on finds them.
//!
//! The last one is a skippable frame (RFC 8878, section 3.1.2), which every zstd program passes over. A pack is named by the
//! SHA-256 of that list. The list has the SHA-256 of each block, which was computed when the block came, so that no byte is
//! hashed twice; whoever reads a block compares it with the digest that the index has of it.

use std::sync::Arc;

use backup_core::digest::Sha256Digest;
use backup_core::key::Key;
use backup_core::manifest::{Codec, Part};
use backup_core::pipeline::read_all;
use backup_core::store::{ObjectMeta, PutMode, PutOptions, StoreRead, StoreWrite};
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;

use super::BLOCK_BYTES;
use super::index::{Place, Segment};
use super::key::ExportKey;
use crate::error::{Ec2Error, Ec2Result};

/// Blocks of a pack: at most 32 MiB and a little.
pub(super) const PACK_BLOCKS: usize = 64;

/// The role of packs in a manifest.
pub(super) const ROLE: &str = "blocks";

/// The first of the magic numbers of skippable frames.
const SKIPPABLE: u32 = 0x184D_2A50;

/// Bytes of a skippable frame's header: magic number and length.
const HEADER_BYTES: usize = 8;

/// Bytes of the length that a last frame ends with.
const FOOTER_BYTES: usize = 4;

/// More than the last frame of any pack has: an entry is at most 110 bytes long.
const TAIL_BYTES: u64 = 16 * 1024;

/// A zstd frame of a block that does not compress, at most (zstd's `ZSTD_COMPRESSBOUND`), and the last frame.
pub(super) const PACK_BYTES_MAX: u64 = (PACK_BLOCKS * (BLOCK_BYTES + 4096)) as u64 + TAIL_BYTES;

/// Room for a whole pack: it takes no memory until it is written, and growing by and by would copy what is there.
const RESERVED_BYTES: usize = PACK_BLOCKS * (BLOCK_BYTES + 4096) + TAIL_BYTES as usize;

/// Index, digest, offset, length.
type Entry = (u32, Sha256Digest, u64, u32);

/// A pack in the making.
#[derive(Debug, Default)]
pub(super) struct Pack {
    bytes: BytesMut,
    entries: Vec<Entry>,
}

/// A pack that is stored.
#[derive(Debug)]
pub(super) struct StoredPack {
    pub(super) part: Part,
    pub(super) places: Segment,
    /// The memory that it was made in, for another one.
    pub(super) spare: Option<BytesMut>,
}

impl Pack {
    /// An empty one in memory that an earlier one was made in: new memory would be cleared first, megabyte by megabyte.
    pub(super) fn within(spare: BytesMut) -> Self {
        Self { bytes: spare, entries: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= PACK_BLOCKS
    }

    /// Adds the frame of a block.
    pub(super) fn add(&mut self, index: u32, sha256: Sha256Digest, frame: &[u8]) {
        if self.entries.is_empty() {
            self.bytes.reserve(RESERVED_BYTES);
        }
        let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        self.entries.push((index, sha256, self.bytes.len() as u64, length));
        self.bytes.extend_from_slice(frame);
    }

    /// Stores it. That somebody else has stored it already is as good: what has its name has the same blocks at the same
    /// places.
    pub(super) async fn store(
        self,
        store: Arc<dyn StoreWrite>,
        export: ExportKey,
        first: u32,
    ) -> Ec2Result<StoredPack> {
        let Self { mut bytes, entries } = self;
        let list = serde_json::to_vec(&entries).map_err(|error| {
            let path = format!("list of a pack of {}", export.snapshot);
            Ec2Error::Io { action: "write", path, source: error.into() }
        })?;
        let payload = u32::try_from(list.len() + FOOTER_BYTES).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&SKIPPABLE.to_le_bytes());
        bytes.extend_from_slice(&payload.to_le_bytes());
        bytes.extend_from_slice(&list);
        bytes.extend_from_slice(&payload.to_le_bytes());
        let bytes = bytes.freeze();
        let sha256 = Sha256Digest::of(&list);
        let key = export.pack(first, &sha256)?;
        let stored_bytes = bytes.len() as u64;
        match store.put(&key, bytes.clone(), &PutOptions::new(PutMode::Create)).await {
            Err(backup_core::StoreError::AlreadyExists { .. }) => {}
            other => other?,
        }
        let spare = bytes.try_into_mut().ok().map(|mut spare| {
            spare.clear();
            spare
        });
        Ok(StoredPack { spare, ..stored(key, sha256, stored_bytes, &entries) })
    }
}

fn stored(key: Key, sha256: Sha256Digest, stored_bytes: u64, entries: &[Entry]) -> StoredPack {
    let places = entries
        .iter()
        .map(|(index, sha256, offset, length)| {
            (*index, Place { sha256: *sha256, pack: key.clone(), offset: *offset, length: *length })
        })
        .collect();
    let part = Part {
        key,
        role: ROLE.to_owned(),
        content_sha256: None,
        content_bytes: (entries.len() * BLOCK_BYTES) as u64,
        stored_sha256: sha256,
        stored_bytes,
        codec: Codec::Zstd,
        offset: None,
        length: None,
    };
    StoredPack { part, places, spare: None }
}

/// The packs of a segment that an earlier run of the same export has stored. What is not a whole pack is left out: it is
/// made again under its own name.
pub(super) async fn found(store: &dyn StoreRead, export: &ExportKey, first: u32) -> Ec2Result<Vec<StoredPack>> {
    let objects: Vec<ObjectMeta> = store.list(&export.packs(first), None).try_collect().await?;
    let mut packs = Vec::new();
    for object in objects {
        let name = object.key.name().strip_suffix(".pack").and_then(|name| name.parse::<Sha256Digest>().ok());
        let Some(name) = name else { continue };
        let from = object.bytes.saturating_sub(TAIL_BYTES);
        let tail: Vec<Bytes> = store.get(&object.key, Some(from..object.bytes)).await?.try_collect().await?;
        if let Some(entries) = entries(&tail.concat(), &name) {
            packs.push(stored(object.key, name, object.bytes, &entries));
        }
    }
    Ok(packs)
}

/// What the last frame says that `tail` ends with, if it is the list of the pack of this name.
fn entries(tail: &[u8], name: &Sha256Digest) -> Option<Vec<Entry>> {
    let number = |bytes: &[u8]| bytes.try_into().ok().map(u32::from_le_bytes);
    let payload = number(tail.get(tail.len().checked_sub(FOOTER_BYTES)?..)?)? as usize;
    let frame = tail.get(tail.len().checked_sub(payload.checked_add(HEADER_BYTES)?)?..)?;
    let (magic, length) = (number(frame.get(..4)?)?, number(frame.get(4..8)?)?);
    if magic != SKIPPABLE || length as usize != payload {
        return None;
    }
    let list = frame.get(HEADER_BYTES..frame.len().checked_sub(FOOTER_BYTES)?)?;
    if Sha256Digest::of(list) != *name {
        return None;
    }
    serde_json::from_slice(list).ok()
}

/// A whole pack. Nothing of it is checked: its blocks are, one by one, as they are unpacked.
pub(super) async fn read(store: &dyn StoreRead, key: &Key) -> Ec2Result<Bytes> {
    Ok(read_all(store, key, PACK_BYTES_MAX).await?)
}

#[cfg(test)]
mod tests {
    use backup_core::store::memory::MemoryStore;

    use super::*;
    use crate::blocks::index::unpack;

    #[tokio::test]
    async fn a_pack_is_found_again_and_every_zstd_reads_it() {
        let store = Arc::new(MemoryStore::new());
        let export = ExportKey { region: "eu-west-1".parse().unwrap(), snapshot: "snap-1".into() };
        let blocks = [vec![1; BLOCK_BYTES], vec![2; BLOCK_BYTES]];
        let mut pack = Pack::default();
        for (index, block) in (5..).zip(&blocks) {
            pack.add(index, Sha256Digest::of(block), &zstd::bulk::compress(block, 1).unwrap());
        }
        let stored = pack.store(store.clone(), export.clone(), 0).await.unwrap();
        let found = found(&*store, &export, 0).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((&found[0].part, &found[0].places), (&stored.part, &stored.places));
        let bytes = read(&*store, &stored.part.key).await.unwrap();
        assert_eq!(zstd::stream::decode_all(&bytes[..]).unwrap(), blocks.concat());
        for (place, block) in stored.places.values().zip(&blocks) {
            let frame = &bytes[usize::try_from(place.offset).unwrap()..][..place.length as usize];
            assert_eq!(&unpack(place, frame).unwrap(), block);
        }
    }

    /// What was compressed otherwise has its blocks at other places, and must not pass for this one.
    #[tokio::test]
    async fn a_name_says_which_blocks_there_are_and_where() {
        let store = Arc::new(MemoryStore::new());
        let export = ExportKey { region: "eu-west-1".parse().unwrap(), snapshot: "snap-1".into() };
        let block = vec![1; BLOCK_BYTES];
        let mut names = std::collections::BTreeSet::new();
        for (index, longer) in [(5, 1), (6, 1), (5, 0)] {
            let mut pack = Pack::default();
            let mut frame = zstd::bulk::compress(&block, 1).unwrap();
            frame.resize(frame.len() + longer, 0);
            pack.add(index, Sha256Digest::of(&block), &frame);
            let stored = pack.store(store.clone(), export.clone(), 0).await.unwrap();
            names.insert(stored.part.key.name().to_owned());
        }
        assert_eq!(names.len(), 3);
    }

    #[test]
    fn what_is_cut_off_or_another_is_no_pack() {
        let list = b"[]";
        let payload = u32::try_from(list.len() + FOOTER_BYTES).unwrap().to_le_bytes();
        let tail = [&SKIPPABLE.to_le_bytes()[..], &payload[..], &list[..], &payload[..]].concat();
        let name = Sha256Digest::of(list);
        assert_eq!(entries(&tail, &name), Some(Vec::new()));
        assert_eq!(entries(&tail, &Sha256Digest::of(b"[ ]")), None);
        for other in [&tail[1..], &tail[..tail.len() - 1], &tail[..0], &[0xff; 12][..], &[0; 64][..]] {
            assert_eq!(entries(other, &name), None);
        }
    }
}
