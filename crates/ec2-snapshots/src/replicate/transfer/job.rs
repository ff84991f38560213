//! One replica: claimed, copied, and its snapshot begun.

use backup_core::run::Run;
use tokio::time::Instant;

use super::claim::{self, Claim};
use super::disk;
use super::host::Host;
use super::mounted::{self, How, Mounted};
use super::options::Mode;
use super::plan::{Job, Target};
use super::session::Session;
use super::wait;
use crate::ask::{self, Ended};
use crate::error::{Ec2Error, Ec2Result};
use crate::lineage;
use crate::listing;
use crate::model::{SnapshotId, SnapshotState, VolumeId};
use crate::ports::{CreateSnapshot, CreateVolume, Ec2};
use crate::replicate::copy::{LOOK_EVERY, LOOK_FOR, LOST_MAX, Outcome};
use crate::replicate::found::{copy_of, tags_of_copy};
use crate::sync::{self, End, sync};
use crate::tags;

/// The port of `ssh` on instances.
const SSH_PORT: u16 = 22;

/// How long an original may take to be complete: no volume can be made of it before. django-fabfile's
/// `MINUTES_FOR_SNAP`.
const COMPLETE_WITHIN: std::time::Duration = std::time::Duration::from_secs(3600);

/// What came of it so far.
#[derive(Debug)]
pub(super) enum Made {
    /// All there is to come.
    Ended(Outcome),
    /// The replica is begun.
    Begun {
        /// The replica.
        copy: SnapshotId,
        /// The volume it is made of, if that is ours.
        volume: Option<VolumeId>,
    },
}

/// Makes the replica as far as that its snapshot is begun. What is made for it in between is removed, also after a failure.
pub(super) async fn replicate(session: &Session<'_>, job: &Job, from: &Host, to: &Host) -> Ec2Result<Made> {
    session.run.step("transfer.claim", job.snapshot.as_str());
    let target = disk::create(session, to, target(session, job, to)).await?;
    session.run.step("transfer.claimed", target.as_str());
    let made = on(session, job, from, to, &target).await;
    if matches!(made, Ok(Made::Begun { volume: Some(_), .. })) {
        return made;
    }
    discard(session, to, &target).await;
    made
}

async fn discard(session: &Session<'_>, host: &Host, volume: &VolumeId) {
    // What stays is removed with everything else at the end, and then it is told.
    if let Err(error) = session.discard(&host.region, &[volume]).await {
        session.run.warn(format!("volume {volume} in {} was not removed yet: {error}", host.region));
    }
}

/// The volume that becomes the replica, which is also the claim on it.
fn target(session: &Session<'_>, job: &Job, to: &Host) -> CreateVolume {
    let mut tags = session.tags().with(lineage::REPLICATING, job.snapshot.as_str());
    if !job.source.description.is_empty() && job.source.description.chars().count() <= tags::VALUE_LEN_MAX {
        // By this django-fabfile knows that a replica is being made.
        tags.set("Description", job.source.description.clone());
    }
    let snapshot = match &job.target {
        Target::New => None,
        Target::Replica { replica } => Some(replica.clone()),
    };
    CreateVolume {
        zone: to.zone.clone(),
        size_gib: job.size_gib,
        snapshot,
        encrypted: job.encrypted,
        kms_key: session.options.copy.kms_key.clone(),
        tags,
        client_token: session.token(),
    }
}

async fn on(session: &Session<'_>, job: &Job, from: &Host, to: &Host, target: &VolumeId) -> Ec2Result<Made> {
    let (run, destination) = (session.run, session.cloud.region(&to.region));
    if let Claim::Theirs(volume) = claim::settle(session, &*destination, &job.snapshot, target).await? {
        return Ok(Made::Ended(Outcome::Elsewhere { volume }));
    }
    // Whoever had the claim before us may have made it since the plan was made.
    if let Some(copy) = copy_of(&*destination, &job.snapshot, run).await? {
        return Ok(Made::Begun { copy: copy.id, volume: None });
    }
    original_is_complete(session, job).await?;
    let source = CreateVolume {
        zone: from.zone.clone(),
        size_gib: job.size_gib,
        snapshot: Some(job.snapshot.clone()),
        encrypted: false,
        kms_key: None,
        tags: session.tags(),
        client_token: session.token(),
    };
    let source = disk::create(session, from, source).await?;
    let copied = copied(session, job, (from, &source), (to, target)).await;
    discard(session, from, &source).await;
    copied?;
    disk::detach(session, to, target).await?;
    let copy = begin(session, &*destination, job, target).await?;
    Ok(Made::Begun { copy, volume: Some(target.clone()) })
}

