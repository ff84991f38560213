//! Reading: archives by the output of their jobs, everything else from the location.

use std::collections::BTreeSet;
use std::iter;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::vec;

use async_trait::async_trait;
use backup_core::StoreError;
use backup_core::digest::Sha256Digest;
use backup_core::key::Key;
use backup_core::store::{ByteStream, Bytes, ObjectMeta, StoreRead, StoreResult};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream, Peekable};
use jiff::Timestamp;

use super::super::download::RANGE_BYTES;
use super::super::jobs::VaultJob;
use super::{Inner, VaultStore, as_store};
use crate::tree_hash::LEAF_BYTES;
use crate::vaulted::VaultArchive;

type Listing = BoxStream<'static, StoreResult<ObjectMeta>>;

#[async_trait]
impl StoreRead for VaultStore {
    async fn head(&self, key: &Key) -> StoreResult<ObjectMeta> {
        let inner = &self.0;
        if !inner.is_payload(key) {
            return inner.hot.head(key).await;
        }
        let failed = |error| as_store(error, key, "glacier:CompleteMultipartUpload");
        match inner.settled(key).await.map_err(failed)? {
            Some(archive) => Ok(meta(key.clone(), &archive)),
            None => inner.hot.head(key).await,
        }
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> StoreResult<ByteStream> {
        let inner = self.0.clone();
        let Some(archive) = inner.archive(key).filter(|_| inner.is_payload(key)) else {
            return inner.hot.get(key, range).await;
        };
        let range = range.unwrap_or(0..archive.bytes);
        if range.end > archive.bytes {
            let what = format!("it has {} bytes, and byte {} was asked for", archive.bytes, range.end);
            return Err(StoreError::Damaged { key: key.to_string(), what });
        }
        let failed = |error| as_store(error, key, "glacier:ListJobs");
        let Some(job) = inner.ready_job(key, &archive, &range).await.map_err(failed)? else {
            return Err(StoreError::Archived { key: key.to_string() });
        };
        let leaves = inner.catalogue.leaves(key).map_err(failed)?;
        let reading = Reading { inner, key: key.clone(), archive, job, leaves, at: range.start, end: range.end };
        let windows = stream::try_unfold(reading, |mut reading| async move {
            if reading.at >= reading.end {
                return Ok(None);
            }
            let bytes = reading.next().await?;
            Ok(Some((bytes, reading)))
        });
        Ok(windows.boxed())
    }

    fn list(&self, prefix: &str, after: Option<&Key>) -> Listing {
        let ours: Vec<ObjectMeta> = {
            let known = self.0.known();
            let is_meant = |key: &Key| key.as_str().starts_with(prefix) && after.is_none_or(|after| key > after);
            let below = known.iter().filter(|(key, _)| is_meant(key));
            below.filter_map(|(key, vaulted)| Some(meta(key.clone(), vaulted.archive.as_ref()?))).collect()
        };
        let hot = self.0.hot.list(prefix, after);
        if ours.is_empty() { hot } else { merged(hot, ours) }
    }

    async fn list_children(&self, prefix: &str) -> StoreResult<Vec<String>> {
        let mut children: BTreeSet<String> = self.0.hot.list_children(prefix).await?.into_iter().collect();
        for (key, _) in self.0.known().iter().filter(|(_, vaulted)| vaulted.archive.is_some()) {
            let Some(below) = key.as_str().strip_prefix(prefix) else { continue };
            children.insert(below.split_once('/').map_or_else(|| below.to_owned(), |(folder, _)| format!("{folder}/")));
        }
        Ok(children.into_iter().collect())
    }

    fn describe(&self) -> String {
        // A catalogue belongs to the location, wherever its archives are.
        self.0.hot.describe()
    }

    fn unfollowed(&self) -> Vec<String> {
        self.0.hot.unfollowed()
    }
}

/// Two listings in key order as one; what both have is the vault's.
fn merged(hot: Listing, ours: Vec<ObjectMeta>) -> Listing {
    let start: (Peekable<Listing>, iter::Peekable<vec::IntoIter<ObjectMeta>>) =
        (hot.peekable(), ours.into_iter().peekable());
    let next = |(mut hot, mut ours): (Peekable<Listing>, iter::Peekable<vec::IntoIter<ObjectMeta>>)| async move {
        let (mut take_ours, mut same) = (ours.peek().is_some(), false);
        match (Pin::new(&mut hot).peek().await, ours.peek()) {
            (Some(Ok(theirs)), Some(own)) => {
                take_ours = own.key <= theirs.key;
                same = own.key == theirs.key;
            }
            (Some(Err(_)), _) => take_ours = false,
            _ => {}
        }
        let found = if take_ours { ours.next().map(Ok) } else { hot.next().await };
        if same {
            let _theirs = hot.next().await;
        }
        found.transpose().map(|found: Option<ObjectMeta>| found.map(|found| (found, (hot, ours))))
    };
    stream::try_unfold(start, next).boxed()
}

/// A vault does not say when an archive was stored, but in its inventory.
fn meta(key: Key, archive: &VaultArchive) -> ObjectMeta {
    ObjectMeta { key, bytes: archive.bytes, modified: Timestamp::UNIX_EPOCH, tag: None }
}

/// An archive on its way, a range of whole mebibytes a request.
struct Reading {
    inner: Arc<Inner>,
    key: Key,
    archive: VaultArchive,
    job: VaultJob,
    leaves: Vec<Sha256Digest>,
    at: u64,
    end: u64,
}

impl Reading {
    async fn next(&mut self) -> StoreResult<Bytes> {
        let leaf = LEAF_BYTES as u64;
        let offset = self.job.range.as_ref().map_or(0, |range| range.start);
        let first = self.at - self.at % leaf;
        // Ends where a subtree does, so that the service tells the hash of most.
        let last = ((first / RANGE_BYTES + 1) * RANGE_BYTES).min(self.end.next_multiple_of(leaf));
        let last = last.min(self.archive.bytes);
        let known = usize::try_from(first / leaf).ok().and_then(|at| self.leaves.get(at..)).unwrap_or_default();
        let got = self.inner.vault.output(&self.job.id, first - offset..last - offset, known).await;
        let (body, _) = got.map_err(|error| match as_store(error, &self.key, "glacier:GetJobOutput") {
            // The output of a job goes after a day.
            StoreError::NotFound { .. } => StoreError::Archived { key: self.key.to_string() },
            error => error,
        })?;
        let until = last.min(self.end);
        let (Ok(from), Ok(to)) = (usize::try_from(self.at - first), usize::try_from(until - first)) else {
            return Err(StoreError::Damaged { key: self.key.to_string(), what: "its range is too large".to_owned() });
        };
        self.at = until;
        Ok(body.slice(from..to))
    }
}
