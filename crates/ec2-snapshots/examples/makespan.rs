//! How long replicating many snapshots takes in virtual time, for `cargo xtask bench ec2`: the library's own `replicate`
//! against a region in memory whose clock is the runtime's. Prints one line of JSON.
//!
//! `cargo run --release -p ec2-snapshots --example makespan -- SNAPSHOTS SLOTS [SLOTS_LATER]`
//!
//! With a third number the region has that many slots after a third of the time that the first number would need.

use std::error::Error;
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use backup_core::run::Run;
use ec2_snapshots::model::{
    Image, ImageId, Instance, Region, Snapshot, SnapshotId, SnapshotState, StorageTier, Tags, Volume,
};
use ec2_snapshots::ports::{
    CallError, CallResult, Cloud, CopySnapshot, CreateSnapshot, CreateSnapshots, Created, Ec2, Fault, Page, Query,
    RegisterImage,
};
use ec2_snapshots::replicate::{Options, Wish, plan, replicate};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Seconds a GiB takes if nothing of it is known at the destination.
const S_PER_GIB: f64 = 4.0;

/// When the plan is made.
const NOW: Timestamp = Timestamp::constant(1_795_230_000, 0);

/// Numbers that are the same in every run (xorshift64, Marsaglia 2003).
struct Numbers(u64);

