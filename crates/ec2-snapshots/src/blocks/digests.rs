//! Digests of blocks, made away from the threads that talk to the network: of two blocks together where two are waiting.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use backup_core::digest::Sha256Digest;
use bytes::Bytes;
use tokio::sync::oneshot;

use crate::error::{Ec2Error, Ec2Result};

/// What is done with a block once its digest is known.
type Then = Box<dyn FnOnce(Sha256Digest, Bytes) + Send>;

/// Hashes blocks, on as many threads as there are processors at most. Clones share the work.
#[derive(Clone)]
pub(super) struct Digests {
    queue: Arc<Mutex<Queue>>,
    threads_max: usize,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(Bytes, Then)>,
    /// Threads at work, or about to be.
    threads: usize,
}

impl Default for Digests {
    fn default() -> Self {
        let threads_max = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self { queue: Arc::default(), threads_max }
    }
}

impl Digests {
    /// What `make` makes of `bytes` and their digest, in the thread that computed it: they are still in that processor's
    /// cache.
    ///
    /// # Errors
    /// [`Ec2Error::Damaged`] if `make` panics, which is a bug.
    pub(super) async fn of<T: Send + 'static>(
        &self,
        bytes: Bytes,
        make: impl FnOnce(Sha256Digest, Bytes) -> T + Send + 'static,
    ) -> Ec2Result<T> {
        let (told, heard) = oneshot::channel();
        // Nobody hears it if the run was stopped meanwhile.
        let then: Then = Box::new(move |sha256, bytes| drop(told.send(make(sha256, bytes))));
        if self.queued(bytes, then) {
            let shared = self.clone();
            // Nobody waits for the thread: it works for others too.
            drop(tokio::task::spawn_blocking(move || shared.work()));
        }
        let ended = |_| Ec2Error::Damaged { what: "a task of this program ended unexpectedly".to_owned() };
        heard.await.map_err(ended)
    }

    fn locked(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a further thread is to begin: for one block only if there is none at work, else one of those takes it next.
    fn queued(&self, bytes: Bytes, then: Then) -> bool {
        let mut queue = self.locked();
        queue.waiting.push_back((bytes, then));
        let worth_it = queue.threads == 0 || (queue.waiting.len() > 1 && queue.threads < self.threads_max);
        queue.threads += usize::from(worth_it);
        worth_it
    }

    fn work(&self) {
        let _panics = Panics(self);
        loop {
            let (one, other) = {
                let mut queue = self.locked();
                let Some(one) = queue.waiting.pop_front() else {
                    // While nobody can queue anything: what comes next begins a thread.
                    queue.threads -= 1;
                    return;
                };
                (one, queue.waiting.pop_front())
            };
            let (bytes, then) = one;
            match other {
                None => then(Sha256Digest::of(&bytes), bytes),
                Some((other, and_then)) => {
                    let [first, second] = Sha256Digest::of_two(&bytes, &other);
                    then(first, bytes);
                    and_then(second, other);
                }
            }
        }
    }
}

/// Tells those who wait for a thread that panics, instead of letting them wait for ever.
struct Panics<'a>(&'a Digests);

impl Drop for Panics<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let mut queue = self.0.locked();
            queue.threads -= 1;
            queue.waiting.clear();
        }
    }
}

impl std::fmt::Debug for Digests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Digests").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn each_has_its_own_digest_however_many_wait() {
        let digests = Digests::default();
        let block = |byte: u8| vec![byte; 1000 + usize::from(byte)];
        let made = join_all((0..50).map(|byte| digests.of(block(byte).into(), |sha256, bytes| (sha256, bytes)))).await;
        for (byte, made) in (0..50).zip(made) {
            let block = block(byte);
            assert_eq!(made.unwrap(), (Sha256Digest::of(&block), Bytes::from(block)));
        }
    }

    #[tokio::test]
    async fn what_panics_is_told_and_not_waited_for() {
        let digests = Digests::default();
        let made = digests.of(Bytes::new(), |_, bytes| bytes[0]).await;
        assert!(matches!(made, Err(Ec2Error::Damaged { .. })), "{made:?}");
    }
}
