//! Reads regions, plans, and replicates every region into one and that one into another.

use backup_core::failure::Setting;
use backup_core::remedy;
use backup_core::run::Run;
use futures_util::future::join_all;

use super::copy::{Options, Replicated, replicate};
use super::plan::{Plan, Wish, plan};
use crate::error::{Ec2Error, Ec2Result};
use crate::listing;
use crate::model::{Region, Snapshot};
use crate::ports::Cloud;
use crate::run_regions::Failed;
use crate::select::Selection;

/// The regions that keep everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Legs {
    /// Gets what every other region has.
    pub primary: Region,
    /// Gets what the primary has, what it got from others too.
    pub secondary: Region,
}

impl Legs {
    /// Whether they are two.
    ///
    /// # Errors
    /// [`Ec2Error::Usage`].
    pub fn check(&self) -> Ec2Result<()> {
        if self.primary == self.secondary {
            return Err(Ec2Error::usage(
                "the primary and the secondary region are the same",
                remedy!["name two regions with ", Setting::Primary, " and ", Setting::Secondary],
            ));
        }
        Ok(())
    }
}

/// What has to be copied from each of `from` to `to`. A region that cannot be read is told in the plan.
///
/// # Errors
/// [`Ec2Error`] if `to` cannot be read, or none of `from`; [`Ec2Error::NotFound`] if there is no snapshot of the id wished for.
pub async fn prepare(cloud: &dyn Cloud, from: &[Region], to: &Region, wish: &Wish, run: &Run) -> Ec2Result<Plan> {
    if let Some(region) = from.iter().find(|region| *region == to) {
        return Err(Ec2Error::usage(
            format!("{region} would be copied into itself"),
            remedy!["name different regions with ", Setting::From, " and ", Setting::To],
        ));
    }
    let there = listing::snapshots(&*cloud.region(to), Vec::new(), run).await?;
    let read = |region: &Region| {
        let region = region.clone();
        async move {
            let ec2 = cloud.region(&region);
            let listed = listing::snapshots(&*ec2, Vec::new(), run).await;
            (region, listed)
        }
    };
    let mut plans = Vec::new();
    let mut unread = Vec::new();
    for (region, listed) in join_all(from.iter().map(read)).await {
        match listed {
            Ok(here) => plans.push(plan(&region, to, &here, &there, wish, run.clock.now())),
            Err(Ec2Error::Interrupted) => return Err(Ec2Error::Interrupted),
            Err(error) => unread.push(Failed::region(&region, error)),
        }
    }
    if plans.is_empty()
        && let Some(first) = unread.pop()
    {
        return Err(first.error);
    }
    let mut plan = Plan::merged(to, plans);
    plan.unread = unread;
    if wish.snapshot.is_none() {
        leave_at_home(&mut plan);
    }
    match &wish.snapshot {
        Some(id) if plan.pending.is_empty() && plan.passed.is_empty() && plan.unread.is_empty() => {
            Err(Ec2Error::not_found(format!("snapshot `{id}`"), from))
        }
        _ => Ok(plan),
    }
}

/// What each stage takes: what was made in its region, then everything that the primary has.
#[must_use]
pub fn stages(known: &[Region], legs: &Legs, wish: &Wish) -> [(Vec<Region>, Region, Wish); 2] {
    let others = known.iter().filter(|region| **region != legs.primary).cloned().collect();
    let native = Selection { native_only: true, ..wish.selection.clone() };
    let any = Selection { native_only: false, ..wish.selection.clone() };
    [
        (others, legs.primary.clone(), Wish { selection: native, ..wish.clone() }),
        (vec![legs.primary.clone()], legs.secondary.clone(), Wish { selection: any, ..wish.clone() }),
    ]
}

/// Replicates every region into the primary, and then the primary into the secondary.
///
/// # Errors
/// [`Ec2Error`] for what stops all of it.
pub async fn all_regions(
    cloud: &dyn Cloud,
    legs: &Legs,
    wish: &Wish,
    options: &Options,
    run: &Run,
) -> Ec2Result<Vec<(Plan, Replicated)>> {
    legs.check()?;
    let known = listing::regions(cloud, run).await?;
    let mut done = Vec::new();
    for (from, to, wish) in stages(&known, legs, wish) {
        let plan = prepare(cloud, &from, &to, &wish, run).await?;
        let replicated = replicate(&plan, cloud, options, run).await?;
        done.push((plan, replicated));
    }
    Ok(done)
}

/// What was made in the destination is not copied back to it.
fn leave_at_home(plan: &mut Plan) {
    let to = plan.to.clone();
    let is_from_there = |snapshot: &Snapshot| crate::origin::Origin::of(snapshot).region.as_ref() == Some(&to);
    plan.pending.retain(|pending| !is_from_there(&pending.source));
}
