//! Removes what was made for a while, in the order that EC2 allows it.

use std::time::Duration;

use backup_core::run::Run;
use tokio::time::{Instant, sleep};

use super::find::{Leftover, Thing};
use crate::ask;
use crate::error::{Ec2Error, Ec2Result};
use crate::listing;
use crate::model::{InstanceId, InstanceState, Region, Volume, VolumeId, VolumeState};
use crate::ports::{CallResult, Cloud, Ec2, Fault, Filter, Machines};

/// How long instances may take to end, and volumes to be detached: django-fabfile's `MINUTES_FOR_DETACH`.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// A volume that is not free by then is taken away by force. It is deleted anyway.
const FORCE_AFTER: Duration = Duration::from_secs(120);

/// The pauses between looks.
const LOOK_FIRST: Duration = Duration::from_secs(1);
const LOOK_MAX: Duration = Duration::from_secs(10);

/// EC2's codes while something is still attached or used.
const IN_USE: [&str; 3] = ["VolumeInUse", "DependencyViolation", "IncorrectState"];

/// Removes `things` of the region `region`; what is gone already is no error. All of it is tried.
///
/// # Errors
/// The first [`Ec2Error`].
pub async fn remove(cloud: &dyn Cloud, region: &Region, things: &[Leftover], run: &Run) -> Ec2Result<()> {
    let (ec2, machines) = (cloud.region(region), cloud.machines(region));
    let (mut instances, mut volumes, mut keys, mut groups) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for one in things.iter().filter(|one| one.region == *region) {
        run.step("temporary.remove", &one.thing.named());
        match &one.thing {
            Thing::Instance(id) => instances.push(id),
            Thing::Volume(id) => volumes.push(id),
            Thing::KeyPair(name) => keys.push(name.as_str()),
            Thing::SecurityGroup(id) => groups.push(id.as_str()),
        }
    }
    let mut results = Vec::new();
    for id in &instances {
        results.push(gone(run, id.as_str(), || machines.terminate(id)).await);
    }
    for name in keys {
        results.push(gone(run, name, || machines.delete_key(name)).await);
    }
    results.push(ended(&*ec2, &instances, run).await);
    results.push(delete_volumes(&*ec2, &*machines, &volumes, run).await);
    for id in groups {
        results.push(unused(run, id, || machines.delete_group(id)).await);
    }
    for folder in things.iter().filter_map(|one| super::folder(&one.run)) {
        // A key that nothing accepts any more; only on the machine that the run was on.
        let _may_be_elsewhere = std::fs::remove_dir_all(folder);
    }
    results.into_iter().collect()
}

/// Asks until it is done; what is not there is done.
async fn gone<F>(run: &Run, about: &str, request: impl FnMut() -> F) -> Ec2Result<()>
where
    F: Future<Output = CallResult<()>>,
{
    match ask::again(run, about, request).await {
        Err(Ec2Error::Refused { source }) if source.fault == Fault::Missing => Ok(()),
        result => result,
    }
}

/// As [`gone`], also while something still uses it.
async fn unused<F>(run: &Run, about: &str, mut request: impl FnMut() -> F) -> Ec2Result<()>
where
    F: Future<Output = CallResult<()>>,
{
    let (begin, mut pause) = (Instant::now(), LOOK_FIRST);
    loop {
        match gone(run, about, &mut request).await {
            Err(error) if is_in_use(&error) && begin.elapsed() < LIMIT => wait(&mut pause, run).await?,
            result => return result,
        }
    }
}

fn is_in_use(error: &Ec2Error) -> bool {
    matches!(error, Ec2Error::Refused { source } if IN_USE.contains(&source.code.as_str()))
}

async fn wait(pause: &mut Duration, run: &Run) -> Ec2Result<()> {
    let slept = async {
        sleep(*pause).await;
        Ok::<(), Ec2Error>(())
    };
    run.or_cancelled(slept).await?;
    *pause = (*pause * 2).min(LOOK_MAX);
    Ok(())
}

/// Waits until the instances have ended: what is attached to them is free then.
async fn ended(ec2: &dyn Ec2, instances: &[&InstanceId], run: &Run) -> Ec2Result<()> {
    let (begin, mut pause) = (Instant::now(), LOOK_FIRST);
    while !instances.is_empty() {
        let filter = Filter::new("instance-id", instances.iter().map(|id| id.as_str()));
        let found = listing::instances(ec2, vec![filter], run).await?;
        let left = found.iter().find(|instance| instance.state != InstanceState::Terminated);
        let Some(left) = left else { break };
        if begin.elapsed() >= LIMIT {
            let what = format!("instance {} did not end within {} min", left.id, LIMIT.as_secs() / 60);
            return Err(Ec2Error::Machine { what });
        }
        wait(&mut pause, run).await?;
    }
    Ok(())
}

async fn delete_volumes(ec2: &dyn Ec2, machines: &dyn Machines, ids: &[&VolumeId], run: &Run) -> Ec2Result<()> {
    let (begin, mut pause) = (Instant::now(), LOOK_FIRST);
    let mut asked = false;
    while !ids.is_empty() {
        let filter = Filter::new("volume-id", ids.iter().map(|id| id.as_str()));
        let found = listing::volumes(ec2, vec![filter], run).await?;
        let goes = |volume: &&Volume| matches!(volume.state, VolumeState::Deleting | VolumeState::Deleted);
        let there: Vec<&Volume> = found.iter().filter(|volume| !goes(volume)).collect();
        let Some(left) = there.first() else { break };
        if begin.elapsed() >= LIMIT {
            let what = format!("volume {} was not free within {} min", left.id, LIMIT.as_secs() / 60);
            return Err(Ec2Error::Machine { what });
        }
        let force = begin.elapsed() >= FORCE_AFTER;
        for volume in there {
            let id = &volume.id;
            let done = if volume.attachments.is_empty() {
                gone(run, id.as_str(), || machines.delete_volume(id)).await
            } else if !asked || force {
                gone(run, id.as_str(), || machines.detach(id, force)).await
            } else {
                Ok(())
            };
            // What is used again meanwhile is looked at again.
            done.or_else(|error| if is_in_use(&error) { Ok(()) } else { Err(error) })?;
        }
        asked = true;
        wait(&mut pause, run).await?;
    }
    Ok(())
}
