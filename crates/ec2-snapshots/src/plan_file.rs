//! A plan as a file: looked at first, and applied only to the world it was made for.

use std::collections::BTreeMap;
use std::path::Path;

use backup_core::digest::Sha256Digest;
use backup_core::run::Run;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::delete::{self, Deleted, Doomed};
use crate::error::{Ec2Error, Ec2Result};
use crate::listing;
use crate::model::{Region, Snapshot, SnapshotState};
use crate::ports::Cloud;

/// The format of the file.
const FORMAT: u64 = 1;

/// Longest plan read: a million deletions with their names. More is no plan of ours.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Deletions that were planned, and the world they were planned for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFile {
    /// The format.
    pub format: u64,
    /// When it was made.
    pub made_at: Timestamp,
    /// What goes.
    pub delete: Vec<Doomed>,
    /// The digest of every snapshot, with its state, of each region the plan was made for.
    pub world: BTreeMap<Region, Sha256Digest>,
}

impl PlanFile {
    /// A plan to delete `doomed`, made of the snapshots that `regions` have now.
    ///
    /// # Errors
    /// [`Ec2Error`] of EC2.
    pub async fn of(
        cloud: &dyn Cloud,
        regions: &[Region],
        doomed: Vec<Doomed>,
        made_at: Timestamp,
        run: &Run,
    ) -> Ec2Result<Self> {
        Ok(Self { format: FORMAT, made_at, delete: doomed, world: world(cloud, regions, run).await? })
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`Ec2Error::Io`]; [`Ec2Error::Input`] for anything but a whole plan of this version.
    pub fn read(path: &Path) -> Ec2Result<Self> {
        let name = path.display().to_string();
        let io = |source| Ec2Error::Io { action: "read", path: name.clone(), source };
        let bytes = std::fs::metadata(path).map_err(io)?.len();
        if bytes > BYTES_MAX {
            return Err(Ec2Error::input(name, format!("it is larger than {} MiB", BYTES_MAX >> 20)));
        }
        let text = std::fs::read(path).map_err(io)?;
        let plan: Self = serde_json::from_slice(&text).map_err(|error| Ec2Error::input(&name, error.to_string()))?;
        if plan.format != FORMAT {
            return Err(Ec2Error::input(name, format!("its format is {}, not {FORMAT}", plan.format)));
        }
        Ok(plan)
    }

    /// The file's content.
    ///
    /// # Errors
    /// [`Ec2Error::Input`] if it cannot be written as JSON, which is a bug.
    pub fn text(&self) -> Ec2Result<String> {
        serde_json::to_string_pretty(self).map_err(|error| Ec2Error::input("the plan", error.to_string()))
    }

    /// Does what the plan says, if the regions it was made for have exactly the snapshots they had.
    ///
    /// # Errors
    /// [`Ec2Error::Changed`] naming the regions that have changed; [`Ec2Error`] of EC2.
    pub async fn apply(&self, cloud: &dyn Cloud, run: &Run) -> Ec2Result<Deleted> {
        self.check(cloud, run).await?;
        delete::all(cloud, self.delete.clone(), run).await
    }

    /// Refuses what [`PlanFile::apply`] refuses, and changes nothing.
    ///
    /// # Errors
    /// As [`PlanFile::apply`].
    pub async fn check(&self, cloud: &dyn Cloud, run: &Run) -> Ec2Result<()> {
        if let Some(stray) = self.delete.iter().find(|doomed| !self.world.contains_key(&doomed.region)) {
            let what = format!("it deletes {} in {}, which it was not made for", stray.id, stray.region);
            return Err(Ec2Error::Changed { what });
        }
        let regions: Vec<Region> = self.world.keys().cloned().collect();
        let now = world(cloud, &regions, run).await?;
        let changed: Vec<&str> = self
            .world
            .iter()
            .filter(|(region, was)| now.get(*region) != Some(*was))
            .map(|(region, _)| region.as_str())
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        let what = format!("the snapshots in {} are not those of {}", changed.join(", "), self.made_at);
        Err(Ec2Error::Changed { what })
    }
}

async fn world(cloud: &dyn Cloud, regions: &[Region], run: &Run) -> Ec2Result<BTreeMap<Region, Sha256Digest>> {
    let mut digests = BTreeMap::new();
    for region in regions {
        let mut lines: Vec<String> =
            listing::snapshots(&*cloud.region(region), Vec::new(), run).await?.iter().map(line).collect();
        lines.sort_unstable();
        digests.insert(region.clone(), Sha256Digest::of(lines.concat().as_bytes()));
    }
    Ok(digests)
}

/// What decides about a snapshot. What is still being made changes by itself; how far it is decides nothing. Tags do: one
/// of them may keep it (`preserve_snapshot`, those of `--keep-tag`), and others say what it belongs to.
fn line(one: &Snapshot) -> String {
    let state = if one.state == SnapshotState::Pending { "" } else { one.state.name() };
    let tags: Vec<String> = one.tags.iter().map(|(name, value)| format!("{name:?}={value:?}")).collect();
    format!("{} {} {state} {:?} {}\n", one.id, one.start_time, one.tier, tags.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_world::cloud::MemoryCloud;
    use crate::test_world::snapshot;

    async fn planned(cloud: &MemoryCloud) -> PlanFile {
        let doomed = Doomed { region: cloud.names()[0].clone(), id: "snap-1".into(), volume: "vol-1".to_owned() };
        let now = "2026-11-21T03:00:00Z".parse().unwrap();
        PlanFile::of(cloud, &cloud.names(), vec![doomed], now, &Run::silent()).await.unwrap()
    }

    fn world() -> MemoryCloud {
        let cloud = MemoryCloud::new(&["eu-west-1"]);
        let one = |id: &str| snapshot(id, "vol-1", "2026-11-20T03:00:00Z");
        cloud.world().snapshots = vec![one("snap-1"), one("snap-2")];
        cloud
    }

    #[tokio::test]
    async fn a_plan_is_applied_to_the_world_it_was_made_for() {
        let cloud = world();
        let plan = planned(&cloud).await;
        let read: PlanFile = serde_json::from_str(&plan.text().unwrap()).unwrap();
        assert_eq!(read, plan);
        assert_eq!(read.apply(&cloud, &Run::silent()).await.unwrap().deleted.len(), 1);
    }

    #[tokio::test]
    async fn a_world_that_has_changed_is_left_alone() {
        for change in [
            |cloud: &MemoryCloud| drop(cloud.world().snapshots.pop()),
            |cloud: &MemoryCloud| cloud.world().snapshots[1].state = SnapshotState::Error,
            // Somebody who looked at the plan wants to keep it.
            |cloud: &MemoryCloud| cloud.world().snapshots[0].tags.set("preserve_snapshot", "1"),
            |cloud: &MemoryCloud| cloud.world().snapshots.push(snapshot("snap-3", "vol-1", "2026-11-21T03:00:00Z")),
        ] {
            let cloud = world();
            let plan = planned(&cloud).await;
            change(&cloud);
            let refused = plan.apply(&cloud, &Run::silent()).await.unwrap_err();
            assert!(refused.to_string().contains("eu-west-1"), "{refused}");
            assert_eq!(cloud.changes(), [""; 0]);
        }
    }

    #[tokio::test]
    async fn a_plan_reaches_no_region_it_was_not_made_for() {
        let cloud = world();
        let mut plan = planned(&cloud).await;
        plan.delete[0].region = "us-east-1".parse().unwrap();
        assert!(matches!(plan.apply(&cloud, &Run::silent()).await, Err(Ec2Error::Changed { .. })));
    }
}
