//! Tags that backups were given, or lost, after they were published: a document beside the backups of one source.
//!
//! A manifest is sealed, so that the tags a backup was made with stay in it. What came later is in `tags.json` in the folder of
//! the source's backups: the tags of each backup that was changed, as they are now. One document for all of them costs a listing one
//! request, however many backups there are; it is only ever replaced by its version, so that of two changes at once none is lost.

mod in_use;
mod retag;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::in_use::{InUse, in_use};
pub use self::retag::{Retag, RetagPlan, RetagReport, Whose};
use crate::catalogue::{CONCURRENCY, unreadable};
use crate::document;
use crate::error::{CoreError, FormatError, StoreError};
use crate::key::Key;
use crate::lease::versioned::{is_open, versioned};
use crate::prune;
use crate::retention::{Candidate, Policy, Rule};
use crate::store::{PutMode, PutOptions, StoreRead, StoreWrite};

/// Name of the document, in the folder of the backups of one source.
pub const TAGS_NAME: &str = "tags.json";

/// Most tags of one backup: more than anybody reads.
pub const TAGS_MAX: usize = 64;

/// Longest tag in bytes: as long as a tag of AWS.
pub const TAG_BYTES_MAX: usize = 256;

/// Format of the document.
const FORMAT: u64 = 1;

/// Longest document in bytes: a thousand backups with as many and as long tags as there can be, and far more of usual ones.
const DOCUMENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Times a change is tried that others come before: each of them does so once.
const ATTEMPTS: usize = 16;

/// Tags of the backups of one source, as far as they were changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tags(Document);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Document {
    format: u64,
    /// Tags by the name of the backup: what its key has below the folder.
    backups: BTreeMap<String, Vec<String>>,
    /// Fields of a later minor version: kept and ignored.
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

impl Default for Document {
    fn default() -> Self {
        Self { format: FORMAT, backups: BTreeMap::new(), unknown: Map::new() }
    }
}

/// Tags to give to a backup and to take from it. What is in both is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// To give.
    pub add: Vec<String>,
    /// To take.
    pub remove: Vec<String>,
}

/// A backup whose tags are changed.
#[derive(Clone, Copy, Debug)]
pub struct Tagged<'a> {
    /// The folder of the backups of its source.
    pub folder: &'a Key,
    /// What its key has below the folder.
    pub name: &'a str,
    /// Its manifest.
    pub manifest: &'a Key,
    /// The tags that it was made with.
    pub original: &'a [String],
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The backup's tags now.
    pub tags: Vec<String>,
    /// Whether something was written: not if they were so before.
    pub written: bool,
    /// Whether a prune began to delete the backup before the change: its tags do not save it any more.
    pub doomed: bool,
}

/// Why a text cannot be given to a backup as a tag.
#[must_use]
pub fn fault(tag: &str) -> Option<String> {
    match tag {
        "" => Some("a tag is empty".to_owned()),
        long if long.len() > TAG_BYTES_MAX => {
            Some(format!("a tag of {} bytes is longer than the limit of {TAG_BYTES_MAX}", long.len()))
        }
        padded if padded.trim() != padded => Some(format!("the tag `{padded}` begins or ends with a blank")),
        _ => None,
    }
}

/// Why a new backup cannot be given these tags: the first that is none, or too many of them.
#[must_use]
pub fn fault_in(tags: &[String]) -> Option<String> {
    let too_many = || format!("{} tags are more than the limit of {TAGS_MAX}", tags.len());
    tags.iter().find_map(|tag| fault(tag)).or_else(|| (tags.len() > TAGS_MAX).then(too_many))
}

impl Change {
    /// The tags of a backup that has `tags` before: in the order in which they were given, each once.
    #[must_use]
    pub fn of(&self, tags: &[String]) -> Vec<String> {
        let stays = |tag: &&String| !self.remove.contains(tag) || self.add.contains(tag);
        let mut after: Vec<String> = Vec::new();
        for tag in tags.iter().filter(stays).chain(&self.add) {
            if !after.contains(tag) {
                after.push(tag.clone());
            }
        }
        after
    }
}

