//! Which runs are dead: those that do not count on while they are watched.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use backup_core::run::Run;
use tokio::time::{Instant, sleep};

use super::beacon::BEAT_EVERY;
use super::find::{Leftover, Thing, of_region};
use crate::error::{Ec2Error, Ec2Result};
use crate::model::Region;
use crate::ports::Cloud;
use crate::run_regions::{Failed, each};

/// How long a run may not count on: five times as long as it needs for one beat, as requests are tried again and EC2 shows
/// new tags after seconds.
const DEAD_AFTER: Duration = BEAT_EVERY.saturating_mul(5);

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What was seen of runs at first.
#[derive(Debug)]
struct Watch(BTreeMap<String, BTreeSet<(Region, Thing, String)>>);

impl Watch {
    fn of(first: &[Leftover]) -> Self {
        let mut runs: BTreeMap<String, BTreeSet<_>> = BTreeMap::new();
        for one in first {
            runs.entry(one.run.clone()).or_default().insert(seen(one));
        }
        Self(runs)
    }

    /// Leaves out runs that have made something new or have counted on. What has gone proves nothing.
    fn see(&mut self, now: &[Leftover]) {
        for one in now {
            if self.0.get(&one.run).is_some_and(|known| !known.contains(&seen(one))) {
                self.0.remove(&one.run);
            }
        }
    }

    fn suspects(&self, one: &Leftover) -> bool {
        self.0.contains_key(&one.run)
    }
}

fn seen(one: &Leftover) -> (Region, Thing, String) {
    (one.region.clone(), one.thing.clone(), one.beat.clone())
}

/// What dead runs have left in `regions`, and the regions that could not be looked at. Takes a minute and more if there is
/// something of a dead run, and less if there is nothing or only something of runs that go on. Changes nothing.
///
/// # Errors
/// [`Ec2Error::Interrupted`], and [`Ec2Error`] of a region that could be looked at before.
pub async fn dead(cloud: &dyn Cloud, regions: &[Region], run: &Run) -> Ec2Result<(Vec<Leftover>, Vec<Failed>)> {
    let (mut there, mut failures) = (Vec::new(), Vec::new());
    for (region, found) in look(cloud, regions, run).await {
        match found {
            Ok(found) => there.extend(found),
            Err(Ec2Error::Interrupted) => return Err(Ec2Error::Interrupted),
            Err(error) => failures.push(Failed::region(&region, error)),
        }
    }
    if there.is_empty() {
        return Ok((there, failures));
    }
    run.step("temporary.watch", &format!("{} things", there.len()));
    let mut watch = Watch::of(&there);
    // Only where something is: accounts have many regions.
    let with_some: BTreeSet<Region> = there.iter().map(|one| one.region.clone()).collect();
    let with_some: Vec<Region> = with_some.into_iter().collect();
    let begin = Instant::now();
    while !watch.0.is_empty() && begin.elapsed() < DEAD_AFTER {
        let slept = async {
            sleep(LOOK_EVERY).await;
            Ok::<(), Ec2Error>(())
        };
        run.or_cancelled(slept).await?;
        there.clear();
        for (_, found) in look(cloud, &with_some, run).await {
            there.extend(found?);
        }
        watch.see(&there);
    }
    there.retain(|one| watch.suspects(one));
    Ok((there, failures))
}

async fn look(cloud: &dyn Cloud, regions: &[Region], run: &Run) -> Vec<(Region, Ec2Result<Vec<Leftover>>)> {
    each(regions.to_vec(), |region| async move {
        let found = of_region(cloud, &region, None, run).await;
        (region, found)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(run: &str, volume: &str, beat: u32) -> Leftover {
        Leftover {
            region: "eu-west-1".parse().unwrap(),
            thing: Thing::Volume(volume.into()),
            run: run.to_owned(),
            beat: beat.to_string(),
        }
    }

    #[test]
    fn a_run_that_counts_on_or_makes_something_is_alive_and_one_whose_things_go_is_not() {
        let first = [one("a", "vol-1", 1), one("a", "vol-2", 1), one("b", "vol-3", 7), one("c", "vol-4", 0)];
        let mut watch = Watch::of(&first);
        watch.see(&[one("a", "vol-2", 1), one("b", "vol-3", 8), one("c", "vol-4", 0), one("c", "vol-5", 0)]);
        assert_eq!(watch.0.keys().collect::<Vec<_>>(), ["a"]);
        assert!(watch.suspects(&first[0]) && !watch.suspects(&first[2]));
        // A listing that lags behind shows what was seen before.
        watch.see(&first);
        assert!(watch.suspects(&first[0]));
    }
}
