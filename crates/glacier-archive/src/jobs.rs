//! Retrievals that were asked for, and what became of them.

use std::collections::BTreeMap;

use backup_core::key::Key;
use backup_core::run::Run;
use jiff::Timestamp;
use serde::Serialize;

use crate::class::Tier;
use crate::cold::ColdStore;
use crate::error::GlacierResult;
use crate::lifecycle::Phase;
use crate::poll;
use crate::state::State;

/// A retrieval of one archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Job {
    /// Of which archive.
    pub archive: Key,
    /// Its bytes, where they are known.
    pub bytes: Option<u64>,
    /// Where it is; `available` if it failed or expired.
    pub phase: Phase,
    /// Since when.
    pub since: Timestamp,
    /// What the service calls it, where it has a name.
    pub job: Option<String>,
    /// By which tier it was requested, where that is known.
    pub tier: Option<Tier>,
    /// When it was requested, where that is known.
    pub requested: Option<Timestamp>,
    /// When it is expected to be readable.
    pub expected: Option<Timestamp>,
    /// Until when it can be read.
    pub until: Option<Timestamp>,
    /// Why it went back.
    pub reason: Option<String>,
}

/// The retrievals of archives called `name`, the newest last, after asking the service. With `keep`, which needs the lock, what
/// was heard is kept.
///
/// # Errors
/// What the service says; as of the catalogue.
pub async fn jobs(cold: &dyn ColdStore, state: &State, name: &str, keep: bool, run: &Run) -> GlacierResult<Vec<Job>> {
    let polled = poll::ask(cold, state, name, run).await?;
    if keep {
        polled.keep(state)?;
    }
    let sizes: BTreeMap<Key, u64> =
        state.catalogue().archives()?.into_iter().map(|archive| (archive.key, archive.bytes)).collect();
    let is_job = |phase: Phase, reason: &Option<String>| match phase {
        Phase::Available => reason.is_some(),
        Phase::Requested | Phase::Pending | Phase::Ready | Phase::Downloading | Phase::Local => true,
    };
    let asked = polled.after.into_iter().filter(|(_, known)| is_job(known.phase, &known.reason));
    let mut jobs: Vec<Job> = asked
        // What can be read at any time was never asked for.
        .filter(|(_, known)| known.requested.is_some() || known.until.is_some() || known.phase != Phase::Ready)
        .map(|(archive, known)| Job {
            bytes: sizes.get(&archive).copied(),
            archive,
            phase: known.phase,
            since: known.since,
            job: known.job,
            tier: known.tier,
            requested: known.requested,
            expected: known.expected,
            until: known.until,
            reason: known.reason,
        })
        .collect();
    jobs.sort_by(|one, other| (one.since, &one.archive).cmp(&(other.since, &other.archive)));
    Ok(jobs)
}
