//! Writes a stream of bytes as one object.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::assemble::Assembly;
use super::budget::{Reservation, UploadBudget};
use super::hash::OrderedHasher;
use crate::digest::Sha256Digest;
use crate::error::StoreError;
use crate::key::Key;
use crate::manifest::{Codec, Part};
use crate::store::{Multipart, PARTS_MAX, PutOptions, StoreResult, StoreWrite};
use crate::units;

/// Parts of one object on their way at once, unless said otherwise: enough to hide the answer time of S3 at what one
/// connection carries, few enough that several objects at once stay within [`super::BUDGET_BYTES`].
pub const PARTS_IN_FLIGHT: usize = 4;

/// Part sizes are whole multiples of this; some S3-compatible servers want that.
const PART_STEP_BYTES: usize = 1024 * 1024;

/// What was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The digest of all bytes written.
    pub sha256: Sha256Digest,
    /// How many there are.
    pub bytes: u64,
}

impl Stored {
    /// The whole object at `key` as a part of a backup, with content that is stored as it is; otherwise see
    /// [`Part::encoded_from`].
    #[must_use]
    pub fn whole(self, key: Key, role: &str) -> Part {
        Part {
            key,
            role: role.to_owned(),
            content_sha256: Some(self.sha256),
            content_bytes: self.bytes,
            stored_sha256: self.sha256,
            stored_bytes: self.bytes,
            codec: Codec::None,
            offset: None,
            length: None,
        }
    }
}

/// The part size with which an object of `expected_bytes` needs no more than [`PARTS_MAX`] parts; at least `least_bytes`.
#[must_use]
pub fn part_bytes_for(expected_bytes: u64, least_bytes: usize) -> usize {
    let needed = usize::try_from(expected_bytes.div_ceil(u64::from(PARTS_MAX))).unwrap_or(usize::MAX);
    if needed <= least_bytes { least_bytes } else { needed.div_ceil(PART_STEP_BYTES).saturating_mul(PART_STEP_BYTES) }
}

/// Writes bytes as they come as one object: a single `put` if they fit one part, else an upload in parts, several of
/// them on their way at once. Nothing is visible before [`ObjectWriter::finish`] returned; dropping it aborts.
///
/// A write that fails, or whose future is dropped before it is done, spoils the writer: everything after it fails too.
#[derive(Debug)]
pub struct ObjectWriter {
    store: Arc<dyn StoreWrite>,
    key: Key,
    options: PutOptions,
    budget: UploadBudget,
    in_flight_max: usize,
    assembly: Assembly,
    reservation: Option<Arc<Reservation>>,
    /// The first part, full, while it is not known whether it is the only one.
    first: Option<Bytes>,
    hasher: OrderedHasher,
    bytes: u64,
    upload: Option<Arc<dyn Multipart>>,
    parts: u32,
    tasks: JoinSet<StoreResult<()>>,
    spoilt: bool,
}

impl ObjectWriter {
    /// A writer of `key`; its parts have [`PutOptions::part_bytes`] bytes and share `budget` with other writers'.
    #[must_use]
    pub fn new(store: Arc<dyn StoreWrite>, key: Key, options: PutOptions, budget: UploadBudget) -> Self {
        let part_bytes = options.part_bytes.max(1);
        Self {
            store,
            key,
            options: PutOptions { part_bytes, ..options },
            budget,
            in_flight_max: PARTS_IN_FLIGHT,
            assembly: Assembly::new(part_bytes),
            reservation: None,
            first: None,
            hasher: OrderedHasher::default(),
            bytes: 0,
            upload: None,
            parts: 0,
            tasks: JoinSet::new(),
            spoilt: false,
        }
    }

    /// Sends up to `parts` parts at once instead of [`PARTS_IN_FLIGHT`].
    #[must_use]
    pub fn with_parts_in_flight(mut self, parts: usize) -> Self {
        self.in_flight_max = parts.max(1);
        self
    }

    /// Makes the parts large enough for an object of about `bytes` bytes. To be called before the first write.
    #[must_use]
    pub fn with_expected_bytes(mut self, bytes: u64) -> Self {
        if self.bytes == 0 {
            self.options.part_bytes = part_bytes_for(bytes, self.options.part_bytes);
            self.assembly = Assembly::new(self.options.part_bytes);
        }
        self
    }

