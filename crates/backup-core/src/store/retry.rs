//! Retries temporary failures, and recognises its own success if the response was lost.

mod body;
mod policy;
mod settle;
mod upload;

use std::future::pending;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::stream::{self, BoxStream, StreamExt};

use self::policy::{Teller, Tries};
use super::{
    ByteStream, DeleteOutcome, ListingOrder, Multipart, ObjectMeta, PutOptions, StoreDelete, StoreRead, StoreResult,
    StoreWrite, UnfinishedUpload, Version,
};
use crate::digest::Sha256Digest;
use crate::error::StoreError;
use crate::failure::Failure;
use crate::key::Key;
use crate::progress::SharedProgress;
use crate::retry::{self, FailedAttempt};
pub use crate::retry::{ATTEMPTS_MAX, DELAY_BUDGET, DELAY_FIRST, DELAY_MAX, RetryPolicy};

/// A store that tries again. It is the only layer that does: the S3 client's own retries are off.
#[derive(Debug)]
pub struct Retry<S> {
    store: Arc<S>,
    policy: RetryPolicy,
    teller: Arc<Teller>,
}

impl<S> Clone for Retry<S> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), policy: self.policy, teller: self.teller.clone() }
    }
}

impl<S> Retry<S> {
    /// Wraps `store`.
    #[must_use]
    pub fn new(store: S, policy: RetryPolicy) -> Self {
        Self { store: Arc::new(store), policy, teller: Arc::new(Teller::default()) }
    }

    /// Tells `progress` when a request has to be tried again: now and then for each kind of request, and not for every
    /// request of a store that is slow for all of them.
    #[must_use]
    pub fn with_progress(mut self, progress: SharedProgress) -> Self {
        self.teller = Arc::new(Teller::new(progress));
        self
    }

    /// Repeats `operation` until it succeeds or trying again is of no use.
    async fn again<T, F>(&self, operation: impl FnMut() -> F) -> StoreResult<T>
    where
        F: Future<Output = StoreResult<T>>,
    {
        let hear = |failed: &FailedAttempt<'_, StoreError>| self.teller.tell(failed);
        retry::run(self.policy, operation, StoreError::is_permanent, pending(), hear).await
    }

    fn tries(&self) -> Tries {
        Tries::new(self.policy, self.teller.clone())
    }
}

