//! Texts about restores of databases with their files, and about files that a restored backup did not know.

use std::collections::BTreeMap;
use std::path::Path;

use glacier_archive::adapters::postgres::gem::GemBackup;
use glacier_archive::adopt::Adopted;
use glacier_archive::backup::{BackupPlan, Written};
use glacier_archive::lifecycle::Status;
use glacier_archive::orphans::{Orphans, SetAside, Undone};
use glacier_archive::restore::Restored;
use jiff::Timestamp;
use pg_clone::dump::{DumpPlan, DumpReport};
use pg_clone::restore::{RestorePlan, RestoreReport};
use serde::Serialize;

use super::{backup_plan, counts, restored, written};
use crate::render::pg::{dump_plan, restore_plan, restore_report};
use crate::render::published::Published;
use crate::render::table::{Align, Column, table};
use crate::render::units;

/// A backup with the dump of a database.
#[derive(Debug, Serialize)]
pub(crate) struct WithDump {
    #[serde(flatten)]
    pub(crate) written: Written,
    /// What the dump says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dump: Option<DumpReport>,
}

/// A backup that would be made, with the dump of a database.
#[derive(Debug, Serialize)]
pub(crate) struct PlanWithDump {
    #[serde(flatten)]
    pub(crate) plan: BackupPlan,
    /// What would be dumped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) database: Option<DumpPlan>,
}

/// What a restore would do.
#[derive(Debug, Serialize)]
pub(crate) struct Planned {
    pub(crate) key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) database: Option<RestorePlan>,
    /// Files that would be moved away.
    pub(crate) orphans: Vec<String>,
    /// How many files have each status.
    pub(crate) files: BTreeMap<Status, u64>,
}

/// What a restore did.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) database: Option<RestoreReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) orphans: Option<SetAside>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) files: Option<Restored>,
}

/// What was taken over from GlacierOnRails.
#[derive(Debug, Serialize)]
pub(crate) struct TakenOver {
    #[serde(flatten)]
    pub(crate) adopted: Adopted,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) database: Option<RestoreReport>,
}

pub(crate) fn gem_listing(found: &[GemBackup], now: Timestamp) -> String {
    const COLUMNS: [Column; 4] = [
        Column("ID", Align::Right),
        Column("AGE", Align::Left),
        Column("DATABASE", Align::Left),
        Column("FILES", Align::Right),
    ];
    if found.is_empty() {
        return String::new();
    }
    let row = |backup: &GemBackup| {
        vec![
            backup.id.to_string(),
            backup.created_at.map_or_else(|| "–".to_owned(), |time| units::age(time, now)),
            backup.database.as_ref().map_or_else(|| "–".to_owned(), |dump| dump.filename.clone()),
            units::count(backup.files.len() as u64),
        ]
    };
    table(&COLUMNS, found.iter().map(row))
}

pub(crate) fn taken_over(done: &TakenOver) -> String {
    let adopted = &done.adopted;
    let mut lines = vec![format!("Backup {}: {}", adopted.backup, counts(&adopted.counts))];
    if adopted.requested > 0 {
        lines.push(format!("  requested {}", units::counted(adopted.requested, "archive", "archives")));
    }
    if adopted.fetched > 0 {
        let fetched = units::counted(adopted.fetched, "archive", "archives");
        lines.push(format!("  downloaded {fetched} ({})", units::bytes(adopted.bytes)));
    }
    if adopted.placed > 0 {
        lines.push(format!("  unpacked {}", units::counted(adopted.placed, "file", "files")));
    }
    if let Some(dump) = &adopted.dump {
        lines.push(format!("  the dump is `{}`, which pg_restore reads", dump.display()));
    }
    lines.extend(done.database.iter().map(restore_report));
    lines.join("\n")
}

pub(crate) fn backup_with_dump(published: &Published<WithDump>) -> String {
    let Published { location, report } = published;
    let text = written(&Published { location: location.clone(), report: report.written.clone() });
    let Some(dump) = &report.dump else { return text };
    format!(
        "{text}\n  with the dump `{}`: {}, {}, {}",
        dump.key,
        units::counted(dump.tables, "table", "tables"),
        units::counted(dump.rows, "row", "rows"),
        units::bytes(dump.stored_bytes)
    )
}

pub(crate) fn plan_with_dump(plan: &PlanWithDump) -> String {
    let text = backup_plan(&plan.plan);
    match &plan.database {
        Some(database) => format!("{}\n{text}", dump_plan(database)),
        None => text,
    }
}

pub(crate) fn planned(plan: &Planned, now: Timestamp) -> String {
    let mut lines: Vec<String> = plan.database.iter().map(|database| restore_plan(database, now)).collect();
    if !plan.orphans.is_empty() {
        let count = units::counted(plan.orphans.len() as u64, "file", "files");
        lines.push(format!("Will move {count} away that the backup does not know: {}", shown(&plan.orphans)));
    }
    if !plan.files.is_empty() {
        lines.push(format!("Files: {}", counts(&plan.files)));
    }
    lines.join("\n")
}

/// The first of many names; `--json` has all.
fn shown(names: &[String]) -> String {
    /// As many as somebody reads.
    const SHOWN: usize = 10;
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let first: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    format!("{}{more}", first.join(", "))
}

pub(crate) fn outcome(done: &Outcome, folder: Option<&Path>) -> String {
    let mut lines: Vec<String> = done.database.iter().map(restore_report).collect();
    if let Some(orphans) = done.orphans.as_ref().filter(|orphans| orphans.moved > 0) {
        lines.push(format!(
            "Moved {} that the backup does not know to `{}`; `lastgood glacier orphans undo {}` moves them back",
            units::counted(orphans.moved, "file", "files"),
            orphans.folder.display(),
            orphans.restore
        ));
    }
    if let (Some(files), Some(folder)) = (&done.files, folder) {
        lines.push(restored(files, folder));
    }
    lines.join("\n")
}

pub(crate) fn orphans_listing(found: &[Orphans], now: Timestamp) -> String {
    const COLUMNS: [Column; 5] = [
        Column("RESTORE", Align::Left),
        Column("AGE", Align::Left),
        Column("BACKUP", Align::Left),
        Column("FILES", Align::Right),
        Column("SIZE", Align::Right),
    ];
    if found.is_empty() {
        return String::new();
    }
    let row = |orphans: &Orphans| {
        vec![
            orphans.restore.clone(),
            units::age(orphans.at, now),
            orphans.backup.clone(),
            units::count(orphans.files.len() as u64),
            units::bytes(orphans.bytes),
        ]
    };
    table(&COLUMNS, found.iter().map(row))
}

pub(crate) fn orphans_undone(done: &Undone) -> String {
    format!("Moved {} back", units::counted(done.moved, "file", "files"))
}