    /// Bytes taken so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes more bytes; waits while the store or the budget cannot take them.
    ///
    /// # Errors
    /// What the store says to this or an earlier part.
    pub async fn write(&mut self, input: Bytes) -> StoreResult<()> {
        self.check_sound()?;
        // Until all of it is taken: a future dropped half-way must not leave a hole.
        self.spoilt = true;
        self.take(input).await?;
        while let Some(sent) = self.tasks.try_join_next() {
            landed(sent)?;
        }
        self.spoilt = false;
        Ok(())
    }

    /// Sends what is left and makes the object visible.
    ///
    /// # Errors
    /// What the store says; then the upload has been aborted.
    pub async fn finish(mut self) -> StoreResult<Stored> {
        let result = match self.check_sound() {
            Ok(()) => self.publish().await,
            Err(error) => Err(error),
        };
        if result.is_err() {
            // The first error is the one to tell.
            drop(self.abort().await);
        }
        result
    }

    /// Gives up: no object, and nothing left behind.
    ///
    /// # Errors
    /// What the store says when it cannot free what was uploaded.
    pub async fn abort(mut self) -> StoreResult<()> {
        self.tasks.shutdown().await;
        match self.upload.take() {
            Some(upload) => upload.abort().await,
            None => Ok(()),
        }
    }

    fn check_sound(&self) -> StoreResult<()> {
        if !self.spoilt {
            return Ok(());
        }
        Err(StoreError::Invalid { what: format!("the upload of `{}` failed or was interrupted earlier", self.key) })
    }

    async fn take(&mut self, mut input: Bytes) -> StoreResult<()> {
        self.bytes += input.len() as u64;
        while !input.is_empty() {
            if let Some(first) = self.first.take() {
                self.send(first).await?;
            }
            if self.reservation.is_none() {
                self.reservation = Some(Arc::new(self.budget.reserve(self.options.part_bytes).await));
            }
            match self.assembly.take(&mut input) {
                Some(part) if self.upload.is_some() => self.send(part).await?,
                first => self.first = first,
            }
        }
        Ok(())
    }

    /// Sends a part as soon as fewer than the most allowed are on their way.
    async fn send(&mut self, part: Bytes) -> StoreResult<()> {
        let upload = match &self.upload {
            Some(upload) => upload.clone(),
            None => {
                let upload: Arc<dyn Multipart> = self.store.multipart(&self.key, &self.options).await?.into();
                self.upload.insert(upload).clone()
            }
        };
        if self.parts == PARTS_MAX {
            return Err(StoreError::Invalid {
                what: format!(
                    "`{}` needs more than {} parts of {}",
                    self.key,
                    units::count(u64::from(PARTS_MAX)),
                    units::bytes(self.options.part_bytes as u64)
                ),
            });
        }
        let held = self.reservation.take();
        self.hasher.update(part.clone(), held.clone()).await?;
        while self.tasks.len() >= self.in_flight_max
            && let Some(sent) = self.tasks.join_next().await
        {
            landed(sent)?;
        }
        self.parts += 1;
        let number = self.parts;
        self.tasks.spawn(async move {
            let result = upload.part(number, part).await.map_err(StoreError::while_writing);
            drop(held);
            result
        });
        Ok(())
    }

    async fn publish(&mut self) -> StoreResult<Stored> {
        let rest = self.assembly.rest();
        if self.upload.is_none() {
            return self.publish_at_once(self.first.clone().or(rest).unwrap_or_default()).await;
        }
        if let Some(rest) = rest {
            self.send(rest).await?;
        }
        while let Some(sent) = self.tasks.join_next().await {
            landed(sent)?;
        }
        let sha256 = std::mem::take(&mut self.hasher).finish().await?;
        if let Some(upload) = &self.upload {
            upload.complete(self.parts, &sha256, self.bytes).await.map_err(StoreError::while_writing)?;
        }
        self.upload = None;
        Ok(Stored { sha256, bytes: self.bytes })
    }

    async fn publish_at_once(&mut self, body: Bytes) -> StoreResult<Stored> {
        self.hasher.update(body.clone(), self.reservation.clone()).await?;
        self.store.put(&self.key, body, &self.options).await.map_err(StoreError::while_writing)?;
        let sha256 = std::mem::take(&mut self.hasher).finish().await?;
        Ok(Stored { sha256, bytes: self.bytes })
    }
}

/// What became of a part.
fn landed(sent: Result<StoreResult<()>, tokio::task::JoinError>) -> StoreResult<()> {
    match sent {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only this writer aborts its tasks; what remains is a runtime that shuts down.
            Err(error) => {
                Err(StoreError::Other { key: String::new(), action: "upload a part".to_owned(), source: error.into() })
            }
        },
    }
}

#[cfg(test)]
mod tests;
