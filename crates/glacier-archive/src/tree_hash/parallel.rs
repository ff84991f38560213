//! The tree hash of a file on several cores.

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use backup_core::digest::Sha256Digest;

use super::{LEAF_BYTES, TreeHash};

/// Bytes that one core takes at a time: a whole subtree, small enough that all cores end at about the same time.
pub const BLOCK_BYTES: usize = 8 * LEAF_BYTES;

/// The tree hash of the first `bytes` bytes of `file`, on up to `cores` cores. Each core holds one block of
/// [`BLOCK_BYTES`] in memory.
///
/// # Errors
/// What the system says; [`io::ErrorKind::UnexpectedEof`] if the file is shorter.
pub fn tree_hash_of_file(file: &File, bytes: u64, cores: NonZeroUsize) -> io::Result<Sha256Digest> {
    let blocks = bytes.div_ceil(BLOCK_BYTES as u64);
    let next = AtomicU64::new(0);
    let done: Mutex<Vec<(u64, TreeHash)>> = Mutex::default();
    let work = || -> io::Result<()> {
        let mut buffer = Vec::new();
        loop {
            let block = next.fetch_add(1, Ordering::Relaxed);
            if block >= blocks {
                return Ok(());
            }
            let start = block * BLOCK_BYTES as u64;
            // No more than a block, which fits `usize`.
            buffer.resize(usize::try_from((bytes - start).min(BLOCK_BYTES as u64)).unwrap_or(BLOCK_BYTES), 0);
            let read = file.read_exact_at(&mut buffer, start);
            if let Err(error) = read {
                // Nobody begins another block of a file that cannot be read.
                next.store(blocks, Ordering::Relaxed);
                return Err(error);
            }
            let mut hash = TreeHash::default();
            hash.update(&buffer);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((block, hash));
        }
    };
    let workers = u64::try_from(cores.get()).unwrap_or(u64::MAX).min(blocks.max(1));
    std::thread::scope(|scope| {
        let workers: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
        let own = work();
        let others = workers.into_iter().map(|worker| match worker.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        others.fold(own, Result::and)
    })?;
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(block, _)| *block);
    let mut whole = TreeHash::default();
    for (_, block) in &done {
        // All blocks but the last have the same power of two of leaves.
        whole.append(block).map_err(io::Error::other)?;
    }
    Ok(whole.finish())
}
