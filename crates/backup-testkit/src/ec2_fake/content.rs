//! What is on a volume: blocks by index, of which most are not there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Bytes of a block ("A block index is a logical index in units of 512 KiB blocks", EBS User Guide, "Concepts for EBS
/// direct APIs").
pub const BLOCK_BYTES: usize = 524_288;

/// Blocks of one GiB.
pub const BLOCKS_PER_GIB: u64 = 2048;

/// One block that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// These bytes, [`BLOCK_BYTES`] of them.
    Data(Bytes),
    /// Bytes that this number stands for, modulo 2^24, so that large volumes take no memory. They do not compress.
    Random(u64),
    /// Zeros, written: not the same as a block that is not there.
    Zero,
}

impl Block {
    /// A block that begins with `text` and goes on with zeros; what is longer is cut.
    #[must_use]
    pub fn text(text: &[u8]) -> Self {
        let mut bytes = text.to_vec();
        bytes.resize(BLOCK_BYTES, 0);
        Self::Data(bytes.into())
    }

    /// The SHA-256 of its bytes. That of a random one is remembered.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        static RANDOM: Mutex<BTreeMap<u64, [u8; 32]>> = Mutex::new(BTreeMap::new());
        let Self::Random(seed) = self else { return Sha256::digest(self.bytes()).into() };
        let known = RANDOM.lock().unwrap_or_else(PoisonError::into_inner).get(seed).copied();
        known.unwrap_or_else(|| {
            let digest = Sha256::digest(self.bytes()).into();
            RANDOM.lock().unwrap_or_else(PoisonError::into_inner).insert(*seed, digest);
            digest
        })
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        match self {
            Self::Data(bytes) => bytes.clone(),
            Self::Zero => vec![0; BLOCK_BYTES].into(),
            Self::Random(seed) => random(*seed),
        }
    }
}

/// Bytes that all random blocks are cut from, at a byte of their own each.
const RANDOM_BYTES: usize = 1 << 24;

/// An odd number times all numbers below a power of two is each of them once.
const SCATTER: u64 = 0x9E37_79B9_7F4A_7C15;

/// Output of BLAKE3, which is as good as random and fast even where this crate is not optimised. It is made once: what a fake
/// does for a block must not count beside what its client does.
fn random(seed: u64) -> Bytes {
    static RANDOM: OnceLock<Bytes> = OnceLock::new();
    let all = RANDOM.get_or_init(|| {
        let mut bytes = vec![0; RANDOM_BYTES + BLOCK_BYTES];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        bytes.into()
    });
    let from = usize::try_from(seed.wrapping_mul(SCATTER) % RANDOM_BYTES as u64).unwrap_or_default();
    all.slice(from..from + BLOCK_BYTES)
}

/// The blocks of a volume or snapshot; cheap to copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content(Arc<BTreeMap<u32, Block>>);

impl Content {
    /// The block at `index`, if one was written.
    #[must_use]
    pub fn get(&self, index: u32) -> Option<&Block> {
        self.0.get(&index)
    }

    /// Writes a block.
    pub fn put(&mut self, index: u32, block: Block) {
        Arc::make_mut(&mut self.0).insert(index, block);
    }

    /// Makes a block one that was never written, as after a discard.
    pub fn discard(&mut self, index: u32) {
        Arc::make_mut(&mut self.0).remove(&index);
    }

    /// How many blocks were written.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The written indexes from `start` on, in order.
    pub fn indexes(&self, start: u32) -> impl Iterator<Item = u32> + '_ {
        self.0.range(start..).map(|(index, _)| *index)
    }

    /// The indexes from `start` on at which `self` and `other` differ, in order.
    #[must_use]
    pub fn differing(&self, other: &Self, start: u32) -> Vec<u32> {
        let mut indexes: Vec<u32> = self.indexes(start).chain(other.indexes(start)).collect();
        indexes.sort_unstable();
        indexes.dedup();
        indexes.retain(|index| self.get(*index) != other.get(*index));
        indexes
    }
}

/// What is on a volume at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fill {
    /// Texts that blocks begin with; the rest of such a block is zeros.
    pub texts: BTreeMap<u32, String>,
    /// Blocks of zeros that were written.
    pub zeros: Vec<u32>,
    /// Blocks that do not compress.
    pub random: Option<RandomFill>,
}

/// Blocks that do not compress: every so many from one index to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomFill {
    /// What they are made from; the same number makes the same blocks.
    pub seed: u64,
    /// The first index.
    #[serde(default)]
    pub from: u32,
    /// The first index that is none any more.
    pub to: u32,
    /// The distance between two of them.
    #[serde(default = "one")]
    pub every: u32,
}

fn one() -> u32 {
    1
}

impl Fill {
    /// Writes it over `content`.
    pub fn write(&self, content: &mut Content) {
        if let Some(RandomFill { seed, from, to, every }) = self.random {
            for index in (from..to).step_by(every.max(1) as usize) {
                content.put(index, Block::Random(seed.wrapping_mul(1_000_003).wrapping_add(u64::from(index) + 1)));
            }
        }
        for index in &self.zeros {
            content.put(*index, Block::Zero);
        }
        for (index, text) in &self.texts {
            content.put(*index, Block::text(text.as_bytes()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_does_not_change_with_its_original() {
        let mut volume = Content::default();
        volume.put(3, Block::text(b"old"));
        let snapshot = volume.clone();
        volume.put(3, Block::text(b"new"));
        volume.put(5, Block::Zero);
        assert_eq!(snapshot.get(3).map(Block::bytes).map(|bytes| bytes.slice(..3)), Some(Bytes::from_static(b"old")));
        assert_eq!(snapshot.differing(&volume, 0), [3, 5]);
        assert_eq!(snapshot.differing(&volume, 4), [5]);
    }

    #[test]
    fn random_blocks_are_whole_repeatable_and_different() {
        let mut content = Content::default();
        let fill = RandomFill { seed: 7, from: 0, to: 8, every: 2 };
        Fill { random: Some(fill), ..Fill::default() }.write(&mut content);
        assert_eq!(content.indexes(0).collect::<Vec<_>>(), [0, 2, 4, 6]);
        let (a, b) = (content.get(0).unwrap().bytes(), content.get(2).unwrap().bytes());
        assert!(a.len() == BLOCK_BYTES && a == content.get(0).unwrap().bytes() && a != b);
    }
}
