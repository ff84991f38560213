//! Tree hashes by their definition, level by level: another way than the client's, so that both cannot share a mistake.

use std::ops::Range;

use sha2::{Digest, Sha256};

pub(super) const MEBIBYTE: u64 = 1024 * 1024;

pub(super) type Hash = [u8; 32];

fn sha256(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// The SHA-256 of each mebibyte; of no bytes at all, that of nothing.
pub(super) fn leaves(bytes: &[u8]) -> Vec<Hash> {
    // A mebibyte fits `usize`.
    let leaves: Vec<Hash> = bytes.chunks(MEBIBYTE as usize).map(sha256).collect();
    if leaves.is_empty() { vec![sha256(b"")] } else { leaves }
}

/// The leaves of `bytes`, and the SHA-256 of all of them: together, step by step, which takes a processor hardly longer than
/// one of the two. A client is measured on the same machine.
pub(super) fn leaves_and_whole(bytes: &[u8]) -> (Vec<Hash>, Hash) {
    const STEP_BYTES: usize = 64;
    let (mut leaves, mut whole) = (Vec::new(), Sha256::new());
    for mebibyte in bytes.chunks(MEBIBYTE as usize) {
        let mut leaf = Sha256::new();
        let (steps, rest) = mebibyte.as_chunks::<STEP_BYTES>();
        for step in steps {
            leaf.update(step);
            whole.update(step);
        }
        leaf.update(rest);
        whole.update(rest);
        leaves.push(leaf.finalize().into());
    }
    if leaves.is_empty() {
        leaves.push(sha256(b""));
    }
    (leaves, whole.finalize().into())
}

/// Every node of the tree over `leaves`, level by level; the root is the last.
fn levels(leaves: Vec<Hash>) -> Vec<Vec<Hash>> {
    let mut levels = vec![leaves];
    while let Some(below) = levels.last().filter(|level| level.len() > 1) {
        let joined = |two: &[Hash]| match two {
            [left, right] => sha256(&[&left[..], &right[..]].concat()),
            _ => two[0],
        };
        let level = below.chunks(2).map(joined).collect();
        levels.push(level);
    }
    levels
}

/// The tree hash over `leaves`, in hexadecimal digits.
pub(super) fn root(leaves: Vec<Hash>) -> String {
    levels(leaves).last().and_then(|level| level.first()).map(hex::encode).unwrap_or_default()
}

/// The tree hash of `bytes`, in hexadecimal digits.
pub(super) fn tree_hash(bytes: &[u8]) -> String {
    root(leaves(bytes))
}

/// The tree hash of a range of `whole`, if its root is a node of the whole tree: only then AWS tells it ("Receiving checksums
/// when downloading data").
pub(super) fn of_range(whole: &[u8], range: &Range<u64>) -> Option<String> {
    let is_aligned =
        range.start.is_multiple_of(MEBIBYTE) && (range.end.is_multiple_of(MEBIBYTE) || range.end == whole.len() as u64);
    if !is_aligned {
        return None;
    }
    let part = whole.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)?;
    let (own, first) = (levels(leaves(part)), range.start / MEBIBYTE);
    let root = own.last()?.first()?;
    let whole = levels(leaves(whole));
    let is_node = whole.iter().enumerate().any(|(level, nodes)| {
        let span = 1_u64 << level;
        let at = usize::try_from(first / span).unwrap_or(usize::MAX);
        first.is_multiple_of(span) && nodes.get(at) == Some(root)
    });
    is_node.then(|| hex::encode(root))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_and_whole_are_what_each_is_alone() {
        for length in [0, 1, 64, MEBIBYTE as usize, 2 * MEBIBYTE as usize + 100] {
            let bytes: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            assert_eq!(leaves_and_whole(&bytes), (leaves(&bytes), sha256(&bytes)), "{length}");
        }
    }
}
