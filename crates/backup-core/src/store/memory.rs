//! A store in memory: the reference implementation of the contract.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::ops::{Bound, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use jiff::Timestamp;

use super::rules;
use super::{
    ByteStream, DeleteOutcome, Multipart, ObjectMeta, PutMode, PutOptions, StoreDelete, StoreRead, StoreResult,
    StoreWrite, Tag, UnfinishedUpload,
};
use crate::digest::Sha256Digest;
use crate::error::StoreError;
use crate::key::Key;

/// Objects a listing copies at a time, so that it neither holds the lock for long nor copies the whole store.
const PAGE_OBJECTS: usize = 1_000;

/// Objects in memory. Clones share them.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    objects: BTreeMap<Key, Object>,
    uploads: BTreeMap<u64, Upload>,
    /// Counts writes and uploads: names uploads and versions objects.
    serial: u64,
}

#[derive(Clone)]
struct Object {
    body: Bytes,
    modified: Timestamp,
    version: u64,
}

struct Upload {
    key: Key,
    started: Timestamp,
    parts: BTreeMap<u32, Bytes>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics between two changes that belong together, so a poisoned lock guards a whole state.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        write!(f, "MemoryStore({} objects, {} uploads)", state.objects.len(), state.uploads.len())
    }
}

impl Object {
    fn meta(&self, key: &Key) -> ObjectMeta {
        ObjectMeta { key: key.clone(), bytes: self.body.len() as u64, modified: self.modified, tag: Some(self.tag()) }
    }

    fn tag(&self) -> Tag {
        Tag(self.version.to_string())
    }
}

impl State {
    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    fn publish(&mut self, key: &Key, body: Bytes, mode: &PutMode) -> StoreResult<()> {
        let version = self.next_serial();
        let object = Object { body, modified: Timestamp::now(), version };
        match (self.objects.entry(key.clone()), mode) {
            (Entry::Occupied(_), PutMode::Create) => return Err(StoreError::already_exists(key)),
            (Entry::Occupied(found), PutMode::IfMatch(tag)) if found.get().tag() != *tag => {
                return Err(StoreError::Precondition { key: key.to_string() });
            }
            (Entry::Vacant(_), PutMode::IfMatch(_)) => return Err(StoreError::Precondition { key: key.to_string() }),
            (Entry::Occupied(mut found), _) => drop(found.insert(object)),
            (Entry::Vacant(free), _) => drop(free.insert(object)),
        }
        Ok(())
    }

    fn page(&self, prefix: &str, after: Option<&Key>) -> Vec<ObjectMeta> {
        let start = match after {
            Some(after) if after.as_str() >= prefix => Bound::Excluded(after.as_str()),
            _ => Bound::Included(prefix),
        };
        self.objects
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.as_str().starts_with(prefix))
            .take(PAGE_OBJECTS)
            .map(|(key, object)| object.meta(key))
            .collect()
    }
}

#[async_trait]
impl StoreRead for MemoryStore {
    async fn head(&self, key: &Key) -> StoreResult<ObjectMeta> {
        self.state().objects.get(key).map(|object| object.meta(key)).ok_or_else(|| StoreError::not_found(key))
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> StoreResult<ByteStream> {
        let body = self.state().objects.get(key).ok_or_else(|| StoreError::not_found(key))?.body.clone();
        let span = rules::span(key, range, body.len() as u64)?;
        // Positions within a body in memory fit `usize`.
        let body = body.slice(span.start as usize..span.end as usize);
        Ok(stream::iter((!body.is_empty()).then_some(Ok(body))).boxed())
    }

    fn list(&self, prefix: &str, after: Option<&Key>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.to_owned());
        let pages = stream::unfold(Some(after.cloned()), move |after| {
            let page = after.map(|after| store.state().page(&prefix, after.as_ref())).unwrap_or_default();
            let next = page.last().map(|meta| Some(meta.key.clone()));
            async move { (!page.is_empty()).then(|| (stream::iter(page.into_iter().map(Ok)), next)) }
        });
        pages.flatten().boxed()
    }

