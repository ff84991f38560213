//! Looks up what a trim is about: the snapshots of regions, and why some of them must stay.

use std::collections::{BTreeMap, BTreeSet};

use backup_core::retention::Policy;
use backup_core::run::Run;
use futures_util::StreamExt as _;
use futures_util::stream;
use jiff::Timestamp;

use super::gather::{Gathered, Scope};
use super::plan::{TrimPlan, plan};
use super::protect::{SHARED, Standing};
use crate::ask;
use crate::error::{Ec2Error, Ec2Result};
use crate::lineage;
use crate::listing;
use crate::model::{Region, Snapshot, SnapshotId, SnapshotState};
use crate::ports::{Cloud, Ec2};
use crate::run_regions::{AT_ONCE, Failed, each};

/// What is trimmed.
#[derive(Clone, Debug)]
pub struct Request {
    /// In these regions.
    pub regions: Vec<Region>,
    /// Which snapshots.
    pub scope: Scope,
    /// What is kept.
    pub policy: Policy,
}

/// What regions have.
#[derive(Debug, Default)]
pub struct Prepared {
    /// The snapshots in scope, those of other regions with which there may be something in common included.
    pub gathered: Gathered,
    /// Regions that could not be looked at: nothing in them is trimmed.
    pub failures: Vec<Failed>,
}

/// Everything that one region says.
#[derive(Debug)]
struct Looked {
    snapshots: Vec<Snapshot>,
    standing: Standing,
}

/// Looks at `known` regions, of which `request` trims some: with the others there may be something in common.
///
/// # Errors
/// [`Ec2Error::Interrupted`]; what fails in one region is in [`Prepared::failures`].
pub async fn prepare(cloud: &dyn Cloud, known: &[Region], request: &Request, run: &Run) -> Ec2Result<Prepared> {
    let looked = each(known.to_vec(), |region| async move {
        let ec2 = cloud.region(&region);
        let is_trimmed = request.regions.contains(&region);
        (region, look(&*ec2, is_trimmed, run).await)
    });
    let (mut regions, mut prepared) = (BTreeMap::new(), Prepared::default());
    for (region, looked) in looked.await {
        match looked {
            Ok(looked) => drop(regions.insert(region, looked)),
            Err(Ec2Error::Interrupted) => return Err(Ec2Error::Interrupted),
            Err(error) if request.regions.contains(&region) => {
                prepared.failures.push(Failed::region(&region, error));
            }
            // The worst is that the next copy to there is a full one.
            Err(error) => {
                run.warn(format!("{region} cannot be looked at, so that its copies protect nothing: {error}"))
            }
        }
    }
    mark_copying(&mut regions);
    let scope = request.scope.clone().keeping(&request.policy);
    for looked in regions.values() {
        for snapshot in &looked.snapshots {
            prepared.gathered.add(snapshot, &scope, &looked.standing);
        }
    }
    Ok(prepared)
}

async fn look(ec2: &dyn Ec2, is_trimmed: bool, run: &Run) -> Ec2Result<Looked> {
    run.step("ec2.list", ec2.name().as_str());
    let snapshots = listing::snapshots(ec2, Vec::new(), run).await?;
    let mut standing = Standing::default();
    if is_trimmed && !snapshots.is_empty() {
        let images = listing::images(ec2, run).await?;
        let needed = images.iter().flat_map(|image| image.snapshots.iter().map(|id| (id.clone(), image.id.clone())));
        standing.images = Some(needed.collect());
        standing.locked = listing::locked(ec2, run).await?.into_iter().collect();
    }
    Ok(Looked { snapshots, standing })
}

/// A copy under way needs its original.
fn mark_copying(regions: &mut BTreeMap<Region, Looked>) {
    let mut originals: Vec<(SnapshotId, Region)> = Vec::new();
    for (region, looked) in &*regions {
        let copies = looked.snapshots.iter().filter(|one| one.state == SnapshotState::Pending);
        let sources = copies.filter_map(|copy| copy.tags.filled(lineage::SRC_SNAPSHOT));
        originals.extend(sources.map(|source| (SnapshotId::new(source), region.clone())));
    }
    for (id, to) in originals {
        // Wherever it is: a region that has no such snapshot ignores it.
        for looked in regions.values_mut() {
            looked.standing.copying.insert(id.clone(), to.to_string());
        }
    }
}

/// The plan for what was prepared, as of `now`. Asks of each snapshot that would go whether others use it.
///
/// # Errors
/// [`Ec2Error::Core`] for a policy that cannot be used; [`Ec2Error`] of EC2.
pub async fn plan_of(
    cloud: &dyn Cloud,
    prepared: &mut Prepared,
    request: &Request,
    now: Timestamp,
    run: &Run,
) -> Ec2Result<TrimPlan> {
    let mut planned = plan(&mut prepared.gathered, &request.policy, now)?;
    let doomed: Vec<(Region, SnapshotId)> = planned
        .deleted()
        .filter(|one| request.regions.contains(&one.region))
        .map(|one| (one.region.clone(), one.id.clone()))
        .collect();
    let shared = shared(cloud, doomed, run).await?;
    if !shared.is_empty() {
        prepared.gathered.protect(&shared, SHARED);
        planned = plan(&mut prepared.gathered, &request.policy, now)?;
    }
    planned.decisions.retain(|one| request.regions.contains(&one.region));
    Ok(planned)
}

async fn shared(cloud: &dyn Cloud, doomed: Vec<(Region, SnapshotId)>, run: &Run) -> Ec2Result<BTreeSet<SnapshotId>> {
    let asked = stream::iter(doomed.into_iter().map(|(region, id)| async move {
        let ec2 = cloud.region(&region);
        let shared = ask::again(run, id.as_str(), || ec2.is_shared(&id)).await;
        (id, shared)
    }));
    let mut asked = asked.buffered(AT_ONCE);
    let mut found = BTreeSet::new();
    while let Some((id, shared)) = asked.next().await {
        match shared {
            Ok(true) => drop(found.insert(id)),
            Ok(false) => {}
            // Gone since it was listed.
            Err(Ec2Error::Refused { source }) if source.fault == crate::ports::Fault::Missing => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}
