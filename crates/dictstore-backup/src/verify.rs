//! Reads every backup and reports which can be restored.

use std::collections::BTreeMap;

use backup_core::run::Run;
use backup_core::source::Identity;
use backup_core::store::StoreRead;
use backup_core::{CoreError, StoreError};
use serde::Serialize;

use crate::entry::{Entry, State};
use crate::error::{DictError, DictResult};
use crate::list;
use crate::load::{Loader, Semantics};
use crate::origin::{self, Meant};
use crate::plan::{self, RestoreTo};
use crate::restore::{Content, content, read_file};
use crate::unclear::unclear_error;

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Every file, oldest first.
    pub files: Vec<Verified>,
    /// The newest backup that can be restored of the store that is meant without saying more; absent if none can, or if
    /// several stores have backups.
    pub newest_whole: Option<String>,
    /// The same of each store, if several have backups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stores: Vec<NewestWhole>,
}

/// The newest backup of one store that can be restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NewestWhole {
    /// Which store; absent for backups that do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Identity>,
    /// The backup, if any can be restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_whole: Option<String>,
}

/// What was found of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Verified {
    /// The file.
    pub file: String,
    /// What it counts for, now that it was read.
    #[serde(flatten)]
    pub state: State,
    /// Why it cannot be restored, if it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
}

impl VerifyReport {
    /// Backups that cannot be restored.
    pub fn broken(&self) -> impl Iterator<Item = &Verified> {
        self.files.iter().filter(|file| file.broken.is_some())
    }
}

/// Reads every file, compares it with its manifest, parses it, and looks whether its chain is whole. With `source` only the
/// files of one store, which is named as in [`crate::RestoreOptions::source`].
///
/// # Errors
/// What the store says; [`DictError::Source`] if there is no such store. What is wrong with a backup is in the report.
pub async fn verify(store: &dyn StoreRead, source: Option<&str>, run: &Run) -> DictResult<VerifyReport> {
    let mut entries = run.or_cancelled(list::list(store)).await?;
    if source.is_some() {
        let meant = origin::meant(&entries, &RestoreTo::Latest, source);
        entries = origin::of(entries, &meant.map_err(|unclear| unclear_error(store, unclear, source))?);
    }
    let mut rebuilt = Rebuilt::default();
    for at in 0..entries.len() {
        run.step("dict.verify", &entries[at].name.to_string());
        let (state, content) = run.or_cancelled(read(store, &entries[at])).await?;
        entries[at].state = state;
        if let Some(why) = content.and_then(|content| rebuilt.fault(&entries, at, content)) {
            entries[at].state = spoiled(&entries[at], why);
        }
    }
    let files = entries.iter().map(|entry| verified(&entries, entry)).collect::<Vec<_>>();
    let stores = stores(&entries, &files);
    let newest_whole = match origin::meant(&entries, &RestoreTo::Latest, None) {
        Ok(meant) => newest_whole(&entries, &files, |entry| match &meant {
            Meant::Of(source) => entry.manifest.is_some() && origin::id(entry) == *source,
            Meant::Unsaid => true,
        }),
        Err(_) => None,
    };
    Ok(VerifyReport { files, newest_whole, stores: if stores.len() > 1 { stores } else { Vec::new() } })
}

/// The newest of those that are meant that can be restored.
fn newest_whole(entries: &[Entry], files: &[Verified], is_meant: impl Fn(&Entry) -> bool) -> Option<String> {
    let newest = entries.iter().zip(files).rev();
    let mut whole = newest.filter(|(entry, file)| is_meant(entry) && file.broken.is_none() && counts(&file.state));
    whole.next().map(|(_, file)| file.file.clone())
}

