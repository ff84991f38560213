//! An upload in parts: one temporary file, each part written where it belongs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::failure::{blocking, failed};
use super::temp::Temp;
use crate::digest::Sha256Digest;
use crate::error::StoreError;
use crate::store::{Multipart, PutMode, PutOptions, StoreResult, rules};

#[derive(Debug)]
pub(super) struct FileUpload {
    /// Shared with running operations, so that the file outlives this while one of them works.
    inner: Arc<Inner>,
    mode: PutMode,
}

#[derive(Debug)]
struct Inner {
    temp: Temp,
    part_bytes: usize,
    sizes: Mutex<BTreeMap<u32, usize>>,
}

impl FileUpload {
    pub(super) fn new(temp: Temp, options: &PutOptions) -> Self {
        let inner = Inner { temp, part_bytes: options.part_bytes, sizes: Mutex::default() };
        Self { inner: Arc::new(inner), mode: options.mode.clone() }
    }
}

impl Inner {
    fn check_open(&self) -> StoreResult<()> {
        if self.temp.is_gone() { Err(StoreError::not_found(self.temp.key())) } else { Ok(()) }
    }
}

#[async_trait]
impl Multipart for FileUpload {
    async fn part(&self, number: u32, body: Bytes) -> StoreResult<()> {
        self.inner.check_open()?;
        let offset = rules::part_offset(self.inner.temp.key(), number, body.len(), self.inner.part_bytes)?;
        let inner = self.inner.clone();
        blocking(move || {
            inner.temp.write_at(&body, offset)?;
            // Here, beside what else goes on: all of it at the end would make everybody wait.
            inner.temp.sync()?;
            inner.sizes.lock().unwrap_or_else(PoisonError::into_inner).insert(number, body.len());
            Ok(())
        })
        .await
    }

    async fn complete(&self, parts: u32, _digest: &Sha256Digest, bytes: u64) -> StoreResult<()> {
        let (inner, mode) = (self.inner.clone(), self.mode.clone());
        blocking(move || {
            inner.check_open()?;
            let sizes = inner.sizes.lock().unwrap_or_else(PoisonError::into_inner).clone();
            rules::check_complete(inner.temp.key(), &sizes, inner.part_bytes, parts, bytes)?;
            // A last part that was sent again, shorter, or parts past the last leave bytes behind.
            inner.temp.cut(bytes)?;
            inner.temp.publish(&mode, true)
        })
        .await
    }

    async fn abort(&self) -> StoreResult<()> {
        let inner = self.inner.clone();
        blocking(move || inner.temp.remove().map_err(|error| failed(inner.temp.key().as_str(), "remove", 0, error)))
            .await
    }
}
