//! Memory for parts, used again and again: a new one for each would be cleared each time, and freed ones pile up.

use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Buffers, shared by all parts of an upload.
#[derive(Clone, Debug)]
pub(super) struct Buffers {
    /// Those that nobody uses at the moment.
    spare: Arc<Mutex<Vec<Vec<u8>>>>,
    turns: Arc<Semaphore>,
}

impl Default for Buffers {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self { spare: Arc::default(), turns: Arc::new(Semaphore::new(processors)) }
    }
}

/// A buffer in use; it goes back when the last of those who share it drops it.
struct Filled {
    bytes: Vec<u8>,
    home: Buffers,
}

impl Buffers {
    /// The turn to fill one: what is read is hashed, which keeps a processor busy.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.turns.acquire().await.ok()
    }

    /// `length` bytes as `fill` writes them, and what it found out about them.
    ///
    /// # Errors
    /// What `fill` says.
    pub(super) fn filled<T>(
        &self,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> io::Result<T>,
    ) -> io::Result<(Bytes, T)> {
        let bytes = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let mut filled = Filled { bytes, home: self.clone() };
        filled.bytes.resize(length, 0);
        let found = fill(&mut filled.bytes)?;
        Ok((Bytes::from_owner(filled), found))
    }
}

impl AsRef<[u8]> for Filled {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Filled {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.home.spare.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(buffers: &Buffers, byte: u8, length: usize) -> Bytes {
        let fill = |bytes: &mut [u8]| {
            bytes.fill(byte);
            Ok(())
        };
        buffers.filled(length, fill).unwrap().0
    }

    #[test]
    fn a_buffer_is_used_again_only_when_nobody_has_it() {
        let buffers = Buffers::default();
        let one = with(&buffers, 1, 8);
        let shared = one.clone();
        let at = one.as_ptr();
        drop(one);
        let two = with(&buffers, 2, 8);
        assert_eq!((&shared[..], &two[..]), (&[1; 8][..], &[2; 8][..]));
        drop(shared);
        let three = with(&buffers, 3, 4);
        assert_eq!((three.as_ptr(), &three[..], &two[..]), (at, &[3; 4][..], &[2; 8][..]));
    }

    #[test]
    fn one_that_could_not_be_filled_is_free_again() {
        let buffers = Buffers::default();
        buffers.filled(8, |_| Err::<(), _>(io::ErrorKind::UnexpectedEof.into())).unwrap_err();
        assert_eq!(buffers.spare.lock().unwrap().len(), 1);
    }
}
