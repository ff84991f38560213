//! Texts about files in cold storage.

pub(crate) mod database;

use std::collections::BTreeMap;
use std::path::Path;

use backup_core::manifest::Outcome;
use glacier_archive::backup::{BackupPlan, Written};
use glacier_archive::fetch::Fetched;
use glacier_archive::find::ListedBackup;
use glacier_archive::lifecycle::Status;
use glacier_archive::plan::{Objection, Offer, RetrievalPlan};
use glacier_archive::rebuild::RebuildReport;
use glacier_archive::restore::Restored;
use glacier_archive::retrieve::{Asked, Retrieved};
use glacier_archive::standing::FileStanding;
use glacier_archive::watch::BackupStanding;
use jiff::Timestamp;

use crate::render::published::Published;
use crate::render::table::{Align, Column, table};
use crate::render::units;

fn files(count: u64) -> String {
    units::counted(count, "file", "files")
}

pub(crate) fn archives(count: u64) -> String {
    units::counted(count, "archive", "archives")
}

pub(crate) fn listing(backups: &[ListedBackup], now: Timestamp) -> String {
    const COLUMNS: [Column; 7] = [
        Column("BACKUP", Align::Left),
        Column("AGE", Align::Left),
        Column("FILES", Align::Right),
        Column("SIZE", Align::Right),
        Column("ARCHIVES", Align::Right),
        Column("DATABASE", Align::Left),
        Column("STATE", Align::Left),
    ];
    if backups.is_empty() {
        return String::new();
    }
    let state = |backup: &ListedBackup| match (&backup.damage, backup.outcome) {
        (Some(why), _) => format!("DAMAGED: {why}"),
        (None, Some(Outcome::Partial)) => "partial".to_owned(),
        (None, _) => "good".to_owned(),
    };
    let row = |backup: &ListedBackup| {
        vec![
            backup.key.to_string(),
            backup.time.map_or_else(|| "–".to_owned(), |time| units::age(time, now)),
            units::count(backup.files),
            units::bytes(backup.bytes),
            units::count(backup.archives),
            backup.database.clone().unwrap_or_else(|| "–".to_owned()),
            state(backup),
        ]
    };
    table(&COLUMNS, backups.iter().map(row))
}

pub(crate) fn backup_plan(plan: &BackupPlan) -> String {
    let class = plan.class.map_or_else(String::new, |class| format!(" in {class}"));
    let mut lines = vec![
        format!("{} of `{}`: {} unchanged, {} to compare", files(plan.files), plan.name, plan.unchanged, plan.compared),
        format!(
            "Would archive {} ({}) as {}{class}",
            files(plan.new_files),
            units::bytes(plan.new_bytes),
            archives(plan.objects)
        ),
    ];
    if plan.class.is_some() {
        let (put, month, day) = (plan.put, plan.month, &plan.prices_as_of);
        lines.push(format!("  costs {put} to write and {month} a month (list prices of {day})"));
    }
    lines.extend(plan.failed.iter().map(|failed| format!("leave out  {}: {}", failed.name, failed.what)));
    lines.extend(left_out(plan.excluded).map(|left_out| format!("leave out  {left_out}")));
    lines.join("\n")
}

pub(crate) fn written(published: &Published<Written>) -> String {
    let Published { location, report } = published;
    let partial = if report.outcome == Outcome::Partial { " (partial)" } else { "" };
    let lines = [
        format!("Published `{}`{partial}: {}, {}", report.key, files(report.files), units::bytes(report.bytes)),
        format!(
            "  {} archived before; wrote {} ({}) to `{location}`",
            units::count(report.unchanged),
            archives(report.objects),
            units::bytes(report.stored_bytes)
        ),
    ];
    let left_out = left_out(report.excluded).map(|left_out| format!("  left out {left_out}"));
    lines.into_iter().chain(left_out).collect::<Vec<_>>().join("\n")
}

/// What was not taken on request, if it is anything.
fn left_out(excluded: u64) -> Option<String> {
    (excluded > 0).then(|| format!("{} by `exclude`", units::counted(excluded, "file or folder", "files or folders")))
}

