//! Texts about backups of an application's records.

use backup_core::lifecycle::{LifecycleAction, LifecycleChange, LifecycleRule};
use backup_core::source::Identity;
use jiff::{SignedDuration, Timestamp};
use object_backup::list::{Entry, State};
use object_backup::show::Shown;
use object_backup::verify::Verified;
use object_backup::{BackupPlan, BackupReport, OnConflict, RestorePlan, Restored};
use serde::Serialize;

use crate::render::escape::line;
use crate::render::published::Published;
use crate::render::{listing, units};

pub(crate) fn listing(backups: &[Entry], now: Timestamp) -> String {
    let tagged = backups.iter().any(|backup| !backup.tags.is_empty());
    let rows = backups.iter().map(|backup| listing::Listed {
        names: vec![backup.key.to_string()],
        time: backup.time,
        source: backup.source.as_ref(),
        sequence: backup.sequence,
        records: backup.records,
        bytes: backup.bytes,
        state: state(&backup.state),
        tags: tagged.then(|| backup.tags.join(", ")),
    });
    listing::listing(&["KEY"], rows, now)
}

fn state(state: &State) -> String {
    match state {
        State::Good => "good".to_owned(),
        State::Partial => "partial".to_owned(),
        State::Damaged(why) => format!("DAMAGED: {why}"),
        State::Unreadable(why) => format!("UNREADABLE: {why}"),
        State::Unpublished => "unpublished".to_owned(),
        State::Foreign => "written by gludb, unchecked".to_owned(),
    }
}

fn records(count: u64) -> String {
    units::counted(count, "record", "records")
}

pub(crate) fn backup_plan(plan: &BackupPlan) -> String {
    if let (Some(newest), Some(age_s)) = (&plan.newest, plan.skipped_age_s) {
        return format!("Would skip the backup: `{newest}` is only {} old", age(age_s));
    }
    let mut lines: Vec<String> = plan.types.iter().map(|key| format!("back up    {key}")).collect();
    lines.extend(plan.left_out.iter().map(|name| format!("leave out  {name}")));
    if !plan.complete {
        lines.push("partial: never counts as the last good backup".to_owned());
    }
    lines.push(match &plan.newest {
        Some(newest) => format!("Would add to `{}`, whose newest backup is `{newest}`", plan.name),
        None => format!("Would be the first backup named `{}`", plan.name),
    });
    lines.join("\n")
}

fn age(seconds: i64) -> String {
    // Known to the second: one that was just made is younger than that.
    units::duration(SignedDuration::from_secs(seconds.max(1)).unsigned_abs())
}

pub(crate) fn written(published: &Published<BackupReport>) -> String {
    let Published { location, report } = published;
    let done = match report {
        BackupReport::Skipped { newest, age_s } => {
            return format!("Skipped: `{newest}` is only {} old", age(*age_s));
        }
        BackupReport::Written(done) => done,
    };
    let mut lines: Vec<String> =
        done.types.iter().map(|found| format!("{}  {}", found.key, records(found.records))).collect();
    let (content, stored) = (units::bytes(done.content_bytes), units::bytes(done.stored_bytes));
    let partial = if done.complete { "" } else { " (partial: never counts as the last good one)" };
    lines.push(format!("Published `{}`{partial}: {}, {content} → {stored}", done.key, records(done.records)));
    let from = done.source.as_ref().map(|source| format!("from {} ", source.host)).unwrap_or_default();
    lines.push(format!("  {from}to `{location}`"));
    lines.join("\n")
}

pub(crate) fn shown(shown: &Shown) -> String {
    let backup = &shown.entry;
    let mut lines = vec![format!("{}  {}", backup.key, state(&backup.state))];
    lines.extend(backup.time.map(|time| format!("  taken    {} UTC", units::time(time))));
    lines.push(format!("  stored   {}", units::bytes(backup.bytes)));
    lines.extend(backup.sequence.map(|sequence| format!("  sequence {sequence}")));
    if !backup.tags.is_empty() {
        lines.push(format!("  tags     {}", line(&backup.tags.join(", "))));
    }
    let Some(detail) = &shown.detail else {
        lines.push("  no manifest: `lastgood app verify` reads its contents".to_owned());
        return lines.join("\n");
    };
    lines.push(format!("  from     {} ({})", source(backup.source.as_ref()), detail.source_kind));
    for found in &detail.types {
        lines.push(format!("  {}  {}, {}", found.key, records(found.records), units::bytes(found.bytes)));
    }
    lines.extend(detail.failed.iter().map(|failed| format!("  {}  MISSING: {}", failed.key, failed.what)));
    lines.extend(detail.left_out.iter().map(|name| format!("  {name}  left out on request")));
    lines.join("\n")
}

