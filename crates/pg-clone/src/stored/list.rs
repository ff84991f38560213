//! Lists dumps, and finds the one that is meant.

mod filter;
mod find;
mod miss;
mod selector;

use std::collections::BTreeSet;

use backup_core::catalogue::{self, Backup, Entry, Hints, Told};
use backup_core::error::{CoreError, FormatError, StoreError};
use backup_core::key::Key;
use backup_core::manifest::{Kind, Manifest};
use backup_core::source::Identity;
use backup_core::store::StoreRead;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use filter::Filter;
pub use find::{Found, find};
pub use miss::miss;
pub use selector::{Selector, Wanted};

use crate::error::PgResult;
use crate::stored::completeness::settle;
use crate::stored::detail::DumpDetail;
use crate::stored::key::{DumpKey, POINTER_NAME, ROOT, decode};
use crate::stored::legacy::{self, LegacyDump};
use crate::stored::lists;
use crate::stored::sizes::Sizes;
use crate::stored::tags_now::TagsNow;

/// Databases looked at at once.
const DATABASES_IN_FLIGHT: usize = 16;

/// What is longer is no claim of a prune, so that it need not be read to be told from one; in bytes.
const CLAIM_BYTES_MAX: u64 = 1024;

/// How far a dump can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Everything is in it.
    Good,
    /// Something was left out on request, or could not be read: never the last good one.
    Partial,
    /// Its manifest cannot be used.
    Damaged,
    /// It is there, and its manifest cannot be read now: of another user, in cold storage, on a disk that fails.
    Unreadable,
    /// A newer version made it.
    Newer,
    /// A single-file dump of django-pgclone: there is nothing to check it by.
    Unchecked,
}

/// What [`Hints`] of listings are of, for [`Hints::open`]. The number changes with what [`Listed`] says of the same manifest.
pub const HINTS: &str = "pg-2";

/// One dump of a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Listed {
    /// Its key, as `restore` takes it.
    pub key: String,
    /// The database.
    pub database: String,
    /// The configuration it was made with.
    pub config: String,
    /// The cluster it is of; absent where the dump does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Identity>,
    /// When the source was as the dump has it.
    pub time: Timestamp,
    /// Bytes of all that it needs, wherever they lie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored_bytes: Option<u64>,
    /// Bytes of it that it stored itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added_bytes: Option<u64>,
    /// Bytes of it that earlier dumps had stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_bytes: Option<u64>,
    /// Bytes of rows and schema before compression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_bytes: Option<u64>,
    /// Tables in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tables: Option<u64>,
    /// Rows in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// How far it can be trusted.
    pub state: State,
    /// Why it cannot be used, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// Its tags as they are now.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tags: Vec<String>,
    /// Why only the tags are known that it was made with, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags_unknown: Option<String>,
    /// What its key says.
    #[serde(skip, default = "nowhere")]
    order: DumpKey,
}

/// Of a dump that a hint tells of, until its key says it.
fn nowhere() -> DumpKey {
    DumpKey::new("", Timestamp::UNIX_EPOCH, "")
}

/// The dumps that `filter` takes, the newest last. Runs that never published a manifest are not dumps.
///
/// # Errors
/// What the store says. A manifest that cannot be used is listed, not an error.
pub async fn list(store: &dyn StoreRead, filter: &Filter) -> PgResult<Vec<Listed>> {
    list_recalling(store, filter, &mut Hints::none()).await
}

/// As [`list`]; manifests are not read that did not change since `hints` were told of them.
///
/// # Errors
/// As [`list`].
pub async fn list_recalling(
    store: &dyn StoreRead,
    filter: &Filter,
    hints: &mut Hints<Listed>,
) -> PgResult<Vec<Listed>> {
    let database = filter.database.as_deref();
    let folder = folder_of(database)?;
    let ours = catalogue::recall(store, &folder, hints, tell).await?.into_iter();
    let ordered = ours.filter_map(|(at, dump)| Some(Listed { order: DumpKey::of_manifest(&at)?, ..dump }));
    let mut dumps: Vec<Listed> = ordered.collect();
    add_pointed(store, database, &mut dumps).await?;
    let legacy = legacy::list(store).await?;
    let wanted = |dump: &LegacyDump| database.is_none_or(|database| dump.key.database == database);
    dumps.extend(legacy.into_iter().filter(wanted).map(listed_legacy));
    dumps.retain(|dump| filter.takes(&dump.database, &dump.config, dump.cluster.as_ref()));
    settle_tags(store, &mut dumps).await?;
    dumps.retain(|dump| filter.takes_tags(&dump.tags));
    dumps.sort_by(|left, right| left.order.cmp(&right.order));
    Ok(dumps)
}