pub(crate) fn retrieval_plan(plan: &RetrievalPlan) -> String {
    const COLUMNS: [Column; 5] = [
        Column("TIER", Align::Left),
        Column("READY WITHIN", Align::Right),
        Column("RETRIEVAL", Align::Right),
        Column("COPIES", Align::Right),
        Column("", Align::Left),
    ];
    if plan.objects == 0 {
        return "Nothing has to be retrieved".to_owned();
    }
    let row = |offer: &Offer| {
        let objections: Vec<&str> = offer.objections.iter().map(objection).collect();
        let remark = if plan.chosen == Some(offer.tier) { "← chosen".to_owned() } else { objections.join(", ") };
        let price =
            |sum: glacier_archive::money::Usd| offer.minutes.map_or_else(|| "–".to_owned(), |_| sum.to_string());
        let minutes = offer.minutes.map_or_else(|| "–".to_owned(), minutes);
        vec![offer.tier.to_string(), minutes, price(offer.retrieval), price(offer.copies), remark]
    };
    let days = units::counted(u64::from(plan.days), "day", "days");
    format!(
        "{} ({}) must be retrieved; copies stay readable for {days}\n{}\nList prices of {} on {}",
        archives(plan.objects),
        units::bytes(plan.bytes),
        table(&COLUMNS, plan.offers.iter().map(row)),
        plan.prices_region,
        plan.prices_as_of
    )
}

fn minutes(minutes: u64) -> String {
    if minutes < 60 { format!("{minutes} min") } else { format!("{} h", minutes.div_ceil(60)) }
}

fn objection(objection: &Objection) -> &'static str {
    match objection {
        Objection::NoSuchTier => "the storage class does not have it",
        Objection::NotAskedFor => "not asked for",
        Objection::TooSlow => "too slow",
        Objection::TooDear => "too expensive",
    }
}

pub(crate) fn retrieved(done: &Retrieved, now: Timestamp) -> String {
    format!("{}\nNext: `lastgood glacier watch --once {}`", asked(&done.asked, now), done.key)
}

/// What was requested.
pub(crate) fn asked(done: &Asked, now: Timestamp) -> String {
    let mut lines = Vec::new();
    match (done.requested, done.plan.choice()) {
        (0, _) => lines.push("Nothing was requested: everything is readable, requested or local".to_owned()),
        (requested, Some(offer)) => {
            let expected = done.expected.map_or_else(String::new, |at| format!(", expected {}", within(at, now)));
            lines.push(format!("Requested {} by {}{expected}", archives(requested), offer.tier));
        }
        (requested, None) => lines.push(format!("Requested {}", archives(requested))),
    }
    if done.waiting > 0 {
        lines.push(format!("  {} wait for the next hour: run the same command again then", archives(done.waiting)));
    }
    lines.join("\n")
}

/// `within 3 h`, `by now`.
pub(crate) fn within(at: Timestamp, now: Timestamp) -> String {
    match u64::try_from(at.duration_since(now).as_secs().div_euclid(60)) {
        Ok(left) => format!("within {}", minutes(left + 1)),
        Err(_) => "by now".to_owned(),
    }
}

fn name(status: Status) -> &'static str {
    match status {
        Status::Available => "available",
        Status::Pending => "pending",
        Status::Ready => "ready",
        Status::Local => "local",
        Status::Exists => "exists",
    }
}

fn counts(counts: &BTreeMap<Status, u64>) -> String {
    counts
        .iter()
        .map(|(status, count)| format!("{} {}", units::count(*count), name(*status)))
        .collect::<Vec<_>>()
        .join(", ")
}

pub(crate) fn summary(found: &BackupStanding, now: Timestamp) -> String {
    let mut line = format!("{}: {} ({})", found.key, name(found.status), counts(&found.counts));
    if let Some(expected) = found.expected {
        line.push_str(&format!("; expected {}", within(expected, now)));
    }
    if let Some(until) = found.until {
        line.push_str(&format!("; the first copy expires {}", within(until, now)));
    }
    line
}

