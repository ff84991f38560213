//! Operations on many keys: pages of objects and uploads, deletion one by one.

use std::ops::Bound;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::super::backend::{Backend, Bucket, Object as Stored};
use super::super::cold::Copy;
use super::paging::{Said, asked, said};
use super::{FolderByFolder, HideNewerThan, Paging, UploadsBegan, length, ok};
use crate::faults::ListingFault;

/// Most entries of a page, and most keys of a deletion (AWS, "ListObjectsV2", "DeleteObjects").
const PAGE_MAX: usize = 1_000;

/// A page of a listing.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page<'a> {
    objects: Vec<&'a str>,
    folders: Vec<String>,
    /// The last entry, if there are more.
    next: Option<String>,
}

/// The next `limit` entries after the key or folder `after`; keys with `delimiter` behind the prefix become folders.
fn page<'a>(
    keys: impl Iterator<Item = &'a str>,
    prefix: &str,
    delimiter: Option<&str>,
    after: &str,
    limit: usize,
) -> Page<'a> {
    let mut page = Page::default();
    let mut last = String::new();
    for key in keys.filter(|key| key.starts_with(prefix) && *key > after) {
        let below = &key[prefix.len()..];
        let folder = delimiter.and_then(|delimiter| {
            below.find(delimiter).map(|at| format!("{prefix}{}", &below[..at + delimiter.len()]))
        });
        let seen = folder.as_ref().is_some_and(|folder| folder == after || page.folders.last() == Some(folder));
        if seen {
            continue;
        }
        if page.objects.len() + page.folders.len() == limit {
            page.next = Some(last);
            return page;
        }
        match folder {
            Some(folder) => {
                last.clone_from(&folder);
                page.folders.push(folder);
            }
            None => {
                key.clone_into(&mut last);
                page.objects.push(key);
            }
        }
    }
    page
}

/// The names between slashes, by which a walk goes: a folder before what its name begins.
fn walked(key: &str) -> Vec<&str> {
    key.split('/').collect()
}

/// A page of a walk folder by folder. `after` is a place in that walk.
fn walked_page<'a>(bucket: &'a Bucket, prefix: &str, after: &str, limit: usize) -> Page<'a> {
    let keys = bucket.objects.keys().map(String::as_str).filter(|key| key.starts_with(prefix));
    let mut keys: Vec<&str> = keys.filter(|key| after.is_empty() || walked(key) > walked(after)).collect();
    keys.sort_by(|one, other| walked(one).cmp(&walked(other)));
    let next = (keys.len() > limit).then(|| keys[limit - 1].to_owned());
    keys.truncate(limit);
    Page { objects: keys, folders: Vec::new(), next }
}

/// The name as it is asked for (AWS, "ListObjectsV2", `encoding-type`): as HTML forms encode it.
fn encoded(encoding: Option<&EncodingType>, name: &str) -> String {
    match encoding.map(EncodingType::as_str) {
        Some(EncodingType::URL) => {
            percent_encoding::utf8_percent_encode(name, UNENCODED).to_string().replace("%20", "+")
        }
        _ => name.to_owned(),
    }
}

/// What S3 leaves as it is.
const UNENCODED: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/');

