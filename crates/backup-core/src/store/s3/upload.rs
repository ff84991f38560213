//! An upload in parts, aborted unless completed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream as SdkStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use tokio::runtime::Handle;

use super::bucket::{Bucket, sending};
use super::failure::Operation;
use super::write::{Attributes, checksum, condition};
use crate::digest::Sha256Digest;
use crate::error::StoreError;
use crate::failure::Setting;
use crate::key::Key;
use crate::remedy;
use crate::store::{Multipart, PutMode, PutOptions, StoreResult, rules};

#[derive(Debug)]
pub(super) struct S3Upload {
    bucket: Arc<Bucket>,
    key: Key,
    id: String,
    mode: PutMode,
    part_bytes: usize,
    sent: Mutex<BTreeMap<u32, SentPart>>,
    ended: AtomicBool,
    runtime: Handle,
}

#[derive(Clone, Debug)]
struct SentPart {
    bytes: usize,
    completed: CompletedPart,
}

impl S3Upload {
    pub(super) async fn begin(bucket: Arc<Bucket>, key: &Key, options: &PutOptions) -> StoreResult<Self> {
        let Bucket { client, place } = &*bucket;
        let attributes = Attributes::new(options);
        let request = client
            .create_multipart_upload()
            .bucket(&place.bucket)
            .key(place.full(key.as_str()))
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .set_storage_class(attributes.class)
            .set_object_lock_mode(attributes.lock_mode)
            .set_object_lock_retain_until_date(attributes.lock_until)
            .set_metadata(Some(attributes.metadata));
        let operation = Operation::new("s3:PutObject", key.as_str());
        let begun = request.send().await.map_err(|error| place.error(&operation, error))?;
        let id = begun.upload_id().filter(|id| !id.is_empty()).ok_or_else(|| StoreError::Unsuitable {
            what: "it started an upload without giving its ID".to_owned(),
            help: remedy!["choose another location with ", Setting::Location],
        })?;
        Ok(Self {
            id: id.to_owned(),
            key: key.clone(),
            mode: options.mode.clone(),
            part_bytes: options.part_bytes,
            sent: Mutex::default(),
            ended: AtomicBool::new(false),
            runtime: Handle::current(),
            bucket: bucket.clone(),
        })
    }

    fn check_open(&self) -> StoreResult<()> {
        if self.ended.load(Ordering::Acquire) { Err(StoreError::not_found(&self.key)) } else { Ok(()) }
    }
}

/// Gives an upload up; one that is not there counts as given up.
pub(super) async fn abort(bucket: &Bucket, key: &Key, id: &str) -> StoreResult<()> {
    let Bucket { client, place } = bucket;
    let request = client.abort_multipart_upload().bucket(&place.bucket).key(place.full(key.as_str())).upload_id(id);
    let operation = Operation::new("s3:AbortMultipartUpload", key.as_str());
    match request.send().await.map_err(|error| place.error(&operation, error)) {
        Err(error) if error.is_not_found() => Ok(()),
        result => result.map(drop),
    }
}

#[async_trait]
impl Multipart for S3Upload {
    async fn part(&self, number: u32, body: Bytes) -> StoreResult<()> {
        self.check_open()?;
        rules::part_offset(&self.key, number, body.len(), self.part_bytes)?;
        // At most `PARTS_MAX`, which `part_offset` has checked.
        let part_number = i32::try_from(number).unwrap_or_default();
        let Bucket { client, place } = &*self.bucket;
        let (bytes, checksum) = (body.len(), checksum(&body).await?);
        let request = client
            .upload_part()
            .bucket(&place.bucket)
            .key(place.full(self.key.as_str()))
            .upload_id(&self.id)
            .part_number(part_number)
            .checksum_sha256(&checksum)
            .body(SdkStream::from(body));
        let sent = request.customize().config_override(sending(bytes)).disable_payload_signing().send().await;
        let operation = Operation::new("s3:PutObject", self.key.as_str());
        let reply = sent.map_err(|error| place.error(&operation, error))?;
        let completed = CompletedPart::builder()
            .part_number(part_number)
            .checksum_sha256(checksum)
            .set_e_tag(reply.e_tag().map(str::to_owned))
            .build();
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).insert(number, SentPart { bytes, completed });
        Ok(())
    }

    async fn complete(&self, parts: u32, _digest: &Sha256Digest, bytes: u64) -> StoreResult<()> {
        self.check_open()?;
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let sizes = sent.iter().map(|(number, part)| (*number, part.bytes)).collect();
        rules::check_complete(&self.key, &sizes, self.part_bytes, parts, bytes)?;
        let completed = sent.range(..=parts).map(|(_, part)| part.completed.clone()).collect();
        let Bucket { client, place } = &*self.bucket;
        let (if_none_match, if_match) = condition(&self.mode);
        let request = client
            .complete_multipart_upload()
            .bucket(&place.bucket)
            .key(place.full(self.key.as_str()))
            .upload_id(&self.id)
            .set_if_none_match(if_none_match)
            .set_if_match(if_match)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(completed)).build());
        let operation = Operation::new("s3:PutObject", self.key.as_str()).with_mode(&self.mode);
        request.send().await.map_err(|error| place.error(&operation, error))?;
        self.ended.store(true, Ordering::Release);
        Ok(())
    }

    async fn abort(&self) -> StoreResult<()> {
        abort(&self.bucket, &self.key, &self.id).await?;
        self.ended.store(true, Ordering::Release);
        Ok(())
    }
}

impl Drop for S3Upload {
    fn drop(&mut self) {
        if *self.ended.get_mut() {
            return;
        }
        let (bucket, key, id) = (self.bucket.clone(), self.key.clone(), std::mem::take(&mut self.id));
        self.runtime.spawn(async move {
            if let Err(error) = abort(&bucket, &key, &id).await {
                tracing::debug!(%key, %error, "an upload could not be aborted; `unfinished` lists it");
            }
        });
    }
}
