//! Lists backups: every tarball with its manifest, or the reason why it is not a backup.

mod find;
mod miss;

use std::collections::{BTreeMap, BTreeSet};

use backup_core::catalogue::{self, Backup};
use backup_core::key::Key;
use backup_core::manifest::{Kind, Manifest};
use backup_core::retention::tag_is_meant;
use backup_core::source::{Identity, UNKNOWN};
use backup_core::store::StoreRead;
use backup_core::units::exact_bytes;
use backup_core::{CoreError, FormatError};
use futures::TryStreamExt;
use jiff::Timestamp;
use serde::Serialize;

pub use backup_core::source::Selector;
pub use find::{Found, Sought, find};
pub use miss::miss;

use crate::detail::{AppDetail, AppManifest};
use crate::error::{ObjectError, ObjectResult};
use crate::key::{self, BackupKey, FOLDER};
use crate::tags_now;

/// What a tarball counts for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "why", rename_all = "lowercase")]
pub enum State {
    /// It has its manifest, and its size is the one the manifest says.
    Good,
    /// As [`State::Good`], but types are missing: left out on request, or unreadable. Never the last good one.
    Partial,
    /// Tarball or manifest is missing, changed or of a newer version.
    Damaged(String),
    /// The manifest is there and cannot be read now: of another user, in cold storage, on a disk that fails.
    Unreadable(String),
    /// No manifest: an interrupted run left it. It is no backup.
    Unpublished,
    /// gludb wrote it, and nothing vouches for it.
    Foreign,
}

/// A tarball, or the manifest of one that is gone.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Entry {
    /// Where it is.
    pub key: BackupKey,
    /// What it counts for.
    #[serde(flatten)]
    pub state: State,
    /// When the records were as the backup has them: from the manifest, else from the name.
    pub time: Option<Timestamp>,
    /// Its size.
    pub bytes: u64,
    /// Which database, file or folder it is of, where a manifest says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Identity>,
    /// Records in it, where a manifest says.
    pub records: Option<u64>,
    /// Position among the backups of its name.
    pub sequence: Option<u64>,
    /// Its tags as they are now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Why only the tags are known that it was made with, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags_unknown: Option<String>,
    /// The manifest.
    #[serde(skip)]
    pub manifest: Option<AppManifest>,
}

/// Which backups of a location are meant: all, unless something narrows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// Only backups with this name.
    pub name: Option<String>,
    /// Only backups of this source: its id, its host or path, or [`UNKNOWN`] for those that do not say.
    pub source: Option<String>,
    /// Only backups that have all of these tags, each as itself or as the key of a tag `KEY=VALUE`. Only listings look at them.
    pub tags: Vec<String>,
}

