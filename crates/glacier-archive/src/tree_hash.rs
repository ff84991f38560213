//! Glacier's tree hash: SHA-256 of each mebibyte, and of pairs of those up to one root.
//!
//! Leaves are hashed one by one, neighbours are hashed together, and one without a neighbour is carried up unchanged; no
//! bytes at all have the SHA-256 of nothing (AWS, "Computing checksums"). A hash in the making holds a node per level at
//! most, so that an archive of 40 TB takes less than a kilobyte.

mod leaves;
mod parallel;
mod range;
#[cfg(test)]
mod tests;

use backup_core::digest::{Sha256Digest, Sha256Hasher};

pub use leaves::{LeavesAndWhole, leaves, root};
pub use parallel::{BLOCK_BYTES, tree_hash_of_file};
pub use range::{is_mebibyte_aligned, is_tree_hash_aligned};

/// Bytes of a leaf (AWS, "Computing checksums").
pub const LEAF_BYTES: usize = 1024 * 1024;

/// The root of a whole subtree, or of what there is of the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Node {
    /// It stands for up to 2^`level` leaves.
    level: u32,
    digest: Sha256Digest,
}

/// A tree hash in the making. `LEAF` is 1 MiB at AWS; smaller leaves are for tests.
#[derive(Clone, Debug)]
pub struct TreeHash<const LEAF: usize = LEAF_BYTES> {
    /// Whole subtrees, the largest first, no two of one level.
    nodes: Vec<Node>,
    leaf: Sha256Hasher,
    in_leaf: usize,
    bytes: u64,
}

/// Two tree hashes of which the first does not end where a subtree of the second's size may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{before} bytes do not end where a subtree of {bytes} bytes can begin")]
pub struct NotAligned {
    /// Bytes hashed before.
    pub before: u64,
    /// Bytes that were to follow.
    pub bytes: u64,
}

impl<const LEAF: usize> Default for TreeHash<LEAF> {
    fn default() -> Self {
        const { assert!(LEAF > 0, "a leaf has bytes") };
        Self { nodes: Vec::new(), leaf: Sha256Hasher::default(), in_leaf: 0, bytes: 0 }
    }
}

impl<const LEAF: usize> TreeHash<LEAF> {
    /// The tree hash of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Sha256Digest {
        let mut hash = Self::default();
        hash.update(bytes);
        hash.finish()
    }

    /// What was taken of `bytes` bytes whose tree hash, `root`, somebody else made of the same bytes; to be appended.
    #[must_use]
    pub fn of_subtree(root: Sha256Digest, bytes: u64) -> Self {
        let level = bytes.div_ceil(LEAF as u64).max(1).next_power_of_two().trailing_zeros();
        Self { nodes: vec![Node { level, digest: root }], bytes, ..Self::default() }
    }

    /// Bytes taken so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes more bytes, however many. Leaves that are there whole are hashed two at a time.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.in_leaf == 0 && bytes.len() >= 2 * LEAF {
                let (two, later) = bytes.split_at(2 * LEAF);
                let (left, right) = two.split_at(LEAF);
                self.take_leaves(Sha256Digest::of_two(left, right));
                bytes = later;
                continue;
            }
            let (now, later) = bytes.split_at(bytes.len().min(LEAF - self.in_leaf));
            self.leaf.update(now);
            self.in_leaf += now.len();
            self.bytes += now.len() as u64;
            bytes = later;
            if self.in_leaf == LEAF {
                let digest = std::mem::take(&mut self.leaf).finish();
                self.in_leaf = 0;
                self.push(Node { level: 0, digest });
            }
        }
    }

    /// Takes what `next` was made of after what this was made of, so that parts can be hashed apart from each other.
    ///
    /// # Errors
    /// [`NotAligned`] unless this ends at a whole multiple of the largest subtree of `next`.
    pub fn append(&mut self, next: &Self) -> Result<(), NotAligned> {
        let largest = next.nodes.first().map_or(0, |node| node.level);
        let leaves = self.bytes / LEAF as u64;
        if !self.bytes.is_multiple_of(LEAF as u64) || !leaves.is_multiple_of(1 << largest) {
            return Err(NotAligned { before: self.bytes, bytes: next.bytes });
        }
        for node in &next.nodes {
            self.push(*node);
        }
        self.leaf = next.leaf.clone();
        self.in_leaf = next.in_leaf;
        self.bytes += next.bytes;
        Ok(())
    }

    /// The tree hash of all bytes taken.
    #[must_use]
    pub fn finish(self) -> Sha256Digest {
        let last = (self.in_leaf > 0 || self.bytes == 0).then(|| self.leaf.finish());
        let mut smaller_first = last.into_iter().chain(self.nodes.iter().rev().map(|node| node.digest));
        // There is always one: no bytes are a leaf too.
        let Some(first) = smaller_first.next() else { return Sha256Digest::of(b"") };
        smaller_first.fold(first, |right, left| pair(&left, &right))
    }

    /// Takes two whole leaves that have these digests, where a leaf begins.
    fn take_leaves(&mut self, digests: [Sha256Digest; 2]) {
        for digest in digests {
            self.bytes += LEAF as u64;
            self.push(Node { level: 0, digest });
        }
    }

    /// Adds a whole subtree; two of one level become one of the next.
    fn push(&mut self, mut node: Node) {
        while let Some(left) = self.nodes.pop_if(|left| left.level == node.level) {
            node = Node { level: node.level + 1, digest: pair(&left.digest, &node.digest) };
        }
        self.nodes.push(node);
    }
}

/// The digest of two neighbours.
fn pair(left: &Sha256Digest, right: &Sha256Digest) -> Sha256Digest {
    let mut hasher = Sha256Hasher::default();
    hasher.update(left.as_bytes());
    hasher.update(right.as_bytes());
    hasher.finish()
}
