//! Deletes snapshots that failed: they hold nothing and are never counted.

use backup_core::run::Run;
use jiff::Timestamp;
use serde::Serialize;

use crate::delete::{self, Deleted, Doomed};
use crate::error::{Ec2Error, Ec2Result};
use crate::listing;
use crate::model::{Region, Snapshot};
use crate::origin::{self, Origin};
use crate::ports::{Cloud, Filter};
use crate::run_regions::{Failed, each};

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
    /// Failed snapshots of other tools, which stay.
    pub left_alone: u64,
    /// Regions that could not be looked at.
    pub failures: Vec<Failed>,
}

/// Lists the snapshots in `regions` that failed: ours, or those of all tools if `any` says so. Changes nothing.
///
/// # Errors
/// [`Ec2Error::Interrupted`]; what fails in one region is in [`CleanPlan::failures`].
pub async fn plan(cloud: &dyn Cloud, regions: &[Region], any: bool, run: &Run) -> Ec2Result<CleanPlan> {
    let listed = each(regions.to_vec(), |region| async move {
        let ec2 = cloud.region(&region);
        let found = listing::snapshots(&*ec2, vec![Filter::new("status", ["error"])], run).await;
        (region, found)
    });
    let mut plan = CleanPlan::default();
    for (region, found) in listed.await {
        match found {
            Ok(found) => {
                let (ours, others): (Vec<_>, Vec<_>) = found.iter().partition(|one| any || origin::is_ours(one));
                plan.left_alone += others.len() as u64;
                plan.broken.extend(ours.into_iter().map(broken));
            }
            Err(Ec2Error::Interrupted) => return Err(Ec2Error::Interrupted),
            Err(error) => plan.failures.push(Failed::region(&region, error)),
        }
    }
    Ok(plan)
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
pub async fn run(cloud: &dyn Cloud, plan: CleanPlan, run: &Run) -> Ec2Result<Deleted> {
    let doomed = plan.broken.into_iter().map(|broken| broken.doomed).collect();
    let mut deleted = delete::all(cloud, doomed, run).await?;
    deleted.failures.extend(plan.failures);
    Ok(deleted)
}
