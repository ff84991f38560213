//! The tags that backups have now, whatever was changed of them after they were made.

use std::collections::BTreeSet;

use backup_core::key::Key;
use backup_core::retention::{Candidate, Policy};
use backup_core::store::StoreRead;
use backup_core::tags::TagsNow;

use crate::error::ObjectResult;
use crate::key::{self, BackupKey};

/// Where the tags of the backup are, and what it is called there; nothing for one of gludb's.
pub(crate) fn place(key: &BackupKey) -> ObjectResult<Option<(Key, String)>> {
    let Some(name) = &key.name else { return Ok(None) };
    let text = key.to_string();
    let file = text.rsplit_once('/').map_or(text.as_str(), |(_, file)| file).to_owned();
    Ok(Some((folder(name)?, file)))
}

fn folder(name: &str) -> ObjectResult<Key> {
    Ok(Key::new(key::folder(name)?.trim_end_matches('/'))?)
}

/// The tags of all backups with these names.
pub(crate) async fn now(store: &dyn StoreRead, names: BTreeSet<String>) -> ObjectResult<TagsNow> {
    let folders = names.iter().map(|name| folder(name)).collect::<ObjectResult<BTreeSet<Key>>>()?;
    Ok(TagsNow::read(store, folders).await?)
}

/// Gives the candidate, whose id is the key of a manifest, the tags that it has now.
pub(crate) fn settle_candidate(now: &TagsNow, candidate: &mut Candidate, policy: &Policy) {
    let key = Key::new(candidate.id.as_str()).ok().and_then(|key| BackupKey::of_manifest(&key));
    if let Some(Ok(Some((folder, name)))) = key.map(|key| place(&key)) {
        now.settle(candidate, &folder, &name, policy);
    }
}