impl Numbers {
    /// From 0 to 1.
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[derive(Debug)]
struct Held {
    snapshot: Snapshot,
    ends_at: Option<Instant>,
}

/// How many slots there are, and how many from when on.
#[derive(Clone, Copy, Debug)]
struct Slots {
    first: usize,
    later: Option<(Duration, usize)>,
}

#[derive(Debug)]
struct State {
    held: Vec<Held>,
    /// How long each copy takes, by the number of its original.
    took: Vec<Duration>,
    slots: Slots,
    began: Instant,
    calls: u64,
    refused: u64,
}

/// A region.
#[derive(Clone, Debug)]
struct World {
    name: Region,
    state: Arc<Mutex<State>>,
}

impl World {
    fn new(name: &str, snapshots: Vec<Snapshot>, took: Vec<Duration>, slots: Slots) -> Result<Self, Box<dyn Error>> {
        let held = snapshots.into_iter().map(|snapshot| Held { snapshot, ends_at: None }).collect();
        let state = State { held, took, slots, began: Instant::now(), calls: 0, refused: 0 };
        Ok(Self { name: name.parse()?, state: Arc::new(Mutex::new(state)) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        for held in &mut state.held {
            if held.ends_at.is_some_and(|at| at <= now) {
                held.ends_at = None;
                held.snapshot.state = SnapshotState::Completed;
            }
        }
        state
    }

    fn all(&self) -> Vec<Snapshot> {
        self.state().held.iter().map(|held| held.snapshot.clone()).collect()
    }
}

impl State {
    fn slots_now(&self) -> usize {
        match self.slots.later {
            Some((from, later)) if self.began.elapsed() >= from => later,
            _ => self.slots.first,
        }
    }

    fn under_way(&self) -> usize {
        self.held.iter().filter(|held| held.snapshot.state == SnapshotState::Pending).count()
    }
}

fn fits(snapshot: &Snapshot, query: &Query) -> bool {
    query.filters.iter().all(|filter| match filter.name.strip_prefix("tag:") {
        Some(name) => snapshot.tags.get(name).is_some_and(|value| filter.values.iter().any(|one| one == value)),
        None => filter.values.iter().any(|id| id == snapshot.id.as_str()),
    })
}

#[async_trait]
impl Ec2 for World {
    fn name(&self) -> &Region {
        &self.name
    }

    async fn snapshots(&self, query: &Query) -> CallResult<Page<Snapshot>> {
        let mut state = self.state();
        state.calls += 1;
        let all = state.held.iter().map(|held| &held.snapshot);
        Ok(Page::new(all.filter(|snapshot| fits(snapshot, query)).cloned().collect(), None))
    }

    async fn copy_snapshot(&self, request: &CopySnapshot) -> CallResult<SnapshotId> {
        let mut state = self.state();
        state.calls += 1;
        if state.under_way() >= state.slots_now() {
            state.refused += 1;
            return Err(CallError {
                action: "ec2:CopySnapshot",
                region: self.name.clone(),
                fault: Fault::Refused,
                code: "ResourceLimitExceeded".to_owned(),
                message: String::new(),
            });
        }
        let original = request.source.as_str().trim_start_matches("snap-").parse().unwrap_or(usize::MAX);
        let took = state.took.get(original).copied().unwrap_or_default();
        let id = SnapshotId::new(format!("snap-copy{original}"));
        let mut copy = snapshot(id.as_str(), "vol-ffffffff", self.name.clone(), 1);
        copy.start_time = NOW + SignedDuration::try_from(state.began.elapsed()).unwrap_or_default();
        copy.state = SnapshotState::Pending;
        copy.tags = request.tags.clone();
        state.held.push(Held { snapshot: copy, ends_at: Some(Instant::now() + took) });
        Ok(id)
    }

    async fn delete_snapshot(&self, _: &SnapshotId) -> CallResult<()> {
        unreachable!("nothing is copied twice")
    }

    async fn volumes(&self, _: &Query) -> CallResult<Page<Volume>> {
        unreachable!("copies need no volumes")
    }

    async fn instances(&self, _: &Query) -> CallResult<Page<Instance>> {
        unreachable!("copies need no instances")
    }

    async fn images(&self, _: &Query) -> CallResult<Page<Image>> {
        unreachable!("copies need no images")
    }

    async fn locked(&self, _: &Query) -> CallResult<Page<SnapshotId>> {
        unreachable!("copies need no locks")
    }

    async fn in_recycle_bin(&self, _: &Query) -> CallResult<Page<SnapshotId>> {
        unreachable!("copies need no recycle bin")
    }

    async fn is_shared(&self, _: &SnapshotId) -> CallResult<bool> {
        unreachable!("copies need no attributes")
    }

    async fn create_snapshots(&self, _: &CreateSnapshots) -> CallResult<Vec<Created>> {
        unreachable!("a copy is no new snapshot")
    }

    async fn create_snapshot(&self, _: &CreateSnapshot) -> CallResult<SnapshotId> {
        unreachable!("a copy is no new snapshot")
    }

    async fn set_tags(&self, _: &str, _: &Tags) -> CallResult<()> {
        unreachable!("tags are set with the copy")
    }

    async fn register_image(&self, _: &RegisterImage) -> CallResult<ImageId> {
        unreachable!("copies make no images")
    }
}

/// Both regions.
#[derive(Debug)]
struct Both([World; 2]);

#[async_trait]
impl Cloud for Both {
    async fn regions(&self) -> CallResult<Vec<Region>> {
        Ok(self.0.iter().map(|world| world.name.clone()).collect())
    }

    fn region(&self, region: &Region) -> Arc<dyn Ec2> {
        Arc::new(self.0[usize::from(self.0[0].name != *region)].clone())
    }

    fn machines(&self, _: &Region) -> Arc<dyn ec2_snapshots::ports::Machines> {
        unreachable!("EC2 copies without instances")
    }
}

fn snapshot(id: &str, volume: &str, region: Region, size_gib: u64) -> Snapshot {
    Snapshot {
        id: SnapshotId::new(id),
        region,
        volume: volume.into(),
        owner: "111111111111".to_owned(),
        start_time: NOW - SignedDuration::from_hours(1),
        state: SnapshotState::Completed,
        state_message: None,
        progress: "100%".to_owned(),
        size_gib,
        encrypted: false,
        tier: StorageTier::Standard,
        description: String::new(),
        tags: Tags::new(),
    }
}

/// Sizes as volumes have them, many small ones and few of a terabyte, and times with as much luck as incremental copies
/// have.
fn originals(count: usize, region: &Region) -> (Vec<Snapshot>, Vec<Duration>) {
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    (0..count)
        .map(|number| {
            let size_gib = (8.0 * (numbers.next() * 5.0).exp()) as u64;
            let took = size_gib as f64 * S_PER_GIB * (0.7 + 0.6 * numbers.next());
            let one = snapshot(&format!("snap-{number}"), &format!("vol-{number}"), region.clone(), size_gib);
            (one, Duration::from_secs_f64(took))
        })
        .unzip()
}

/// The least that any order could take.
fn best(took: &[Duration], slots: Slots) -> f64 {
    let total: f64 = took.iter().map(Duration::as_secs_f64).sum();
    let longest = took.iter().map(Duration::as_secs_f64).fold(0.0, f64::max);
    let evenly = match slots.later {
        None => total / slots.first as f64,
        Some((from, later)) => {
            let from = from.as_secs_f64();
            from + (total - from * slots.first as f64) / later as f64
        }
    };
    evenly.max(longest)
}

async fn run(count: usize, first: usize, later: Option<usize>) -> Result<(), Box<dyn Error>> {
    let (from, to): (Region, Region) = ("eu-west-1".parse()?, "us-east-1".parse()?);
    let (snapshots, took) = originals(count, &from);
    let third = took.iter().map(Duration::as_secs_f64).sum::<f64>() / first as f64 / 3.0;
    let slots = Slots { first, later: later.map(|later| (Duration::from_secs_f64(third), later)) };
    let source = World::new(from.as_str(), snapshots, Vec::new(), slots)?;
    let destination = World::new(to.as_str(), Vec::new(), took.clone(), slots)?;
    let planned = plan(&from, &to, &source.all(), &[], &Wish::default(), NOW);
    let cloud = Both([source, destination.clone()]);
    let begin = Instant::now();
    let done = replicate(&planned, &cloud, &Options::default(), &Run::silent()).await?;
    let took_s = begin.elapsed().as_secs_f64();
    if !done.is_complete() || done.copied() != count {
        return Err(format!("{} of {count} were copied", done.copied()).into());
    }
    let state = destination.state();
    let said = serde_json::json!({
        "took_s": took_s, "best_s": best(&took, slots), "calls": state.calls, "refused": state.refused,
    });
    Ok(writeln!(std::io::stdout(), "{said}")?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let numbers: Vec<usize> = std::env::args().skip(1).map(|word| word.parse()).collect::<Result<_, _>>()?;
    let (count, first, later) = match *numbers {
        [count, first] if first > 0 => (count, first, None),
        [count, first, later] if first > 0 && later > 0 => (count, first, Some(later)),
        _ => return Err("give a number of snapshots, and of slots".into()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(run(count, first, later))
}
