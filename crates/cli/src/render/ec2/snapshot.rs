//! Texts about sets of snapshots that are or would be begun.

use ec2_snapshots::model::SnapshotState;
use ec2_snapshots::snapshot::{Done, SetDone, SnapshotPlan};

use super::lines;
use crate::render::escape::line;
use crate::render::units::counted;

pub(crate) fn planned(plan: &SnapshotPlan) -> String {
    let mut all = Vec::new();
    for set in &plan.sets {
        let name = set.name.as_ref().map_or_else(String::new, |name| format!(" ({})", line(name)));
        all.push(format!("create  {} in {}{name}, {}-consistent", set.instance, set.region, set.consistency));
        all.extend(set.volumes.iter().map(|volume| format!("        {} {}", volume.volume, volume.device)));
    }
    if all.is_empty() {
        all.push("Nothing to snapshot".to_owned());
    }
    lines(all)
}

pub(crate) fn taken(done: &Done) -> String {
    let mut all: Vec<String> = done.sets.iter().flat_map(of_set).collect();
    let snapshots = done.sets.iter().map(|set| set.snapshots.len() as u64).sum();
    all.push(format!(
        "Created {} of {}",
        counted(snapshots, "snapshot", "snapshots"),
        counted(done.sets.len() as u64, "instance", "instances")
    ));
    lines(all)
}

fn of_set(set: &SetDone) -> Vec<String> {
    let name = set.name.as_ref().map_or_else(String::new, |name| format!(" ({})", line(name)));
    let mut all =
        vec![format!("{} in {}{name}: set {}, {}-consistent", set.instance, set.region, set.set, set.consistency)];
    all.extend(set.snapshots.iter().map(|one| {
        let device = one.device.as_deref().unwrap_or("–");
        let state = if one.state == SnapshotState::Completed { "complete" } else { one.state.name() };
        format!("  {}  {} {device}  {state}", one.snapshot, one.volume)
    }));
    all
}
