//! Limits how many bytes a second are sent and received.

use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    ByteStream, DeleteOutcome, ListingOrder, Multipart, ObjectMeta, PutOptions, StoreDelete, StoreRead, StoreResult,
    StoreWrite, UnfinishedUpload, Version,
};
use crate::digest::Sha256Digest;
use crate::error::StoreError;
use crate::key::Key;
use crate::run::Cancelled;

/// The longest a single chunk is held back: nobody means a limit by which it would take longer.
const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Bytes of bodies per second in each direction; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Bytes sent per second.
    pub upload: Option<NonZeroU64>,
    /// Bytes received per second.
    pub download: Option<NonZeroU64>,
}

impl Rates {
    /// Whether there is a limit at all.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.upload.is_some() || self.download.is_some()
    }
}

/// A store that sends and receives bodies no faster than at given rates, averaged over the time since it was opened.
///
/// What is sent waits before its request, a part or a whole small object at a time; what is received waits chunk by chunk.
/// Listings and other requests without a body do not wait. Whatever waits when the run is cancelled is not sent, and what is
/// sent afterwards, to clear up, does not wait: a part at a low rate would hold up the end for minutes.
#[derive(Debug)]
pub struct Limit<S> {
    store: S,
    upload: Pace,
    download: Pace,
}

impl<S> Limit<S> {
    /// Wraps `store`.
    #[must_use]
    pub fn new(store: S, rates: Rates) -> Self {
        Self::until(store, rates, &CancellationToken::new())
    }

    /// Wraps `store`, for a run that may be cancelled.
    #[must_use]
    pub fn until(store: S, rates: Rates, cancel: &CancellationToken) -> Self {
        Self { store, upload: Pace::new(rates.upload, cancel), download: Pace::new(rates.download, cancel) }
    }
}

/// Lets bytes pass at a rate, whoever asks, in the order of asking.
#[derive(Clone, Debug)]
struct Pace(Option<Arc<Schedule>>);

#[derive(Debug)]
struct Schedule {
    bytes_per_s: NonZeroU64,
    /// When everything that was let pass so far will have taken its time.
    busy_until: Mutex<Instant>,
    cancel: CancellationToken,
}

impl Pace {
    fn new(rate: Option<NonZeroU64>, cancel: &CancellationToken) -> Self {
        let schedule =
            |bytes_per_s| Schedule { bytes_per_s, busy_until: Mutex::new(Instant::now()), cancel: cancel.clone() };
        Self(rate.map(|bytes_per_s| Arc::new(schedule(bytes_per_s))))
    }

    /// Waits as long as `bytes` take at this rate, after those that came before; no longer than until the run is cancelled.
    async fn pass(&self, bytes: usize) -> Result<(), Cancelled> {
        let Some(schedule) = self.0.as_ref().filter(|schedule| !schedule.cancel.is_cancelled()) else { return Ok(()) };
        let until = {
            let mut busy_until = schedule.busy_until.lock().unwrap_or_else(PoisonError::into_inner);
            *busy_until = (*busy_until).max(Instant::now()) + time_of(bytes, schedule.bytes_per_s);
            *busy_until
        };
        schedule.cancel.run_until_cancelled(tokio::time::sleep_until(until)).await.ok_or(Cancelled)
    }
}

/// What was not let pass.
fn kept_back(key: &str, action: &str) -> impl FnOnce(Cancelled) -> StoreError {
    let (key, action) = (key.to_owned(), action.to_owned());
    move |cancelled| StoreError::Other { key, action, source: cancelled.into() }
}