impl Filter {
    /// Only backups called `name`.
    #[must_use]
    pub fn of(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    /// Only backups with this name.
    #[must_use]
    pub fn named(mut self, name: impl Into<Option<String>>) -> Self {
        self.name = name.into();
        self
    }

    /// Only backups of this source: its id, its host or path, or [`UNKNOWN`] for those that do not say.
    #[must_use]
    pub fn of_source(mut self, source: impl Into<Option<String>>) -> Self {
        self.source = source.into();
        self
    }

    /// Only backups that have all of these tags, each as itself or as the key of a tag `KEY=VALUE`.
    #[must_use]
    pub fn tagged(mut self, tags: impl IntoIterator<Item = String>) -> Self {
        self.tags.extend(tags);
        self
    }

    /// Whether a backup of this source is meant.
    #[must_use]
    pub fn takes(&self, source: Option<&Identity>) -> bool {
        let is = |wanted: &str| source.map_or(wanted == UNKNOWN, |source| source.is_named(wanted));
        self.source.as_deref().is_none_or(is)
    }

    /// The folder of those that are meant.
    pub(crate) fn folder(&self) -> ObjectResult<String> {
        self.name.as_deref().map_or_else(|| Ok(FOLDER.to_owned()), key::folder)
    }
}

/// The source as people read it.
fn source_of(source: Option<&Identity>) -> String {
    source.map_or_else(|| UNKNOWN.to_owned(), ToString::to_string)
}

/// Everything in the location that `filter` takes, by name and time.
///
/// # Errors
/// What the store says.
pub async fn list(store: &dyn StoreRead, filter: &Filter) -> ObjectResult<Vec<Entry>> {
    let (folder, name) = (filter.folder()?, filter.name.as_deref());
    let mut sizes: BTreeMap<BackupKey, u64> = BTreeMap::new();
    let mut objects = store.list(&folder, None);
    while let Some(object) = objects.try_next().await? {
        sizes.extend(BackupKey::of_object(&object.key).map(|key| (key, object.bytes)));
    }
    let mut entries = Vec::new();
    for found in with_pointed(store, catalogue::list(store, &folder).await?, name).await? {
        let Some(key) = BackupKey::of_manifest(&found.key) else { continue };
        let bytes = match sizes.remove(&key) {
            // A listing may lag behind; asked by name, a store knows what it has.
            None => match size(store, &key).await {
                Err(ObjectError::Core(CoreError::Store(error))) if error.is_not_an_object() => {
                    entries.push(unvouched(key, State::Damaged(error.to_string()), 0));
                    continue;
                }
                asked => asked?,
            },
            listed => listed,
        };
        entries.push(published(key, &found.key, found.manifest, bytes));
    }
    entries.extend(sizes.into_iter().map(|(key, bytes)| unvouched(key, State::Unpublished, bytes)));
    if name.is_none() {
        for child in store.list_children("").await? {
            let Some(key) = BackupKey::parse(&child).filter(|key| key.name.is_none()) else { continue };
            let bytes = store.head(&key.object()?).await?.bytes;
            entries.push(unvouched(key, State::Foreign, bytes));
        }
    }
    entries.retain(|entry| filter.takes(entry.source.as_ref()));
    settle_tags(store, &mut entries).await?;
    let has = |entry: &Entry, wanted: &String| entry.tags.iter().any(|tag| tag_is_meant(tag, wanted));
    entries.retain(|entry| filter.tags.iter().all(|wanted| has(entry, wanted)));
    entries.sort_by(|a, b| (&a.key.name, a.time, &a.key).cmp(&(&b.key.name, b.time, &b.key)));
    Ok(entries)
}

/// Gives the backups the tags that they have now.
pub(crate) async fn settle_tags(store: &dyn StoreRead, entries: &mut [Entry]) -> ObjectResult<()> {
    let names = entries.iter().filter(|entry| entry.manifest.is_some()).filter_map(|entry| entry.key.name.clone());
    let now = tags_now::now(store, names.collect()).await?;
    for entry in entries.iter_mut().filter(|entry| entry.manifest.is_some()) {
        let Some((folder, name)) = tags_now::place(&entry.key)? else { continue };
        entry.tags = now.of(&folder, &name, &entry.tags);
        entry.tags_unknown = now.fault(&folder).map(str::to_owned);
    }
    Ok(())
}

/// Adds what the pointers name and the listing, which may lag, does not show.
async fn with_pointed(
    store: &dyn StoreRead,
    mut listed: Vec<catalogue::Entry>,
    name: Option<&str>,
) -> ObjectResult<Vec<catalogue::Entry>> {
    let names = listed.iter().filter_map(|found| BackupKey::of_manifest(&found.key)?.name);
    let names: BTreeSet<String> = names.chain(name.map(str::to_owned)).collect();
    for name in names {
        let Some(Backup { key, manifest }) = catalogue::pointed(store, &key::pointer(&name)?).await? else { continue };
        if !listed.iter().any(|found| found.key == key) {
            listed.push(catalogue::Entry { key, manifest: Ok(manifest) });
        }
    }
    Ok(listed)
}

async fn size(store: &dyn StoreRead, key: &BackupKey) -> ObjectResult<Option<u64>> {
    match store.head(&key.object()?).await {
        Ok(found) => Ok(Some(found.bytes)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn published(key: BackupKey, at: &Key, manifest: Result<Manifest, FormatError>, bytes: Option<u64>) -> Entry {
    let manifest = match manifest.and_then(|manifest| typed(at, manifest)) {
        Ok(manifest) => manifest,
        Err(error) if error.is_unreadable() => {
            return unvouched(key, State::Unreadable(error.to_string()), bytes.unwrap_or(0));
        }
        Err(error) => return unvouched(key, State::Damaged(error.to_string()), bytes.unwrap_or(0)),
    };
    let expected = manifest.stored_bytes();
    let state = match bytes {
        None => State::Damaged("the tarball is missing".to_owned()),
        Some(bytes) if bytes != expected => {
            State::Damaged(format!("it has {} instead of {}", exact_bytes(bytes), exact_bytes(expected)))
        }
        Some(_) if !manifest.is_complete() => State::Partial,
        Some(_) => State::Good,
    };
    Entry {
        key,
        state,
        time: Some(manifest.created_at),
        bytes: bytes.unwrap_or(0),
        source: manifest.identity.clone(),
        records: manifest.counts.get("records").copied(),
        sequence: Some(manifest.sequence),
        tags: manifest.tags.clone(),
        tags_unknown: None,
        manifest: Some(manifest),
    }
}

fn unvouched(key: BackupKey, state: State, bytes: u64) -> Entry {
    let time = key.time();
    Entry {
        key,
        state,
        time,
        bytes,
        source: None,
        records: None,
        sequence: None,
        tags: Vec::new(),
        tags_unknown: None,
        manifest: None,
    }
}

/// The manifest with its detail read.
pub(crate) fn typed(key: &Key, manifest: Manifest) -> Result<AppManifest, FormatError> {
    let invalid = |what: String| FormatError::Invalid { key: key.to_string(), what };
    if manifest.kind != Kind::App || manifest.parts.len() != 1 {
        return Err(invalid("it is not a manifest of an application's records".to_owned()));
    }
    // On a disk that takes `Shop` and `shop` for one name, the other's backups lie where these are looked for.
    if BackupKey::of_manifest(key).is_some_and(|backup| backup.name.as_ref() != Some(&manifest.source)) {
        return Err(invalid(format!("it is the manifest of another backup, of `{}`", manifest.source)));
    }
    let detail: AppDetail =
        serde_json::from_value(manifest.detail.clone()).map_err(|error| invalid(error.to_string()))?;
    Ok(manifest.with_detail(detail))
}
