//! Listings, a page at a time: objects, folders, unfinished uploads.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::{EncodingType, Object};
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::bucket::Bucket;
use super::failure::Operation;
use super::moment::timestamp;
use super::names::decoded;
use super::order::{self, Gathered};
use super::pages::{Pages, Reply};
use crate::error::StoreError;
use crate::failure::Failure as _;
use crate::key::Key;
use crate::store::{ObjectMeta, StoreResult, Tag, UnfinishedUpload};

/// The IAM action of both kinds of listing of objects.
const ACTION: &str = "s3:ListBucket";

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

/// Pages of objects, on their way.
struct Walk {
    bucket: Arc<Bucket>,
    prefix: String,
    /// What the server is to begin after.
    start_after: Option<String>,
    /// What nothing is passed on before.
    after: Option<Key>,
    pages: Pages<String>,
    next: Next,
    /// Set while nothing was passed on yet, of a server whose order is not known.
    gathered: Option<Gathered>,
    last: Option<Key>,
}

pub(super) fn objects(
    bucket: Arc<Bucket>,
    prefix: &str,
    after: Option<&Key>,
) -> BoxStream<'static, StoreResult<ObjectMeta>> {
    // A server that walks begins after a key in its own order, and would leave out what comes after it in ours.
    let is_amazon = bucket.place.endpoint.is_none();
    let walk = Walk {
        prefix: prefix.to_owned(),
        start_after: after.filter(|_| is_amazon).map(|after| bucket.place.full(after.as_str())),
        after: after.cloned(),
        pages: Pages::default(),
        next: Next::Page(None),
        gathered: (!is_amazon).then(Gathered::default),
        last: None,
        bucket,
    };
    let pages = stream::try_unfold(walk, async |mut walk: Walk| {
        let passed = walk.step().await?.map(|metas| stream::iter(metas.into_iter().map(StoreResult::Ok)));
        StoreResult::Ok(passed.map(|metas| (metas, walk)))
    });
    pages.try_flatten().boxed()
}

impl Walk {
    /// What can be passed on next; `None` at the end.
    async fn step(&mut self) -> StoreResult<Option<Vec<ObjectMeta>>> {
        loop {
            let page = match std::mem::replace(&mut self.next, Next::End) {
                Next::End => return Ok(self.gathered.take().map(|gathered| self.wanted(gathered.sorted()))),
                Next::Page(token) => self.page(token).await?,
            };
            let untrusted = |why: String| untrusted(&self.bucket, &self.prefix, &why);
            match &mut self.gathered {
                Some(gathered) => {
                    if !gathered.take(page).map_err(untrusted)? {
                        continue;
                    }
                    let sorted = self.gathered.take().map(Gathered::sorted).unwrap_or_default();
                    self.last = sorted.last().map(|object| object.key.clone());
                    return Ok(Some(self.wanted(sorted)));
                }
                None => {
                    order::check(self.last.as_ref().map(Key::as_str), &page).map_err(untrusted)?;
                    self.last = page.last().map(|object| object.key.clone()).or(self.last.take());
                    return Ok(Some(self.wanted(page)));
                }
            }
        }
    }

    fn wanted(&self, mut objects: Vec<ObjectMeta>) -> Vec<ObjectMeta> {
        objects.retain(|object| self.after.as_ref().is_none_or(|after| object.key > *after));
        objects
    }

