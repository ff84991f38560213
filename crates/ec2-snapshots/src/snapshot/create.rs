//! Begins the sets of a plan: each once, whatever becomes of an answer.

use backup_core::failure::Setting;
use backup_core::remedy;
use std::time::Duration;

use backup_core::run::Run;
use jiff::Timestamp;
use serde::Serialize;

use super::plan::{PlannedSet, PlannedVolume, SnapshotPlan};
use super::wait;
use crate::ask::{self, Ended};
use crate::error::{Ec2Error, Ec2Result};
use crate::lineage;
use crate::listing;
use crate::model::{InstanceId, InstanceState, Region, SetId, SnapshotId, SnapshotState, VolumeId};
use crate::ports::{CallError, CallResult, Cloud, Consistency, CreateSnapshots, Created, Ec2, Fault, Filter, Quiesce};
use crate::run_regions::{Failed, each};

/// How often a set is looked for whose answer was lost, and how long in between: EC2 shows what it made within seconds
/// (EC2 API reference, "Eventual consistency").
const LOOKS: u32 = 6;
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How often tags are set on a snapshot that EC2 does not know yet although it made it, and how long in between.
const TAG_ATTEMPTS: u32 = 12;
const TAG_EVERY: Duration = Duration::from_secs(3);

/// A call inside a freeze gets this much less than the watchdog, so that we thaw first.
const BEFORE_WATCHDOG: Duration = Duration::from_secs(2);

/// A snapshot of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Its volume.
    pub volume: VolumeId,
    /// As the instance knows it.
    pub device: Option<String>,
    /// How far it was when the run ended.
    pub state: SnapshotState,
}

/// A set that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SetDone {
    /// Where.
    pub region: Region,
    /// The instance.
    pub instance: InstanceId,
    /// Its tag `Name`.
    pub name: Option<String>,
    /// The set.
    pub set: SetId,
    /// The level that was reached.
    pub consistency: Consistency,
    /// When it was begun.
    pub time: Timestamp,
    /// Its snapshots.
    pub snapshots: Vec<Taken>,
}

/// What a run did.
#[derive(Debug, Default, Serialize)]
pub struct Done {
    /// The sets that were begun, as planned.
    pub sets: Vec<SetDone>,
    /// What could not be done.
    pub failures: Vec<Failed>,
}

/// Begins every set of `plan`, and waits for them up to `wait` if it is given. What fails for one instance does not stop
/// the others.
///
/// # Errors
/// [`Ec2Error::Interrupted`] before the next set; everything else is in [`Done::failures`].
pub async fn run(
    cloud: &dyn Cloud,
    plan: SnapshotPlan,
    quiesce: Option<&dyn Quiesce>,
    wait: Option<Duration>,
    run: &Run,
) -> Ec2Result<Done> {
    let mut done = Done { failures: plan.failures, ..Done::default() };
    let begun = each(plan.sets, |set| async move {
        let ec2 = cloud.region(&set.region);
        let result = one(&*ec2, &set, quiesce, wait, run).await;
        (set, result)
    });
    for (set, (begun, failed)) in begun.await {
        done.sets.extend(begun);
        done.failures.extend(failed.map(|error| Failed::of(&set.region, &set.instance, error)));
    }
    if done.sets.is_empty() && done.failures.iter().any(|failed| matches!(failed.error, Ec2Error::Interrupted)) {
        return Err(Ec2Error::Interrupted);
    }
    Ok(done)
}

/// The set as far as it was begun, and what went wrong.
async fn one(
    ec2: &dyn Ec2,
    set: &PlannedSet,
    quiesce: Option<&dyn Quiesce>,
    wait: Option<Duration>,
    run: &Run,
) -> (Option<SetDone>, Option<Ec2Error>) {
    let (created, reached) = match begin(ec2, set, quiesce, run).await {
        Ok(begun) => begun,
        Err(error) => return (None, Some(error)),
    };
    let mut done = SetDone {
        region: set.region.clone(),
        instance: set.instance.clone(),
        name: set.name.clone(),
        set: set.set.clone(),
        consistency: reached,
        time: run.clock.now(),
        snapshots: created.iter().map(|created| taken(set, created)).collect(),
    };
    let mut failed = mark(ec2, set, &created, reached, run).await.err();
    if reached < set.consistency {
        failed.get_or_insert_with(|| missed(set, reached));
    }
    if let Some(at_most) = wait {
        let waited = wait::complete(ec2, &set.set, created.len(), at_most, run).await;
        match waited {
            Ok(states) => {
                for taken in &mut done.snapshots {
                    taken.state = states.get(&taken.snapshot).copied().unwrap_or(taken.state);
                }
            }
            Err(error) => failed = Some(error),
        }
    }
    (Some(done), failed)
}

