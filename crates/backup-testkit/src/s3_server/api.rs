//! The S3 operations, each a translation between the wire's types and the backend's.

mod list;
mod paging;

use std::sync::Arc;
use std::time::SystemTime;

use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use super::backend::{Attributes, Backend, Condition, ListedPart, Object};
use super::body::{Receiver, Segment};
use crate::faults::ListingFault;

/// Marks a request whose conditions are to be ignored.
#[derive(Clone, Copy, Debug)]
pub(super) struct IgnoreConditions;

/// Marks an answer that says 202: s3s 0.14 drops the status that an operation sets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accepted;

/// Marks a listing that lags behind.
#[derive(Clone, Copy, Debug)]
pub(super) struct HideNewerThan(pub(super) std::time::Duration);

/// Marks a listing in pages of so many entries with something wrong with them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paging {
    pub(super) entries: usize,
    pub(super) fault: ListingFault,
}

/// Marks a listing of objects folder by folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct FolderByFolder;

/// Marks a listing of uploads that all began at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct UploadsBegan(pub(super) SystemTime);

#[derive(Clone, Debug)]
pub(super) struct Api(pub(super) Arc<Backend>);

fn ok<T>(output: T) -> S3Result<S3Response<T>> {
    Ok(S3Response::new(output))
}

fn condition<T>(
    request: &S3Request<T>,
    if_none_match: Option<&IfNoneMatch>,
    if_match: Option<&IfMatch>,
) -> S3Result<Condition> {
    if request.extensions.get::<IgnoreConditions>().is_some() {
        return Ok(Condition::default());
    }
    // S3 knows no other `If-None-Match` for writes.
    if if_none_match.is_some_and(|condition| !condition.is_any()) {
        return Err(s3_error!(NotImplemented));
    }
    let etag = if_match.and_then(|condition| condition.as_etag()).map(|etag| etag.value().to_owned());
    Ok(Condition { absent: if_none_match.is_some(), etag })
}

/// The wire's moment, whose library we do not name, by way of its text form.
fn system_time(time: &Timestamp) -> Option<SystemTime> {
    let mut text = Vec::new();
    time.format(TimestampFormat::EpochSeconds, &mut text).ok()?;
    let seconds: f64 = std::str::from_utf8(&text).ok()?.parse().ok()?;
    SystemTime::UNIX_EPOCH.checked_add(std::time::Duration::try_from_secs_f64(seconds).ok()?)
}

fn attributes(
    class: Option<&StorageClass>,
    metadata: Option<&Metadata>,
    locked_until: Option<&Timestamp>,
) -> Attributes {
    Attributes {
        storage_class: class.map(|class| class.as_str().to_owned()),
        metadata: metadata.into_iter().flatten().map(|(name, text)| (name.clone(), text.clone())).collect(),
        locked_until: locked_until.and_then(system_time),
    }
}

fn storage_class(object: &Object) -> Option<StorageClass> {
    object.attributes.storage_class.clone().map(StorageClass::from)
}

fn wire_metadata(object: &Object) -> Option<Metadata> {
    Some(object.attributes.metadata.clone().into_iter().collect())
}

impl Api {
    /// A body as it arrives, with the checksum it must have.
    async fn receive(
        &self,
        body: Option<StreamingBlob>,
        announced: Option<i64>,
        checksum: Option<&String>,
    ) -> S3Result<Segment> {
        let receiver = Receiver::new(self.0.folder.as_deref()).map_err(|error| s3_error!(error, InternalError))?;
        let segment = receiver.receive(body).await.map_err(|error| s3_error!(error, IncompleteBody))?;
        if announced.is_some_and(|bytes| u64::try_from(bytes) != Ok(segment.bytes)) {
            return Err(s3_error!(IncompleteBody));
        }
        if checksum.is_some_and(|checksum| *checksum != segment.checksum()) {
            return Err(s3_error!(BadDigest, "the SHA-256 you specified did not match what was received"));
        }
        Ok(segment)
    }

