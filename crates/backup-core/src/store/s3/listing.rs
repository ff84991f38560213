//! Listings, a page at a time: objects, folders, unfinished uploads.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::Object;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::bucket::Bucket;
use super::failure::Operation;
use super::pages::{Pages, Reply};
use crate::error::StoreError;
use crate::key::Key;
use crate::store::{ObjectMeta, StoreResult, Tag, UnfinishedUpload};

/// The IAM action of both kinds of listing of objects.
const ACTION: &str = "s3:ListBucket";

/// A moment as we write it; the epoch where the server does not tell or what it tells is none.
pub(super) fn timestamp(time: Option<&DateTime>) -> Timestamp {
    time.and_then(moment).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A moment as we write it.
pub(super) fn moment(time: &DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

/// A reply that cannot be trusted, as an error: nothing may be deleted because of what it shows, or does not.
fn untrusted(bucket: &Bucket, prefix: &str, why: &str) -> StoreError {
    StoreError::Unsuitable {
        what: format!("the listing of `{}` cannot be trusted: {why}", bucket.place.full(prefix)),
        help: "nothing was deleted. Update the server or use another one: its contents cannot be known".into(),
    }
}

/// A listing between two pages.
enum Next {
    Page(Option<String>),
    End,
}

pub(super) fn objects(
    bucket: Arc<Bucket>,
    prefix: &str,
    after: Option<&Key>,
) -> BoxStream<'static, StoreResult<ObjectMeta>> {
    let (prefix, after) = (prefix.to_owned(), after.map(|after| bucket.place.full(after.as_str())));
    let start = (Pages::default(), Next::Page(None));
    let pages = stream::try_unfold(start, move |(mut pages, next)| {
        let (bucket, prefix, after) = (bucket.clone(), prefix.clone(), after.clone());
        async move {
            let Next::Page(token) = next else { return Ok(None) };
            let request = bucket
                .client
                .list_objects_v2()
                .bucket(&bucket.place.bucket)
                .prefix(bucket.place.full(&prefix))
                .set_start_after(after)
                .set_continuation_token(token);
            let operation = Operation::new(ACTION, &prefix);
            let reply = request.send().await.map_err(|error| bucket.place.error(&operation, error))?;
            let next = after_page(&bucket, &prefix, &mut pages, &reply)?;
            let metas: Vec<_> = reply.contents().iter().filter_map(|object| meta(&bucket, object)).map(Ok).collect();
            Ok(Some((stream::iter(metas), (pages, next))))
        }
    });
    pages.try_flatten().boxed()
}

/// Where a listing of objects goes on after a page that holds nothing but what was asked for.
fn after_page(
    bucket: &Bucket,
    prefix: &str,
    pages: &mut Pages<String>,
    reply: &ListObjectsV2Output,
) -> StoreResult<Next> {
    let full = bucket.place.full(prefix);
    let objects = reply.contents().iter().filter_map(Object::key);
    let mut names = objects.chain(reply.common_prefixes().iter().filter_map(|folder| folder.prefix()));
    let first = names.clone().next();
    if let Some(stray) = names.find(|name| !name.starts_with(&full)) {
        return Err(untrusted(bucket, prefix, &format!("it shows `{stray}`, which was not requested")));
    }
    let next = reply.next_continuation_token().filter(|token| !token.is_empty()).map(str::to_owned);
    match pages.after(Reply { truncated: reply.is_truncated(), next, first }) {
        Ok(Some(token)) => Ok(Next::Page(Some(token))),
        Ok(None) => Ok(Next::End),
        Err(why) => Err(untrusted(bucket, prefix, &why)),
    }
}

/// What is known of a listed object; objects whose names are no keys are somebody else's.
fn meta(bucket: &Bucket, object: &Object) -> Option<ObjectMeta> {
    let key = Key::new(object.key()?.strip_prefix(&bucket.place.prefix)?).ok()?;
    Some(ObjectMeta {
        key,
        bytes: object.size().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default(),
        modified: timestamp(object.last_modified()),
        tag: object.e_tag().map(|tag| Tag(tag.to_owned())),
    })
}

pub(super) async fn children(bucket: &Bucket, prefix: &str) -> StoreResult<Vec<String>> {
    let full = bucket.place.full(prefix);
    let operation = Operation::new(ACTION, prefix);
    let mut children = BTreeSet::new();
    let (mut pages, mut next) = (Pages::default(), Next::Page(None));
    while let Next::Page(token) = next {
        let request = bucket
            .client
            .list_objects_v2()
            .bucket(&bucket.place.bucket)
            .prefix(&full)
            .delimiter("/")
            .set_continuation_token(token);
        let reply = request.send().await.map_err(|error| bucket.place.error(&operation, error))?;
        next = after_page(bucket, prefix, &mut pages, &reply)?;
        let folders = reply.common_prefixes().iter().filter_map(|folder| folder.prefix());
        let objects = reply.contents().iter().filter_map(Object::key);
        let below = folders.chain(objects).filter_map(|key| key.strip_prefix(&full));
        // An empty name is a console's marker object for the folder itself.
        children.extend(below.filter(|below| !below.is_empty()).map(str::to_owned));
    }
    Ok(children.into_iter().collect())
}

pub(super) async fn unfinished(bucket: &Bucket, prefix: &str) -> StoreResult<Vec<UnfinishedUpload>> {
    let operation = Operation::new("s3:ListBucketMultipartUploads", prefix);
    let full = bucket.place.full(prefix);
    let mut uploads = Vec::new();
    let (mut pages, mut at) = (Pages::default(), Some((None, None)));
    while let Some((key_marker, id_marker)) = at {
        let request = bucket
            .client
            .list_multipart_uploads()
            .bucket(&bucket.place.bucket)
            .prefix(&full)
            .set_key_marker(key_marker)
            .set_upload_id_marker(id_marker);
        let reply = request.send().await.map_err(|error| bucket.place.error(&operation, error))?;
        // One key may have several uploads.
        let first = reply
            .uploads()
            .first()
            .map(|upload| format!("{}\n{}", upload.key().unwrap_or_default(), upload.upload_id().unwrap_or_default()));
        let marker = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        let next = marker(reply.next_key_marker()).map(|key| (Some(key), marker(reply.next_upload_id_marker())));
        at = pages
            .after(Reply { truncated: reply.is_truncated(), next, first: first.as_deref() })
            .map_err(|why| untrusted(bucket, prefix, &why))?;
        for upload in reply.uploads() {
            // Some servers take the prefix for a key; an upload of somebody else must not be aborted.
            let key = upload.key().filter(|key| key.starts_with(&full));
            let key = key.and_then(|key| key.strip_prefix(&bucket.place.prefix));
            let (Some(Ok(key)), Some(id)) = (key.map(Key::new), upload.upload_id()) else { continue };
            uploads.push(UnfinishedUpload { key, id: id.to_owned(), started: timestamp(upload.initiated()) });
        }
    }
    Ok(uploads)
}
