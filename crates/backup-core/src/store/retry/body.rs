//! A body that resumes where it broke off.

use std::ops::Range;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::policy::Tries;
use crate::key::Key;
use crate::store::{ByteStream, StoreRead, StoreResult};

struct Reading<S> {
    store: Arc<S>,
    key: Key,
    tries: Tries,
    body: ByteStream,
    /// Where the next byte is in the object.
    position: u64,
    /// Where the body ends, once that is known.
    end: Option<u64>,
}

/// Passes `body` on and, when it fails in a way that may pass, reads the rest by a new request. Objects do not change once
/// they are written, pointers excepted, and those are shorter than what arrives at a time.
pub(super) fn resuming<S: StoreRead>(
    store: Arc<S>,
    tries: Tries,
    key: Key,
    range: Option<Range<u64>>,
    body: ByteStream,
) -> ByteStream {
    let position = range.as_ref().map_or(0, |range| range.start);
    let reading = Reading { store, key, tries, body, position, end: range.map(|range| range.end) };
    let chunks = stream::try_unfold(reading, |mut reading| async move {
        loop {
            let error = match reading.body.try_next().await {
                Ok(None) => return Ok(None),
                Ok(Some(chunk)) => {
                    reading.position += chunk.len() as u64;
                    reading.tries.progressed();
                    return Ok(Some((chunk, reading)));
                }
                Err(error) => error,
            };
            // The broken answer may hold a connection or a permit that the next request needs.
            reading.body = stream::empty().boxed();
            reading.tries.pause(error).await?;
            while let Err(error) = reading.reopen().await {
                reading.tries.pause(error).await?;
            }
        }
    });
    chunks.boxed()
}

impl<S: StoreRead> Reading<S> {
    async fn reopen(&mut self) -> StoreResult<()> {
        let end = match self.end {
            Some(end) => end,
            None => *self.end.insert(self.store.head(&self.key).await?.bytes),
        };
        self.body = if self.position < end {
            self.store.get(&self.key, Some(self.position..end)).await?
        } else {
            stream::empty().boxed()
        };
        Ok(())
    }
}
