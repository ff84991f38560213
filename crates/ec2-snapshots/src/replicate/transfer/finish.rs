//! Waits for replicas that are begun, and removes the volumes they are made of.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::session::Session;
use super::wait;
use crate::ask;
use crate::error::Ec2Result;
use crate::listing;
use crate::model::{Region, Snapshot, SnapshotId, SnapshotState, VolumeId};
use crate::ports::Ec2;
use crate::replicate::copy::Outcome;
use crate::replicate::found::copy_of;
use crate::replicate::plan::said;

/// How long a replica may take: the first snapshot of a volume of 16 TiB takes more than a day.
const COMPLETE_WITHIN: Duration = Duration::from_secs(48 * 3600);

/// The pauses between looks.
const LOOK_FIRST: Duration = Duration::from_secs(1);
const LOOK_MAX: Duration = Duration::from_secs(15);

/// A replica that is begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) source: SnapshotId,
    pub(super) copy: SnapshotId,
    /// What it is made of, if that is ours.
    pub(super) volume: Option<VolumeId>,
}

/// Waits until each of `waiting` is complete or has failed; those are taken out of it, and their volumes are removed.
pub(super) async fn complete(
    session: &Session<'_>,
    to: &Region,
    waiting: &mut Vec<Waiting>,
    outcomes: &mut BTreeMap<SnapshotId, Outcome>,
) -> Ec2Result<()> {
    let (ec2, begin, mut every) = (session.cloud.region(to), Instant::now(), LOOK_FIRST);
    while !waiting.is_empty() {
        let ids: Vec<SnapshotId> = waiting.iter().map(|one| one.copy.clone()).collect();
        let found = listing::snapshots_of(&*ec2, &ids, session.run).await?;
        let is_late = begin.elapsed() >= COMPLETE_WITHIN;
        let mut still = Vec::new();
        for one in waiting.drain(..) {
            let copy = found.iter().find(|copy| copy.id == one.copy);
            match ended(session, &*ec2, &one, copy).await {
                Ok(Some(outcome)) => {
                    outcomes.insert(one.source.clone(), outcome);
                    discard(session, to, &one).await;
                }
                Ok(None) if is_late => {
                    let why = format!("the replica `{}` is not complete after 48 h", one.copy);
                    outcomes.insert(one.source.clone(), Outcome::Failed { why });
                }
                Ok(None) => still.push(one),
                Err(error) => {
                    outcomes.insert(one.source.clone(), Outcome::Failed { why: error.to_string() });
                }
            }
        }
        *waiting = still;
        if !waiting.is_empty() {
            wait::pause(every, session.run).await?;
            every = (every * 2).min(LOOK_MAX);
        }
    }
    Ok(())
}

async fn discard(session: &Session<'_>, to: &Region, one: &Waiting) {
    if let Some(volume) = &one.volume
        && let Err(error) = session.discard(to, &[volume]).await
    {
        session.run.warn(format!("volume {volume} in {to} was not removed yet: {error}"));
    }
}

/// What became of it, if it has ended.
async fn ended(
    session: &Session<'_>,
    ec2: &dyn Ec2,
    one: &Waiting,
    copy: Option<&Snapshot>,
) -> Ec2Result<Option<Outcome>> {
    // One that is not listed yet will be.
    let Some(copy) = copy else { return Ok(None) };
    match copy.state {
        SnapshotState::Completed => {}
        SnapshotState::Error => {
            let why = format!("the replica `{}` of `{}` failed in EC2: {}", copy.id, one.source, said(copy));
            return Ok(Some(Outcome::Failed { why }));
        }
        _ => return Ok(None),
    }
    // A copy that EC2 made meanwhile, for a run of another kind: the one that was begun first counts, whoever looks.
    let first = copy_of(ec2, &one.source, session.run).await?.map_or_else(|| copy.id.clone(), |first| first.id);
    if first != copy.id && one.volume.is_some() {
        let text = format!("`{}` is a second copy of `{}` beside `{first}`, and is deleted", copy.id, one.source);
        session.run.warn(text);
        ask::again(session.run, "a second copy", || ec2.delete_snapshot(&copy.id)).await?;
    }
    Ok(Some(Outcome::Copied { copy: first }))
}
