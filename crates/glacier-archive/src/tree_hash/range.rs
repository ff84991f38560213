//! Which ranges of an archive can be asked for, and for which AWS tells a checksum: pure decisions.

use std::ops::Range;

use super::LEAF_BYTES;

/// Whether an archive of `bytes` bytes can be retrieved in this range: it begins at a whole mebibyte and ends at one or
/// at the archive's end (AWS, "Downloading an archive").
#[must_use]
pub fn is_mebibyte_aligned(range: &Range<u64>, bytes: u64) -> bool {
    let leaf = LEAF_BYTES as u64;
    range.start < range.end
        && range.end <= bytes
        && range.start.is_multiple_of(leaf)
        && (range.end.is_multiple_of(leaf) || range.end == bytes)
}

/// Whether the root over this range is a node of the archive's own tree, so that AWS names its tree hash (AWS, "Receiving
/// checksums when downloading data"). For any other range only hashes of our own can tell.
#[must_use]
pub fn is_tree_hash_aligned(range: &Range<u64>, bytes: u64) -> bool {
    if !is_mebibyte_aligned(range, bytes) {
        return false;
    }
    let leaf = LEAF_BYTES as u64;
    let (first, end, leaves) = (range.start / leaf, range.end.div_ceil(leaf), bytes.div_ceil(leaf));
    // A node of a level stands for so many leaves, or for those that are left; it begins at a multiple of them.
    let spans = (0..u64::BITS).map(|level| 1_u64 << level).take_while(|span| first.is_multiple_of(*span));
    spans.take_while(|span| *span < leaves.saturating_mul(2)).any(|span| end == (first + span).min(leaves))
}
