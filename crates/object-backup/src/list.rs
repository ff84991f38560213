//! What is there: every tarball with its manifest, or the reason why it counts for nothing.

use std::collections::{BTreeMap, BTreeSet};

use backup_core::FormatError;
use backup_core::catalogue;
use backup_core::key::Key;
use backup_core::manifest::{Kind, Manifest, Outcome};
use backup_core::store::StoreRead;
use futures::TryStreamExt;
use jiff::Timestamp;
use serde::Serialize;

use crate::backup_key::{self, BackupKey, DEFAULT_NAME, FOLDER};
use crate::detail::{AppDetail, AppManifest};
use crate::error::{ObjectError, ObjectResult};

/// What a tarball counts for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "why", rename_all = "lowercase")]
pub enum State {
    /// It has its manifest, and its size is the one the manifest says.
    Good,
    /// As [`State::Good`], but types are missing that could not be read.
    Partial,
    /// Tarball or manifest is missing, changed or of a newer version.
    Damaged(String),
    /// No manifest: an interrupted run left it. It is no backup.
    Unpublished,
    /// gludb wrote it, and nothing vouches for it.
    Foreign,
}

/// A tarball, or the manifest of one that is gone.
#[derive(Clone, Debug, Serialize)]
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
    /// Records in it, where a manifest says.
    pub records: Option<u64>,
    /// Position among the backups of its name.
    pub sequence: Option<u64>,
    /// The manifest.
    #[serde(skip)]
    pub manifest: Option<AppManifest>,
}

/// Everything in the location, by name and time; only that called `name` if one is given.
///
/// # Errors
/// What the store says.
pub async fn list(store: &dyn StoreRead, name: Option<&str>) -> ObjectResult<Vec<Entry>> {
    let folder = name.map_or_else(|| Ok(FOLDER.to_owned()), backup_key::folder)?;
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
            None => size(store, &key).await?,
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
    entries.sort_by(|a, b| (&a.key.name, a.time, &a.key).cmp(&(&b.key.name, b.time, &b.key)));
    Ok(entries)
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
        let Some((key, manifest)) = catalogue::pointed(store, &backup_key::pointer(&name)?).await? else { continue };
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
        Err(error) => return unvouched(key, State::Damaged(error.to_string()), bytes.unwrap_or(0)),
    };
    let expected = manifest.stored_bytes();
    let state = match bytes {
        None => State::Damaged("the tarball is missing".to_owned()),
        Some(bytes) if bytes != expected => State::Damaged(format!("it has {bytes} bytes and should have {expected}")),
        Some(_) if manifest.outcome == Outcome::Partial => State::Partial,
        Some(_) => State::Good,
    };
    Entry {
        key,
        state,
        time: Some(manifest.created_at),
        bytes: bytes.unwrap_or(0),
        records: manifest.counts.get("records").copied(),
        sequence: Some(manifest.sequence),
        manifest: Some(manifest),
    }
}

fn unvouched(key: BackupKey, state: State, bytes: u64) -> Entry {
    let time = key.time();
    Entry { key, state, time, bytes, records: None, sequence: None, manifest: None }
}

/// The manifest with its detail read.
pub(crate) fn typed(key: &Key, manifest: Manifest) -> Result<AppManifest, FormatError> {
    let invalid = |what: String| FormatError::Invalid { key: key.to_string(), what };
    if manifest.kind != Kind::App || manifest.parts.len() != 1 {
        return Err(invalid("it is no manifest of an application's records".to_owned()));
    }
    let detail: AppDetail =
        serde_json::from_value(manifest.detail.clone()).map_err(|error| invalid(error.to_string()))?;
    Ok(manifest.with_detail(detail))
}

/// The backup that `which` means: a key as [`list`] shows it, or `latest` for the newest good one called `name`, or else
/// called [`DEFAULT_NAME`].
///
/// # Errors
/// [`ObjectError::NoBackup`]; [`ObjectError::Damaged`] if tarball or manifest is gone or changed.
pub async fn find(store: &dyn StoreRead, which: &str, name: Option<&str>) -> ObjectResult<Entry> {
    let missing = || ObjectError::NoBackup { which: which.to_owned(), location: store.describe() };
    let key = if which == "latest" {
        let name = name.unwrap_or(DEFAULT_NAME);
        let newest =
            catalogue::newest(store, &backup_key::folder(name)?, &backup_key::pointer(name)?, Manifest::is_complete)
                .await?;
        newest.and_then(|(key, _)| BackupKey::of_manifest(&key)).ok_or_else(missing)?
    } else {
        BackupKey::parse(which).ok_or_else(missing)?
    };
    let bytes = size(store, &key).await?;
    if key.name.is_none() {
        return Ok(unvouched(key, State::Foreign, bytes.ok_or_else(missing)?));
    }
    let at = key.manifest()?;
    let manifest = match catalogue::read(store, &at).await {
        Ok(manifest) => manifest,
        Err(backup_core::CoreError::Store(error)) if error.is_not_found() => return Err(missing()),
        Err(error) => return Err(error.into()),
    };
    let entry = published(key, &at, Ok(manifest), bytes);
    match &entry.state {
        State::Damaged(what) => Err(ObjectError::damaged(&entry.key.to_string(), what.clone())),
        _ => Ok(entry),
    }
}
