//! Makes the copies of a plan, and waits for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use backup_core::run::Run;
use tokio::time::{Instant, sleep};

use super::found::{self, tags_of_copy};
use super::plan::{FAILURES_MAX, Pending, Plan, said};
use super::queue::{Job, Next, Queue};
use super::within::Within;
use crate::error::{Ec2Error, Ec2Result};
use crate::listing;
use crate::model::{Snapshot, SnapshotId, SnapshotState, VolumeId};
use crate::ports::{CallError, Cloud, CopySnapshot, Ec2, Fault};

/// EC2's code when as many copies are under way as may be.
const NO_SLOT: &str = "ResourceLimitExceeded";

/// How often copies are looked at: one listing of up to 200 copies. They take minutes to hours, small ones seconds: the
/// pauses grow while nothing happens.
const POLL: Duration = Duration::from_secs(15);
const POLL_FIRST: Duration = Duration::from_secs(1);

/// A copy that is this old is seen in listings by everybody: who else began one shows then at the latest.
pub(super) const SEEN_AFTER: Duration = Duration::from_secs(15);

/// How long a copy whose answer was lost is looked for before it is taken for not made: listings of EC2 are eventually
/// consistent, and show a new snapshot within seconds.
pub(super) const LOOK_FOR: Duration = Duration::from_secs(60);

/// How long to look between.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Answers that may be lost in a row for one copy.
pub(super) const LOST_MAX: usize = 3;

/// How copies are made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Encrypts copies of originals that are not encrypted.
    pub encrypted: bool,
    /// With this key: an id, an ARN or an alias.
    pub kms_key: Option<String>,
    /// EC2 is to promise to finish each copy within this.
    pub within: Option<Within>,
}

/// What became of a snapshot of a plan.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// The copy is complete.
    Copied {
        /// The copy.
        copy: SnapshotId,
    },
    /// Another run is making the replica.
    Elsewhere {
        /// The volume that becomes the replica.
        volume: VolumeId,
    },
    /// It failed, and is not tried again.
    Failed {
        /// Why.
        why: String,
    },
}

/// What a replication did.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Replicated {
    /// Each snapshot of the plan.
    pub snapshots: BTreeMap<SnapshotId, Outcome>,
    /// How many copies at a time the region allowed, if that was learned.
    pub slots: Option<usize>,
    /// What was made for a while and could not be removed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
}

impl Replicated {
    /// How many snapshots have a copy now.
    #[must_use]
    pub fn copied(&self) -> usize {
        self.snapshots.values().filter(|outcome| matches!(outcome, Outcome::Copied { .. })).count()
    }

    /// How many snapshots another run is replicating.
    #[must_use]
    pub fn elsewhere(&self) -> usize {
        self.snapshots.values().filter(|outcome| matches!(outcome, Outcome::Elsewhere { .. })).count()
    }

    /// Whether every snapshot has a copy.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.snapshots.values().all(|outcome| matches!(outcome, Outcome::Copied { .. }))
    }
}

/// Makes the copies of `plan` in its region, and waits until each is complete or has failed twice. What
/// it has begun goes on in EC2 if it is interrupted, and the next run finds it.
///
/// # Errors
/// [`Ec2Error`] for what stops all of it: a missing right, credentials, the network. A copy that fails is told in the
/// result.
pub async fn replicate(plan: &Plan, cloud: &dyn Cloud, options: &Options, run: &Run) -> Ec2Result<Replicated> {
    let mut copying = Copying::new(plan, cloud, options, run);
    copying.adopt();
    loop {
        run.stop_if_cancelled()?;
        match copying.queue.next(copying.now()) {
            Next::Begin(number) => copying.begin(number).await?,
            Next::Wait(until) => copying.wait(until).await?,
            Next::Done => break,
        }
    }
    Ok(Replicated { snapshots: copying.outcomes, slots: copying.queue.slots(), left: Vec::new() })
}

struct Copying<'a> {
    plan: &'a Plan,
    cloud: &'a dyn Cloud,
    destination: Arc<dyn Ec2>,
    options: &'a Options,
    run: &'a Run,
    since: Instant,
    queue: Queue,
    /// The copies under way, by number.
    copies: BTreeMap<usize, SnapshotId>,
    /// How often copies failed, by number.
    failed: BTreeMap<usize, usize>,
    lost: BTreeMap<usize, usize>,
    /// When they began.
    begun: BTreeMap<usize, Duration>,
    /// Those of which a second copy was looked for.
    seen: BTreeSet<usize>,
    poll: Duration,
    /// The copies that this run began.
    ours: BTreeSet<SnapshotId>,
    outcomes: BTreeMap<SnapshotId, Outcome>,
}

