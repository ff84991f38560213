//! A multipart upload with a retry of each step.

use async_trait::async_trait;
use bytes::Bytes;

use super::{Retry, settle};
use crate::digest::Sha256Digest;
use crate::key::Key;
use crate::store::{Multipart, StoreRead, StoreResult};

#[derive(Debug)]
pub(super) struct RetryUpload<S> {
    retry: Retry<S>,
    key: Key,
    inner: Box<dyn Multipart>,
}

impl<S> RetryUpload<S> {
    pub(super) fn new(retry: Retry<S>, key: Key, inner: Box<dyn Multipart>) -> Self {
        Self { retry, key, inner }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: StoreRead> Multipart for RetryUpload<S> {
    async fn part(&self, number: u32, body: Bytes) -> StoreResult<()> {
        self.retry.again(|| self.inner.part(number, body.clone())).await
    }

    async fn complete(&self, parts: u32, digest: &Sha256Digest, bytes: u64) -> StoreResult<()> {
        let mut tries = self.retry.tries();
        let mut ambiguous = false;
        loop {
            let error = match self.inner.complete(parts, digest, bytes).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if ambiguous && settle::may_hide_success(&error) {
                return settle::settle(&self.retry, &self.key, digest, bytes, error).await;
            }
            ambiguous |= error.is_ambiguous();
            tries.pause(error).await?;
        }
    }

    async fn abort(&self) -> StoreResult<()> {
        self.retry.again(|| self.inner.abort()).await
    }
}
