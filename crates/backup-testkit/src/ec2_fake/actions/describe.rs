//! DescribeSnapshots and DescribeSnapshotTierStatus.

use backup_core::clock::Timestamp;

use super::call::Call;
use crate::aws_fake::ApiError;
use crate::ec2_fake::filter::Filters;
use crate::ec2_fake::model::{SNAPSHOT_FILTERS, Snapshot, SnapshotAt};
use crate::ec2_fake::page::Page;
use crate::ec2_fake::state::later;
use crate::ec2_fake::tags;
use crate::ec2_fake::xml::Xml;

/// "This value can be between 5 and 1,000" (EC2 API Reference, "DescribeSnapshots").
const PAGE: std::ops::RangeInclusive<u64> = 5..=1000;

pub(super) fn describe(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let filters = Filters::read(call.form, &SNAPSHOT_FILTERS)?;
    let page = Page::read(call.form, &call.state.settings, PAGE, "SnapshotId", call.now)?;
    let (region, account, now) = (call.region().to_owned(), call.account().to_owned(), call.now);
    let ids = call.form.texts("SnapshotId");
    let hidden = hidden(call);
    for id in &ids {
        let found = call.state.snapshot(&region, &account, id)?;
        if later(found.start, hidden) > now {
            return Err(crate::ec2_fake::state::missing_snapshot(id));
        }
    }
    let owners: Vec<&str> = call.form.texts("Owner").into_iter().chain(call.form.texts("OwnerId")).collect();
    let restorable = call.form.texts("RestorableBy");
    let snapshots = &call.state.region(&region)?.snapshots;
    let start = match &page.after {
        Some(after) => (std::ops::Bound::Excluded(after.clone()), std::ops::Bound::Unbounded),
        None => (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded),
    };
    let found = snapshots
        .range(start)
        .map(|(_, snapshot)| snapshot)
        .filter(|snapshot| snapshot.binned.is_none() && snapshot.visible_to(&account))
        .filter(|snapshot| later(snapshot.start, hidden) <= now || ids.contains(&snapshot.id.as_str()))
        .filter(|snapshot| ids.is_empty() || ids.contains(&snapshot.id.as_str()))
        .filter(|snapshot| owners.is_empty() || owners.iter().any(|owner| owned(snapshot, owner, &account)))
        .filter(|snapshot| {
            restorable.is_empty()
                || restorable.iter().any(|who| match *who {
                    "all" => snapshot.public,
                    "self" => snapshot.visible_to(&account),
                    other => snapshot.visible_to(other),
                })
        })
        .filter(|snapshot| filters.fit(&SnapshotAt(snapshot, now)))
        .map(|snapshot| (snapshot.id.as_str(), snapshot));
    let (found, next) = page.take(found);
    let mut xml = Xml::default();
    xml.list("snapshotSet", found, |item, snapshot| write(item, snapshot, "status", now));
    page.write(&mut xml, next);
    Ok(xml)
}

/// How new a snapshot must be, in milliseconds, not to be shown yet: by the settings and by what is scripted.
fn hidden(call: &Call<'_>) -> u64 {
    let scripted = call.received.hides_newer_than().map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    scripted.max(call.state.settings.not_yet_ms)
}

fn owned(snapshot: &Snapshot, owner: &str, account: &str) -> bool {
    snapshot.owner == if owner == "self" { account } else { owner }
}

/// A snapshot as describe and create calls show it; the former call its state `status`, the latter some `state`.
pub(super) fn write(xml: &mut Xml, snapshot: &Snapshot, state: &str, now: Timestamp) {
    xml.text("snapshotId", &snapshot.id)
        .text("volumeId", &snapshot.volume)
        .text(state, snapshot.state(now))
        .time("startTime", snapshot.start)
        .text("progress", format_args!("{}%", snapshot.progress(now)))
        .text("ownerId", &snapshot.owner)
        .text("volumeSize", snapshot.size)
        .text("description", &snapshot.description)
        .text("encrypted", snapshot.key.is_some())
        .maybe("kmsKeyId", snapshot.key.as_ref())
        .maybe("statusMessage", snapshot.message(now))
        .text("storageTier", if snapshot.archived { "archive" } else { "standard" });
    if snapshot.is_complete(now) {
        xml.text("fullSnapshotSizeInBytes", snapshot.content.len() * crate::ec2_fake::content::BLOCK_BYTES);
        if let crate::ec2_fake::model::Fate::Complete(at) = &snapshot.fate {
            xml.time("completionTime", *at);
        }
    }
    tags::write(xml, &snapshot.tags);
}

pub(super) fn tiers(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let filters = Filters::read(call.form, &["snapshot-id", "volume-id"])?;
    let page = Page::read(call.form, &call.state.settings, PAGE, "SnapshotId", call.now)?;
    let (region, account, now) = (call.region().to_owned(), call.account().to_owned(), call.now);
    let snapshots = &call.state.region(&region)?.snapshots;
    let found = snapshots
        .values()
        .filter(|snapshot| page.after.as_ref().is_none_or(|after| snapshot.id > *after))
        .filter(|snapshot| snapshot.owner == account && snapshot.binned.is_none())
        .filter(|snapshot| filters.fit(&SnapshotAt(snapshot, now)))
        .map(|snapshot| (snapshot.id.as_str(), snapshot));
    let (found, next) = page.take(found);
    let mut xml = Xml::default();
    xml.list("snapshotTierStatusSet", found, |item, snapshot| {
        item.text("snapshotId", &snapshot.id)
            .text("volumeId", &snapshot.volume)
            .text("status", snapshot.state(now))
            .text("ownerId", &snapshot.owner)
            .text("storageTier", if snapshot.archived { "archive" } else { "standard" });
        if snapshot.archived {
            item.text("lastTieringOperationStatus", "archival-completed");
        }
        tags::write(item, &snapshot.tags);
    });
    page.write(&mut xml, next);
    Ok(xml)
}
