//! EC2 in memory: what the verbs ask for, with failures as scripted and a log of what was called.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;

use crate::model::{
    Image, ImageId, Instance, Region, Snapshot, SnapshotId, SnapshotState, StorageTier, Tags, Volume, VolumeId,
};
use crate::ports::{
    CallError, CallResult, Cloud, CopySnapshot, CreateSnapshot, CreateSnapshots, Created, Ec2, Fault, Filter, Group,
    KeyPair, Machines, Page, Query, RegisterImage,
};

/// When a scripted failure strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Instead of the request.
    Before,
    /// The request is carried out, and its answer is lost.
    After,
}

#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) snapshots: Vec<Snapshot>,
    pub(crate) instances: Vec<Instance>,
    pub(crate) volumes: Vec<Volume>,
    pub(crate) keys: Vec<KeyPair>,
    pub(crate) groups: Vec<Group>,
    pub(crate) images: BTreeMap<Region, Vec<Image>>,
    pub(crate) locked: Vec<SnapshotId>,
    pub(crate) shared: Vec<SnapshotId>,
    pub(crate) faults: VecDeque<(&'static str, When, Fault, &'static str)>,
    /// Listings that do not show what was made a moment ago.
    pub(crate) blind_listings: u32,
    /// What new snapshots become when they are listed.
    pub(crate) becomes: Option<SnapshotState>,
    pub(crate) log: Vec<String>,
}

/// EC2 in some regions.
#[derive(Clone, Debug)]
pub(crate) struct MemoryCloud {
    regions: Vec<Region>,
    world: Arc<Mutex<World>>,
}

#[derive(Debug)]
pub(super) struct MemoryRegion {
    pub(super) name: Region,
    world: Arc<Mutex<World>>,
}

impl MemoryCloud {
    pub(crate) fn new(regions: &[&str]) -> Self {
        Self { regions: regions.iter().map(|name| name.parse().unwrap()).collect(), world: Arc::default() }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub(crate) fn names(&self) -> Vec<Region> {
        self.regions.clone()
    }

    /// Actions called, without listings.
    pub(crate) fn changes(&self) -> Vec<String> {
        self.world().log.iter().filter(|line| !line.contains("Describe") && !line.contains("List")).cloned().collect()
    }
}

#[async_trait]
impl Cloud for MemoryCloud {
    async fn regions(&self) -> CallResult<Vec<Region>> {
        Ok(self.regions.clone())
    }

    fn region(&self, region: &Region) -> Arc<dyn Ec2> {
        Arc::new(MemoryRegion { name: region.clone(), world: Arc::clone(&self.world) })
    }

    fn machines(&self, region: &Region) -> Arc<dyn Machines> {
        Arc::new(MemoryRegion { name: region.clone(), world: Arc::clone(&self.world) })
    }
}

impl MemoryRegion {
    /// The world after the call was logged, unless a failure strikes before; and the one that strikes after.
    pub(super) fn call(
        &self,
        action: &'static str,
        about: &str,
    ) -> CallResult<(MutexGuard<'_, World>, Option<CallError>)> {
        let mut world = self.world.lock().unwrap();
        world.log.push(format!("{} {action} {about}", self.name).trim_end().to_owned());
        let at = world.faults.iter().position(|(on, ..)| *on == action);
        let Some((_, when, fault, code)) = at.and_then(|at| world.faults.remove(at)) else { return Ok((world, None)) };
        let error = self.error(action, fault, code);
        if when == When::Before { Err(error) } else { Ok((world, Some(error))) }
    }

    pub(super) fn error(&self, action: &'static str, fault: Fault, code: &str) -> CallError {
        CallError { action, region: self.name.clone(), fault, code: code.to_owned(), message: String::new() }
    }

    fn new_snapshot(&self, world: &World, volume: VolumeId, description: &str, tags: &Tags) -> Snapshot {
        Snapshot {
            id: SnapshotId::new(format!("snap-{}", world.snapshots.len() + 1)),
            region: self.name.clone(),
            volume,
            owner: "111111111111".to_owned(),
            start_time: "2026-11-21T03:00:01Z".parse().unwrap(),
            state: SnapshotState::Pending,
            state_message: None,
            progress: "0%".to_owned(),
            size_gib: 8,
            encrypted: false,
            tier: StorageTier::Standard,
            description: description.to_owned(),
            tags: tags.clone(),
        }
    }
}

pub(super) fn page<T>(items: Vec<T>) -> Page<T> {
    Page::new(items, Some(String::new()))
}

fn fits(filters: &[Filter], tags: &Tags, field: impl Fn(&str) -> Option<String>) -> bool {
    filters.iter().all(|filter| match filter.name.as_str() {
        "tag-key" => filter.values.iter().any(|name| tags.get(name).is_some()),
        name => field(name).or_else(|| tag(tags, name)).is_some_and(|value| filter.values.contains(&value)),
    })
}

/// Whether tags alone fit.
pub(super) fn tagged(filters: &[Filter], tags: &Tags) -> bool {
    fits(filters, tags, |_| None)
}

fn tag(tags: &Tags, name: &str) -> Option<String> {
    match name.strip_prefix("tag:") {
        Some(name) => tags.get(name).map(str::to_owned),
        None => panic!("a filter this world does not know: {name}"),
    }
}

#[async_trait]
impl Ec2 for MemoryRegion {
    fn name(&self) -> &Region {
        &self.name
    }