pub(crate) fn standing(found: &BackupStanding, now: Timestamp) -> String {
    const COLUMNS: [Column; 4] = [
        Column("FILE", Align::Left),
        Column("STATUS", Align::Left),
        Column("SINCE", Align::Left),
        Column("NEXT", Align::Left),
    ];
    let row = |file: &FileStanding| {
        let since = file.since.map_or_else(|| "–".to_owned(), |since| units::age(since, now));
        let shown = if file.database { format!("database: {}", file.name) } else { file.name.clone() };
        vec![shown, name(file.status).to_owned(), since, next(file, &found.key.to_string(), now)]
    };
    format!("{}\n{}", table(&COLUMNS, found.files.iter().map(row)), summary(found, now))
}

fn next(file: &FileStanding, key: &str, now: Timestamp) -> String {
    let text = match file.status {
        Status::Available => {
            let why = file.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            format!("`lastgood glacier plan {key}`{why}")
        }
        Status::Pending => file.expected.map_or_else(String::new, |at| format!("expected {}", within(at, now))),
        Status::Ready => {
            let until = file.until.map(|at| format!(", expires {}", within(at, now))).unwrap_or_default();
            format!("`lastgood glacier fetch {key}`{until}")
        }
        Status::Local => format!("`lastgood glacier restore {key}`"),
        Status::Exists => String::new(),
    };
    if file.differs { format!("{text}; another file of this name exists") } else { text }
}

pub(crate) fn fetched(done: &Fetched) -> String {
    let fetched = units::counted(done.contents, "content", "contents");
    let text = format!("Fetched {fetched} ({})", units::bytes(done.bytes));
    match &done.database {
        Some(folder) => format!("{text}\n  the dump is in `{}`, a location of its own", folder.display()),
        None => text,
    }
}

pub(crate) fn restored(done: &Restored, folder: &Path) -> String {
    let mut lines = vec![format!(
        "Restored {} ({}) to `{}`; {} existed",
        files(done.placed),
        units::bytes(done.bytes),
        folder.display(),
        units::count(done.existing)
    )];
    lines.extend(done.set_aside.iter().map(|name| format!("  kept the former file as `{name}`")));
    lines.join("\n")
}

pub(crate) fn rebuilt(report: &RebuildReport) -> String {
    format!(
        "Read {}: the catalogue knows {} in {}",
        units::counted(report.backups, "backup", "backups"),
        files(report.files),
        archives(report.archives)
    )
}

/// What is missing and when it is expected, and what to do.
pub(crate) fn missing(
    missing: &BTreeMap<Status, u64>,
    expected: Option<Timestamp>,
    key: &str,
    now: Timestamp,
) -> (String, String) {
    let there = |status: Status| missing.get(&status).copied().unwrap_or_default();
    let mut parts = Vec::new();
    if there(Status::Available) > 0 {
        parts.push(format!("{} must be retrieved first", files(there(Status::Available))));
    }
    if there(Status::Pending) > 0 {
        let expected = expected.map_or_else(String::new, |at| format!(", expected {}", within(at, now)));
        parts.push(format!("{} pending{expected}", files(there(Status::Pending))));
    }
    if there(Status::Ready) > 0 {
        parts.push(format!("{} ready but not fetched", files(there(Status::Ready))));
    }
    let next = match () {
        () if there(Status::Available) > 0 => "plan",
        () if there(Status::Ready) > 0 => "fetch",
        () => "watch --until-ready",
    };
    (parts.join("; "), format!("run `lastgood glacier {next} {key}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_the_next_command() {
        let now: Timestamp = "2026-11-21T03:00:00Z".parse().unwrap();
        let expected = Some(now + jiff::SignedDuration::from_mins(179));
        let counts = BTreeMap::from([(Status::Pending, 2), (Status::Exists, 5)]);
        let (what, help) = missing(&counts, expected, "uploads", now);
        assert_eq!(what, "2 files pending, expected within 3 h");
        assert_eq!(help, "run `lastgood glacier watch --until-ready uploads`");
        let counts = BTreeMap::from([(Status::Available, 1), (Status::Ready, 1)]);
        let (what, help) = missing(&counts, None, "uploads", now);
        assert_eq!(what, "1 file must be retrieved first; 1 file ready but not fetched");
        assert!(help.contains("glacier plan"), "{help}");
    }
}
