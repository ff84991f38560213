//! Listings, a page at a time: objects, folders, unfinished uploads.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::Object;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::Bucket;
use super::failure::Deed;
use crate::key::Key;
use crate::store::{ObjectMeta, StoreResult, Tag, UnfinishedUpload};

/// The IAM action of both kinds of listing of objects.
const ACTION: &str = "s3:ListBucket";

/// A moment as we write it; the epoch where the server does not tell or what it tells is none.
pub(super) fn timestamp(time: Option<&DateTime>) -> Timestamp {
    let moment = time.and_then(|time| Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok());
    moment.unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Where a listing goes on.
enum Page {
    First,
    Next(String),
    None,
}

impl Page {
    /// What follows a reply: a server that says there is more and not where must not be asked for ever.
    fn after(token: Option<String>, is_truncated: Option<bool>) -> Self {
        match token {
            Some(token) if is_truncated == Some(true) => Self::Next(token),
            _ => Self::None,
        }
    }
}

pub(super) fn objects(
    bucket: Arc<Bucket>,
    prefix: &str,
    after: Option<&Key>,
) -> BoxStream<'static, StoreResult<ObjectMeta>> {
    let prefix = prefix.to_owned();
    let after = after.map(|after| bucket.place.full(after.as_str()));
    let pages = stream::try_unfold(Page::First, move |page| {
        let (bucket, prefix, after) = (bucket.clone(), prefix.clone(), after.clone());
        async move {
            let token = match page {
                Page::None => return Ok(None),
                Page::First => None,
                Page::Next(token) => Some(token),
            };
            let request = bucket
                .client
                .list_objects_v2()
                .bucket(&bucket.place.bucket)
                .prefix(bucket.place.full(&prefix))
                .set_start_after(after)
                .set_continuation_token(token);
            let deed = Deed::new(ACTION, &prefix);
            let reply = request.send().await.map_err(|error| bucket.place.error(&deed, error))?;
            let next = Page::after(reply.next_continuation_token, reply.is_truncated);
            let metas: Vec<_> =
                reply.contents.unwrap_or_default().iter().filter_map(|object| meta(&bucket, object)).map(Ok).collect();
            Ok(Some((stream::iter(metas), next)))
        }
    });
    pages.try_flatten().boxed()
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
    let deed = Deed::new(ACTION, prefix);
    let mut children = BTreeSet::new();
    let mut page = Page::First;
    loop {
        let token = match page {
            Page::None => return Ok(children.into_iter().collect()),
            Page::First => None,
            Page::Next(token) => Some(token),
        };
        let request = bucket
            .client
            .list_objects_v2()
            .bucket(&bucket.place.bucket)
            .prefix(&full)
            .delimiter("/")
            .set_continuation_token(token);
        let reply = request.send().await.map_err(|error| bucket.place.error(&deed, error))?;
        let folders = reply.common_prefixes().iter().filter_map(|folder| folder.prefix());
        let objects = reply.contents().iter().filter_map(Object::key);
        let below = folders.chain(objects).filter_map(|key| key.strip_prefix(&full));
        // An empty name is a console's marker object for the folder itself.
        children.extend(below.filter(|below| !below.is_empty()).map(str::to_owned));
        page = Page::after(reply.next_continuation_token, reply.is_truncated);
    }
}

pub(super) async fn unfinished(bucket: &Bucket, prefix: &str) -> StoreResult<Vec<UnfinishedUpload>> {
    let deed = Deed::new("s3:ListBucketMultipartUploads", prefix);
    let mut uploads = Vec::new();
    let (mut key_marker, mut id_marker) = (None, None);
    loop {
        let request = bucket
            .client
            .list_multipart_uploads()
            .bucket(&bucket.place.bucket)
            .prefix(bucket.place.full(prefix))
            .set_key_marker(key_marker)
            .set_upload_id_marker(id_marker);
        let reply = request.send().await.map_err(|error| bucket.place.error(&deed, error))?;
        for upload in reply.uploads() {
            let key = upload.key().and_then(|key| key.strip_prefix(&bucket.place.prefix));
            let (Some(Ok(key)), Some(id)) = (key.map(Key::new), upload.upload_id()) else { continue };
            uploads.push(UnfinishedUpload { key, id: id.to_owned(), started: timestamp(upload.initiated()) });
        }
        if reply.is_truncated != Some(true) || reply.next_key_marker.is_none() {
            return Ok(uploads);
        }
        (key_marker, id_marker) = (reply.next_key_marker, reply.next_upload_id_marker);
    }
}