/// Each store that has backups with manifests.
fn stores(entries: &[Entry], files: &[Verified]) -> Vec<NewestWhole> {
    let said = entries.iter().filter(|entry| entry.manifest.is_some());
    let each: BTreeMap<Option<String>, Option<Identity>> =
        said.map(|entry| (origin::id(entry), entry.identity().cloned())).collect();
    let of = |id: &Option<String>| {
        newest_whole(entries, files, |entry| entry.manifest.is_some() && origin::id(entry) == *id)
    };
    each.into_iter().map(|(id, source)| NewestWhole { newest_whole: of(&id), source }).collect()
}

fn counts(state: &State) -> bool {
    matches!(state, State::Good | State::Foreign)
}

/// What a chain comes to, as a restore would build it: what can be parsed need not fit into tables.
#[derive(Default)]
struct Rebuilt {
    chain: Vec<usize>,
    loader: Option<Loader>,
}

impl Rebuilt {
    /// Why a restore of the backup at `at` would fail for what it holds; nothing if it would not, or if another chain came
    /// between.
    fn fault(&mut self, entries: &[Entry], at: usize, content: Content) -> Option<String> {
        let (file, detail) =
            (entries[at].name.to_string(), entries[at].manifest.as_ref().map(|manifest| &manifest.detail));
        let chain = plan::plan(entries, &RestoreTo::File(file.clone())).ok()?.entries;
        let before = chain.split_last().map(|(_, before)| before)?;
        let built = match (content, self.loader.take()) {
            (Content::Full(tables), _) => Loader::full(&file, tables, detail, Semantics::Exact),
            (Content::Delta(changes), Some(mut loader)) if self.chain == before => {
                loader.delta(&file, changes, detail).map(|_| loader)
            }
            (Content::Delta(_), other) => {
                self.loader = other;
                return None;
            }
        };
        match built {
            Ok(loader) => {
                (self.chain, self.loader) = (chain, Some(loader));
                None
            }
            Err(DictError::Damaged { what, .. }) => Some(what),
            Err(error) => Some(error.to_string()),
        }
    }
}

/// What a backup counts for that turned out to be none.
fn spoiled(entry: &Entry, why: String) -> State {
    if entry.state == State::Good { State::Damaged(why) } else { State::Torn(why) }
}

async fn read(store: &dyn StoreRead, entry: &Entry) -> DictResult<(State, Option<Content>)> {
    if !counts(&entry.state) {
        return Ok((entry.state.clone(), None));
    }
    let held = entry.content().is_some();
    let read = match content(store, entry, Semantics::Exact).await {
        // Restores take it out of the manifest; DictDB takes the file.
        Ok(content) if held => read_file(store, entry).await.map(|_| content),
        other => other,
    };
    let why = match read {
        Ok(content) => return Ok((entry.state.clone(), Some(content))),
        Err(DictError::Core(CoreError::Store(StoreError::NotFound { .. }))) => "the file is missing".to_owned(),
        Err(DictError::Damaged { what, .. } | DictError::Refused { what, .. }) => what,
        Err(DictError::Core(CoreError::Store(StoreError::Damaged { what, .. }))) => what,
        Err(DictError::Core(CoreError::Store(error @ StoreError::NotAnObject { .. }))) => error.to_string(),
        Err(other) => return Err(other),
    };
    let why = if held { format!("{why}; its manifest contains it, and restores read it from there") } else { why };
    Ok((spoiled(entry, why), None))
}

fn verified(entries: &[Entry], entry: &Entry) -> Verified {
    let file = entry.name.to_string();
    let broken = match &entry.state {
        State::Unpublished => None,
        State::Damaged(why) | State::Unreadable(why) | State::Torn(why) => Some(why.clone()),
        State::Good | State::Foreign => match plan::plan(entries, &RestoreTo::File(file.clone())) {
            Ok(_) => None,
            Err(plan::PlanFault::Gap { what, .. }) => Some(what),
            Err(plan::PlanFault::Nothing) => Some("there is no full backup before it".to_owned()),
        },
    };
    Verified { file, state: entry.state.clone(), broken }
}
