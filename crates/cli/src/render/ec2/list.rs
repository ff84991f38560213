//! Texts about what there is.

use ec2_snapshots::list::Listed;
use ec2_snapshots::model::SnapshotState;
use jiff::Timestamp;

use crate::render::escape::line;
use crate::render::table::{Align, Column, table};
use crate::render::units;

const COLUMNS: [Column; 8] = [
    Column("SNAPSHOT", Align::Left),
    Column("REGION", Align::Left),
    Column("AGE", Align::Left),
    Column("VOLUME", Align::Left),
    Column("DEVICE", Align::Left),
    Column("SIZE", Align::Right),
    Column("STATE", Align::Left),
    Column("SET", Align::Left),
];

pub(crate) fn listing(snapshots: &[Listed], now: Timestamp) -> String {
    if snapshots.is_empty() {
        return "No snapshots".to_owned();
    }
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".to_owned());
    table(
        &COLUMNS,
        snapshots.iter().map(|one| {
            vec![
                one.snapshot.id.to_string(),
                one.snapshot.region.to_string(),
                units::age(one.time, now),
                one.source_volume.clone(),
                or_dash(&one.device),
                format!("{} GiB", one.snapshot.size_gib),
                state(one),
                or_dash(&one.set),
            ]
        }),
    )
}

fn state(one: &Listed) -> String {
    let copy = if one.copied_from.is_some() || one.source_region != one.snapshot.region { ", copy" } else { "" };
    match one.snapshot.state {
        SnapshotState::Completed => format!("complete{copy}"),
        SnapshotState::Pending if !one.snapshot.progress.is_empty() => {
            format!("pending {}{copy}", one.snapshot.progress)
        }
        SnapshotState::Error => format!("ERROR{copy}"),
        other => format!("{other}{copy}"),
    }
}

pub(crate) fn shown(found: &[Listed]) -> String {
    found.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn one(one: &Listed) -> String {
    let snapshot = &one.snapshot;
    let mut lines = vec![format!("{}  {}  {}", snapshot.id, snapshot.region, state(one))];
    lines.extend(snapshot.state_message.as_ref().map(|why| format!("  reason       {}", line(why))));
    lines.push(format!("  taken        {} UTC", units::time(one.time)));
    lines.push(format!("  volume       {} in {}, {} GiB", one.source_volume, one.source_region, snapshot.size_gib));
    lines.extend(one.instance.as_ref().map(|instance| format!("  instance     {instance}")));
    lines.extend(one.device.as_ref().map(|device| format!("  device       {device}")));
    lines.extend(one.set.as_ref().map(|set| format!("  set          {set}")));
    lines.extend(one.consistency.as_ref().map(|level| format!("  consistency  {level}")));
    lines.extend(one.copied_from.as_ref().map(|source| format!("  copy of      {source}")));
    lines.push(format!("  encrypted    {}", if snapshot.encrypted { "yes" } else { "no" }));
    lines.extend(snapshot.tags.iter().map(|(name, value)| format!("  tag          {}={}", line(name), line(value))));
    lines.join("\n")
}
