//! The leaves of a tree by themselves: with them, any range of whole mebibytes can be checked.

use backup_core::digest::{Sha256Digest, Sha256Pair};

use super::{LEAF_BYTES, pair};

/// The digest of each mebibyte of `bytes`, the last of which may be shorter.
#[must_use]
pub fn leaves(bytes: &[u8]) -> Vec<Sha256Digest> {
    let mut leaves = Vec::with_capacity(bytes.len().div_ceil(LEAF_BYTES));
    for two in bytes.chunks(2 * LEAF_BYTES) {
        match two.split_at_checked(LEAF_BYTES) {
            Some((left, right)) if !right.is_empty() => leaves.extend(Sha256Digest::of_two(left, right)),
            _ => leaves.push(Sha256Digest::of(two)),
        }
    }
    leaves
}

/// The [`leaves`] of a part and its SHA-256 in the making: a request says both. Made together, they take a processor hardly
/// longer than one.
#[derive(Debug, Default)]
pub struct LeavesAndWhole {
    leaves: Vec<Sha256Digest>,
    leaf_and_whole: Sha256Pair,
}

impl LeavesAndWhole {
    /// Takes the next mebibyte; the last may be shorter.
    pub fn take(&mut self, leaf: &[u8]) {
        self.leaf_and_whole.update(leaf, leaf);
        self.leaves.push(self.leaf_and_whole.take_first());
    }

    /// The leaves, and the SHA-256 of all bytes taken.
    #[must_use]
    pub fn finish(self) -> (Vec<Sha256Digest>, Sha256Digest) {
        let [_, whole] = self.leaf_and_whole.finish();
        (self.leaves, whole)
    }

    /// Those of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> (Vec<Sha256Digest>, Sha256Digest) {
        let mut making = Self::default();
        bytes.chunks(LEAF_BYTES).for_each(|leaf| making.take(leaf));
        making.finish()
    }
}

/// The root over `leaves`: the tree hash of what they are of.
#[must_use]
pub fn root(leaves: &[Sha256Digest]) -> Sha256Digest {
    let mut level: Vec<Sha256Digest> = leaves.to_vec();
    while level.len() > 1 {
        let joined = |two: &[Sha256Digest]| match two {
            [left, right] => pair(left, right),
            _ => two[0],
        };
        level = level.chunks(2).map(joined).collect();
    }
    level.first().copied().unwrap_or_else(|| Sha256Digest::of(b""))
}

#[cfg(test)]
mod tests {
    use super::super::TreeHash;
    use super::*;

    #[test]
    fn the_root_over_the_leaves_is_the_tree_hash() {
        for bytes in [0, 1, LEAF_BYTES, LEAF_BYTES + 1, 5 * LEAF_BYTES + 7] {
            let content: Vec<u8> = (0..bytes).map(|at| (at % 251) as u8).collect();
            assert_eq!(root(&leaves(&content)), TreeHash::<LEAF_BYTES>::of(&content), "{bytes}");
            assert_eq!(LeavesAndWhole::of(&content), (leaves(&content), Sha256Digest::of(&content)), "{bytes}");
        }
    }
}
