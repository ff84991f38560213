//! The state of the peer, and the decisions about it: conditions, parts, pages.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use s3s::{S3Error, S3Result, s3_error};
use sha2::{Digest, Sha256};

use super::body::{Body, Segment};
use super::cold::{self, Copy, Restore};

/// Smallest size of all parts but the last (AWS, "Amazon S3 multipart upload limits").
const PART_BYTES_MIN: u64 = 5 * 1024 * 1024;

/// Most parts of an upload (AWS, "Amazon S3 multipart upload limits").
const PARTS_MAX: i32 = 10_000;

#[derive(Debug)]
pub(super) struct Backend {
    pub(super) folder: Option<PathBuf>,
    first_bucket: String,
    buckets: Mutex<BTreeMap<String, Bucket>>,
    /// How far the virtual clock is ahead.
    ahead: Mutex<Duration>,
    /// Whether listings say nothing of retrievals, as those of other servers.
    pub(super) hides_restores: AtomicBool,
}

#[derive(Debug, Default)]
pub(super) struct Bucket {
    pub(super) objects: BTreeMap<String, Object>,
    pub(super) uploads: BTreeMap<String, Upload>,
    /// Kept and told again; nothing ages here.
    pub(super) lifecycle: Option<Vec<s3s::dto::LifecycleRule>>,
}

#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) body: Body,
    pub(super) etag: String,
    pub(super) modified: SystemTime,
    pub(super) attributes: Attributes,
    /// The newest retrieval from cold storage.
    pub(super) restore: Option<Restore>,
}

/// What a writer says about an object and a reader is told.
#[derive(Clone, Debug, Default)]
pub(super) struct Attributes {
    pub(super) storage_class: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) locked_until: Option<SystemTime>,
}

#[derive(Debug)]
pub(super) struct Upload {
    pub(super) key: String,
    pub(super) started: SystemTime,
    attributes: Attributes,
    /// Each with the moment it came.
    parts: BTreeMap<i32, (Segment, SystemTime)>,
}

/// `If-None-Match` and `If-Match` of a write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) absent: bool,
    pub(super) etag: Option<String>,
}

/// One part as the client lists it in `CompleteMultipartUpload`.
#[derive(Clone, Debug)]
pub(super) struct ListedPart {
    pub(super) number: i32,
    pub(super) etag: Option<String>,
    pub(super) checksum: Option<String>,
}

