//! The plan and report of a prune.

use backup_core::retention::Action;
use jiff::Timestamp;
use pg_clone::stored::prune::{PrunePlan, PruneReport, Pruned};

use crate::render::table::{Align, Column, table};
use crate::render::units::{age, bytes, count, counted};

const COLUMNS: [Column; 5] = [
    Column("KEY", Align::Left),
    Column("AGE", Align::Left),
    Column("STORED", Align::Right),
    Column("ACTION", Align::Left),
    Column("WHY", Align::Left),
];

pub(crate) fn prune_plan(plan: &PrunePlan, now: Timestamp) -> String {
    let mut lines = Vec::new();
    if !plan.dumps.is_empty() {
        lines.push(table(&COLUMNS, plan.dumps.iter().map(|dump| row(dump, now))));
    }
    for stays in &plan.untouched {
        lines.push(format!("`{}` is kept: {}", stays.key, stays.why));
    }
    for left in &plan.incomplete {
        let objects = counted(left.objects, "object", "objects");
        lines.push(format!("`{}` is a leftover of an interrupted dump: {objects}, {}", left.key, bytes(left.bytes)));
    }
    if plan.uploads > 0 {
        lines.push(format!("{} to abort", counted(plan.uploads, "unfinished upload", "unfinished uploads")));
    }
    let deleted = plan.deleted().count() as u64;
    let all = plan.dumps.len() as u64;
    lines.push(if plan.is_empty() {
        format!("Nothing to prune: {} kept", counted(all, "dump is", "dumps are"))
    } else {
        let (deleted, freed) = (count(deleted), bytes(plan.freed_bytes));
        format!("Would delete {deleted} of {} and free {freed}", counted(all, "dump", "dumps"))
    });
    lines.join("\n")
}

fn row(dump: &Pruned, now: Timestamp) -> Vec<String> {
    let action = match dump.action {
        Action::Keep => "keep",
        Action::Delete => "delete",
    };
    let mut why = dump.reasons.join(", ");
    if !dump.good {
        why.push_str(" (not good)");
    }
    vec![dump.key.clone(), age(dump.time, now), bytes(dump.stored_bytes), action.to_owned(), why]
}

pub(crate) fn prune_report(report: &PruneReport) -> String {
    let mut text = if report.removed.is_empty() && report.objects == 0 && report.uploads == 0 {
        if report.failures.is_empty() { "Nothing to prune".to_owned() } else { "Nothing was deleted".to_owned() }
    } else {
        format!(
            "Deleted {} ({}), freed {}",
            counted(report.removed.len() as u64, "dump", "dumps"),
            counted(report.objects, "object", "objects"),
            bytes(report.freed_bytes)
        )
    };
    if report.uploads > 0 {
        text.push_str(&format!(", aborted {}", counted(report.uploads, "unfinished upload", "unfinished uploads")));
    }
    for key in &report.removed {
        text.push_str(&format!("\n  deleted `{key}`"));
    }
    for key in &report.kept_back {
        text.push_str(&format!("\n  kept `{key}`: a backup published meanwhile needs it"));
    }
    for (key, error) in &report.failures {
        text.push_str(&format!("\n  could not delete `{key}`: {error}"));
    }
    text
}
