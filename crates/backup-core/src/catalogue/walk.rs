//! Walks a location as a tree, many requests at a time, without listing what is inside complete backups.

use std::collections::{BTreeSet, HashSet, VecDeque};

use futures_util::future::BoxFuture;
use futures_util::stream::{self, FuturesUnordered};
use futures_util::{FutureExt, Stream, StreamExt};

use super::entry::{CONCURRENCY, Entry, MANIFEST_BYTES_MAX, is_manifest};
use super::unreadable;
use crate::document;
use crate::error::{CoreError, FormatError, StoreError};
use crate::key::Key;
use crate::manifest::{MANIFEST_NAME, Manifest};
use crate::prune;
use crate::store::{StoreRead, StoreResult, Version};

/// No manifests are passed over.
static NOTHING: BTreeSet<Key> = BTreeSet::new();

/// Something a walk comes across.
#[derive(Debug)]
pub(crate) enum Found {
    /// A manifest.
    Backup(Box<Entry>),
    /// A manifest that need not be read: a [`Recall`] knows it.
    Known(Key),
    /// A removal begun whose manifest is gone.
    Tombstone(Key),
    /// What an unpublished backup says it will refer to.
    Uses(Key),
    /// An incomplete backup a prune is removing, or removed not long ago.
    Claim,
}

/// Which manifests need not be read, by their versions.
pub(crate) trait Recall: Send + Sync {
    /// Whether the manifest `key` is known in this version, which is the one that is there.
    fn knows(&self, key: &Key, version: Version) -> bool;
}

/// A step of the walk yet to be taken.
enum Visit {
    Folder(String),
    Manifest(Key),
}

/// What one step brought: something found, and further steps.
type Step = StoreResult<(Vec<Found>, Vec<Visit>)>;

/// Everything below `prefix` (empty, or ending in `/`) but the backups of the `known` manifests.
pub(crate) fn walk<'a>(
    store: &'a dyn StoreRead,
    prefix: &str,
    known: &'a BTreeSet<Key>,
) -> impl Stream<Item = StoreResult<Found>> + Send + 'a {
    begin(At { store, known, recall: None }, prefix)
}

/// Everything below `prefix` (empty, or ending in `/`); manifests that `recall` knows are not read.
pub(crate) fn walk_recalling<'a>(
    store: &'a dyn StoreRead,
    prefix: &str,
    recall: Option<&'a dyn Recall>,
) -> impl Stream<Item = StoreResult<Found>> + Send + 'a {
    begin(At { store, known: &NOTHING, recall }, prefix)
}

fn begin<'a>(at: At<'a>, prefix: &str) -> impl Stream<Item = StoreResult<Found>> + Send + use<'a> {
    let walk = Walk {
        at,
        waiting: VecDeque::from([Visit::Folder(prefix.to_owned())]),
        running: FuturesUnordered::new(),
        ready: VecDeque::new(),
    };
    stream::try_unfold(walk, async |mut walk| Ok(walk.next().await?.map(|found| (found, walk))))
}

/// Where a walk is, and what it need not look at.
#[derive(Clone, Copy)]
struct At<'a> {
    store: &'a dyn StoreRead,
    known: &'a BTreeSet<Key>,
    recall: Option<&'a dyn Recall>,
}

struct Walk<'a> {
    at: At<'a>,
    waiting: VecDeque<Visit>,
    running: FuturesUnordered<BoxFuture<'a, Step>>,
    ready: VecDeque<Found>,
}

impl Walk<'_> {
    async fn next(&mut self) -> StoreResult<Option<Found>> {
        loop {
            if let Some(found) = self.ready.pop_front() {
                return Ok(Some(found));
            }
            while self.running.len() < CONCURRENCY
                && let Some(visit) = self.waiting.pop_front()
            {
                self.running.push(step(self.at, visit).boxed());
            }
            match self.running.next().await {
                None => return Ok(None),
                Some(step) => {
                    let (found, visits) = step?;
                    self.ready.extend(found);
                    self.waiting.extend(visits);
                }
            }
        }
    }
}

async fn step(at: At<'_>, visit: Visit) -> Step {
    let At { store, known, recall } = at;
    match visit {
        Visit::Manifest(key) if known.contains(&key) => Ok((Vec::new(), Vec::new())),
        Visit::Manifest(key) => Ok((manifest(store, &key).await?.into_iter().collect(), Vec::new())),
        Visit::Folder(folder) => {
            if !folder.is_empty()
                && let Ok(key) = Key::new(format!("{folder}{MANIFEST_NAME}"))
            {
                if known.contains(&key) {
                    return Ok((Vec::new(), Vec::new()));
                }
                if let Some(found) = manifest(store, &key).await? {
                    return Ok((vec![found], Vec::new()));
                }
            }
            // Each is looked into anyway.
            let names = store.list_names(&folder).await?;
            let recalled = match recall {
                Some(recall) => recalled(store, recall, &folder, &names).await,
                None => HashSet::new(),
            };
            Ok(children(&folder, names, &recalled))
        }
    }
}

