//! Texts about backups of in-memory stores.

use dictstore_backup::diff::{Diff, Keys, TableDiff};
use dictstore_backup::list::{Listed, State};
use dictstore_backup::show::Shown;
use dictstore_backup::verify::VerifyReport;
use dictstore_backup::{Format, Note, RestorePlan, Written};
use jiff::Timestamp;
use serde::Serialize;

use crate::render::{listing, units};

pub(crate) fn listing(backups: &[Listed], now: Timestamp) -> String {
    let rows = backups.iter().map(|backup| listing::Listed {
        tags: None,
        names: vec![backup.file.clone(), backup.kind.name().to_owned()],
        time: backup.time,
        source: backup.source.as_ref(),
        sequence: backup.sequence,
        records: backup.records,
        bytes: backup.bytes,
        state: state(&backup.state),
    });
    listing::listing(&["FILE", "KIND"], rows, now)
}

fn state(state: &State) -> String {
    match state {
        State::Good => "good".to_owned(),
        State::Damaged(why) => format!("DAMAGED: {why}"),
        State::Unreadable(why) => format!("UNREADABLE: {why}"),
        State::Unpublished => "unpublished".to_owned(),
        State::Foreign => "written by DictDB, unchecked".to_owned(),
        State::Torn(why) => format!("TORN: {why}"),
    }
}

pub(crate) fn shown(shown: &Shown) -> String {
    let backup = &shown.backup;
    let mut lines = vec![format!("{}  {}  {}", backup.file, backup.kind.name(), state(&backup.state))];
    lines.extend(backup.time.map(|time| format!("  taken    {} UTC", units::time(time))));
    lines.push(format!("  stored   {}", units::bytes(backup.bytes)));
    lines.extend(backup.sequence.map(|sequence| format!("  sequence {sequence}")));
    if let Some(name) = &backup.name {
        let of = backup.source.as_ref().map_or_else(|| "an unknown store".to_owned(), ToString::to_string);
        lines.push(format!("  store    `{name}` on {of}"));
    }
    lines.extend(backup.store_records.map(|records| {
        format!("  holds    {}, including the backups it builds on", units::counted(records, "record", "records"))
    }));
    if let Some(chain) = &shown.chain {
        lines.push(format!("  restore  {}", chain.join(" → ")));
    }
    for table in &shown.tables {
        let deleted =
            if table.deletes > 0 { format!(", {} deleted", units::count(table.deletes)) } else { String::new() };
        let records = units::counted(table.records, "record", "records");
        lines.push(format!("  table `{}`: {records}{deleted}, next key {}", table.name, table.next_key));
    }
    lines.join("\n")
}

pub(crate) fn verified(report: &VerifyReport) -> String {
    let mut lines: Vec<String> = report
        .files
        .iter()
        .map(|file| match &file.broken {
            None => format!("ok    {}  {}", file.file, state(&file.state)),
            Some(why) => format!("FAIL  {}  {why}", file.file),
        })
        .collect();
    let newest = |file: &Option<String>| match file {
        Some(file) => format!("newest restorable backup: `{file}`"),
        None => "no backup can be restored".to_owned(),
    };
    if report.stores.is_empty() {
        lines.push(newest(&report.newest_whole));
    }
    for store in &report.stores {
        let of = store.source.as_ref().map_or_else(|| "an unknown store".to_owned(), ToString::to_string);
        lines.push(format!("{of}: {}", newest(&store.newest_whole)));
    }
    lines.join("\n")
}

pub(crate) fn restore_plan(plan: &RestorePlan) -> String {
    let mut lines: Vec<String> = plan.files.iter().map(|file| format!("apply  {file}")).collect();
    lines.extend(plan.left_out.iter().map(|left| format!("skip   {}: {}", left.file, left.why)));
    lines.extend(plan.source.as_ref().map(|source| format!("from the store on {source}")));
    if !plan.verified {
        lines.push("these files cannot be verified: DictDB writes no manifests".to_owned());
    }
    lines.join("\n")
}

/// What a restore did.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) file: String,
    pub(crate) format: Format,
    pub(crate) tables: u64,
    pub(crate) records: u64,
    pub(crate) plan: RestorePlan,
    pub(crate) notes: Vec<Note>,
}

pub(crate) fn restored(report: &Report) -> String {
    let (records, tables) =
        (units::counted(report.records, "record", "records"), units::counted(report.tables, "table", "tables"));
    let files = units::counted(report.plan.files.len() as u64, "file", "files");
    format!("Restored {records} in {tables} from {files} into `{}`", report.file)
}

pub(crate) fn compacted(written: Option<&Written>, plan: &RestorePlan) -> String {
    match written {
        None => "Nothing to do: the newest backup is already a full one".to_owned(),
        Some(written) => {
            let files = units::counted(plan.files.len() as u64, "file", "files");
            let records = units::counted(written.records, "record", "records");
            // Retention decides about what has a manifest.
            let rest = match plan.verified {
                true => "the old ones stay until `lastgood dict prune`",
                false => {
                    "those that DictDB wrote have no manifest and stay until you delete them: `lastgood dict prune` does not"
                }
            };
            format!("Compacted {files} into `{}` with {records}; {rest}", written.file)
        }
    }
}

pub(crate) fn differences(diff: &Diff) -> String {
    if diff.is_empty() {
        return "No differences".to_owned();
    }
    let mut lines: Vec<String> = diff.added.iter().map(|table| format!("+ table `{table}`")).collect();
    lines.extend(diff.removed.iter().map(|table| format!("- table `{table}`")));
    diff.changed.iter().for_each(|table| in_table(table, &mut lines));
    lines.join("\n")
}

fn in_table(table: &TableDiff, lines: &mut Vec<String>) {
    lines.push(format!("  table `{}`", table.table));
    if table.definition {
        lines.push("    ~ primary key or schema".to_owned());
    }
    if table.counter {
        lines.push("    ~ next automatic key".to_owned());
    }
    for (sign, keys) in [('+', &table.added), ('-', &table.removed), ('~', &table.changed)] {
        lines.extend(some(sign, keys));
    }
}

fn some(sign: char, keys: &Keys) -> Option<String> {
    let more = keys.count.saturating_sub(keys.first.len() as u64);
    let more = if more > 0 { format!(" and {} more", units::count(more)) } else { String::new() };
    let records = units::counted(keys.count, "record", "records");
    (keys.count > 0).then(|| format!("    {sign} {records}: {}{more}", keys.first.join(", ")))
}