fn source(source: Option<&Identity>) -> String {
    source.map_or_else(|| "an unknown source".to_owned(), ToString::to_string)
}

pub(crate) fn verified(answers: &[Verified]) -> String {
    let line = |answer: &Verified| match &answer.broken {
        None => format!("ok    {}  {}, {}", answer.key, records(answer.records), state(&answer.state)),
        Some(why) => format!("FAIL  {}  {why}", answer.key),
    };
    answers.iter().map(line).collect::<Vec<_>>().join("\n")
}

pub(crate) fn restore_plan(plan: &RestorePlan) -> String {
    let mut lines: Vec<String> = plan
        .types
        .iter()
        .map(|restoring| format!("restore  {}  {}", restoring.key, records(restoring.records)))
        .collect();
    lines.push(format!("Would restore `{}` into `{}` (on conflict: {})", plan.key, plan.target, plan.on_conflict));
    lines.extend(restore_notes(plan));
    lines.join("\n")
}

/// What somebody should know of the backup before it is restored, a line each.
fn restore_notes(plan: &RestorePlan) -> Vec<String> {
    let other =
        format!("this backup is not from `{}` but from another source, {}", plan.target, source(plan.source.as_ref()));
    let mut notes: Vec<String> = (plan.same_source == Some(false)).then_some(other).into_iter().collect();
    if plan.state == State::Partial {
        notes.push(format!("THE BACKUP IS PARTIAL: {}", plan.missing.join("; ")));
    }
    if let Some(newest) = plan.passed_over.first() {
        let count = plan.passed_over.len() as u64;
        notes.push(format!(
            "skipped {} or damaged: `{newest}`{}",
            units::counted(count, "newer backup that is partial", "newer backups that are partial"),
            if count > 1 { " and older ones" } else { "" },
        ));
    }
    notes.extend(plan.unreadable.iter().map(|why| format!("skipped a newer backup: {why}")));
    notes
}

/// The same for a restore that was made. A copy of one source beside another harms nobody.
pub(crate) fn restore_warnings(plan: &RestorePlan) -> Vec<String> {
    let copy = plan.same_source == Some(false) && plan.on_conflict == OnConflict::Fail;
    restore_notes(plan).into_iter().skip(usize::from(copy)).collect()
}

pub(crate) fn restored(done: &Restored) -> String {
    let mut lines: Vec<String> = Vec::new();
    for found in &done.loaded {
        let mut words = vec![records(found.loaded.inserted)];
        let others = [(found.loaded.replaced, "replaced"), (found.loaded.skipped, "skipped")];
        words.extend(
            others
                .iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, what)| format!("{} {what}", units::count(*count))),
        );
        lines.push(format!("{}  {}", found.key, words.join(", ")));
    }
    let of = done.plan.source.as_ref().map_or_else(String::new, |source| format!(" from {}", source.host));
    lines.push(format!("Restored `{}`{of} into `{}`", done.plan.key, done.plan.target));
    lines.join("\n")
}

/// Rules of a bucket, and what setting them changed.
#[derive(Debug, Serialize)]
pub(crate) struct LifecycleReport {
    pub(crate) bucket: String,
    pub(crate) rules: Vec<LifecycleRule>,
    pub(crate) change: LifecycleChange,
    pub(crate) dry_run: bool,
}

pub(crate) fn lifecycle(report: &LifecycleReport) -> String {
    let days = |days: u32| units::counted(u64::from(days), "day", "days");
    let mut lines: Vec<String> = report
        .rules
        .iter()
        .map(|rule| match rule.action {
            LifecycleAction::Expire { after_days } => format!("expire   {}  after {}", rule.folder, days(after_days)),
            LifecycleAction::Freeze { after_days, class, over_bytes } => format!(
                "move     {}  to {} after {}, objects larger than {}",
                rule.folder,
                class.as_str(),
                days(after_days),
                units::bytes(over_bytes)
            ),
            LifecycleAction::GiveUpUploads { after_days } => {
                format!("abort    {}  unfinished uploads after {}", rule.folder, days(after_days))
            }
        })
        .collect();
    let LifecycleChange { added, replaced, removed, kept } = report.change;
    let others = units::counted(kept as u64, "other rule stays", "other rules stay");
    lines.push(match (report.change.is_none(), report.dry_run) {
        (true, _) => format!("The bucket `{}` already has these rules", report.bucket),
        (false, true) => {
            format!("Would add {added}, replace {replaced}, remove {removed}; {others}\nNothing was changed (dry run)")
        }
        (false, false) => format!(
            "Updated the rules of the bucket `{}`: {added} added, {replaced} replaced, {removed} removed; {others}",
            report.bucket
        ),
    });
    lines.join("\n")
}
