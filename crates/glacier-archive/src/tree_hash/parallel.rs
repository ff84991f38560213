//! The tree hash of a file on several cores.

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use backup_core::digest::{Sha256Digest, Sha256Pair};

use super::{LEAF_BYTES, TreeHash};

/// Bytes that one core takes at a time: a whole subtree, small enough that all cores end at about the same time.
pub const BLOCK_BYTES: usize = 8 * LEAF_BYTES;

/// Bytes read at a time, of each of two leaves: they are still in the core's cache when they are hashed, which a whole block
/// would not be.
const READ_BYTES: usize = LEAF_BYTES / 8;

/// The tree hash of the first `bytes` bytes of `file`, on up to `cores` cores.
///
/// # Errors
/// What the system says; [`io::ErrorKind::UnexpectedEof`] if the file is shorter.
pub fn tree_hash_of_file(file: &File, bytes: u64, cores: NonZeroUsize) -> io::Result<Sha256Digest> {
    let blocks = bytes.div_ceil(BLOCK_BYTES as u64);
    let next = AtomicU64::new(0);
    let done: Mutex<Vec<(u64, TreeHash)>> = Mutex::default();
    let work = || -> io::Result<()> {
        let mut buffer = vec![0; 2 * READ_BYTES];
        loop {
            let block = next.fetch_add(1, Ordering::Relaxed);
            if block >= blocks {
                return Ok(());
            }
            let start = block * BLOCK_BYTES as u64;
            let end = bytes.min(start + BLOCK_BYTES as u64);
            let hash = hash_of_range(file, start..end, &mut buffer);
            if hash.is_err() {
                // Nobody begins another block of a file that cannot be read.
                next.store(blocks, Ordering::Relaxed);
            }
            let hash = hash?;
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

/// The tree hash of a part of the file, read by way of `buffer`: two leaves at once, as long as there are two.
fn hash_of_range(file: &File, range: Range<u64>, buffer: &mut [u8]) -> io::Result<TreeHash> {
    let (mut at, mut hash) = (range.start, TreeHash::default());
    let (leaf, step) = (LEAF_BYTES as u64, READ_BYTES as u64);
    while range.end - at >= 2 * leaf {
        let (left, right) = buffer.split_at_mut(READ_BYTES);
        let mut pair = Sha256Pair::default();
        for from in (at..at + leaf).step_by(READ_BYTES) {
            file.read_exact_at(left, from)?;
            file.read_exact_at(right, from + leaf)?;
            pair.update(left, right);
        }
        hash.take_leaves(pair.finish());
        at += 2 * leaf;
    }
    while at < range.end {
        // No more than the buffer, which fits `usize`.
        let now = usize::try_from((range.end - at).min(step)).unwrap_or(READ_BYTES);
        let read = &mut buffer[..now];
        file.read_exact_at(read, at)?;
        hash.update(read);
        at += now as u64;
    }
    Ok(hash)
}
