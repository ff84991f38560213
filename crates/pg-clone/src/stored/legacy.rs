//! Single-file dumps of django-pgclone: finding them, and reading one after its header was checked.

mod header;

use backup_core::StoreError;
use backup_core::key::Key;
use backup_core::store::{ByteStream, ObjectMeta, StoreRead, StoreResult};
use bytes::BytesMut;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

pub use header::{ArchiveHeader, Parsed};

use crate::error::{PgError, PgResult};
use crate::stored::key::{DumpKey, ROOT};

/// Most bytes an archive's header may take: its only long part is the database's name.
const HEADER_BYTES_MAX: usize = 64 * 1024;

/// Objects of a foreign folder looked at before it is taken for something else: what one request lists on S3.
const PEEKED_OBJECTS: usize = 1_000;

/// Folders looked at at once.
const FOLDERS_IN_FLIGHT: usize = 32;

/// A single-file dump.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LegacyDump {
    /// Its key, taken apart.
    pub key: DumpKey,
    /// The object.
    pub object: Key,
    /// Its size.
    pub bytes: u64,
    /// When it was written, as the store says.
    pub modified: Timestamp,
}

/// An archive opened for reading.
#[non_exhaustive]
pub struct OpenArchive {
    /// What its beginning says.
    pub header: ArchiveHeader,
    /// All of its bytes, the beginning included.
    pub body: ByteStream,
}

impl std::fmt::Debug for OpenArchive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenArchive").field("header", &self.header).finish_non_exhaustive()
    }
}

/// Opens a single-file dump, if it is an archive of `pg_dump -Fc`.
///
/// # Errors
/// [`PgError::Integrity`] if it is empty, cut off or something else; what the store says.
pub async fn open(store: &dyn StoreRead, object: &Key) -> PgResult<OpenArchive> {
    let damaged = |what: &str| PgError::Integrity { dump: object.to_string(), what: what.to_owned() };
    let mut body = store.get(object, None).await?;
    let mut begin = BytesMut::new();
    loop {
        match header::parse(&begin) {
            Parsed::Header(header) => {
                let begin = begin.freeze();
                let body = stream::once(async move { Ok(begin) }).chain(body).boxed();
                return Ok(OpenArchive { header, body });
            }
            Parsed::Invalid(what) => return Err(damaged(&what)),
            Parsed::NeedsMore if begin.len() > HEADER_BYTES_MAX => return Err(damaged("its header is incomplete")),
            Parsed::NeedsMore => match body.try_next().await? {
                Some(chunk) => begin.extend_from_slice(&chunk),
                None if begin.is_empty() => return Err(damaged("it is empty: the pg_dump that wrote it failed")),
                None => return Err(damaged("it ends inside its header")),
            },
        }
    }
}

/// The single-file dumps in a location, at its root and below `pg/`, by time.
///
/// A folder at the root whose first 1,000 objects are no dumps is taken for something else and not listed further.
///
/// # Errors
/// What the store says.
pub async fn list(store: &dyn StoreRead) -> PgResult<Vec<LegacyDump>> {
    let mut dumps = Vec::new();
    let (folders, _) = children(store, "").await?;
    let foreign = folders.iter().filter(|folder| **folder != format!("{ROOT}/")).cloned().collect();
    dumps.extend(below_all(store, foreign).await?);

    let (databases, objects) = children(store, &format!("{ROOT}/")).await?;
    dumps.extend(heads(store, objects).await?);
    let mut inner = stream::iter(databases).map(|folder| database_folder(store, folder)).buffered(FOLDERS_IN_FLIGHT);
    while let Some(found) = inner.try_next().await? {
        dumps.extend(found);
    }
    dumps.sort_by(|left, right| left.key.cmp(&right.key));
    Ok(dumps)
}

/// The single-file dump with exactly this key in the location.
///
/// # Errors
/// What the store says; that there is no such object is no error.
pub async fn get(store: &dyn StoreRead, object: &Key) -> PgResult<Option<LegacyDump>> {
    if DumpKey::of_object(object).is_none() {
        return Ok(None);
    }
    match store.head(object).await {
        Ok(meta) => Ok(dump_of(meta)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A folder below `pg/`: ours, of django-pgclone, or both.
async fn database_folder(store: &dyn StoreRead, folder: String) -> PgResult<Vec<LegacyDump>> {
    let (folders, objects) = children(store, &folder).await?;
    let mut dumps = heads(store, objects).await?;
    // Our own dumps are folders of many objects that are none.
    let foreign = folders.into_iter().filter(|folder| !folder.ends_with(".dump/")).collect();
    dumps.extend(below_all(store, foreign).await?);
    Ok(dumps)
}

async fn below_all(store: &dyn StoreRead, folders: Vec<String>) -> PgResult<Vec<LegacyDump>> {
    let mut found = Vec::new();
    let mut lists = stream::iter(folders).map(|folder| below(store, folder)).buffered(FOLDERS_IN_FLIGHT);
    while let Some(dumps) = lists.try_next().await? {
        found.extend(dumps);
    }
    Ok(found)
}

async fn below(store: &dyn StoreRead, folder: String) -> StoreResult<Vec<LegacyDump>> {
    let mut dumps = Vec::new();
    let mut objects = store.list(&folder, None);
    let mut seen = 0;
    while let Some(meta) = objects.try_next().await? {
        seen += 1;
        dumps.extend(dump_of(meta));
        if seen >= PEEKED_OBJECTS && dumps.is_empty() {
            break;
        }
    }
    Ok(dumps)
}

async fn heads(store: &dyn StoreRead, objects: Vec<Key>) -> PgResult<Vec<LegacyDump>> {
    let dumps = stream::iter(objects).map(|object| async move { get(store, &object).await });
    dumps.buffered(FOLDERS_IN_FLIGHT).try_filter_map(async |dump| Ok(dump)).try_collect().await
}

fn dump_of(meta: ObjectMeta) -> Option<LegacyDump> {
    let key = DumpKey::of_object(&meta.key)?;
    Some(LegacyDump { key, object: meta.key, bytes: meta.bytes, modified: meta.modified })
}

/// Folders and objects right below `prefix`, with their whole keys. A folder of another user's, which the store tells of, has
/// nothing for us.
async fn children(store: &dyn StoreRead, prefix: &str) -> StoreResult<(Vec<String>, Vec<Key>)> {
    let names = match store.list_names(prefix).await {
        Err(StoreError::PermissionDenied { .. }) if !prefix.is_empty() => Vec::new(),
        names => names?,
    };
    let (folders, objects): (Vec<String>, Vec<String>) =
        names.into_iter().map(|name| format!("{prefix}{name}")).partition(|name| name.ends_with('/'));
    // An object whose name is no key of ours is no dump.
    Ok((folders, objects.into_iter().filter_map(|object| Key::new(object).ok()).collect()))
}

#[cfg(test)]
mod tests;