    fn found(&self, bucket: &str, key: &str, if_match: Option<&IfMatch>) -> S3Result<Object> {
        self.0.within(bucket, |bucket| {
            let object = bucket.objects.get(key).ok_or_else(|| s3_error!(NoSuchKey))?;
            let etag = if_match.and_then(|condition| condition.as_etag());
            if etag.is_some_and(|etag| etag.value() != object.etag) {
                return Err(s3_error!(PreconditionFailed));
            }
            Ok(object.clone())
        })
    }
}

/// A size as the wire has it.
fn length(bytes: u64) -> Option<i64> {
    i64::try_from(bytes).ok()
}

#[async_trait::async_trait]
impl S3 for Api {
    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        self.0.create(&request.input.bucket);
        ok(CreateBucketOutput::default())
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.0.within(&request.input.bucket, |_| Ok(()))?;
        ok(HeadBucketOutput::default())
    }

    async fn put_object(&self, mut request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let body = request.input.body.take();
        let input = &request.input;
        let condition = condition(&request, input.if_none_match.as_ref(), input.if_match.as_ref())?;
        let segment = self.receive(body, input.content_length, input.checksum_sha256.as_ref()).await?;
        let checksum = segment.checksum();
        let attributes = attributes(
            input.storage_class.as_ref(),
            input.metadata.as_ref(),
            input.object_lock_retain_until_date.as_ref(),
        );
        let object = Object::of(segment, attributes);
        let etag = object.etag.clone();
        self.0.within(&input.bucket, |bucket| bucket.publish(&input.key, object, &condition))?;
        ok(PutObjectOutput { e_tag: Some(ETag::Strong(etag)), checksum_sha256: Some(checksum), ..Default::default() })
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let object = self.found(&input.bucket, &input.key, input.if_match.as_ref())?;
        object.copy(self.0.now()).readable()?;
        let bytes = object.body.bytes();
        let (range, content_range) = match input.range {
            None => (0..bytes, None),
            Some(range) => {
                let range = range.check(bytes).map_err(|_| s3_error!(InvalidRange))?;
                let header = format!("bytes {}-{}/{bytes}", range.start, range.end.saturating_sub(1));
                (range, Some(header))
            }
        };
        ok(GetObjectOutput {
            content_length: length(range.end - range.start),
            content_range,
            e_tag: Some(ETag::Strong(object.etag.clone())),
            last_modified: Some(object.modified.into()),
            storage_class: storage_class(&object),
            metadata: wire_metadata(&object),
            body: Some(object.body.stream(range)),
            ..Default::default()
        })
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let object = self.found(&input.bucket, &input.key, input.if_match.as_ref())?;
        ok(HeadObjectOutput {
            content_length: length(object.body.bytes()),
            e_tag: Some(ETag::Strong(object.etag.clone())),
            last_modified: Some(object.modified.into()),
            storage_class: storage_class(&object),
            metadata: wire_metadata(&object),
            restore: object.copy(self.0.now()).header(),
            ..Default::default()
        })
    }

    async fn restore_object(
        &self,
        request: S3Request<RestoreObjectInput>,
    ) -> S3Result<S3Response<RestoreObjectOutput>> {
        let (input, now) = (request.input, self.0.now());
        let order = input.restore_request.ok_or_else(|| s3_error!(MalformedXML, "a restore has a request"))?;
        let tier = order.glacier_job_parameters.map(|parameters| parameters.tier).or(order.tier);
        let tier = tier.as_ref().map_or("Standard", Tier::as_str);
        let is_new = self.0.within(&input.bucket, |bucket| {
            let object = bucket.objects.get_mut(&input.key).ok_or_else(|| s3_error!(NoSuchKey))?;
            object.request((order.days, tier), now)
        })?;
        let mut response = S3Response::new(RestoreObjectOutput::default());
        if is_new {
            response.extensions.insert(Accepted);
        }
        Ok(response)
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = request.input;
        let attributes = attributes(
            input.storage_class.as_ref(),
            input.metadata.as_ref(),
            input.object_lock_retain_until_date.as_ref(),
        );
        let id = self.0.within(&input.bucket, |bucket| Ok(bucket.begin(&input.key, attributes)))?;
        ok(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            ..Default::default()
        })
    }

    async fn upload_part(&self, mut request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let body = request.input.body.take();
        let input = request.input;
        self.0.within(&input.bucket, |bucket| bucket.upload(&input.key, &input.upload_id).map(drop))?;
        let segment = self.receive(body, input.content_length, input.checksum_sha256.as_ref()).await?;
        let (etag, checksum) = (hex::encode(&segment.sha256[..16]), segment.checksum());
        self.0.within(&input.bucket, |bucket| {
            bucket.upload(&input.key, &input.upload_id)?.take_part(input.part_number, segment)
        })?;
        ok(UploadPartOutput { e_tag: Some(ETag::Strong(etag)), checksum_sha256: Some(checksum), ..Default::default() })
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = &request.input;
        let condition = condition(&request, input.if_none_match.as_ref(), input.if_match.as_ref())?;
        let parts = input.multipart_upload.as_ref().and_then(|upload| upload.parts.as_ref());
        let listed: Vec<ListedPart> = parts
            .into_iter()
            .flatten()
            .map(|part| ListedPart {
                number: part.part_number.unwrap_or_default(),
                etag: part.e_tag.as_ref().map(|etag| etag.value().to_owned()),
                checksum: part.checksum_sha256.clone(),
            })
            .collect();
        let etag = self
            .0
            .within(&input.bucket, |bucket| bucket.complete(&input.key, &input.upload_id, &listed, &condition))?;
        ok(CompleteMultipartUploadOutput {
            bucket: Some(input.bucket.clone()),
            key: Some(input.key.clone()),
            e_tag: Some(ETag::Strong(etag)),
            ..Default::default()
        })
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = request.input;
        self.0.within(&input.bucket, |bucket| {
            bucket.upload(&input.key, &input.upload_id)?;
            bucket.uploads.remove(&input.upload_id);
            Ok(())
        })?;
        ok(AbortMultipartUploadOutput::default())
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.0.within(&request.input.bucket, |bucket| bucket.delete(&request.input.key))?;
        ok(DeleteObjectOutput::default())
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        list::delete_objects(&self.0, request)
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        list::list_objects(&self.0, request)
    }

    async fn get_bucket_lifecycle_configuration(
        &self,
        request: S3Request<GetBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<GetBucketLifecycleConfigurationOutput>> {
        let rules = self.0.within(&request.input.bucket, |bucket| {
            bucket.lifecycle.clone().ok_or_else(|| s3_error!(NoSuchLifecycleConfiguration))
        })?;
        ok(GetBucketLifecycleConfigurationOutput { rules: Some(rules), ..Default::default() })
    }

    async fn put_bucket_lifecycle_configuration(
        &self,
        request: S3Request<PutBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<PutBucketLifecycleConfigurationOutput>> {
        let rules = request.input.lifecycle_configuration.map(|configuration| configuration.rules).unwrap_or_default();
        let ids: std::collections::BTreeSet<_> = rules.iter().map(|rule| rule.id.clone()).collect();
        if rules.is_empty() || ids.len() < rules.len() {
            return Err(s3_error!(MalformedXML, "a configuration has rules, each with an id of its own"));
        }
        self.0.within(&request.input.bucket, |bucket| {
            bucket.lifecycle = Some(rules);
            Ok(())
        })?;
        ok(PutBucketLifecycleConfigurationOutput::default())
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        list::list_uploads(&self.0, request)
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let input = request.input;
        let parts = self.0.within(&input.bucket, |bucket| {
            let upload = bucket.upload(&input.key, &input.upload_id)?;
            Ok(upload.parts().collect::<Vec<_>>())
        })?;
        let parts = parts.into_iter().map(|(number, bytes, came)| Part {
            part_number: Some(number),
            size: length(bytes),
            last_modified: Some(came.into()),
            ..Default::default()
        });
        ok(ListPartsOutput { parts: Some(parts.collect()), is_truncated: Some(false), ..Default::default() })
    }
}
