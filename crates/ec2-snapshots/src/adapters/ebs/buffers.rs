//! Memory that blocks arrive in, used again and again: new memory would be cleared each time, and freed memory piles up.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::blocks::BLOCK_BYTES;

/// Buffers that nobody uses at the moment. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

/// A block that arrives piece by piece. Its memory is free again when the last of those who share the block drops it.
#[derive(Debug)]
pub(super) struct Arriving {
    bytes: Vec<u8>,
    home: Buffers,
}

impl Buffers {
    /// An empty block.
    pub(super) fn arriving(&self) -> Arriving {
        let spare = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Arriving { bytes: spare.unwrap_or_else(|| Vec::with_capacity(BLOCK_BYTES)), home: self.clone() }
    }
}

impl Arriving {
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
    }

    /// What has arrived.
    pub(super) fn whole(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Arriving {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        // What is no block may have any size, and its memory is not kept.
        if bytes.capacity() <= 2 * BLOCK_BYTES {
            bytes.clear();
            self.home.0.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(buffers: &Buffers, pieces: &[&[u8]]) -> Bytes {
        let mut arriving = buffers.arriving();
        pieces.iter().for_each(|piece| arriving.push(piece));
        arriving.whole()
    }

    #[test]
    fn memory_is_used_again_only_when_nobody_has_it() {
        let buffers = Buffers::default();
        let one = of(&buffers, &[b"on", b"e"]);
        let shared = one.clone();
        let at = one.as_ptr();
        drop(one);
        let two = of(&buffers, &[b"two"]);
        assert_eq!((&shared[..], &two[..]), (&b"one"[..], &b"two"[..]));
        drop(shared);
        let three = of(&buffers, &[b"3"]);
        assert_eq!((three.as_ptr(), &three[..], &two[..]), (at, &b"3"[..], &b"two"[..]));
    }

    #[test]
    fn what_is_too_large_for_a_block_is_not_kept() {
        let buffers = Buffers::default();
        drop(of(&buffers, &[&vec![1; 2 * BLOCK_BYTES + 1]]));
        assert!(buffers.0.lock().unwrap().is_empty());
    }
}