/// How long `bytes` take.
fn time_of(bytes: usize, bytes_per_s: NonZeroU64) -> Duration {
    let nanos = (bytes as u128) * 1_000_000_000 / u128::from(bytes_per_s.get());
    u64::try_from(nanos).map_or(WAIT_MAX, |nanos| Duration::from_nanos(nanos).min(WAIT_MAX))
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: StoreRead> StoreRead for Limit<S> {
    async fn head(&self, key: &Key) -> StoreResult<ObjectMeta> {
        self.store.head(key).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> StoreResult<ByteStream> {
        let body = self.store.get(key, range).await?;
        let (pace, key) = (self.download.clone(), key.clone());
        let paced = body.then(move |chunk| {
            let (pace, key) = (pace.clone(), key.clone());
            async move {
                let chunk = chunk?;
                pace.pass(chunk.len()).await.map_err(kept_back(key.as_str(), "read"))?;
                StoreResult::Ok(chunk)
            }
        });
        Ok(paced.boxed())
    }

    fn list(&self, prefix: &str, after: Option<&Key>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.store.list(prefix, after)
    }

    async fn list_children(&self, prefix: &str) -> StoreResult<Vec<String>> {
        self.store.list_children(prefix).await
    }

    async fn list_names(&self, prefix: &str) -> StoreResult<Vec<String>> {
        self.store.list_names(prefix).await
    }

    async fn versions(&self, keys: &[Key]) -> StoreResult<Vec<Option<Version>>> {
        self.store.versions(keys).await
    }

    fn describe(&self) -> String {
        self.store.describe()
    }

    fn unfollowed(&self) -> Vec<String> {
        self.store.unfollowed()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: StoreWrite> StoreWrite for Limit<S> {
    async fn put(&self, key: &Key, body: Bytes, options: &PutOptions) -> StoreResult<()> {
        self.upload.pass(body.len()).await.map_err(kept_back(key.as_str(), "write"))?;
        self.store.put(key, body, options).await
    }

    async fn multipart(&self, key: &Key, options: &PutOptions) -> StoreResult<Box<dyn Multipart>> {
        let inner = self.store.multipart(key, options).await?;
        Ok(Box::new(LimitUpload { inner, pace: self.upload.clone(), key: key.clone() }))
    }

    async fn make_durable(&self, keys: &[Key]) -> StoreResult<()> {
        self.store.make_durable(keys).await
    }

    async fn now(&self) -> StoreResult<jiff::Timestamp> {
        self.store.now().await
    }

    async fn listing_order(&self) -> StoreResult<ListingOrder> {
        self.store.listing_order().await
    }
}

#[derive(Debug)]
struct LimitUpload {
    inner: Box<dyn Multipart>,
    pace: Pace,
    key: Key,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Multipart for LimitUpload {
    async fn part(&self, number: u32, body: Bytes) -> StoreResult<()> {
        self.pace.pass(body.len()).await.map_err(kept_back(self.key.as_str(), "write"))?;
        self.inner.part(number, body).await
    }

    async fn complete(&self, parts: u32, digest: &Sha256Digest, bytes: u64) -> StoreResult<()> {
        self.inner.complete(parts, digest, bytes).await
    }

    async fn abort(&self) -> StoreResult<()> {
        self.inner.abort().await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: StoreDelete> StoreDelete for Limit<S> {
    async fn delete(&self, keys: &[Key]) -> StoreResult<Vec<DeleteOutcome>> {
        self.store.delete(keys).await
    }

    async fn unfinished(&self, prefix: &str) -> StoreResult<Vec<UnfinishedUpload>> {
        self.store.unfinished(prefix).await
    }

    async fn abort_unfinished(&self, upload: &UnfinishedUpload) -> StoreResult<()> {
        self.store.abort_unfinished(upload).await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;
    use proptest::prelude::*;

    use super::*;
    use crate::pipeline::{ObjectWriter, UploadBudget};
    use crate::store::memory::MemoryStore;
    use crate::store::{PutMode, conformance};

    fn rate(bytes_per_s: u64) -> Option<NonZeroU64> {
        NonZeroU64::new(bytes_per_s)
    }

    #[tokio::test]
    async fn conforms() {
        let rates = Rates { upload: rate(1 << 40), download: rate(1 << 40) };
        conformance::run(Arc::new(Limit::new(MemoryStore::new(), rates))).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_in_parts_takes_as_long_as_its_rate_says_and_a_download_too() {
        let rates = Rates { upload: rate(1_000), download: rate(4_000) };
        let store = Arc::new(Limit::new(MemoryStore::new(), rates));
        let key = Key::new("x").unwrap();
        let begin = Instant::now();
        let options = PutOptions { part_bytes: 1_000, ..PutOptions::new(PutMode::Create) };
        let mut writer = ObjectWriter::new(store.clone(), key.clone(), options, UploadBudget::default());
        writer.write(Bytes::from(vec![7; 8_000])).await.unwrap();
        writer.finish().await.unwrap();
        assert_eq!(begin.elapsed().as_secs(), 8);
        let begin = Instant::now();
        store.get(&key, None).await.unwrap().try_collect::<Vec<_>>().await.unwrap();
        assert_eq!(begin.elapsed().as_secs(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn one_direction_does_not_wait_for_the_other_and_time_unused_is_not_saved_up() {
        let store = Limit::new(MemoryStore::new(), Rates { upload: rate(1_000), download: None });
        let (key, options) = (Key::new("x").unwrap(), PutOptions::new(PutMode::Replace));
        tokio::time::sleep(Duration::from_secs(100)).await;
        let begin = Instant::now();
        store.put(&key, Bytes::from(vec![7; 2_000]), &options).await.unwrap();
        assert_eq!(begin.elapsed().as_secs(), 2);
        store.get(&key, None).await.unwrap().try_collect::<Vec<_>>().await.unwrap();
        assert_eq!(begin.elapsed().as_secs(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_waits_at_a_cancellation_is_not_sent_and_what_comes_later_does_not_wait() {
        let (cancel, begin) = (CancellationToken::new(), Instant::now());
        let store = Arc::new(Limit::until(MemoryStore::new(), Rates { upload: rate(5), download: None }, &cancel));
        let key = |name: &str| Key::new(name).unwrap();
        let options = PutOptions::new(PutMode::Create);
        let waiting = {
            let (store, key) = (Arc::clone(&store), key("x"));
            tokio::spawn(async move { store.put(&key, Bytes::from(vec![7; 5_000]), &options).await })
        };
        tokio::time::sleep(Duration::from_secs(1)).await;
        cancel.cancel();
        let refused = waiting.await.unwrap().unwrap_err();
        assert!(matches!(&refused, StoreError::Other { key, .. } if key == "x"), "{refused:?}");
        store.put(&key("note"), Bytes::from(vec![7; 5_000]), &PutOptions::new(PutMode::Create)).await.unwrap();
        assert_eq!(begin.elapsed().as_secs(), 1);
        assert!(store.head(&key("x")).await.is_err() && store.head(&key("note")).await.is_ok());
    }

    proptest! {
        #[test]
        fn no_number_makes_a_wait_that_overflows(bytes in any::<usize>(), bytes_per_s in 1..u64::MAX) {
            let time = time_of(bytes, NonZeroU64::new(bytes_per_s).unwrap());
            prop_assert!(time <= WAIT_MAX);
            prop_assert!(time == WAIT_MAX || time.as_secs_f64() <= bytes as f64 / bytes_per_s as f64 + 1e-6);
        }
    }
}