/// Gives the dumps the tags that they have now.
async fn settle_tags(store: &dyn StoreRead, dumps: &mut [Listed]) -> PgResult<()> {
    let ours = |dump: &&Listed| !dump.order.is_legacy();
    let now = TagsNow::read(store, dumps.iter().filter(ours).map(|dump| dump.database.clone()).collect()).await?;
    for dump in dumps.iter_mut().filter(|dump| !dump.order.is_legacy()) {
        dump.tags = now.of(&dump.order, &dump.tags);
        dump.tags_unknown = now.fault(&dump.database).map(str::to_owned);
    }
    Ok(())
}

/// Adds what the pointers name and the listing, which may lag, does not show.
async fn add_pointed(store: &dyn StoreRead, database: Option<&str>, dumps: &mut Vec<Listed>) -> PgResult<()> {
    let mut databases: BTreeSet<String> = dumps.iter().map(|dump| dump.database.clone()).collect();
    databases.extend(database.map(str::to_owned));
    let mut looks = stream::iter(databases)
        .map(|database| async move {
            let pointer = DumpKey::database_folder(&database)?.join(POINTER_NAME)?;
            PgResult::Ok(catalogue::pointed(store, &pointer).await?)
        })
        .buffer_unordered(DATABASES_IN_FLIGHT);
    while let Some(pointed) = looks.try_next().await? {
        let Some(Backup { key: manifest_key, manifest }) = pointed else { continue };
        let Some(key) = DumpKey::of_manifest(&manifest_key) else { continue };
        let missing = !dumps.iter().any(|dump| dump.order == key);
        let entry = Entry { key: manifest_key, manifest: Ok(settle(manifest)) };
        dumps.extend(listed(&(key, entry)).filter(|_| missing));
    }
    Ok(())
}

/// The databases that have dumps, in order, without reading any manifest.
///
/// # Errors
/// What the store says.
pub async fn database_names(store: &dyn StoreRead) -> PgResult<Vec<String>> {
    let folders = store.list_children(&format!("{ROOT}/")).await?;
    let databases = folders.iter().filter_map(|folder| decode(folder.strip_suffix('/')?));
    let mut looks = stream::iter(databases)
        .map(|database| async move { PgResult::Ok(has_dump(store, &database).await?.then_some(database)) })
        .buffer_unordered(DATABASES_IN_FLIGHT);
    let mut names = BTreeSet::new();
    while let Some(name) = looks.try_next().await? {
        names.extend(name);
    }
    names.extend(legacy::list(store).await?.into_iter().map(|dump| dump.key.database));
    Ok(names.into_iter().collect())
}

/// Whether a manifest was ever published for the database; runs that failed leave folders without one.
async fn has_dump(store: &dyn StoreRead, database: &str) -> PgResult<bool> {
    let folder = DumpKey::database_folder(database)?;
    let children = match store.list_children(&format!("{folder}/")).await {
        // Another user's, who made it to keep dumps in it.
        Err(StoreError::PermissionDenied { .. }) => return Ok(true),
        children => children?,
    };
    let dumps =
        children.iter().rev().filter_map(|child| DumpKey::parse_folder_name(database, child.strip_suffix('/')?));
    for dump in dumps {
        let manifest = dump.manifest()?;
        match store.head(&manifest).await {
            // A claim of a prune stands where a manifest would, and is smaller than any.
            Ok(found) if found.bytes > CLAIM_BYTES_MAX => return Ok(true),
            Ok(_) => match catalogue::read(store, &manifest).await {
                Err(CoreError::Store(error)) if error.is_not_found() || error.is_not_an_object() => {}
                // Nothing says that it is none.
                Err(CoreError::Store(error)) => return Ok(catalogue::unreadable(&manifest, error).map(|_| true)?),
                _ => return Ok(true),
            },
            Err(error) if error.is_not_found() || error.is_not_an_object() => {}
            Err(error) => return Ok(catalogue::unreadable(&manifest, error).map(|_| true)?),
        }
    }
    Ok(false)
}

/// Where the manifests of `database`, or of all, are.
fn folder_of(database: Option<&str>) -> PgResult<String> {
    match database {
        Some(database) => Ok(format!("{}/", DumpKey::database_folder(database)?)),
        None => Ok(format!("{ROOT}/")),
    }
}

/// The entries of the catalogue in `folder` that are dumps.
fn entries<'a>(
    store: &'a dyn StoreRead,
    folder: &'a str,
) -> impl Stream<Item = PgResult<(DumpKey, Entry)>> + Unpin + 'a {
    Box::pin(catalogue::stream(store, folder).filter_map(async |entry| match entry {
        Ok(Entry { key: at, manifest }) => {
            let key = DumpKey::of_manifest(&at)?;
            Some(Ok((key, Entry { key: at, manifest: manifest.map(settle) })))
        }
        Err(error) => Some(Err(error.into())),
    }))
}

/// What a listing says of a manifest, if it is a dump's. What is wrong with one may be over tomorrow.
fn tell(entry: Entry) -> Option<Told<Listed>> {
    let key = DumpKey::of_manifest(&entry.key)?;
    let what = listed(&(key, Entry { manifest: entry.manifest.map(settle), ..entry }))?;
    Some(Told { lasting: what.fault.is_none(), what })
}

