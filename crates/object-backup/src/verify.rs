//! Reads backups in full and reports damaged ones.

use backup_core::store::SharedStore;
use serde::Serialize;
use tracing::{Instrument as _, info_span};

use crate::error::ObjectResult;
use crate::key::BackupKey;
use crate::list::{Entry, State};
use crate::read::read_into;
use crate::run::Run;
use crate::tar::read::Nowhere;

/// What was found out about one backup.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Verified {
    /// Which.
    pub key: BackupKey,
    /// What it counts for.
    #[serde(flatten)]
    pub state: State,
    /// Records found.
    pub records: u64,
    /// Why it cannot be restored; `None` if it can.
    pub broken: Option<String>,
}

/// Reads `entry` wholly: digests, every header, every record. One without a manifest can only be found well-formed.
///
/// # Errors
/// What the store says when it cannot be read at all. That a backup is damaged is no error but the answer.
pub async fn verify(store: &SharedStore, entry: &Entry, run: &Run) -> ObjectResult<Verified> {
    run.step("app.verify", &entry.key.to_string());
    let answer = |records, broken| Verified { key: entry.key.clone(), state: entry.state.clone(), records, broken };
    let unusable = match &entry.state {
        State::Damaged(what) | State::Unreadable(what) => Some(what.clone()),
        State::Unpublished => Some("it has no manifest: it is a leftover of an interrupted run".to_owned()),
        State::Good | State::Partial | State::Foreign => None,
    };
    if unusable.is_some() {
        return Ok(answer(0, unusable));
    }
    let read = read_into(store, entry, Nowhere, &run.cancel).instrument(info_span!("app.verify"));
    match Box::pin(read).await {
        Ok((summary, _)) => Ok(answer(summary.types.iter().map(|detail| detail.records).sum(), None)),
        Err(error) if error.is_damage() => Ok(answer(0, Some(error.to_string()))),
        Err(error) => Err(error),
    }
}
