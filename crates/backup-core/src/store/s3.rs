//! A store in an S3 bucket, of Amazon or a compatible service.

mod body;
mod bucket;
mod clock;
mod delete;
mod failure;
mod lifecycle;
mod listing;
mod moment;
mod names;
mod order;
mod pages;
mod telltale;
mod upload;
mod write;

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};

pub use self::names::decoded;

use self::bucket::Bucket;
use self::failure::{Operation, Place};
use super::rules;
use super::{
    ByteStream, DeleteOutcome, ListingOrder, Multipart, ObjectMeta, PutOptions, StoreDelete, StoreRead, StoreResult,
    StoreWrite, Tag, UnfinishedUpload,
};
use crate::aws::Settings;
use crate::key::Key;

/// Objects of a bucket whose keys begin with a prefix.
///
/// It tries nothing again: wrap it in [`super::retry::Retry`]. Object locks are set in `GOVERNANCE` mode: whoever holds
/// `s3:BypassGovernanceRetention`, which backup credentials should not, can lift a lock that was a mistake; `COMPLIANCE`
/// would have the owner pay for the mistake until it expires.
#[derive(Clone, Debug)]
pub struct S3Store(Arc<Bucket>);

impl S3Store {
    /// The objects of `bucket` below `prefix`, a folder without `/` at either end, or empty. No request is made.
    ///
    /// # Errors
    /// [`StoreError::Invalid`](crate::StoreError::Invalid) if bucket or prefix cannot be one, and for an endpoint or certificates that cannot be used.
    pub fn new(settings: &Settings, bucket: &str, prefix: &str) -> StoreResult<Self> {
        Ok(Self(Arc::new(Bucket::new(settings, Place::new(bucket, prefix)?)?)))
    }
}

#[async_trait]
impl StoreRead for S3Store {
    async fn head(&self, key: &Key) -> StoreResult<ObjectMeta> {
        let Bucket { client, place } = &*self.0;
        let operation = Operation::new("s3:GetObject", key.as_str());
        let request = client.head_object().bucket(&place.bucket).key(place.full(key.as_str()));
        let found = request.send().await.map_err(|error| place.error(&operation, error))?;
        Ok(ObjectMeta {
            key: key.clone(),
            bytes: found.content_length().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default(),
            modified: moment::timestamp(found.last_modified()),
            tag: found.e_tag().map(|tag| Tag(tag.to_owned())),
        })
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> StoreResult<ByteStream> {
        let Bucket { client, place } = &*self.0;
        let operation = Operation::new("s3:GetObject", key.as_str());
        if let Some(range) = &range {
            rules::check_order(key, range)?;
            if range.is_empty() {
                // S3 has no way to ask for nothing, and the object must exist and reach that far.
                rules::span(key, Some(range.clone()), self.head(key).await?.bytes)?;
                return Ok(stream::empty().boxed());
            }
        }
        let wanted = range.as_ref().map(|range| range.end - range.start);
        let header = range.map(|range| format!("bytes={}-{}", range.start, range.end - 1));
        let request = client.get_object().bucket(&place.bucket).key(place.full(key.as_str())).set_range(header);
        let found = request.send().await.map_err(|error| place.error(&operation, error))?;
        body::checked(key, wanted, found)
    }

    fn list(&self, prefix: &str, after: Option<&Key>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        listing::objects(self.0.clone(), prefix, after)
    }

    async fn list_children(&self, prefix: &str) -> StoreResult<Vec<String>> {
        rules::check_folder(prefix)?;
        listing::children(&self.0, prefix).await
    }

    fn describe(&self) -> String {
        self.0.place.to_string()
    }
}

#[async_trait]
impl StoreWrite for S3Store {
    async fn put(&self, key: &Key, body: Bytes, options: &PutOptions) -> StoreResult<()> {
        write::put(&self.0, key, body, options).await
    }

    async fn multipart(&self, key: &Key, options: &PutOptions) -> StoreResult<Box<dyn Multipart>> {
        rules::check_part_bytes(key, options)?;
        Ok(Box::new(upload::S3Upload::begin(self.0.clone(), key, options).await?))
    }

    async fn make_durable(&self, _keys: &[Key]) -> StoreResult<()> {
        Ok(())
    }

    async fn now(&self) -> StoreResult<jiff::Timestamp> {
        clock::now(&self.0).await
    }

    async fn listing_order(&self) -> StoreResult<ListingOrder> {
        telltale::order(&self.0).await
    }
}

#[async_trait]
impl StoreDelete for S3Store {
    async fn delete(&self, keys: &[Key]) -> StoreResult<Vec<DeleteOutcome>> {
        delete::keys(&self.0, keys).await
    }

    async fn unfinished(&self, prefix: &str) -> StoreResult<Vec<UnfinishedUpload>> {
        listing::unfinished(&self.0, prefix).await
    }

    async fn abort_unfinished(&self, upload: &UnfinishedUpload) -> StoreResult<()> {
        upload::abort(&self.0, &upload.key, &upload.id).await
    }
}