pub(super) fn list_objects(
    backend: &Backend,
    request: S3Request<ListObjectsV2Input>,
) -> S3Result<S3Response<ListObjectsV2Output>> {
    let lag = request.extensions.get::<HideNewerThan>().copied();
    let paging = request.extensions.get::<Paging>().copied();
    let by_folder = request.extensions.get::<FolderByFolder>().is_some();
    let input = request.input;
    let encoding = input.encoding_type.as_ref();
    let asks = |asked: &OptionalObjectAttributes| asked.as_str() == OptionalObjectAttributes::RESTORE_STATUS;
    let restores =
        input.optional_object_attributes.iter().flatten().any(asks) && !backend.hides_restores.load(Ordering::Relaxed);
    let restores = restores.then(|| backend.now());
    let prefix = match paging {
        Some(Paging { fault: ListingFault::Unasked, .. }) => String::new(),
        _ => input.prefix.clone().unwrap_or_default(),
    };
    let asked = paging.map(|paging| asked(paging.fault, input.continuation_token.as_deref()));
    let token = asked.as_ref().map(|asked| asked.after.clone()).filter(|after| !after.is_empty());
    let token = if paging.is_some() { token } else { input.continuation_token.clone() };
    let after = token.or(input.start_after.clone()).unwrap_or_default();
    let limit = input.max_keys.and_then(|keys| usize::try_from(keys).ok()).unwrap_or(PAGE_MAX).min(PAGE_MAX);
    let limit = paging.map_or(limit, |paging| limit.min(paging.entries));
    backend.within(&input.bucket, |bucket| {
        let start = if after > prefix { &after } else { &prefix };
        let shown = |object: &Stored| lag.is_none_or(|HideNewerThan(age)| object.is_older_than(age));
        let keys = bucket
            .objects
            .range::<str, _>((Bound::Included(start.as_str()), Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(&prefix) || **key < prefix)
            .filter(|(_, object)| shown(object))
            .map(|(key, _)| key.as_str());
        let mut page = match by_folder && input.delimiter.is_none() {
            true => walked_page(bucket, &prefix, &after, limit),
            false => page(keys, &prefix, input.delimiter.as_deref(), &after, limit),
        };
        let mut said = Said { truncated: Some(page.next.is_some()), next: page.next.take() };
        if let (Some(paging), Some(asked)) = (paging, &asked) {
            said = self::said(paging.fault, asked, said.next);
            if asked.empty {
                page = Page::default();
            }
        }
        let mut contents = page.objects.iter().map(|key| entry(bucket, key, restores)).collect::<Vec<_>>();
        for object in &mut contents {
            object.key = object.key.as_deref().map(|key| encoded(encoding, key));
        }
        let folders = page.folders.iter().map(|folder| CommonPrefix { prefix: Some(encoded(encoding, folder)) });
        ok(ListObjectsV2Output {
            key_count: i32::try_from(page.objects.len() + page.folders.len()).ok(),
            common_prefixes: Some(folders.collect()),
            contents: Some(contents),
            is_truncated: said.truncated,
            next_continuation_token: said.next,
            name: Some(input.bucket.clone()),
            prefix: input.prefix.as_deref().map(|prefix| encoded(encoding, prefix)),
            encoding_type: input.encoding_type.clone(),
            delimiter: input.delimiter.clone(),
            max_keys: i32::try_from(limit).ok(),
            ..Default::default()
        })
    })
}

/// `restores` is the present moment if what became of retrievals was asked for.
fn entry(bucket: &Bucket, key: &str, restores: Option<SystemTime>) -> Object {
    let object = bucket.objects.get(key);
    let class = object.and_then(|object| object.attributes.storage_class.clone());
    let copy = restores.zip(object).map(|(now, object)| object.copy(now));
    Object {
        key: Some(key.to_owned()),
        size: object.and_then(|object| length(object.body.bytes())),
        e_tag: object.map(|object| ETag::Strong(object.etag.clone())),
        last_modified: object.map(|object| object.modified.into()),
        storage_class: class.map(ObjectStorageClass::from),
        restore_status: copy.and_then(restore_status),
        ..Default::default()
    }
}

/// As a listing tells it: nothing of what nobody asked for.
fn restore_status(copy: Copy) -> Option<RestoreStatus> {
    let (running, until) = match copy {
        Copy::Hot | Copy::Cold => return None,
        Copy::Running => (true, None),
        Copy::Until(until) => (false, Some(until.into())),
    };
    Some(RestoreStatus { is_restore_in_progress: Some(running), restore_expiry_date: until })
}

pub(super) fn list_uploads(
    backend: &Backend,
    request: S3Request<ListMultipartUploadsInput>,
) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
    let paging = request.extensions.get::<Paging>().copied();
    let began = request.extensions.get::<UploadsBegan>().copied();
    let input = request.input;
    let encoding = input.encoding_type.clone();
    let prefix = match paging {
        Some(Paging { fault: ListingFault::Unasked, .. }) => String::new(),
        _ => input.prefix.unwrap_or_default(),
    };
    let asked = paging.map(|paging| asked(paging.fault, input.key_marker.as_deref()));
    let key_marker = asked.as_ref().map_or(input.key_marker.unwrap_or_default(), |asked| asked.after.clone());
    let after = (key_marker, input.upload_id_marker.clone().unwrap_or_default());
    let limit = input.max_uploads.and_then(|most| usize::try_from(most).ok()).unwrap_or(PAGE_MAX).min(PAGE_MAX);
    let limit = paging.map_or(limit, |paging| limit.min(paging.entries));
    backend.within(&input.bucket, |bucket| {
        let mut found: Vec<_> = bucket
            .uploads
            .iter()
            .filter(|(_, upload)| upload.key.starts_with(&prefix))
            .map(|(id, upload)| ((upload.key.clone(), id.clone()), upload.started))
            .filter(|(place, _)| *place > after)
            .collect();
        found.sort();
        let more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().filter(|_| more).map(|(place, _)| place.clone());
        let mut said = Said { truncated: Some(more), next: last.as_ref().map(|(key, _)| key.clone()) };
        let mut next_id = last.map(|(_, id)| id);
        if let (Some(paging), Some(asked)) = (paging, &asked) {
            said = self::said(paging.fault, asked, said.next);
            if asked.empty {
                found.clear();
                next_id = input.upload_id_marker;
            }
        }
        let uploads = found.into_iter().map(|((key, id), started)| MultipartUpload {
            key: Some(encoded(encoding.as_ref(), &key)),
            upload_id: Some(id),
            initiated: Some(began.map_or(started, |UploadsBegan(moment)| moment).into()),
            ..Default::default()
        });
        ok(ListMultipartUploadsOutput {
            uploads: Some(uploads.collect()),
            is_truncated: said.truncated,
            next_key_marker: said.next.map(|key| encoded(encoding.as_ref(), &key)),
            encoding_type: encoding.clone(),
            next_upload_id_marker: next_id,
            ..Default::default()
        })
    })
}

