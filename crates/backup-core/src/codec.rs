//! Compression: of whole streams ([`encode`], [`decode`]) and of single frames ([`FrameCompressor`], [`decompress_frame`]).
//!
//! What is written opens with `zstd -d` and `gzip -d`. What is read is bounded: a few bytes can ask for gigabytes.

mod frame;
mod machine;
mod stream;

pub use frame::{FrameCompressor, decompress_frame};
pub use stream::{decode, encode};

#[cfg(test)]
mod tests;