impl<'a> Copying<'a> {
    fn new(plan: &'a Plan, cloud: &'a dyn Cloud, options: &'a Options, run: &'a Run) -> Self {
        let job = |(number, pending): (usize, &Pending)| Job { number, estimate: estimate(pending) };
        let failed = plan.pending.iter().enumerate().filter(|(_, pending)| pending.failed.is_some());
        Self {
            cloud,
            destination: cloud.region(&plan.to),
            options,
            run,
            since: Instant::now(),
            queue: Queue::new(plan.pending.iter().enumerate().map(job).collect()),
            copies: BTreeMap::new(),
            failed: failed.map(|(number, _)| (number, 1)).collect(),
            lost: BTreeMap::new(),
            begun: BTreeMap::new(),
            seen: BTreeSet::new(),
            poll: POLL_FIRST,
            ours: BTreeSet::new(),
            outcomes: BTreeMap::new(),
            plan,
        }
    }

    fn now(&self) -> Duration {
        self.since.elapsed()
    }

    fn pending(&self, number: usize) -> &'a Pending {
        &self.plan.pending[number]
    }

    /// Takes over what is under way already.
    fn adopt(&mut self) {
        for (number, pending) in self.plan.pending.iter().enumerate() {
            if let Some(copy) = &pending.under_way {
                self.queue.began(number, self.since.elapsed());
                self.copies.insert(number, copy.clone());
            }
        }
    }

    fn outcome(&mut self, number: usize, outcome: Outcome) {
        self.copies.remove(&number);
        self.outcomes.insert(self.pending(number).source.id.clone(), outcome);
    }

    fn fails(&mut self, number: usize, why: String) {
        self.queue.gave_up(number);
        self.outcome(number, Outcome::Failed { why });
    }

    async fn begin(&mut self, number: usize) -> Ec2Result<()> {
        let pending = self.pending(number);
        // Somebody else may have begun it since the plan was made: another machine, or a run of ours whose answer was lost.
        if let Some(copy) = self.copy_of(pending).await? {
            return self.found(number, &copy);
        }
        let request = match self.request(pending) {
            Ok(request) => request,
            Err(error) => {
                self.fails(number, error.to_string());
                return Ok(());
            }
        };
        self.run.step("replicate.copy", pending.source.id.as_str());
        match self.destination.copy_snapshot(&request).await {
            Ok(copy) => {
                let now = self.now();
                self.queue.began(number, now);
                self.begun.insert(number, now);
                self.ours.insert(copy.clone());
                self.copies.insert(number, copy);
                self.seen.remove(&number);
                self.poll = POLL_FIRST;
                Ok(())
            }
            Err(error) => self.not_begun(number, error).await,
        }
    }

    fn found(&mut self, number: usize, copy: &Snapshot) -> Ec2Result<()> {
        self.queue.began(number, self.now());
        self.copies.insert(number, copy.id.clone());
        if copy.state == SnapshotState::Completed {
            self.queue.ended(number, self.now());
            self.outcome(number, Outcome::Copied { copy: copy.id.clone() });
        }
        Ok(())
    }

    async fn not_begun(&mut self, number: usize, error: CallError) -> Ec2Result<()> {
        if error.is(NO_SLOT) || error.fault == Fault::Throttled {
            self.queue.refused(self.now());
            return Ok(());
        }
        if error.is_ambiguous() {
            return self.lost(number, error).await;
        }
        match error.fault {
            Fault::Denied | Fault::Unauthenticated | Fault::NoCredentials | Fault::Untrusted => Err(error.into()),
            // An original that is not complete yet, or was deleted since; a key that does not exist.
            _ if self.is_still_pending(number).await? => {
                self.queue.postpone(number, self.now() + POLL);
                Ok(())
            }
            _ => {
                self.fails(number, error.to_string());
                Ok(())
            }
        }
    }

    /// Whether the original is not complete yet: it can be copied later.
    async fn is_still_pending(&self, number: usize) -> Ec2Result<bool> {
        let source = &self.pending(number).source;
        let region = self.cloud.region(&source.region);
        let found = listing::snapshots_of(&*region, std::slice::from_ref(&source.id), self.run).await?;
        Ok(found.iter().any(|snapshot| snapshot.state == SnapshotState::Pending))
    }

    /// Looks for a copy that may have been begun although the answer was lost.
    async fn lost(&mut self, number: usize, error: CallError) -> Ec2Result<()> {
        let until = self.now() + LOOK_FOR;
        loop {
            if let Some(copy) = self.copy_of(self.pending(number)).await? {
                return self.found(number, &copy);
            }
            if self.now() >= until {
                break;
            }
            self.pause(LOOK_EVERY).await?;
        }
        let lost = self.lost.entry(number).or_default();
        *lost += 1;
        if *lost >= LOST_MAX { Err(error.into()) } else { Ok(()) }
    }

    async fn copy_of(&self, pending: &Pending) -> Ec2Result<Option<Snapshot>> {
        found::copy_of(&*self.destination, &pending.source.id, self.run).await
    }

    fn request(&self, pending: &Pending) -> Ec2Result<CopySnapshot> {
        let source = &pending.source;
        Ok(CopySnapshot {
            source_region: source.region.clone(),
            source: source.id.clone(),
            description: source.description.clone(),
            tags: tags_of_copy(source, None)?,
            encrypted: self.options.encrypted || self.options.kms_key.is_some(),
            kms_key: self.options.kms_key.clone(),
            completion_minutes: self.options.within.map(Within::minutes),
        })
    }

    async fn pause(&self, length: Duration) -> Ec2Result<()> {
        let slept = async {
            sleep(length).await;
            Ok::<(), Ec2Error>(())
        };
        self.run.or_cancelled(slept).await
    }

    /// Waits for a while, and looks at what is under way.
    async fn wait(&mut self, until: Option<Duration>) -> Ec2Result<()> {
        let length = until.map_or(self.poll, |until| until.saturating_sub(self.now()).min(self.poll));
        self.pause(length.max(POLL_FIRST)).await?;
        self.poll = (self.poll * 2).min(POLL);
        let ids: Vec<SnapshotId> = self.copies.values().cloned().collect();
        let found = listing::snapshots_of(&*self.destination, &ids, self.run).await?;
        let numbers: Vec<(usize, SnapshotId)> = self.copies.iter().map(|(number, id)| (*number, id.clone())).collect();
        for (number, id) in numbers {
            // A copy that is not listed yet will be.
            let Some(copy) = found.iter().find(|copy| copy.id == id) else { continue };
            if self.is_due(number, copy) && self.seen.insert(number) && self.gives_way(number, copy).await? {
                continue;
            }
            match copy.state {
                SnapshotState::Completed => self.completed(number, copy),
                SnapshotState::Error => self.turned_error(number, copy),
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether it is time to look for a second copy.
    fn is_due(&self, number: usize, copy: &Snapshot) -> bool {
        let age = self.begun.get(&number).map_or(Duration::MAX, |begun| self.now().saturating_sub(*begun));
        copy.state == SnapshotState::Completed || (copy.state == SnapshotState::Pending && age >= SEEN_AFTER)
    }

    fn completed(&mut self, number: usize, copy: &Snapshot) {
        self.poll = POLL_FIRST;
        self.queue.ended(number, self.now());
        self.outcome(number, Outcome::Copied { copy: copy.id.clone() });
    }

    /// Two machines that looked at the same moment both began a copy: the one that EC2 began later is deleted by whoever
    /// made it, who waits for the other one instead.
    async fn gives_way(&mut self, number: usize, copy: &Snapshot) -> Ec2Result<bool> {
        let Some(first) = self.copy_of(self.pending(number)).await? else { return Ok(false) };
        if first.id == copy.id || !self.ours.contains(&copy.id) {
            return Ok(false);
        }
        let source = &self.pending(number).source.id;
        self.run.warn(format!("`{}` is a second copy of `{source}` beside `{}`, and is deleted", copy.id, first.id));
        crate::ask::again(self.run, "a second copy", || self.destination.delete_snapshot(&copy.id)).await?;
        self.copies.insert(number, first.id);
        Ok(true)
    }

    fn turned_error(&mut self, number: usize, copy: &Snapshot) {
        let failed = self.failed.entry(number).or_default();
        *failed += 1;
        let source = self.plan.pending[number].source.id.clone();
        let why = format!("the copy `{}` of `{source}` failed in EC2: {}", copy.id, said(copy));
        self.copies.remove(&number);
        if *failed < FAILURES_MAX {
            self.run.warn(format!("{why}; it is tried once more"));
            self.queue.again(number);
        } else {
            self.fails(number, why);
        }
    }
}

/// The size: how much of it is new is known to nobody before.
fn estimate(pending: &Pending) -> f64 {
    f64::from(u32::try_from(pending.source.size_gib.max(1)).unwrap_or(u32::MAX))
}