    async fn list_children(&self, prefix: &str) -> StoreResult<Vec<String>> {
        rules::check_folder(prefix)?;
        let state = self.state();
        let mut children: Vec<String> =
            state.objects.keys().filter_map(|key| rules::child(key.as_str(), prefix)).map(str::to_owned).collect();
        children.dedup();
        Ok(children)
    }

    fn describe(&self) -> String {
        "mem:".to_owned()
    }
}

#[async_trait]
impl StoreWrite for MemoryStore {
    async fn put(&self, key: &Key, body: Bytes, options: &PutOptions) -> StoreResult<()> {
        rules::refuse_lock(options, "mem:")?;
        self.state().publish(key, body, &options.mode)
    }

    async fn multipart(&self, key: &Key, options: &PutOptions) -> StoreResult<Box<dyn Multipart>> {
        rules::refuse_lock(options, "mem:")?;
        rules::check_part_bytes(key, options)?;
        let mut state = self.state();
        let id = state.next_serial();
        state.uploads.insert(id, Upload { key: key.clone(), started: Timestamp::now(), parts: BTreeMap::new() });
        Ok(Box::new(MemoryUpload {
            store: self.clone(),
            id,
            key: key.clone(),
            mode: options.mode.clone(),
            part_bytes: options.part_bytes,
        }))
    }

    async fn make_durable(&self, _keys: &[Key]) -> StoreResult<()> {
        Ok(())
    }

    async fn now(&self) -> StoreResult<Timestamp> {
        Ok(Timestamp::now())
    }
}

#[derive(Debug)]
struct MemoryUpload {
    store: MemoryStore,
    id: u64,
    key: Key,
    mode: PutMode,
    part_bytes: usize,
}

#[async_trait]
impl Multipart for MemoryUpload {
    async fn part(&self, number: u32, body: Bytes) -> StoreResult<()> {
        rules::part_offset(&self.key, number, body.len(), self.part_bytes)?;
        let mut state = self.store.state();
        let upload = state.uploads.get_mut(&self.id).ok_or_else(|| StoreError::not_found(&self.key))?;
        upload.parts.insert(number, body);
        Ok(())
    }

    async fn complete(&self, parts: u32, _digest: &Sha256Digest, bytes: u64) -> StoreResult<()> {
        let mut state = self.store.state();
        let upload = state.uploads.get(&self.id).ok_or_else(|| StoreError::not_found(&self.key))?;
        let sizes = upload.parts.iter().map(|(number, body)| (*number, body.len())).collect();
        rules::check_complete(&self.key, &sizes, self.part_bytes, parts, bytes)?;
        let mut whole = Vec::with_capacity(usize::try_from(bytes).unwrap_or_default());
        upload.parts.range(..=parts).for_each(|(_, part)| whole.extend_from_slice(part));
        state.publish(&self.key, whole.into(), &self.mode)?;
        state.uploads.remove(&self.id);
        Ok(())
    }

    async fn abort(&self) -> StoreResult<()> {
        self.store.state().uploads.remove(&self.id);
        Ok(())
    }
}

impl Drop for MemoryUpload {
    fn drop(&mut self) {
        self.store.state().uploads.remove(&self.id);
    }
}

#[async_trait]
impl StoreDelete for MemoryStore {
    async fn delete(&self, keys: &[Key]) -> StoreResult<Vec<DeleteOutcome>> {
        let mut state = self.state();
        Ok(keys
            .iter()
            .map(|key| {
                state.objects.remove(key);
                DeleteOutcome { key: key.clone(), result: Ok(()) }
            })
            .collect())
    }

    async fn unfinished(&self, prefix: &str) -> StoreResult<Vec<UnfinishedUpload>> {
        let state = self.state();
        let below = state.uploads.iter().filter(|(_, upload)| upload.key.as_str().starts_with(prefix));
        Ok(below
            .map(|(id, upload)| UnfinishedUpload {
                key: upload.key.clone(),
                id: id.to_string(),
                started: upload.started,
            })
            .collect())
    }

    async fn abort_unfinished(&self, upload: &UnfinishedUpload) -> StoreResult<()> {
        if let Ok(id) = upload.id.parse() {
            self.state().uploads.remove(&id);
        }
        Ok(())
    }
}
