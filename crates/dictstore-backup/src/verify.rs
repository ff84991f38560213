//! Reads every backup and says which can be restored.

use backup_core::store::StoreRead;
use backup_core::{CoreError, StoreError};
use serde::Serialize;

use crate::error::{DictError, DictResult};
use crate::folder::{self, Entry, State};
use crate::load::Semantics;
use crate::plan::{self, RestoreTo};
use crate::restore::{content, read_file};

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Every file, oldest first.
    pub files: Vec<Verified>,
    /// The newest backup that can be restored, if any can.
    pub newest_whole: Option<String>,
}

/// What was found of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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

/// Reads every file, compares it with its manifest, parses it, and looks whether its chain is whole.
///
/// # Errors
/// What the store says. What is wrong with a backup is in the report.
pub async fn verify(store: &dyn StoreRead) -> DictResult<VerifyReport> {
    let mut entries = folder::list(store).await?;
    for entry in &mut entries {
        entry.state = read(store, entry).await?;
    }
    let files = entries.iter().map(|entry| verified(&entries, entry)).collect::<Vec<_>>();
    let newest_whole = files.iter().rev().find(|file| file.broken.is_none() && counts(&file.state));
    let newest_whole = newest_whole.map(|file| file.file.clone());
    Ok(VerifyReport { files, newest_whole })
}

fn counts(state: &State) -> bool {
    matches!(state, State::Good | State::Foreign)
}

async fn read(store: &dyn StoreRead, entry: &Entry) -> DictResult<State> {
    if !counts(&entry.state) {
        return Ok(entry.state.clone());
    }
    let held = entry.content().is_some();
    let read = match content(store, entry, Semantics::Exact).await {
        // Restores take it out of the manifest; DictDB takes the file.
        Ok(_) if held => read_file(store, entry).await.map(drop),
        other => other.map(drop),
    };
    let why = match read {
        Ok(()) => return Ok(entry.state.clone()),
        Err(DictError::Core(CoreError::Store(StoreError::NotFound { .. }))) => "the file is missing".to_owned(),
        Err(DictError::Damaged { what, .. } | DictError::Refused { what, .. }) => what,
        Err(DictError::Core(CoreError::Store(StoreError::Damaged { what, .. }))) => what,
        Err(DictError::Core(CoreError::Store(error @ StoreError::NotAnObject { .. }))) => error.to_string(),
        Err(other) => return Err(other),
    };
    let why = if held { format!("{why}; its manifest holds it, and restores take it from there") } else { why };
    Ok(if entry.state == State::Good { State::Damaged(why) } else { State::Torn(why) })
}

fn verified(entries: &[Entry], entry: &Entry) -> Verified {
    let file = entry.name.to_string();
    let broken = match &entry.state {
        State::Unpublished => None,
        State::Damaged(why) | State::Torn(why) => Some(why.clone()),
        State::Good | State::Foreign => match plan::plan(entries, &RestoreTo::File(file.clone())) {
            Ok(_) => None,
            Err(plan::PlanFault::Gap { what, .. }) => Some(what),
            Err(plan::PlanFault::Nothing) => Some("there is no full backup before it".to_owned()),
        },
    };
    Verified { file, state: entry.state.clone(), broken }
}