fn taken(set: &PlannedSet, created: &Created) -> Taken {
    Taken {
        snapshot: created.snapshot.clone(),
        volume: created.volume.clone(),
        device: planned(set, created).map(|volume| volume.device.clone()),
        state: SnapshotState::Pending,
    }
}

fn planned<'s>(set: &'s PlannedSet, created: &Created) -> Option<&'s PlannedVolume> {
    set.volumes.iter().find(|volume| volume.volume == created.volume)
}

fn missed(set: &PlannedSet, reached: Consistency) -> Ec2Error {
    Ec2Error::Consistency {
        what: format!("the snapshots of {} are only `{reached}`-consistent, not `{}`", set.instance, set.consistency),
        help: format!("they are kept as set {} and tagged `{reached}`; run the command again for another set", set.set),
    }
}

/// Begins the set, and says which level held.
async fn begin(
    ec2: &dyn Ec2,
    set: &PlannedSet,
    quiesce: Option<&dyn Quiesce>,
    run: &Run,
) -> Ec2Result<(Vec<Created>, Consistency)> {
    run.stop_if_cancelled()?;
    run.step("ec2.snapshot", set.instance.as_str());
    let request = request(set);
    let quiesce = match (set.consistency, quiesce) {
        (Consistency::Crash, _) => None,
        (_, Some(quiesce)) => Some(quiesce),
        (level, None) => {
            let what = format!("nothing here can hold instances still, which `{level}` needs");
            return Err(Ec2Error::usage(what, remedy!["use ", Setting::Consistent.with("crash".to_owned())]));
        }
    };
    let mut reached = Consistency::Crash;
    let mut lost = false;
    for _ in 0..2 {
        let created = match quiesce {
            None => ask::unless_done(run, set.instance.as_str(), || ec2.create_snapshots(&request)).await,
            Some(quiesce) => {
                let (created, held) = frozen_again(ec2, set, &request, quiesce, run).await?;
                reached = held;
                created
            }
        };
        match created {
            Ok(created) if lost => {
                tell_of_another(ec2, set, &created, run).await;
                return Ok((created, reached));
            }
            Ok(created) => return Ok((created, reached)),
            Err(Ended::Failed(error)) if error.is_ambiguous() => {
                let found = look(ec2, set, &error, run).await?;
                if !found.is_empty() {
                    return Ok((found, reached));
                }
                // It was looked for long enough: it was not carried out, and may be sent once more.
                lost = true;
            }
            Err(ended) => return Err(ended.error()),
        }
    }
    Err(Ec2Error::Unreachable {
        source: no_answer(ec2, "the service did not answer twice, and no snapshots were begun"),
    })
}

/// After an answer was lost and nothing was found, the request may still have been carried out later. What comes later yet
/// is found by [`crate::clean`].
async fn tell_of_another(ec2: &dyn Ec2, set: &PlannedSet, created: &[Created], run: &Run) {
    let filter = Filter::tag(lineage::SET, set.set.as_str());
    // The set exists, whether it can be listed or not.
    let all = listing::snapshots(ec2, vec![filter], run).await.unwrap_or_default();
    let is_known = |id: &SnapshotId| created.iter().any(|created| created.snapshot == *id);
    let others: Vec<&str> =
        all.iter().map(|snapshot| &snapshot.id).filter(|id| !is_known(id)).map(SnapshotId::as_str).collect();
    if !others.is_empty() {
        run.warn(format!(
            "the set {} exists twice: {} are of the request whose answer was lost, and cleaning up deletes them",
            set.set,
            others.join(", ")
        ));
    }
}

/// [`frozen`], again while EC2 is busy and nothing was carried out: the pauses are outside of the freeze.
async fn frozen_again(
    ec2: &dyn Ec2,
    set: &PlannedSet,
    request: &CreateSnapshots,
    quiesce: &dyn Quiesce,
    run: &Run,
) -> Ec2Result<(Result<Vec<Created>, Ended>, Consistency)> {
    let mut pauses = ask::Pauses::new();
    loop {
        match frozen(ec2, set, request, quiesce, run).await? {
            (Err(Ended::Failed(error)), _) if error.fault == Fault::Throttled => {
                pauses.wait(run, set.instance.as_str(), error).await.map_err(Ended::error)?;
            }
            ended => return Ok(ended),
        }
    }
}

