//! Makes the replicas of a plan through instances.

use std::collections::{BTreeMap, BTreeSet};

use backup_core::run::Run;
use futures_util::future::join;

use super::claim;
use super::finish::{self, Waiting};
use super::host::Host;
use super::job::{self, Made};
use super::options::{Ending, TransferOptions};
use super::plan::{Job, TransferPlan};
use super::session::{Keys, Session};
use crate::error::{Ec2Error, Ec2Result};
use crate::model::{Region, SnapshotId, VolumeId};
use crate::ports::Cloud;
use crate::replicate::copy::{Outcome, Replicated};
use crate::replicate::plan::Plan;
use crate::temporary;

/// Makes the replicas of `plan` in its region. First what dead runs have left there and in the regions of the originals is
/// removed; at the end, and after every failure, what this run has made for a while.
///
/// # Errors
/// [`Ec2Error`] for what stops all of it: a missing right, credentials, an instance at the destination that does not work.
/// A replica that fails is told in the result.
pub async fn transfer(plan: &Plan, cloud: &dyn Cloud, options: &TransferOptions, run: &Run) -> Ec2Result<Replicated> {
    let TransferPlan { jobs, under_way, .. } = super::plan::plan(plan, options)?;
    let regions: BTreeSet<Region> = plan.from.iter().chain([&plan.to]).cloned().collect();
    let regions: Vec<Region> = regions.into_iter().collect();
    let adopted = |(source, copy)| Waiting { source, copy, volume: None };
    let mut waiting: Vec<Waiting> = under_way.into_iter().map(adopted).collect();
    let mut outcomes = BTreeMap::new();
    sweep(cloud, &regions, run).await?;
    let session = Session::begin(cloud, options, regions, run);
    let worked = work(&session, &plan.to, jobs, &mut outcomes, &mut waiting).await;
    // Instances are not needed for the rest, which may take hours.
    let kept =
        |waiting: &[Waiting]| waiting.iter().filter_map(|one| one.volume.clone()).collect::<BTreeSet<VolumeId>>();
    let _again_at_the_end = session.remove(&kept(&waiting)).await;
    let finished = match worked {
        Ok(()) => finish::complete(&session, &plan.to, &mut waiting, &mut outcomes).await,
        stopped => stopped,
    };
    let kept = kept(&waiting);
    let left = session.remove(&kept).await;
    if !kept.is_empty() {
        // They are needed until their snapshots are complete, and nobody waits for that.
        let names: Vec<&str> = kept.iter().map(VolumeId::as_str).collect();
        run.warn(format!("{} in {} stay until the next run, which removes them", names.join(", "), plan.to));
    }
    if finished.is_err() {
        for one in &left {
            run.warn(format!("not removed: {one}"));
        }
    }
    finished.map(|()| Replicated { snapshots: outcomes, slots: None, left })
}

/// Removes what dead runs have left.
async fn sweep(cloud: &dyn Cloud, regions: &[Region], run: &Run) -> Ec2Result<()> {
    let (dead, failures) = temporary::dead(cloud, regions, run).await?;
    if let Some(failed) = failures.into_iter().next() {
        return Err(failed.error);
    }
    if !dead.is_empty() {
        let names: Vec<String> = dead.iter().map(|one| one.thing.named()).collect();
        run.warn(format!("a run that died has left {}, which is removed", names.join(", ")));
    }
    for region in regions.iter().filter(|region| dead.iter().any(|one| one.region == **region)) {
        temporary::remove(cloud, region, &dead, run).await?;
    }
    Ok(())
}

/// Whether nothing else can be done either.
fn stops_all(error: &Ec2Error) -> bool {
    matches!(error, Ec2Error::Interrupted | Ec2Error::Denied { .. } | Ec2Error::Credentials { .. })
}

async fn work(
    session: &Session<'_>,
    to: &Region,
    jobs: Vec<Job>,
    outcomes: &mut BTreeMap<SnapshotId, Outcome>,
    waiting: &mut Vec<Waiting>,
) -> Ec2Result<()> {
    let destination = session.cloud.region(to);
    let mut by_region: BTreeMap<Region, Vec<Job>> = BTreeMap::new();
    for job in jobs {
        // No instance is started for what another run does.
        match claim::of_others(session, &*destination, &job.snapshot).await? {
            Some(volume) => {
                outcomes.insert(job.snapshot.clone(), Outcome::Elsewhere { volume });
            }
            None => by_region.entry(job.region.clone()).or_default().push(job),
        }
    }
    let Some(first) = by_region.keys().next().cloned() else { return Ok(()) };
    let options = session.options;
    let is_temporary = |ending: &Ending| matches!(ending, Ending::Temporary(_));
    let keys = match is_temporary(&options.from) || is_temporary(&options.to) {
        true => Some(Keys::make(session).await?),
        false => None,
    };
    // Both to their ends: what one of them makes must not be lost sight of because the other one fails.
    let (there, here) =
        join(host(session, keys.as_ref(), to, &options.to), host(session, keys.as_ref(), &first, &options.from)).await;
    let there = there?;
    let mut here = Some(here);
    for (region, jobs) in by_region {
        let from = match here.take() {
            Some(here) => here,
            None => host(session, keys.as_ref(), &region, &options.from).await,
        };
        let from = match from {
            Ok(from) => there.admit(&from, session).await.map(|()| from),
            Err(error) => Err(error),
        };
        for job in jobs {
            let made = match &from {
                Ok(from) => job::replicate(session, &job, from, &there).await,
                Err(error) if stops_all(error) => return from.map(|_| ()),
                Err(error) => Ok(Made::Ended(Outcome::Failed { why: error.to_string() })),
            };
            match made {
                Ok(Made::Begun { copy, volume }) => waiting.push(Waiting { source: job.snapshot, copy, volume }),
                Ok(Made::Ended(outcome)) => drop(outcomes.insert(job.snapshot, outcome)),
                Err(error) if stops_all(&error) => return Err(error),
                Err(error) => drop(outcomes.insert(job.snapshot, Outcome::Failed { why: error.to_string() })),
            }
        }
    }
    Ok(())
}

async fn host(session: &Session<'_>, keys: Option<&Keys>, region: &Region, ending: &Ending) -> Ec2Result<Host> {
    match (ending, keys) {
        (Ending::Given(id), _) => Host::given(session, region, id).await,
        (Ending::Temporary(image), Some(keys)) => Host::temporary(session, keys, region, image).await,
        (Ending::Temporary(_), None) => {
            Err(Ec2Error::Machine { what: "there is no key for a temporary instance".to_owned() })
        }
    }
}
