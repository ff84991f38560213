//! How large a block is, and how many are on their way.

/// Bytes of a block ("A block index is a logical index in units of 512 KiB blocks", EBS User Guide, "Concepts for EBS direct
/// APIs").
pub const BLOCK_BYTES: usize = 512 * 1024;

/// Blocks of one GiB.
pub const BLOCKS_PER_GIB: u64 = 2048;

/// Blocks on their way at once: at 20 ms a request they are 1 GiB/s, more than two processors hash twice; with their
/// compressed copies they occupy at most 40 MiB.
pub const IN_FLIGHT: usize = 40;
