//! The tarball: regular files, one per type, in the order of the types.

pub(crate) mod header;
pub(crate) mod read;
pub(crate) mod write;

/// Bytes of a block; everything in a tarball is a multiple of it (POSIX.1-2017, pax, "ustar Interchange Format").
pub(crate) const BLOCK_BYTES: usize = 512;

/// Bytes from `bytes` to the next multiple of a block.
pub(crate) fn padding(bytes: u64) -> usize {
    let block = BLOCK_BYTES as u64;
    // Less than a block.
    (bytes.next_multiple_of(block) - bytes) as usize
}
