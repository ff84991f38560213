//! Deletes snapshots that failed, which hold nothing and are never counted, sets that were made twice, and what dead runs of
//! replications left.

mod doubled;

use backup_core::run::Run;
use jiff::Timestamp;
use serde::Serialize;

pub use self::doubled::{Doubled, Found, doubled};
use crate::delete::{self, Deleted, Doomed};
use crate::error::{Ec2Error, Ec2Result};
use crate::lineage;
use crate::listing;
use crate::model::{Region, Snapshot};
use crate::origin::{self, Origin};
use crate::ports::{Cloud, Ec2, Filter};
use crate::run_regions::{Failed, each};
use crate::temporary::{self, Leftover};

/// A snapshot that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// What goes.
    #[serde(flatten)]
    pub doomed: Doomed,
    /// When it was begun.
    pub start_time: Timestamp,
    /// Why it failed, where EC2 says so.
    pub why: Option<String>,
}

/// What goes, and what could not be looked at.
#[derive(Debug, Default, Serialize)]
pub struct CleanPlan {
    /// The snapshots, by region.
    pub broken: Vec<Broken>,
    /// Snapshots of sets that were made twice.
    pub doubled: Vec<Doubled>,
    /// Sets that were made twice and of which nothing is complete yet.
    pub undecided: Vec<String>,
    /// What dead runs of replications left: instances, volumes, key pairs and security groups.
    pub temporary: Vec<Leftover>,
    /// Failed snapshots of other tools, which stay.
    pub left_alone: u64,
    /// Regions that could not be looked at.
    pub failures: Vec<Failed>,
}

impl CleanPlan {
    /// How many things go.
    #[must_use]
    pub fn len(&self) -> usize {
        self.broken.len() + self.doubled.len() + self.temporary.len()
    }

    /// Whether nothing goes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What became of it.
#[derive(Debug, Default, Serialize)]
pub struct Cleaned {
    /// Snapshots, and what could not be done.
    #[serde(flatten)]
    pub snapshots: Deleted,
    /// What dead runs had left and is gone.
    pub removed: Vec<Leftover>,
}

/// Lists the snapshots in `regions` that failed: ours, or those of all tools if `any` says so; sets that were made twice; and
/// what dead runs left, which takes a minute if there is something. Changes nothing.
///
/// # Errors
/// [`Ec2Error::Interrupted`]; what fails in one region is in [`CleanPlan::failures`].
pub async fn plan(cloud: &dyn Cloud, regions: &[Region], any: bool, run: &Run) -> Ec2Result<CleanPlan> {
    let listed = each(regions.to_vec(), |region| async move {
        let ec2 = cloud.region(&region);
        let found = in_region(&*ec2, run).await;
        (region, found)
    });
    let mut plan = CleanPlan::default();
    for (region, found) in listed.await {
        match found {
            Ok((found, sets)) => {
                let Found { doubled, undecided } = doubled(&sets);
                // One that failed goes anyway.
                let is_broken = |one: &Doubled| found.iter().any(|broken| broken.id == one.doomed.id);
                plan.doubled.extend(doubled.into_iter().filter(|one| !is_broken(one)));
                plan.undecided.extend(undecided);
                let (ours, others): (Vec<_>, Vec<_>) = found.iter().partition(|one| any || origin::is_ours(one));
                plan.left_alone += others.len() as u64;
                plan.broken.extend(ours.into_iter().map(broken));
            }
            Err(Ec2Error::Interrupted) => return Err(Ec2Error::Interrupted),
            Err(error) => plan.failures.push(Failed::region(&region, error)),
        }
    }
    let (dead, failures) = temporary::dead(cloud, regions, run).await?;
    plan.temporary = dead;
    // A region that cannot be looked at at all is told once.
    let is_new = |failed: &Failed| !plan.failures.iter().any(|known| known.region == failed.region);
    let failures: Vec<Failed> = failures.into_iter().filter(is_new).collect();
    plan.failures.extend(failures);
    Ok(plan)
}

/// Snapshots that failed, and those that are of a set.
async fn in_region(ec2: &dyn Ec2, run: &Run) -> Ec2Result<(Vec<Snapshot>, Vec<Snapshot>)> {
    let broken = listing::snapshots(ec2, vec![Filter::new("status", ["error"])], run).await?;
    let sets = listing::snapshots(ec2, vec![Filter::tag_key(lineage::SET)], run).await?;
    Ok((broken, sets))
}

fn broken(snapshot: &Snapshot) -> Broken {
    let volume = Origin::of(snapshot).volume.into_string();
    Broken {
        doomed: Doomed { region: snapshot.region.clone(), id: snapshot.id.clone(), volume },
        start_time: snapshot.start_time,
        why: snapshot.state_message.clone(),
    }
}

/// Deletes what `plan` lists.
///
/// # Errors
/// [`Ec2Error::Interrupted`] if nothing was done yet.
pub async fn run(cloud: &dyn Cloud, plan: CleanPlan, run: &Run) -> Ec2Result<Cleaned> {
    let doubled = plan.doubled.into_iter().map(|doubled| doubled.doomed);
    let doomed = plan.broken.into_iter().map(|broken| broken.doomed).chain(doubled).collect();
    let mut cleaned = Cleaned { snapshots: delete::all(cloud, doomed, run).await?, ..Cleaned::default() };
    let regions: std::collections::BTreeSet<&Region> = plan.temporary.iter().map(|one| &one.region).collect();
    for region in regions {
        match temporary::remove(cloud, region, &plan.temporary, run).await {
            Ok(()) => {
                cleaned.removed.extend(plan.temporary.iter().filter(|one| one.region == *region).cloned());
            }
            Err(error) => cleaned.snapshots.failures.push(Failed::region(region, error)),
        }
    }
    cleaned.snapshots.failures.extend(plan.failures);
    Ok(cleaned)
}
