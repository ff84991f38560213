//! DeleteSnapshot and the recycle bin.

use super::call::Call;
use crate::aws_fake::ApiError;
use crate::ec2_fake::page::Page;
use crate::ec2_fake::rules::refused;
use crate::ec2_fake::state::{later, missing_snapshot};
use crate::ec2_fake::xml::Xml;

const DAY_MS: u64 = 86_400_000;

/// "You cannot delete a snapshot of the root device of an EBS volume used by a registered AMI"; "a locked snapshot can't be
/// deleted" (EC2 API Reference, "DeleteSnapshot" and "LockSnapshot"). The code for locked ones is not documented.
pub(super) fn delete(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let (region, account, now) = (call.region().to_owned(), call.account().to_owned(), call.now);
    let id = call.form.required("SnapshotId")?.to_owned();
    let snapshot = call.state.snapshot(&region, &account, &id)?;
    if snapshot.owner != account {
        let text = format!("You do not own the snapshot '{id}'.");
        return Err(refused("AuthFailure", text));
    }
    if snapshot.lock.as_ref().is_some_and(|lock| now < lock.until) {
        let text = format!("The snapshot '{id}' is locked and can't be deleted.");
        return Err(refused("SnapshotLocked", text));
    }
    let bin = call.state.settings.recycle_bin_days;
    let region = call.state.region(&region)?;
    if let Some(image) = region.images.values().find(|image| image.devices.values().any(|used| *used == id)) {
        let text = format!("The snapshot {id} is currently in use by {}", image.id);
        return Err(refused("InvalidSnapshot.InUse", text));
    }
    match (bin, region.snapshots.get_mut(&id)) {
        (Some(days), Some(snapshot)) => snapshot.binned = Some((now, later(now, u64::from(days) * DAY_MS))),
        _ => drop(region.snapshots.remove(&id)),
    }
    let mut xml = Xml::default();
    xml.text("return", true);
    Ok(xml)
}

pub(super) fn bin(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let page = Page::read(call.form, &call.state.settings, 5..=1000, "SnapshotId", call.now)?;
    let (region, account, now) = (call.region().to_owned(), call.account().to_owned(), call.now);
    let ids = call.form.texts("SnapshotId");
    let snapshots = &call.state.region(&region)?.snapshots;
    let found = snapshots
        .values()
        .filter(|snapshot| page.after.as_ref().is_none_or(|after| snapshot.id > *after))
        .filter(|snapshot| ids.is_empty() || ids.contains(&snapshot.id.as_str()))
        .filter(|snapshot| snapshot.owner == account)
        .filter_map(|snapshot| {
            let (enter, exit) = snapshot.binned.filter(|(_, exit)| now < *exit)?;
            Some((snapshot.id.as_str(), (snapshot, enter, exit)))
        });
    let (found, next) = page.take(found);
    let mut xml = Xml::default();
    xml.list("snapshotSet", found, |item, (snapshot, enter, exit)| {
        item.text("snapshotId", &snapshot.id)
            .time("recycleBinEnterTime", enter)
            .time("recycleBinExitTime", exit)
            .text("description", &snapshot.description)
            .text("volumeId", &snapshot.volume);
    });
    page.write(&mut xml, next);
    Ok(xml)
}

pub(super) fn restore(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let (region, account, now) = (call.region().to_owned(), call.account().to_owned(), call.now);
    let id = call.form.required("SnapshotId")?.to_owned();
    let found = call.state.region(&region)?.snapshots.get_mut(&id);
    let in_bin = |binned: Option<_>| binned.is_some_and(|(_, exit)| now < exit);
    let snapshot =
        found.filter(|own| own.owner == account && in_bin(own.binned)).ok_or_else(|| missing_snapshot(&id))?;
    snapshot.binned = None;
    let mut xml = Xml::default();
    super::describe::write(&mut xml, snapshot, "status", now);
    Ok(xml)
}
