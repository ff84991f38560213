//! Deletes snapshots one by one; what cannot be deleted is named and stops nothing.

use std::collections::{BTreeMap, BTreeSet};

use backup_core::run::Run;
use serde::{Deserialize, Serialize};

use crate::ask;
use crate::error::{Ec2Error, Ec2Result};
use crate::listing;
use crate::model::{Region, SnapshotId};
use crate::ports::{Cloud, Ec2, Fault};
use crate::run_regions::{Failed, each};

/// EC2's code for a snapshot that an image needs.
const IN_USE: &str = "InvalidSnapshot.InUse";

/// A snapshot that is to go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doomed {
    /// Where it is.
    pub region: Region,
    /// The snapshot.
    pub id: SnapshotId,
    /// Its volume, as its origin names it.
    pub volume: String,
}

/// What became of the snapshots that were to go.
#[derive(Debug, Default, Serialize)]
pub struct Deleted {
    /// Those that are gone.
    pub deleted: Vec<Doomed>,
    /// How many of them are in the recycle bin and can be taken out again; none if that cannot be asked.
    pub in_recycle_bin: Option<u64>,
    /// What could not be deleted.
    pub failures: Vec<Failed>,
}

/// Deletes `doomed`, region by region. A right that is missing ends its region: it would be missing for each of them.
///
/// # Errors
/// [`Ec2Error::Interrupted`] if nothing was done yet.
pub async fn all(cloud: &dyn Cloud, doomed: Vec<Doomed>, run: &Run) -> Ec2Result<Deleted> {
    run.stop_if_cancelled()?;
    let mut by_region: BTreeMap<Region, Vec<Doomed>> = BTreeMap::new();
    for one in doomed {
        by_region.entry(one.region.clone()).or_default().push(one);
    }
    let regions = each(by_region.into_iter().collect(), |(region, doomed)| async move {
        in_region(&*cloud.region(&region), doomed, run).await
    });
    let (mut all, mut bins) = (Deleted::default(), Vec::new());
    for deleted in regions.await {
        all.deleted.extend(deleted.deleted);
        all.failures.extend(deleted.failures);
        bins.push(deleted.in_recycle_bin);
    }
    all.in_recycle_bin = bins.into_iter().sum();
    Ok(all)
}

async fn in_region(ec2: &dyn Ec2, doomed: Vec<Doomed>, run: &Run) -> Deleted {
    let mut done = Deleted::default();
    for one in doomed {
        if run.stop_if_cancelled().is_err() {
            done.failures.push(Failed::of(ec2.name(), &one.id, Ec2Error::Interrupted));
            break;
        }
        run.step("ec2.delete", one.id.as_str());
        match delete(ec2, &one, run).await {
            Ok(()) => done.deleted.push(one),
            Err(error) => {
                let is_for_all = matches!(error, Ec2Error::Denied { .. } | Ec2Error::Credentials { .. });
                done.failures.push(Failed::of(ec2.name(), &one.id, error));
                if is_for_all {
                    break;
                }
            }
        }
    }
    done.in_recycle_bin = recycled(ec2, &done.deleted, run).await;
    done
}

async fn delete(ec2: &dyn Ec2, one: &Doomed, run: &Run) -> Ec2Result<()> {
    match ask::again(run, one.id.as_str(), || ec2.delete_snapshot(&one.id)).await {
        // Gone already: after a lost answer, or somebody else was faster.
        Err(Ec2Error::Refused { source }) if source.fault == Fault::Missing => Ok(()),
        Err(Ec2Error::Refused { source }) if source.is(IN_USE) => {
            run.warn(format!("{} stays: {source}", one.id));
            Err(Ec2Error::Refused { source })
        }
        ended => ended,
    }
}

/// How many of `deleted` are in the recycle bin. Not every account may ask, and nothing depends on it.
async fn recycled(ec2: &dyn Ec2, deleted: &[Doomed], run: &Run) -> Option<u64> {
    if deleted.is_empty() {
        return Some(0);
    }
    let bin: BTreeSet<SnapshotId> = listing::in_recycle_bin(ec2, run).await.ok()?.into_iter().collect();
    Some(deleted.iter().filter(|one| bin.contains(&one.id)).count() as u64)
}