/// The manifests of folders in `folder` that need not be read. Their versions are looked up before any of them is read, so that
/// what is read is never older than its version.
async fn recalled(store: &dyn StoreRead, recall: &dyn Recall, folder: &str, names: &[String]) -> HashSet<Key> {
    let manifests = names.iter().filter(|name| name.ends_with('/')).filter_map(|name| manifest_in(folder, name));
    let manifests: Vec<Key> = manifests.collect();
    // Without versions they are read, which says why there are none.
    let versions = store.versions(&manifests).await.unwrap_or_default();
    let both = manifests.into_iter().zip(versions);
    both.filter_map(|(key, version)| recall.knows(&key, version?).then_some(key)).collect()
}

/// The manifest of the folder `name` in `folder`.
fn manifest_in(folder: &str, name: &str) -> Option<Key> {
    Key::new(format!("{folder}{name}{MANIFEST_NAME}")).ok()
}

fn children(folder: &str, names: Vec<String>, recalled: &HashSet<Key>) -> (Vec<Found>, Vec<Visit>) {
    let (mut found, mut visits) = (Vec::new(), Vec::new());
    for name in names {
        if name.ends_with('/') {
            let known = (!recalled.is_empty()).then(|| manifest_in(folder, &name)).flatten();
            match known.filter(|manifest| recalled.contains(manifest)) {
                Some(manifest) => found.push(Found::Known(manifest)),
                None => visits.push(Visit::Folder(format!("{folder}{name}"))),
            }
            continue;
        }
        // A foreign object whose name is no key of ours is nothing of ours.
        let Ok(key) = Key::new(format!("{folder}{name}")) else { continue };
        if is_manifest(&key) {
            visits.push(Visit::Manifest(key));
        } else if prune::is_tombstone(&key) {
            found.push(Found::Tombstone(key));
        } else if prune::is_uses(&key) {
            found.push(Found::Uses(key));
        }
    }
    (found, visits)
}

/// The manifest, or `None` if there is none (any more: a prune may run beside us).
async fn manifest(store: &dyn StoreRead, key: &Key) -> StoreResult<Option<Found>> {
    let manifest = match document::read_within(store, key, MANIFEST_BYTES_MAX).await {
        Ok(None) => Err(unreadable::too_large(key, MANIFEST_BYTES_MAX)),
        Ok(Some(bytes)) if prune::is_claim(&bytes) => return Ok(Some(Found::Claim)),
        Ok(Some(bytes)) => match Manifest::from_bytes(key, &bytes) {
            Ok(manifest) if !manifest.external.is_empty() => return owning(store, key, manifest).await.map(Some),
            manifest => manifest,
        },
        Err(StoreError::NotFound { .. }) => return Ok(None),
        // A link in its place is a manifest that cannot be used, and not the lack of one.
        Err(StoreError::Damaged { key, what }) => Err(FormatError::Invalid { key, what }),
        Err(StoreError::NotAnObject { key: there, what }) => {
            let what = if there == key.as_str() { format!("it is {what}") } else { format!("`{there}` is {what}") };
            Err(FormatError::Invalid { key: key.to_string(), what })
        }
        Err(error) => Err(unreadable::unreadable(key, error)?),
    };
    Ok(Some(Found::Backup(Box::new(Entry { key: key.clone(), manifest }))))
}

/// A backup that owns something outside the location, unless a prune has begun to remove that: then it is none any more.
async fn owning(store: &dyn StoreRead, key: &Key, manifest: Manifest) -> StoreResult<Found> {
    let manifest = match prune::is_removing(store, key).await {
        Ok(false) => Ok(manifest),
        Ok(true) => return Ok(Found::Tombstone(prune::tombstone_key(key)?)),
        Err(CoreError::Store(error)) => Err(unreadable::unreadable(key, error)?),
        Err(CoreError::Format(error)) => Err(error),
        Err(other) => Err(FormatError::Invalid { key: key.to_string(), what: other.to_string() }),
    };
    Ok(Found::Backup(Box::new(Entry { key: key.clone(), manifest })))
}