async fn original_is_complete(session: &Session<'_>, job: &Job) -> Ec2Result<()> {
    let region = session.cloud.region(&job.region);
    let what = || format!("{} was not complete", job.snapshot);
    wait::until(COMPLETE_WITHIN, what, session.run, || async {
        let found = listing::snapshots_of(&*region, std::slice::from_ref(&job.snapshot), session.run).await?;
        match found.first().map(|snapshot| snapshot.state) {
            Some(SnapshotState::Completed) => Ok(Some(())),
            Some(SnapshotState::Pending) => Ok(None),
            _ => {
                let what = format!("snapshot `{}`", job.snapshot);
                Err(Ec2Error::NotFound { what, region: job.region.clone() })
            }
        }
    })
    .await
}

/// Copies what is on the one volume to the other.
async fn copied(
    session: &Session<'_>,
    job: &Job,
    (from, source): (&Host, &VolumeId),
    (to, target): (&Host, &VolumeId),
) -> Ec2Result<()> {
    let here = disk::attach(session, from, source).await?;
    let there = disk::attach(session, to, target).await?;
    let end = |host: &Host, volume: String, mount: String| End {
        shell: host.shell.clone(),
        address: to.address.clone(),
        port: SSH_PORT,
        volume,
        mount,
    };
    session.run.step("transfer.copy", job.snapshot.as_str());
    if session.options.mode == Mode::Blocks {
        let here = mounted::device(&*from.shell, source, &here).await?;
        let there = mounted::device(&*to.shell, target, &there).await?;
        let (here, there) = (end(from, here, "/".to_owned()), end(to, there, "/".to_owned()));
        let options = sync::Options { encrypted: true, ..sync::Options::default() };
        return Ok(sync(&here, &there, &options, session.run).await.map(|_| ())?);
    }
    let here = Mounted::open(&from.shell, source, &here, How::Read).await?;
    let how = match job.target {
        Target::New => How::Format(&here.kind, &here.uuid),
        Target::Replica { .. } => How::Write,
    };
    let copied = match Mounted::open(&to.shell, target, &there, how).await {
        Ok(there) => {
            let ends = (end(from, String::new(), here.at.clone()), end(to, String::new(), there.at.clone()));
            let synced = sync(&ends.0, &ends.1, &sync::Options::default(), session.run).await;
            let closed = there.close().await;
            synced.map(|_| ()).map_err(Ec2Error::from).and(closed)
        }
        Err(error) => Err(error),
    };
    let closed = here.close().await;
    copied.and(closed)
}

/// Begins the snapshot of the volume; after a lost answer it is looked for first.
async fn begin(session: &Session<'_>, destination: &dyn Ec2, job: &Job, target: &VolumeId) -> Ec2Result<SnapshotId> {
    let run = session.run;
    let request = CreateSnapshot {
        volume: target.clone(),
        description: job.source.description.clone(),
        tags: tags_of_copy(&job.source, Some(session.options.mode.name()))?,
    };
    let mut lost = 0;
    loop {
        run.step("transfer.snapshot", target.as_str());
        match ask::unless_done(run, target.as_str(), || destination.create_snapshot(&request)).await {
            Ok(id) => {
                run.step("transfer.snapshotted", id.as_str());
                return Ok(id);
            }
            Err(Ended::Failed(error)) if error.is_ambiguous() => {
                if let Some(id) = look(destination, &job.snapshot, run).await? {
                    return Ok(id);
                }
                lost += 1;
                if lost >= LOST_MAX {
                    return Err(error.into());
                }
            }
            Err(ended) => return Err(ended.error()),
        }
    }
}

async fn look(destination: &dyn Ec2, source: &SnapshotId, run: &Run) -> Ec2Result<Option<SnapshotId>> {
    let begin = Instant::now();
    loop {
        if let Some(copy) = copy_of(destination, source, run).await? {
            return Ok(Some(copy.id));
        }
        if begin.elapsed() >= LOOK_FOR {
            return Ok(None);
        }
        wait::pause(LOOK_EVERY, run).await?;
    }
}