/// Times one listing is taken up again. Each key that arrives counts as progress, so that a server that fails after every
/// page and then begins from the start would be asked for ever.
const RESUMES_MAX: u32 = 1_000;

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: StoreRead> StoreRead for Retry<S> {
    async fn head(&self, key: &Key) -> StoreResult<ObjectMeta> {
        self.again(|| self.store.head(key)).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> StoreResult<ByteStream> {
        let body = self.again(|| self.store.get(key, range.clone())).await?;
        Ok(body::resuming(self.store.clone(), self.tries(), key.clone(), range, body))
    }

    fn list(&self, prefix: &str, after: Option<&Key>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let (store, prefix) = (self.store.clone(), prefix.to_owned());
        let listing = store.list(&prefix, after);
        let start = (listing, self.tries(), after.cloned(), 0);
        let resumed = stream::try_unfold(start, move |(mut listing, mut tries, mut after, mut resumed)| {
            let (store, prefix) = (store.clone(), prefix.clone());
            async move {
                loop {
                    match listing.try_next().await {
                        Ok(None) => return Ok(None),
                        Ok(Some(meta)) => {
                            tries.progressed();
                            after = Some(meta.key.clone());
                            return Ok(Some((meta, (listing, tries, after, resumed))));
                        }
                        Err(error) if resumed == RESUMES_MAX => return Err(error),
                        Err(error) => {
                            resumed += 1;
                            tries.pause(error).await?;
                            listing = store.list(&prefix, after.as_ref());
                        }
                    }
                }
            }
        });
        resumed.boxed()
    }

    async fn list_children(&self, prefix: &str) -> StoreResult<Vec<String>> {
        self.again(|| self.store.list_children(prefix)).await
    }

    async fn list_names(&self, prefix: &str) -> StoreResult<Vec<String>> {
        self.again(|| self.store.list_names(prefix)).await
    }

    async fn versions(&self, keys: &[Key]) -> StoreResult<Vec<Option<Version>>> {
        self.again(|| self.store.versions(keys)).await
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
impl<S: StoreWrite> StoreWrite for Retry<S> {
    async fn put(&self, key: &Key, body: Bytes, options: &PutOptions) -> StoreResult<()> {
        let mut tries = self.tries();
        let mut ambiguous = false;
        loop {
            let error = match self.store.put(key, body.clone(), options).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if ambiguous && settle::may_hide_success(&error) {
                let digest = Sha256Digest::of(&body);
                return settle::settle(self, key, &digest, body.len() as u64, error).await;
            }
            ambiguous |= error.is_ambiguous();
            tries.pause(error).await?;
        }
    }

    async fn multipart(&self, key: &Key, options: &PutOptions) -> StoreResult<Box<dyn Multipart>> {
        // If the answer to a success was lost, an empty upload stays behind: `StoreDelete::unfinished` lists it.
        let upload = self.again(|| self.store.multipart(key, options)).await?;
        Ok(Box::new(upload::RetryUpload::new(self.clone(), key.clone(), upload)))
    }

    async fn make_durable(&self, keys: &[Key]) -> StoreResult<()> {
        self.again(|| self.store.make_durable(keys)).await
    }

    async fn now(&self) -> StoreResult<jiff::Timestamp> {
        self.again(|| self.store.now()).await
    }

    async fn listing_order(&self) -> StoreResult<ListingOrder> {
        self.again(|| self.store.listing_order()).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: StoreDelete> StoreDelete for Retry<S> {
    async fn delete(&self, keys: &[Key]) -> StoreResult<Vec<DeleteOutcome>> {
        let mut tries = self.tries();
        let mut outcomes: Vec<Option<DeleteOutcome>> = keys.iter().map(|_| None).collect();
        loop {
            let open: Vec<usize> = (0..keys.len()).filter(|index| is_open(outcomes[*index].as_ref())).collect();
            let wanted: Vec<Key> = open.iter().map(|index| keys[*index].clone()).collect();
            let error = match self.store.delete(&wanted).await {
                Err(error) => error,
                Ok(found) => {
                    open.iter().zip(found).for_each(|(index, outcome)| outcomes[*index] = Some(outcome));
                    let again = open.iter().copied().find(|index| is_open(outcomes[*index].as_ref()));
                    match again.and_then(|index| outcomes[index].take()).map(|outcome| outcome.result) {
                        Some(Err(error)) => error,
                        _ => return Ok(outcomes.into_iter().flatten().collect()),
                    }
                }
            };
            if let Err(error) = tries.pause(error).await {
                return given_up(keys, outcomes, error);
            }
        }
    }

    async fn unfinished(&self, prefix: &str) -> StoreResult<Vec<UnfinishedUpload>> {
        self.again(|| self.store.unfinished(prefix)).await
    }

    async fn abort_unfinished(&self, upload: &UnfinishedUpload) -> StoreResult<()> {
        self.again(|| self.store.abort_unfinished(upload)).await
    }
}

/// Whether a key is still to be deleted: never tried, or failed in a way that may pass.
fn is_open(outcome: Option<&DeleteOutcome>) -> bool {
    outcome.is_none_or(|outcome| outcome.result.as_ref().is_err_and(|error| !error.is_permanent()))
}

/// The outcomes when trying again is of no more use: what is known of some keys is not lost to the failure of one.
fn given_up(keys: &[Key], outcomes: Vec<Option<DeleteOutcome>>, error: StoreError) -> StoreResult<Vec<DeleteOutcome>> {
    if outcomes.iter().all(Option::is_none) {
        return Err(error);
    }
    let text = error.to_string();
    let mut error = Some(error);
    let mut untried = |key: &Key| {
        let result = Err(error.take().unwrap_or_else(|| StoreError::Busy {
            key: key.to_string(),
            action: "delete".to_owned(),
            source: text.clone().into(),
        }));
        DeleteOutcome { key: key.clone(), result }
    };
    Ok(keys.iter().zip(outcomes).map(|(key, outcome)| outcome.unwrap_or_else(|| untried(key))).collect())
}

#[cfg(test)]
mod tests;
