//! Changing the tags of one backup: looked at and refused, planned, done.

use std::sync::Arc;

use serde::Serialize;

use super::{Change, TAGS_MAX, Tagged, Tags, change, fault};
use crate::error::{CoreError, StoreError};
use crate::key::Key;
use crate::run::Run;
use crate::store::SharedStore;

/// The backup whose tags are to be changed.
#[derive(Clone, Debug)]
pub struct Whose {
    /// Its key, as people write it.
    pub key: String,
    /// The folder of the backups of its source.
    pub folder: Key,
    /// What its key has below the folder.
    pub name: String,
    /// Its manifest.
    pub manifest: Key,
    /// The tags that it was made with.
    pub original: Vec<String>,
}

/// What a change of tags would do: what a dry run prints, and what [`Retag::run`] does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RetagPlan {
    /// The backup's key.
    pub key: String,
    /// Its tags before.
    pub before: Vec<String>,
    /// Its tags after it.
    pub after: Vec<String>,
}

/// What a change of tags did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RetagReport {
    /// The backup's key.
    pub key: String,
    /// Its tags now.
    pub tags: Vec<String>,
    /// Whether they were others before.
    pub changed: bool,
    /// Whether a prune has begun to delete the backup: no tag keeps it any more.
    pub being_deleted: bool,
}

/// A change of the tags of one backup that is planned and not yet done. The manifest stays as it is.
#[derive(Debug)]
pub struct Retag {
    store: SharedStore,
    run: Run,
    whose: Whose,
    change: Change,
    plan: RetagPlan,
}

impl Retag {
    /// Looks at the tags that the backup has. Changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for texts that are no tags, and for too many of them; why those it has cannot be read.
    pub async fn prepare(store: &SharedStore, whose: Whose, change: Change, run: &Run) -> Result<Self, CoreError> {
        if let Some(what) = change.add.iter().find_map(|tag| fault(tag)) {
            return Err(StoreError::Invalid { what }.into());
        }
        let tags = run.or_cancelled(Tags::read(&**store, &whose.folder)).await?;
        let before = tags.of(&whose.name, &whose.original);
        let after = change.of(&before);
        if after.len() > TAGS_MAX && after.len() > before.len() {
            let what = format!("`{}` would have {} tags, more than the limit of {TAGS_MAX}", whose.key, after.len());
            return Err(StoreError::Invalid { what }.into());
        }
        let plan = RetagPlan { key: whose.key.clone(), before, after };
        Ok(Self { store: Arc::clone(store), run: run.clone(), whose, change, plan })
    }

    /// What would be changed.
    #[must_use]
    pub fn plan(&self) -> &RetagPlan {
        &self.plan
    }

    /// Changes the tags. What others changed of them since [`Retag::prepare`] stays changed.
    ///
    /// # Errors
    /// [`CoreError::Cancelled`]; [`StoreError::NotFound`] if the backup was deleted meanwhile; what the store says.
    pub async fn run(self) -> Result<RetagReport, CoreError> {
        self.run.stop_if_cancelled()?;
        let Whose { key, folder, name, manifest, original } = &self.whose;
        let changed = change(&*self.store, Tagged { folder, name, manifest, original }, &self.change).await?;
        Ok(RetagReport {
            key: key.clone(),
            tags: changed.tags,
            changed: changed.written,
            being_deleted: changed.doomed,
        })
    }
}
