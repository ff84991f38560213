//! Waiting for snapshots, never for ever.

use std::collections::BTreeMap;
use std::time::Duration;

use backup_core::run::{Cancelled, Run};
use backup_core::units;

use crate::error::{Ec2Error, Ec2Result};
use crate::lineage;
use crate::listing;
use crate::model::{SetId, Snapshot, SnapshotId, SnapshotState};
use crate::ports::{Ec2, Filter};

/// How long a set is waited for unless something else is said: django-fabfile's `MINUTES_FOR_SNAP`, after which it began
/// anew, for ever.
pub const WAIT_DEFAULT: Duration = Duration::from_secs(60 * 60);

/// The first and the longest pause between two looks: a small snapshot takes seconds, a first one of a large volume hours.
const LOOK_FIRST: Duration = Duration::from_secs(1);
const LOOK_MAX: Duration = Duration::from_secs(30);

/// Waits until the `size` snapshots of `set` are complete, at most `at_most`.
///
/// # Errors
/// [`Ec2Error::Broken`] with what EC2 says of them if one failed, [`Ec2Error::NotFinished`] with how far they are.
pub async fn complete(
    ec2: &dyn Ec2,
    set: &SetId,
    size: usize,
    at_most: Duration,
    run: &Run,
) -> Ec2Result<BTreeMap<SnapshotId, SnapshotState>> {
    run.step("ec2.wait", set.as_str());
    let (mut waited, mut every) = (Duration::ZERO, LOOK_FIRST);
    loop {
        let snapshots = listing::snapshots(ec2, vec![Filter::tag(lineage::SET, set.as_str())], run).await?;
        if let Some(what) = broken(&snapshots) {
            return Err(Ec2Error::Broken { what });
        }
        // A new snapshot may not be listed yet.
        if snapshots.len() >= size && snapshots.iter().all(|snapshot| snapshot.state == SnapshotState::Completed) {
            return Ok(snapshots.into_iter().map(|snapshot| (snapshot.id, snapshot.state)).collect());
        }
        if waited >= at_most {
            return Err(Ec2Error::NotFinished { what: unfinished(set, &snapshots, size, waited) });
        }
        let pause = every.min(at_most - waited);
        self::pause(pause, run).await?;
        waited += pause;
        every = (every * 2).min(LOOK_MAX);
    }
}

/// Waits so long, or until the run is cancelled.
pub(super) async fn pause(delay: Duration, run: &Run) -> Result<(), Cancelled> {
    run.or_cancelled(async {
        tokio::time::sleep(delay).await;
        Ok(())
    })
    .await
}

fn broken(snapshots: &[Snapshot]) -> Option<String> {
    let failed: Vec<String> = snapshots
        .iter()
        .filter(|snapshot| snapshot.state == SnapshotState::Error)
        .map(|snapshot| match &snapshot.state_message {
            Some(message) => format!("{} of {} failed: {message}", snapshot.id, snapshot.volume),
            None => format!("{} of {} failed", snapshot.id, snapshot.volume),
        })
        .collect();
    (!failed.is_empty()).then(|| failed.join("; "))
}

fn unfinished(set: &SetId, snapshots: &[Snapshot], size: usize, waited: Duration) -> String {
    let pending: Vec<String> = snapshots
        .iter()
        .filter(|snapshot| snapshot.state != SnapshotState::Completed)
        .map(|snapshot| {
            format!("{} {}", snapshot.id, if snapshot.progress.is_empty() { "0%" } else { &snapshot.progress })
        })
        .collect();
    let (waited, seen) = (units::duration(waited), snapshots.len());
    let missing = if seen < size { format!(", and {} are not listed yet", size - seen) } else { String::new() };
    format!("the set {set} is not complete after {waited}: {}{missing}", pending.join(", "))
}
