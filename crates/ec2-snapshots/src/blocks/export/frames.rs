//! Blocks as zstd frames, made in memory that is used again and again.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use zstd::bulk::Compressor;

/// zstd's fastest usual level: volumes are read faster than a slower one compresses.
const LEVEL: i32 = 1;

/// Compressors and memory that nobody uses at the moment.
#[derive(Clone, Default)]
pub(super) struct Frames(Arc<Spare>);

#[derive(Default)]
struct Spare {
    compressors: Mutex<Vec<Compressor<'static>>>,
    bytes: Mutex<Vec<Vec<u8>>>,
}

/// A compressed block; its memory is free again when it is dropped.
pub(super) struct Frame {
    bytes: Vec<u8>,
    home: Frames,
}

fn taken<T>(spare: &Mutex<Vec<T>>) -> Option<T> {
    spare.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

fn put_back<T>(spare: &Mutex<Vec<T>>, one: T) {
    spare.lock().unwrap_or_else(PoisonError::into_inner).push(one);
}

impl Frames {
    /// The frame of `block`.
    ///
    /// # Errors
    /// What zstd says.
    pub(super) fn compressed(&self, block: &[u8]) -> io::Result<Frame> {
        let mut compressor = match taken(&self.0.compressors) {
            Some(compressor) => compressor,
            None => Compressor::new(LEVEL)?,
        };
        let mut frame = Frame { bytes: taken(&self.0.bytes).unwrap_or_default(), home: self.clone() };
        frame.bytes.clear();
        frame.bytes.reserve(zstd::zstd_safe::compress_bound(block.len()));
        compressor.compress_to_buffer(block, &mut frame.bytes)?;
        put_back(&self.0.compressors, compressor);
        Ok(frame)
    }
}

impl Frame {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        put_back(&self.home.0.bytes, std::mem::take(&mut self.bytes));
    }
}

impl std::fmt::Debug for Frames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frames").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frame").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_made_in_the_same_memory_are_whole_and_apart() {
        let frames = Frames::default();
        let blocks = [vec![1; 4096], (0..4096).map(|at| (at * at % 251) as u8).collect(), vec![2; 4096]];
        let mut firsts: Vec<Frame> = blocks.iter().map(|block| frames.compressed(block).unwrap()).collect();
        let last = firsts.pop().map(|frame| frame.bytes().as_ptr());
        let again = frames.compressed(&blocks[0]).unwrap();
        assert_eq!(Some(again.bytes().as_ptr()), last, "memory of its own");
        for (frame, block) in firsts.iter().chain([&again]).zip([&blocks[0], &blocks[1], &blocks[0]]) {
            assert_eq!(&zstd::stream::decode_all(frame.bytes()).unwrap(), block);
        }
    }
}
