//! A region that makes copies in the runtime's time, with what goes wrong there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::lineage;
use crate::model::{Image, ImageId, Instance, Region, Snapshot, SnapshotId, SnapshotState, Tags, Volume};
use crate::ports::{
    CallError, CallResult, Cloud, CopySnapshot, CreateSnapshot, CreateSnapshots, Created, Ec2, Fault, Page, Query,
    RegisterImage,
};

/// How long a copy takes.
const COPY_TIME: Duration = Duration::from_secs(90);

/// What goes wrong with one request to copy.
#[derive(Debug)]
pub(super) enum Harm {
    /// It is carried out, and nobody hears of it.
    LostAnswer,
    /// It never arrives, and nobody hears of that.
    LostRequest,
    /// It is answered with this.
    Answer(CallError),
}

#[derive(Clone, Debug)]
struct Held {
    snapshot: Snapshot,
    shown_at: Instant,
    ends_at: Option<Instant>,
    fails: bool,
}

#[derive(Debug, Default)]
struct State {
    held: Vec<Held>,
    slots: usize,
    harms: Vec<Harm>,
    shown_after: Duration,
    failing: BTreeMap<String, usize>,
    most: usize,
    source: Option<World>,
    number: usize,
}

/// A region.
#[derive(Clone, Debug)]
pub(super) struct World {
    name: Region,
    begin: Instant,
    state: Arc<Mutex<State>>,
}

impl World {
    pub(super) fn new(name: &str, snapshots: Vec<Snapshot>) -> Self {
        let begin = Instant::now();
        let held = |snapshot| Held { snapshot, shown_at: begin, ends_at: None, fails: false };
        let state = State { held: snapshots.into_iter().map(held).collect(), slots: 20, ..State::default() };
        Self { name: name.parse().unwrap(), begin, state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap();
        for held in &mut state.held {
            if held.ends_at.is_some_and(|at| at <= Instant::now()) {
                held.ends_at = None;
                held.snapshot.state = if held.fails { SnapshotState::Error } else { SnapshotState::Completed };
                held.snapshot.state_message = held.fails.then(|| "Given key ID is not accessible".to_owned());
            }
        }
        state
    }

    pub(super) fn all(&self) -> Vec<Snapshot> {
        self.state().held.iter().map(|held| held.snapshot.clone()).collect()
    }

    pub(super) fn allow(&self, slots: usize) {
        self.state().slots = slots;
    }

    pub(super) fn harm(&self, harm: Harm) {
        self.state().harms.insert(0, harm);
    }

    pub(super) fn show_after(&self, after: Duration) {
        self.state().shown_after = after;
    }

    pub(super) fn fail_copies_of(&self, source: &str, times: usize) {
        self.state().failing.insert(source.to_owned(), times);
    }

    pub(super) fn most_at_once(&self) -> usize {
        self.state().most
    }

    pub(super) fn complete_at(&self, id: &str, after: Duration) {
        for held in self.state().held.iter_mut().filter(|held| held.snapshot.id.as_str() == id) {
            held.ends_at = Some(self.begin + after);
        }
    }

    pub(super) fn refuse_pending_of(&self, source: &Self) {
        self.state().source = Some(source.clone());
    }

    fn error(&self, fault: Fault, code: &str) -> CallError {
        let (code, region) = (code.to_owned(), self.name.clone());
        CallError { action: "ec2:CopySnapshot", region, fault, code, message: String::new() }
    }

    fn refuse(&self, request: &CopySnapshot) -> CallResult<()> {
        let state = self.state();
        let busy = state.held.iter().filter(|held| held.snapshot.state == SnapshotState::Pending).count();
        if busy >= state.slots {
            return Err(self.error(Fault::Refused, "ResourceLimitExceeded"));
        }
        let is_pending = |world: &Self| {
            world.all().iter().any(|source| source.id == request.source && source.state == SnapshotState::Pending)
        };
        if state.source.as_ref().is_some_and(is_pending) {
            return Err(self.error(Fault::Refused, "IncorrectState"));
        }
        Ok(())
    }

    fn copy(&self, request: &CopySnapshot) -> SnapshotId {
        let mut state = self.state();
        state.number += 1;
        let id = SnapshotId::new(format!("snap-copy{:04}", state.number));
        let mut copy = crate::test_world::snapshot(id.as_str(), "vol-ffffffff", "2026-11-21T12:00:00Z");
        let now: Timestamp = copy.start_time;
        copy.start_time = now + SignedDuration::try_from(self.begin.elapsed()).unwrap();
        copy.region = self.name.clone();
        copy.state = SnapshotState::Pending;
        copy.description = request.description.clone();
        copy.tags = request.tags.clone();
        let failing = state.failing.entry(request.source.to_string()).or_default();
        let fails = *failing > 0;
        *failing = failing.saturating_sub(1);
        let shown_at = Instant::now() + state.shown_after;
        state.held.push(Held { snapshot: copy, shown_at, ends_at: Some(Instant::now() + COPY_TIME), fails });
        let busy = state.held.iter().filter(|held| held.snapshot.state == SnapshotState::Pending).count();
        state.most = state.most.max(busy);
        id
    }
}

#[async_trait]
impl Ec2 for World {
    fn name(&self) -> &Region {
        &self.name
    }

    async fn snapshots(&self, query: &Query) -> CallResult<Page<Snapshot>> {
        let fits = |snapshot: &Snapshot| {
            query.filters.iter().all(|filter| match filter.name.as_str() {
                "snapshot-id" => filter.values.iter().any(|id| id == snapshot.id.as_str()),
                name if name.starts_with("tag:") => {
                    assert_eq!(name, format!("tag:{}", lineage::SRC_SNAPSHOT));
                    snapshot
                        .tags
                        .get(lineage::SRC_SNAPSHOT)
                        .is_some_and(|value| filter.values.iter().any(|one| one == value))
                }
                name => panic!("a filter that this region does not know: {name}"),
            })
        };
        let state = self.state();
        let shown = state.held.iter().filter(|held| held.shown_at <= Instant::now());
        Ok(Page::new(shown.map(|held| held.snapshot.clone()).filter(fits).collect(), None))
    }

    async fn copy_snapshot(&self, request: &CopySnapshot) -> CallResult<SnapshotId> {
        // So that another machine's requests come in between.
        tokio::task::yield_now().await;
        self.refuse(request)?;
        let harm = self.state().harms.pop();
        match harm {
            None => Ok(self.copy(request)),
            Some(Harm::LostAnswer) => {
                self.copy(request);
                Err(self.error(Fault::NoAnswer, ""))
            }
            Some(Harm::LostRequest) => Err(self.error(Fault::NoAnswer, "")),
            Some(Harm::Answer(error)) => Err(error),
        }
    }

    async fn delete_snapshot(&self, snapshot: &SnapshotId) -> CallResult<()> {
        self.state().held.retain(|held| held.snapshot.id != *snapshot);
        Ok(())
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

/// Several regions.
#[derive(Clone, Debug)]
pub(super) struct Worlds(pub(super) Vec<World>);

#[async_trait]
impl Cloud for Worlds {
    async fn regions(&self) -> CallResult<Vec<Region>> {
        Ok(self.0.iter().map(|world| world.name.clone()).collect())
    }

    fn region(&self, region: &Region) -> Arc<dyn Ec2> {
        Arc::new(self.0.iter().find(|world| world.name == *region).cloned().unwrap())
    }

    fn machines(&self, _: &Region) -> Arc<dyn crate::ports::Machines> {
        unreachable!("copies need no instances")
    }
}