    async fn snapshots(&self, query: &Query) -> CallResult<Page<Snapshot>> {
        let (mut world, lost) = self.call("ec2:DescribeSnapshots", "")?;
        let (blind, becomes) = (world.blind_listings > 0, world.becomes);
        world.blind_listings = world.blind_listings.saturating_sub(1);
        let mut all = Vec::new();
        for snapshot in world.snapshots.iter_mut().filter(|snapshot| snapshot.region == self.name) {
            let is_new = snapshot.state == SnapshotState::Pending;
            if blind && is_new {
                continue;
            }
            if let Some(state) = becomes.filter(|_| is_new) {
                snapshot.state = state;
            }
            let fits = fits(&query.filters, &snapshot.tags, |name| match name {
                "snapshot-id" => Some(snapshot.id.to_string()),
                "status" => Some(snapshot.state.name().to_owned()),
                _ => None,
            });
            if fits {
                all.push(snapshot.clone());
            }
        }
        lost.map_or(Ok(page(all)), Err)
    }

    async fn volumes(&self, query: &Query) -> CallResult<Page<Volume>> {
        let (world, _) = self.call("ec2:DescribeVolumes", "")?;
        let here = world.volumes.iter().filter(|volume| volume.region == self.name);
        let fit = |volume: &&Volume| {
            fits(&query.filters, &volume.tags, |name| (name == "volume-id").then(|| volume.id.to_string()))
        };
        Ok(page(here.filter(fit).cloned().collect()))
    }

    async fn instances(&self, query: &Query) -> CallResult<Page<Instance>> {
        let (world, _) = self.call("ec2:DescribeInstances", "")?;
        let here = world.instances.iter().filter(|instance| instance.region == self.name);
        let fit = |instance: &&Instance| {
            fits(&query.filters, &instance.tags, |name| match name {
                "instance-id" => Some(instance.id.to_string()),
                "instance-state-name" => Some("running".to_owned()),
                _ => None,
            })
        };
        Ok(page(here.filter(fit).cloned().collect()))
    }

    async fn images(&self, _query: &Query) -> CallResult<Page<Image>> {
        let (world, _) = self.call("ec2:DescribeImages", "")?;
        Ok(page(world.images.get(&self.name).cloned().unwrap_or_default()))
    }

    async fn locked(&self, _query: &Query) -> CallResult<Page<SnapshotId>> {
        let (world, _) = self.call("ec2:DescribeLockedSnapshots", "")?;
        Ok(page(world.locked.clone()))
    }

    async fn in_recycle_bin(&self, _query: &Query) -> CallResult<Page<SnapshotId>> {
        let _logged = self.call("ec2:ListSnapshotsInRecycleBin", "")?;
        Ok(page(Vec::new()))
    }

    async fn is_shared(&self, snapshot: &SnapshotId) -> CallResult<bool> {
        let (world, _) = self.call("ec2:DescribeSnapshotAttribute", snapshot.as_str())?;
        Ok(world.shared.contains(snapshot))
    }

    async fn create_snapshots(&self, request: &CreateSnapshots) -> CallResult<Vec<Created>> {
        let (mut world, lost) = self.call("ec2:CreateSnapshots", request.instance.as_str())?;
        let instance = world.instances.iter().find(|instance| instance.id == request.instance).cloned().unwrap();
        let mut created = Vec::new();
        for device in &instance.devices {
            let snapshot = self.new_snapshot(&world, device.volume.clone(), &request.description, &request.tags);
            created.push(Created { snapshot: snapshot.id.clone(), volume: device.volume.clone() });
            world.snapshots.push(snapshot);
        }
        lost.map_or(Ok(created), Err)
    }

    async fn create_snapshot(&self, request: &CreateSnapshot) -> CallResult<SnapshotId> {
        let (mut world, lost) = self.call("ec2:CreateSnapshot", request.volume.as_str())?;
        let snapshot = self.new_snapshot(&world, request.volume.clone(), &request.description, &request.tags);
        let id = snapshot.id.clone();
        world.snapshots.push(snapshot);
        lost.map_or(Ok(id), Err)
    }

    async fn copy_snapshot(&self, request: &CopySnapshot) -> CallResult<SnapshotId> {
        let (mut world, lost) = self.call("ec2:CopySnapshot", request.source.as_str())?;
        let volume = VolumeId::from("vol-ffffffff");
        let snapshot = self.new_snapshot(&world, volume, &request.description, &request.tags);
        let id = snapshot.id.clone();
        world.snapshots.push(snapshot);
        lost.map_or(Ok(id), Err)
    }

    async fn delete_snapshot(&self, snapshot: &SnapshotId) -> CallResult<()> {
        let (mut world, lost) = self.call("ec2:DeleteSnapshot", snapshot.as_str())?;
        let before = world.snapshots.len();
        world.snapshots.retain(|one| one.id != *snapshot);
        if world.snapshots.len() == before {
            return Err(self.error("ec2:DeleteSnapshot", Fault::Missing, "InvalidSnapshot.NotFound"));
        }
        lost.map_or(Ok(()), Err)
    }

    async fn set_tags(&self, resource: &str, tags: &Tags) -> CallResult<()> {
        let (mut world, lost) = self.call("ec2:CreateTags", resource)?;
        match world.snapshots.iter_mut().find(|snapshot| snapshot.id.as_str() == resource) {
            Some(snapshot) => snapshot.tags.extend(tags.iter()),
            None => return Err(self.error("ec2:CreateTags", Fault::Missing, "InvalidSnapshot.NotFound")),
        }
        lost.map_or(Ok(()), Err)
    }

    async fn register_image(&self, request: &RegisterImage) -> CallResult<ImageId> {
        let (mut world, lost) = self.call("ec2:RegisterImage", &request.name)?;
        let id = ImageId::from("ami-1");
        let snapshots = request.devices.iter().map(|device| device.snapshot.clone()).collect();
        world.images.entry(self.name.clone()).or_default().push(Image {
            id: id.clone(),
            name: request.name.clone(),
            snapshots,
        });
        lost.map_or(Ok(id), Err)
    }
}
