//! Locks (EC2 API Reference, "LockSnapshot" and "DescribeLockedSnapshots").

use backup_core::clock::Timestamp;

use super::call::Call;
use crate::aws_fake::ApiError;
use crate::ec2_fake::filter::{Filterable, Filters};
use crate::ec2_fake::model::{Lock, Snapshot};
use crate::ec2_fake::page::Page;
use crate::ec2_fake::rules::refused;
use crate::ec2_fake::state::later;
use crate::ec2_fake::tags::Tags;
use crate::ec2_fake::xml::Xml;

/// "The period of time for which to lock the snapshot, in days. Minimum 1, maximum 36500."
const DAYS_MAX: u64 = 36_500;
const DAY_MS: u64 = 86_400_000;

struct Locked<'a>(&'a Snapshot, Timestamp);

impl Locked<'_> {
    fn state(&self) -> &str {
        self.0.lock.as_ref().map_or("", |lock| if self.1 < lock.until { lock.mode.as_str() } else { "expired" })
    }
}

impl Filterable for Locked<'_> {
    fn values(&self, name: &str) -> Option<Vec<String>> {
        (name == "lock-state").then(|| vec![self.state().to_owned()])
    }

    fn tags(&self) -> &Tags {
        &self.0.tags
    }
}

pub(super) fn lock(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let (region, account, now) = (call.region().to_owned(), call.account().to_owned(), call.now);
    let mode = call.form.required("LockMode")?.to_owned();
    if mode != "governance" && mode != "compliance" {
        return Err(refused("InvalidParameterValue", format!("Value ({mode}) for parameter lockMode is invalid.")));
    }
    let until = match (call.form.number("LockDuration")?, call.form.get("ExpirationDate")) {
        (Some(days), None) if (1..=DAYS_MAX).contains(&days) => later(now, days * DAY_MS),
        (None, Some(date)) => {
            date.parse().map_err(|_| refused("InvalidParameterValue", format!("Invalid date {date}")))?
        }
        _ => {
            return Err(refused(
                "InvalidParameterCombination",
                "Specify either a lock duration or an expiration date.",
            ));
        }
    };
    let id = call.form.required("SnapshotId")?.to_owned();
    let snapshot = call.state.snapshot(&region, &account, &id)?;
    snapshot.lock = Some(Lock { mode, until });
    let mut xml = Xml::default();
    write(&mut xml, &Locked(snapshot, now));
    Ok(xml)
}

pub(super) fn unlock(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let (region, account) = (call.region().to_owned(), call.account().to_owned());
    let id = call.form.required("SnapshotId")?.to_owned();
    let snapshot = call.state.snapshot(&region, &account, &id)?;
    if snapshot.lock.as_ref().is_some_and(|lock| lock.mode == "compliance") {
        let text = format!("The snapshot '{id}' is locked in compliance mode and can't be unlocked.");
        return Err(refused("InvalidParameterValue", text));
    }
    snapshot.lock = None;
    let mut xml = Xml::default();
    xml.text("snapshotId", id);
    Ok(xml)
}

pub(super) fn describe(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let filters = Filters::read(call.form, &["lock-state"])?;
    let page = Page::read(call.form, &call.state.settings, 5..=1000, "SnapshotId", call.now)?;
    let (region, account, now) = (call.region().to_owned(), call.account().to_owned(), call.now);
    let ids = call.form.texts("SnapshotId");
    let snapshots = &call.state.region(&region)?.snapshots;
    let found = snapshots
        .values()
        .filter(|snapshot| page.after.as_ref().is_none_or(|after| snapshot.id > *after))
        .filter(|snapshot| snapshot.owner == account && snapshot.lock.is_some() && snapshot.binned.is_none())
        .filter(|snapshot| ids.is_empty() || ids.contains(&snapshot.id.as_str()))
        .map(|snapshot| (snapshot.id.as_str(), Locked(snapshot, now)))
        .filter(|(_, locked)| filters.fit(locked));
    let (found, next) = page.take(found);
    let mut xml = Xml::default();
    xml.list("snapshotSet", found, |item, locked| write(item, &locked));
    page.write(&mut xml, next);
    Ok(xml)
}

fn write(xml: &mut Xml, locked: &Locked<'_>) {
    xml.text("ownerId", &locked.0.owner).text("snapshotId", &locked.0.id).text("lockState", locked.state());
    if let Some(lock) = &locked.0.lock {
        xml.time("lockExpiresOn", lock.until);
    }
}