/// One call while the instance is held still, which it is not a moment longer than that.
async fn frozen(
    ec2: &dyn Ec2,
    set: &PlannedSet,
    request: &CreateSnapshots,
    quiesce: &dyn Quiesce,
    run: &Run,
) -> Ec2Result<(Result<Vec<Created>, Ended>, Consistency)> {
    let held = quiesce.freeze(&set.of, set.consistency).await?;
    run.step("ec2.frozen", set.instance.as_str());
    let at_most = held.left().saturating_sub(BEFORE_WATCHDOG);
    // No pause and no second attempt: a file system that is frozen for longer stops whoever writes to it.
    let created: CallResult<Vec<Created>> = match tokio::time::timeout(at_most, ec2.create_snapshots(request)).await {
        Ok(created) => created,
        Err(_) => Err(no_answer(ec2, &format!("no answer within {:.1} s, while frozen", at_most.as_secs_f64()))),
    };
    let reached = held.thaw().await?;
    run.step("ec2.thawed", set.instance.as_str());
    // What was begun at another moment than the one that was held still has no level but the lowest.
    let reached =
        if created.as_ref().is_err_and(|error| error.fault == Fault::NoAnswer) { Consistency::Crash } else { reached };
    Ok((created.map_err(Ended::Failed), reached))
}

fn no_answer(ec2: &dyn Ec2, message: &str) -> CallError {
    CallError {
        action: "ec2:CreateSnapshots",
        region: ec2.name().clone(),
        fault: Fault::NoAnswer,
        code: String::new(),
        message: message.to_owned(),
    }
}

fn request(set: &PlannedSet) -> CreateSnapshots {
    CreateSnapshots {
        instance: set.instance.clone(),
        description: set.description.clone(),
        tags: set.tags.clone(),
        exclude: Vec::new(),
        exclude_boot: set.exclude_boot,
    }
}

/// Looks for a set whose answer was lost. Nothing is found if it was not begun.
async fn look(ec2: &dyn Ec2, set: &PlannedSet, lost: &CallError, run: &Run) -> Ec2Result<Vec<Created>> {
    run.warn(format!("the answer for {} was lost ({lost}): looking for its snapshots", set.instance));
    let mut found = Vec::new();
    for look in 0..LOOKS {
        if look > 0 && (wait::pause(LOOK_EVERY, run).await).is_err() {
            break;
        }
        let unclear = |error: Ec2Error| match error {
            Ec2Error::Interrupted => Ec2Error::Interrupted,
            _ => Ec2Error::Unknown {
                what: format!("the answer for {} was lost, and EC2 cannot be asked", set.instance),
                help: format!("look for the tag `{}={}` before you try again", lineage::SET, set.set),
                source: Box::new(lost.clone()),
            },
        };
        let listed = listing::snapshots(ec2, vec![Filter::tag(lineage::SET, set.set.as_str())], run).await;
        found = listed.map_err(unclear)?;
        if found.len() >= set.volumes.len() {
            break;
        }
    }
    Ok(found.into_iter().map(|snapshot| Created { snapshot: snapshot.id, volume: snapshot.volume }).collect())
}

/// Sets the tags that each snapshot has for itself, and the level that was reached.
async fn mark(ec2: &dyn Ec2, set: &PlannedSet, created: &[Created], reached: Consistency, run: &Run) -> Ec2Result<()> {
    for created in created {
        let mut tags = planned(set, created).map(|volume| volume.tags.clone()).unwrap_or_default();
        if reached > Consistency::Crash && !is_running_root(set, created) {
            tags.set(lineage::CONSISTENCY, reached.name());
        }
        if !tags.is_empty() {
            let id = created.snapshot.as_str();
            when_known(run, || ask::again(run, id, || ec2.set_tags(id, &tags))).await?;
        }
    }
    Ok(())
}

/// Whether it is of the root volume of an instance that runs, which is never frozen: its snapshot stays `crash`.
fn is_running_root(set: &PlannedSet, created: &Created) -> bool {
    set.of.state != InstanceState::Stopped
        && planned(set, created).is_some_and(|volume| Some(&volume.device) == set.of.root_device.as_ref())
}

/// Repeats what a new snapshot is asked for while EC2 does not know it yet.
async fn when_known<T, F>(run: &Run, mut request: impl FnMut() -> F) -> Ec2Result<T>
where
    F: Future<Output = Ec2Result<T>>,
{
    let mut attempt = 0;
    loop {
        match request().await {
            Err(Ec2Error::Refused { source }) if source.fault == Fault::Missing && attempt < TAG_ATTEMPTS => {
                attempt += 1;
                wait::pause(TAG_EVERY, run).await?;
            }
            ended => return ended,
        }
    }
}

#[cfg(test)]
mod tests;