fn listed((key, entry): &(DumpKey, Entry)) -> Option<Listed> {
    let unusable = |state: State, fault: &FormatError| Listed {
        key: key.to_string(),
        database: key.database.clone(),
        config: key.config.clone(),
        cluster: None,
        time: key.timestamp,
        stored_bytes: None,
        added_bytes: None,
        shared_bytes: None,
        content_bytes: None,
        tables: None,
        rows: None,
        state,
        fault: Some(fault.to_string()),
        tags: Vec::new(),
        tags_unknown: None,
        order: key.clone(),
    };
    let manifest = match &entry.manifest {
        Ok(manifest) if manifest.kind == Kind::Pg => match misplaced(&entry.key, manifest) {
            None => manifest,
            Some(what) => {
                let fault = FormatError::Invalid { key: entry.key.to_string(), what };
                return Some(unusable(State::Damaged, &fault));
            }
        },
        Ok(_) => return None,
        Err(fault) if fault.is_newer() => return Some(unusable(State::Newer, fault)),
        Err(fault) if fault.is_unreadable() => return Some(unusable(State::Unreadable, fault)),
        Err(fault) => return Some(unusable(State::Damaged, fault)),
    };
    let sizes = Sizes::of(manifest);
    Some(Listed {
        time: manifest.created_at,
        stored_bytes: Some(sizes.stored()),
        added_bytes: Some(sizes.added),
        shared_bytes: Some(sizes.shared),
        content_bytes: Some(sizes.content),
        tables: manifest.counts.get("tables").copied(),
        rows: manifest.counts.get("rows").copied(),
        state: if manifest.is_complete() { State::Good } else { State::Partial },
        cluster: manifest.identity.clone(),
        fault: None,
        tags: manifest.tags.clone(),
        tags_unknown: None,
        key: key.to_string(),
        database: key.database.clone(),
        config: key.config.clone(),
        order: key.clone(),
    })
}

fn listed_legacy(dump: LegacyDump) -> Listed {
    Listed {
        key: dump.key.to_string(),
        database: dump.key.database.clone(),
        config: dump.key.config.clone(),
        cluster: None,
        time: dump.key.timestamp,
        stored_bytes: Some(dump.bytes),
        added_bytes: Some(dump.bytes),
        shared_bytes: Some(0),
        content_bytes: None,
        tables: None,
        rows: None,
        // A dump that failed left an empty file, which the original then took for the newest.
        state: if dump.bytes == 0 { State::Damaged } else { State::Unchecked },
        fault: (dump.bytes == 0).then(|| "it is empty: the pg_dump that wrote it failed".to_owned()),
        tags: Vec::new(),
        tags_unknown: None,
        order: dump.key,
    }
}

/// Reads the manifest of one of our dumps.
///
/// # Errors
/// [`crate::PgError::Store`] with `NotFound` if there is none; [`crate::PgError::Format`]; what the store says.
pub async fn read_manifest(store: &dyn StoreRead, key: &DumpKey) -> PgResult<Manifest<DumpDetail>> {
    let manifest_key = key.manifest()?;
    let manifest = catalogue::read(store, &manifest_key).await?;
    Ok(typed(&manifest_key, manifest)?)
}

/// Why a manifest cannot belong where it is: another dump's, put in this one's place, would restore other data than the
/// key says.
fn misplaced(key: &Key, manifest: &Manifest<Value>) -> Option<String> {
    let dump = DumpKey::of_manifest(key)?;
    let belongs = dump.database == manifest.source && dump.config == manifest.config;
    let (source, config) = (&manifest.source, &manifest.config);
    (!belongs).then(|| format!("it is the manifest of another dump, of `{source}` with configuration `{config}`"))
}

/// The manifest with what only pg-clone understands.
pub(crate) fn typed(key: &Key, manifest: Manifest<Value>) -> Result<Manifest<DumpDetail>, CoreError> {
    let invalid = |what: String| FormatError::Invalid { key: key.to_string(), what };
    if manifest.kind != Kind::Pg {
        return Err(invalid("it is not a dump of a PostgreSQL database".to_owned()).into());
    }
    if let Some(what) = misplaced(key, &manifest) {
        return Err(invalid(what).into());
    }
    let mut manifest = settle(manifest);
    let detail = std::mem::take(&mut manifest.detail);
    let detail: DumpDetail = serde_json::from_value(detail).map_err(|error| invalid(error.to_string()))?;
    if let Some(what) = lists::contradiction(&detail, &manifest.requires) {
        return Err(invalid(what.to_owned()).into());
    }
    Ok(manifest.with_detail(detail))
}

/// The manifest if it is that of a dump and lies where it belongs.
pub(crate) fn usable(key: &Key, manifest: Manifest<Value>) -> Option<Manifest<Value>> {
    (manifest.kind == Kind::Pg && misplaced(key, &manifest).is_none()).then_some(manifest)
}

#[cfg(test)]
mod tests;
