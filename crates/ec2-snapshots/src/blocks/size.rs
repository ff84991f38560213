//! How large a block is, and how many are on their way.

/// Bytes of a block ("A block index is a logical index in units of 512 KiB blocks", EBS User Guide, "Concepts for EBS direct
/// APIs").
pub const BLOCK_BYTES: usize = 512 * 1024;

/// Blocks of one GiB.
pub const BLOCKS_PER_GIB: u64 = 2048;

/// Requests for blocks on their way at once: at 20 ms a request they are 1 GiB/s, more than two processors receive, check and
/// store.
pub const IN_FLIGHT: usize = 40;

/// Blocks of an export in memory at once, on their way or being hashed and compressed: with their compressed copies at most
/// 64 MiB.
pub const BLOCKS_HELD: usize = 64;