impl Tags {
    /// What was changed of the backups in `folder`; nothing if nobody changed anything.
    ///
    /// # Errors
    /// Why the document cannot be used; what the store says.
    pub async fn read(store: &dyn StoreRead, folder: &Key) -> Result<Self, CoreError> {
        let key = folder.join(TAGS_NAME)?;
        match document::read(store, &key, DOCUMENT_BYTES_MAX).await {
            Ok(bytes) => Ok(Self(parse(&key, &bytes)?)),
            Err(error) if error.is_not_found() => Ok(Self::default()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether something was changed of the backup called `name`.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.0.backups.contains_key(name)
    }

    /// The tags of the backup called `name`, which was made with the tags `original`.
    #[must_use]
    pub fn of(&self, name: &str, original: &[String]) -> Vec<String> {
        self.0.backups.get(name).map_or_else(|| original.to_vec(), Clone::clone)
    }
}

/// The tags of the backups of several sources as they are now, by their folders; or why they cannot be known.
#[derive(Debug, Default)]
pub struct TagsNow(BTreeMap<Key, Result<Tags, String>>);

impl TagsNow {
    /// Those of the backups in `folders`. A document that cannot be used hides nothing but what is in it.
    ///
    /// # Errors
    /// What the store says, unless it is about one document alone.
    pub async fn read(store: &dyn StoreRead, folders: BTreeSet<Key>) -> Result<Self, CoreError> {
        let mut reads = stream::iter(folders)
            .map(|folder| async move {
                let tags = match Tags::read(store, &folder).await {
                    Ok(tags) => Ok(tags),
                    Err(CoreError::Format(error)) => Err(error.to_string()),
                    Err(CoreError::Store(error @ (StoreError::NotAnObject { .. } | StoreError::Damaged { .. }))) => {
                        Err(error.to_string())
                    }
                    Err(CoreError::Store(error)) => Err(unreadable(&folder.join(TAGS_NAME)?, error)?.to_string()),
                    Err(error) => return Err(error),
                };
                Ok::<_, CoreError>((folder, tags))
            })
            .buffer_unordered(CONCURRENCY);
        let mut all = BTreeMap::new();
        while let Some((folder, tags)) = reads.try_next().await? {
            all.insert(folder, tags);
        }
        Ok(Self(all))
    }

    /// The tags of the backup called `name` in `folder`, which was made with the tags `original`.
    #[must_use]
    pub fn of(&self, folder: &Key, name: &str, original: &[String]) -> Vec<String> {
        match self.0.get(folder) {
            Some(Ok(tags)) => tags.of(name, original),
            _ => original.to_vec(),
        }
    }

    /// Whether something was changed of the backup called `name` in `folder` after it was made.
    #[must_use]
    pub fn knows(&self, folder: &Key, name: &str) -> bool {
        self.0.get(folder).is_some_and(|tags| tags.as_ref().is_ok_and(|tags| tags.knows(name)))
    }

    /// Why the tags of the backups in `folder` are only those they were made with, as far as is known.
    #[must_use]
    pub fn fault(&self, folder: &Key) -> Option<&str> {
        self.0.get(folder)?.as_ref().err().map(String::as_str)
    }

    /// Gives the candidate the tags that it has now. Of a backup whose tags cannot be read any may keep it, if `policy` keeps by tags.
    pub fn settle(&self, candidate: &mut Candidate, folder: &Key, name: &str, policy: &Policy) {
        candidate.tags = self.of(folder, name, &candidate.tags);
        let by_tag = policy.rules.iter().any(|rule| matches!(rule, Rule::Tag(_)));
        if let Some(fault) = self.fault(folder).filter(|_| by_tag) {
            candidate.protected = Some(format!("its tags cannot be read ({fault})"));
        }
    }
}

fn parse(key: &Key, bytes: &[u8]) -> Result<Document, FormatError> {
    let value = document::parse(key, bytes, FORMAT)?;
    serde_json::from_value(value)
        .map_err(|error| FormatError::Invalid { key: key.to_string(), what: error.to_string() })
}

/// Changes the tags of a backup. Others may do so at the same time, also of the same backup: no change is lost.
///
/// # Errors
/// [`StoreError::NotFound`] if the backup is gone; [`StoreError::Precondition`] if others came before all the time; why the
/// document cannot be used; what the store says.
pub async fn change(store: &dyn StoreWrite, backup: Tagged<'_>, change: &Change) -> Result<Changed, CoreError> {
    let mut tags = Vec::new();
    let written = edit(store, backup.folder, |document| {
        let before = document.backups.get(backup.name).map_or(backup.original, Vec::as_slice);
        tags = change.of(before);
        let changes = tags != before;
        if tags == backup.original {
            document.backups.remove(backup.name);
        } else {
            document.backups.insert(backup.name.to_owned(), tags.clone());
        }
        changes
    })
    .await?;
    // Written before it is looked: a prune that begins later than this reads it, and of one that began before, the word is there.
    let doomed = exists(store, &prune::tombstone_key(backup.manifest)?).await?;
    store.head(backup.manifest).await?;
    Ok(Changed { tags, written, doomed })
}

/// Forgets the backups called `names`, which are gone. Whether it is done matters to nobody but who reads the document.
///
/// # Errors
/// As [`change`], but for [`StoreError::NotFound`].
pub async fn forget(store: &dyn StoreWrite, folder: &Key, names: &[String]) -> Result<(), CoreError> {
    let forgotten = edit(store, folder, |document| {
        let before = document.backups.len();
        document.backups.retain(|name, _| !names.contains(name));
        document.backups.len() < before
    });
    forgotten.await.map(drop)
}

/// Replaces the document in `folder` by what `edit` makes of it, which says whether it changed something; returns whether it was
/// written. After an answer that was lost, what is found is an earlier attempt.
async fn edit(
    store: &dyn StoreWrite,
    folder: &Key,
    mut edit: impl FnMut(&mut Document) -> bool + Send,
) -> Result<bool, CoreError> {
    let key = folder.join(TAGS_NAME)?;
    let mut attempt = 1;
    loop {
        let (mut document, mode) = match versioned(store, &key, DOCUMENT_BYTES_MAX).await? {
            Some(found) => (parse(&key, &found.bytes)?, PutMode::IfMatch(found.tag)),
            None => (Document::default(), PutMode::Create),
        };
        if !edit(&mut document) {
            return Ok(attempt > 1);
        }
        match store.put(&key, encode(&key, &document)?, &PutOptions::new(mode)).await {
            Ok(()) => return Ok(true),
            Err(error) if is_open(&error) && attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

fn encode(key: &Key, document: &Document) -> Result<bytes::Bytes, StoreError> {
    let failed =
        |error| StoreError::Other { key: key.to_string(), action: "write".to_owned(), source: Box::new(error) };
    let body = serde_json::to_vec(document).map_err(failed)?;
    if body.len() > DOCUMENT_BYTES_MAX {
        return Err(StoreError::Invalid { what: format!("there is no room for more tags in `{key}`") });
    }
    Ok(body.into())
}

async fn exists(store: &dyn StoreRead, key: &Key) -> Result<bool, StoreError> {
    match store.head(key).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