    async fn page(&mut self, token: Option<String>) -> StoreResult<Vec<ObjectMeta>> {
        let Bucket { client, place } = &*self.bucket;
        let request = client
            .list_objects_v2()
            .bucket(&place.bucket)
            .prefix(place.full(&self.prefix))
            .encoding_type(EncodingType::Url)
            .set_start_after(self.start_after.clone())
            .set_continuation_token(token);
        let operation = Operation::new(ACTION, &self.prefix);
        let reply = request.send().await.map_err(|error| place.error(&operation, error))?;
        self.next = after_page(&self.bucket, &self.prefix, &mut self.pages, &reply)?;
        Ok(reply.contents().iter().filter_map(|object| meta(&self.bucket, reply.encoding_type(), object)).collect())
    }
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
    let names = objects.chain(reply.common_prefixes().iter().filter_map(|folder| folder.prefix()));
    let first = names.clone().next();
    let mut names = names.map(|name| decoded(reply.encoding_type(), name));
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
fn meta(bucket: &Bucket, encoding: Option<&EncodingType>, object: &Object) -> Option<ObjectMeta> {
    let key = Key::new(decoded(encoding, object.key()?).strip_prefix(&bucket.place.prefix)?).ok()?;
    Some(ObjectMeta {
        key,
        bytes: object.size().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default(),
        modified: timestamp(object.last_modified()),
        tag: object.e_tag().map(|tag| Tag(tag.to_owned())),
    })
}

/// The keys of objects that begin with `prefix`, as the first page has them.
pub(super) async fn as_listed(bucket: &Bucket, prefix: &str) -> StoreResult<Vec<String>> {
    let place = &bucket.place;
    let request = bucket.client.list_objects_v2().bucket(&place.bucket).prefix(place.full(prefix));
    let sent = request.encoding_type(EncodingType::Url).send().await;
    let reply = sent.map_err(|error| place.error(&Operation::new(ACTION, prefix), error))?;
    let names = reply.contents().iter().filter_map(Object::key).map(|name| decoded(reply.encoding_type(), name));
    Ok(names.filter_map(|name| Some(name.strip_prefix(&place.prefix)?.to_owned())).collect())
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
            .encoding_type(EncodingType::Url)
            .set_continuation_token(token);
        let reply = request.send().await.map_err(|error| bucket.place.error(&operation, error))?;
        next = after_page(bucket, prefix, &mut pages, &reply)?;
        let folders = reply.common_prefixes().iter().filter_map(|folder| folder.prefix());
        let objects = reply.contents().iter().filter_map(Object::key);
        let names = folders.chain(objects).map(|name| decoded(reply.encoding_type(), name));
        let below = names.filter_map(|name| name.strip_prefix(&full).map(str::to_owned));
        // An empty name is a console's marker object for the folder itself.
        children.extend(below.filter(|below| !below.is_empty()));
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
            .encoding_type(EncodingType::Url)
            .set_key_marker(key_marker)
            .set_upload_id_marker(id_marker);
        let reply = request.send().await.map_err(|error| bucket.place.error(&operation, error))?;
        // One key may have several uploads.
        let first = reply
            .uploads()
            .first()
            .map(|upload| format!("{}\n{}", upload.key().unwrap_or_default(), upload.upload_id().unwrap_or_default()));
        let marker = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        let encoding = reply.encoding_type();
        let key_marker = marker(reply.next_key_marker()).map(|key| decoded(encoding, &key));
        let next = key_marker.map(|key| (Some(key), marker(reply.next_upload_id_marker())));
        at = pages
            .after(Reply { truncated: reply.is_truncated(), next, first: first.as_deref() })
            .map_err(|why| untrusted(bucket, prefix, &why))?;
        for upload in reply.uploads() {
            // Some servers take the prefix for a key; an upload of somebody else must not be aborted.
            let key = upload.key().map(|key| decoded(encoding, key)).filter(|key| key.starts_with(&full));
            let key = key.as_deref().and_then(|key| key.strip_prefix(&bucket.place.prefix));
            let (Some(Ok(key)), Some(id)) = (key.map(Key::new), upload.upload_id()) else { continue };
            uploads.push(UnfinishedUpload { key, id: id.to_owned(), started: timestamp(upload.initiated()) });
        }
    }
    stream::iter(uploads.into_iter().map(StoreResult::Ok))
        .map_ok(|upload| active(bucket, upload))
        .try_buffered(ASKED_AT_ONCE)
        .try_collect()
        .await
}

/// Uploads asked about at once.
const ASKED_AT_ONCE: usize = 8;

/// Pages of the parts of one upload at most: there are ten thousand parts, and a thousand on a page.
const PART_PAGES_MAX: usize = 11;

/// The upload with the time of its newest part, if that is later than its beginning: a run that takes days is not given up, nor one
/// whose server reports another beginning than it had. Where parts cannot be listed, the beginning has to do.
async fn active(bucket: &Bucket, mut upload: UnfinishedUpload) -> StoreResult<UnfinishedUpload> {
    let Bucket { client, place } = bucket;
    let operation = Operation::new("s3:ListMultipartUploadParts", upload.key.as_str());
    let mut marker: Option<String> = None;
    for _ in 0..PART_PAGES_MAX {
        let request = client
            .list_parts()
            .bucket(&place.bucket)
            .key(place.full(upload.key.as_str()))
            .upload_id(&upload.id)
            .set_part_number_marker(marker.clone());
        let reply = match request.send().await.map_err(|error| place.error(&operation, error)) {
            Ok(reply) => reply,
            Err(error) if !error.is_permanent() => return Err(error),
            Err(_) => break,
        };
        let newest = reply.parts().iter().map(|part| timestamp(part.last_modified())).max();
        upload.started = upload.started.max(newest.unwrap_or(upload.started));
        let next = reply.next_part_number_marker().map(str::to_owned);
        if reply.is_truncated() != Some(true) || next == marker {
            break;
        }
        marker = next;
    }
    Ok(upload)
}