pub(super) fn delete_objects(
    backend: &Backend,
    request: S3Request<DeleteObjectsInput>,
) -> S3Result<S3Response<DeleteObjectsOutput>> {
    let input = request.input;
    if input.delete.objects.len() > PAGE_MAX {
        return Err(s3_error!(MalformedXML, "at most 1000 keys at once"));
    }
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for object in &input.delete.objects {
        match backend.within(&input.bucket, |bucket| bucket.delete(&object.key)) {
            Ok(()) => deleted.push(DeletedObject { key: Some(object.key.clone()), ..Default::default() }),
            Err(error) if error.code().as_str() == "NoSuchBucket" => return Err(error),
            Err(error) => errors.push(Error {
                key: Some(object.key.clone()),
                code: Some(error.code().as_str().to_owned()),
                message: error.message().map(str::to_owned),
                ..Default::default()
            }),
        }
    }
    let quiet = input.delete.quiet == Some(true);
    ok(DeleteObjectsOutput {
        deleted: (!quiet).then_some(deleted),
        errors: (!errors.is_empty()).then_some(errors),
        ..Default::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 6] = ["a-b", "a.b", "a/b", "a/b.c", "a0", "ab/c"];

    #[test]
    fn pages_of_any_size_give_every_entry_once() {
        let all = page(KEYS.into_iter(), "", Some("/"), "", 100);
        assert_eq!(
            (all.objects.clone(), all.folders.clone()),
            (vec!["a-b", "a.b", "a0"], vec!["a/".into(), "ab/".into()])
        );
        for limit in 1..6 {
            let (mut objects, mut folders, mut after) = (Vec::new(), Vec::new(), String::new());
            loop {
                let page = page(KEYS.into_iter(), "", Some("/"), &after, limit);
                objects.extend(page.objects);
                folders.extend(page.folders);
                let Some(next) = page.next else { break };
                after = next;
            }
            assert_eq!((&objects, &folders), (&all.objects, &all.folders), "{limit}");
        }
    }

    #[test]
    fn a_listing_goes_on_after_its_key() {
        assert_eq!(page(KEYS.into_iter(), "a", None, "a/a", 2).objects, ["a/b", "a/b.c"]);
        assert_eq!(page(KEYS.into_iter(), "a/", None, "a0", 2), Page::default());
    }
}
