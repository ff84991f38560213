//! The tags that dumps have now, whatever was changed of them after they were made.

use std::collections::BTreeSet;

use backup_core::retention::{Candidate, Policy};
use backup_core::store::StoreRead;
use backup_core::tags;

use crate::error::PgResult;
use crate::stored::key::DumpKey;

/// The tags of the dumps of some databases as they are now.
#[derive(Debug, Default)]
pub(crate) struct TagsNow(tags::TagsNow);

impl TagsNow {
    /// Those of the dumps of `databases`. A document that cannot be used hides nothing but what is in it.
    pub(crate) async fn read(store: &dyn StoreRead, databases: BTreeSet<String>) -> PgResult<Self> {
        let folders = databases.iter().map(|database| DumpKey::database_folder(database));
        Ok(Self(tags::TagsNow::read(store, folders.collect::<PgResult<_>>()?).await?))
    }

    /// The tags of the dump `key`, which was made with the tags `original`.
    pub(crate) fn of(&self, key: &DumpKey, original: &[String]) -> Vec<String> {
        DumpKey::database_folder(&key.database)
            .map_or_else(|_| original.to_vec(), |folder| self.0.of(&folder, &name_of(key), original))
    }

    /// Whether something was changed of the dump `key` after it was made.
    pub(crate) fn knows(&self, key: &DumpKey) -> bool {
        DumpKey::database_folder(&key.database).is_ok_and(|folder| self.0.knows(&folder, &name_of(key)))
    }

    /// Why the tags of the database's dumps are only those they were made with, as far as is known.
    pub(crate) fn fault(&self, database: &str) -> Option<&str> {
        self.0.fault(&DumpKey::database_folder(database).ok()?)
    }

    /// Gives the dump `key` the tags that it has now, for a decision by `policy`.
    pub(crate) fn settle(&self, candidate: &mut Candidate, key: &DumpKey, policy: &Policy) {
        if let Ok(folder) = DumpKey::database_folder(&key.database) {
            self.0.settle(candidate, &folder, &name_of(key), policy);
        }
    }
}

/// What the dump is called in the document of its database's tags: what its key has below the folder.
pub(crate) fn name_of(key: &DumpKey) -> String {
    let text = key.to_string();
    text.rsplit_once('/').map_or(text.clone(), |(_, name)| name.to_owned())
}