impl Backend {
    pub(super) fn new(buckets: Vec<String>, folder: Option<PathBuf>) -> Self {
        let first_bucket = buckets.first().cloned().unwrap_or_default();
        let buckets = buckets.into_iter().map(|name| (name, Bucket::default())).collect();
        Self {
            folder,
            first_bucket,
            buckets: Mutex::new(buckets),
            ahead: Mutex::default(),
            hides_restores: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on a bucket while nobody else does.
    pub(super) fn within<T>(&self, bucket: &str, work: impl FnOnce(&mut Bucket) -> S3Result<T>) -> S3Result<T> {
        let mut buckets = self.lock();
        work(buckets.get_mut(bucket).ok_or_else(|| s3_error!(NoSuchBucket))?)
    }

    /// Works on the first bucket, for those who look behind the scenes.
    pub(super) fn first<T: Default>(&self, work: impl FnOnce(&mut Bucket) -> T) -> T {
        self.lock().get_mut(&self.first_bucket).map(work).unwrap_or_default()
    }

    pub(super) fn create(&self, bucket: &str) {
        self.lock().entry(bucket.to_owned()).or_default();
    }

    pub(super) fn clear(&self) {
        self.lock().values_mut().for_each(|bucket| *bucket = Bucket::default());
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Duration::ZERO;
    }

    /// Moves the virtual clock on.
    pub(super) fn advance(&self, by: Duration) {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }

    /// What time it is for retrievals.
    pub(super) fn now(&self) -> SystemTime {
        SystemTime::now() + *self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.first(|bucket| bucket.objects.keys().cloned().collect())
    }

    pub(super) fn read(&self, key: &str) -> Option<Bytes> {
        let body = self.first(|bucket| bucket.objects.get(key).map(|object| object.body.clone()))?;
        body.read().ok()
    }

    /// Stores an object whatever is there.
    pub(super) fn store(&self, key: &str, body: Bytes) {
        if let Ok(segment) = Segment::new(body, self.folder.as_deref()) {
            let object = Object::of(segment, Attributes::default());
            self.first(|bucket| drop(bucket.objects.insert(key.to_owned(), object)));
        }
    }

    /// Locks an object for ever, or unlocks it; false if there is none.
    pub(super) fn lock_object(&self, key: &str, locked: bool) -> bool {
        const LONG: std::time::Duration = std::time::Duration::from_secs(10 * 365 * 86_400);
        self.first(|bucket| {
            let Some(object) = bucket.objects.get_mut(key) else { return false };
            object.attributes.locked_until = locked.then(|| SystemTime::now() + LONG);
            true
        })
    }

    /// Numbers of objects, their bytes, and unfinished uploads in all buckets.
    pub(super) fn totals(&self) -> (usize, u64, usize) {
        let buckets = self.lock();
        let objects = buckets.values().flat_map(|bucket| bucket.objects.values());
        let (count, bytes) = objects.fold((0, 0), |(count, bytes), object| (count + 1, bytes + object.body.bytes()));
        (count, bytes, buckets.values().map(|bucket| bucket.uploads.len()).sum())
    }
}

impl Object {
    pub(super) fn of(segment: Segment, attributes: Attributes) -> Self {
        let etag = hex::encode(&segment.sha256[..16]);
        let body = Body { segments: vec![segment] };
        Self { body, etag, modified: SystemTime::now(), attributes, restore: None }
    }
}

impl Bucket {
    /// Puts an object in its place if the condition holds.
    pub(super) fn publish(&mut self, key: &str, object: Object, condition: &Condition) -> S3Result<()> {
        let found = self.objects.get(key);
        if let Some(error) = refusal(found.map(|object| object.etag.as_str()), condition) {
            return Err(error);
        }
        if found.is_some_and(Object::is_locked) {
            return Err(s3_error!(AccessDenied, "the object is locked"));
        }
        self.objects.insert(key.to_owned(), object);
        Ok(())
    }

    pub(super) fn begin(&mut self, key: &str, attributes: Attributes) -> String {
        let id = uuid::Uuid::now_v7().simple().to_string();
        let upload = Upload { key: key.to_owned(), started: SystemTime::now(), attributes, parts: BTreeMap::default() };
        self.uploads.insert(id.clone(), upload);
        id
    }

    pub(super) fn upload(&mut self, key: &str, id: &str) -> S3Result<&mut Upload> {
        self.uploads.get_mut(id).filter(|upload| upload.key == key).ok_or_else(|| s3_error!(NoSuchUpload))
    }

    pub(super) fn complete(
        &mut self,
        key: &str,
        id: &str,
        listed: &[ListedPart],
        condition: &Condition,
    ) -> S3Result<String> {
        let upload = self.upload(key, id)?;
        let segments = upload.assemble(listed)?;
        let mut etags = Sha256::new();
        segments.iter().for_each(|segment| etags.update(segment.sha256));
        let etag = format!("{}-{}", hex::encode(&etags.finalize()[..16]), segments.len());
        let attributes = upload.attributes.clone();
        let (body, modified) = (Body { segments }, SystemTime::now());
        let object = Object { body, etag: etag.clone(), modified, attributes, restore: None };
        self.publish(key, object, condition)?;
        self.uploads.remove(id);
        Ok(etag)
    }

    pub(super) fn delete(&mut self, key: &str) -> S3Result<()> {
        if self.objects.get(key).is_some_and(Object::is_locked) {
            return Err(s3_error!(AccessDenied, "the object is locked"));
        }
        self.objects.remove(key);
        Ok(())
    }
}

impl Object {
    fn is_locked(&self) -> bool {
        self.attributes.locked_until.is_some_and(|until| until > SystemTime::now())
    }

    /// What can be read of it at `now`, by the clock of retrievals.
    pub(super) fn copy(&self, now: SystemTime) -> Copy {
        cold::copy(self.attributes.storage_class.as_deref(), self.restore, now)
    }

    /// Asks for a copy of so many days by a tier; tells whether that is a retrieval.
    pub(super) fn request(&mut self, order: (Option<i32>, &str), now: SystemTime) -> S3Result<bool> {
        let (restore, is_new) = cold::request(self.attributes.storage_class.as_deref(), self.restore, order, now)?;
        self.restore = Some(restore);
        Ok(is_new)
    }

    /// Whether a listing that lags by `age` shows it.
    pub(super) fn is_older_than(&self, age: Duration) -> bool {
        self.modified.elapsed().is_ok_and(|elapsed| elapsed >= age)
    }
}

impl Upload {
    pub(super) fn take_part(&mut self, number: i32, segment: Segment) -> S3Result<()> {
        if !(1..=PARTS_MAX).contains(&number) {
            return Err(s3_error!(InvalidArgument, "part numbers are 1 to 10000"));
        }
        self.parts.insert(number, (segment, SystemTime::now()));
        Ok(())
    }

    /// Number, size and moment of each part.
    pub(super) fn parts(&self) -> impl Iterator<Item = (i32, u64, SystemTime)> {
        self.parts.iter().map(|(number, (segment, came))| (*number, segment.bytes, *came))
    }

    fn assemble(&self, listed: &[ListedPart]) -> S3Result<Vec<Segment>> {
        if listed.is_empty() {
            return Err(s3_error!(MalformedXML, "an upload needs at least one part"));
        }
        if !listed.is_sorted_by(|one, next| one.number < next.number) {
            return Err(s3_error!(InvalidPartOrder));
        }
        let mut segments = Vec::new();
        for (index, part) in listed.iter().enumerate() {
            let (segment, _) = self.parts.get(&part.number).ok_or_else(|| s3_error!(InvalidPart))?;
            let etag_fits = part.etag.as_ref().is_none_or(|etag| *etag == hex::encode(&segment.sha256[..16]));
            let checksum_fits = part.checksum.as_ref().is_none_or(|checksum| *checksum == segment.checksum());
            if !etag_fits || !checksum_fits {
                return Err(s3_error!(InvalidPart));
            }
            if index + 1 < listed.len() && segment.bytes < PART_BYTES_MIN {
                return Err(s3_error!(EntityTooSmall));
            }
            segments.push(segment.clone());
        }
        Ok(segments)
    }
}

/// Why a write to a key whose object has the version `found` is refused.
fn refusal(found: Option<&str>, condition: &Condition) -> Option<S3Error> {
    match (found, &condition.etag) {
        (Some(_), _) if condition.absent => Some(s3_error!(PreconditionFailed)),
        (None, Some(_)) => Some(s3_error!(NoSuchKey)),
        (Some(found), Some(wanted)) if found != wanted => Some(s3_error!(PreconditionFailed)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(found: Option<&str>, absent: bool, etag: Option<&str>) -> bool {
        refusal(found, &Condition { absent, etag: etag.map(str::to_owned) }).is_some()
    }

    #[test]
    fn conditions_hold_or_refuse() {
        assert!(!is_refused(None, true, None));
        assert!(is_refused(Some("1"), true, None));
        assert!(!is_refused(Some("1"), false, Some("1")));
        assert!(is_refused(Some("2"), false, Some("1")));
        assert!(is_refused(None, false, Some("1")));
        assert!(!is_refused(Some("1"), false, None));
    }
}
