//! Whether a dump's rows fit into a live database, and what loading them would do. Pure decisions.

use std::collections::BTreeSet;

use backup_core::failure::{Call, Operation, Setting};
use backup_core::remedy;
use serde::Serialize;

use crate::adapters::sql::target::{Partitioned, Target, TargetCheck, TargetKey, TargetTable};
use crate::error::{Obstacle, Problem};
use crate::options::RestoreOptions;
use crate::pattern;
use crate::stored::detail::{DumpDetail, TableDump};

/// Differences of the schemas listed in an error: more is another schema.
const MISFITS_SHOWN: usize = 100;

/// What putting a dump's rows into a live database would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DataPlan {
    /// Whether rows that are there are removed.
    pub replace_rows: bool,
    /// Tables that get the dump's rows.
    pub tables: Vec<DataTable>,
    /// Columns that the live database has and the dump has not, as `schema.table.column`: they get their defaults.
    pub defaults: Vec<String>,
    /// Sequences that get the dump's values.
    pub sequences: Vec<String>,
    /// Large objects that are created.
    pub large_objects: u64,
    /// Foreign keys that are checked when all rows are there.
    pub foreign_keys: Vec<String>,
    /// Those of them that are `NOT VALID`: rows that were there before them may break them, and the dump's may be such rows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_valid_keys: Vec<String>,
    /// Checks that are `NOT VALID`, likewise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_valid_checks: Vec<String>,
    /// The same, with what drops and makes them.
    #[serde(skip)]
    pub(crate) checks: Vec<TargetCheck>,
    /// Foreign keys that are not checked, because somebody said so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unchecked_keys: Vec<String>,
    /// Triggers that do not fire for these rows.
    pub triggers: Vec<String>,
    /// Materialized views that read these tables: they stay as they are.
    pub not_refreshed: Vec<String>,
}

/// A table that gets a dump's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DataTable {
    /// `schema.table`.
    pub table: String,
    /// Rows it gets.
    pub rows: u64,
    /// Whether it holds rows now, which are removed first.
    pub truncated: bool,
}

/// What would be done, and what stands against it; `unselected` are the tables that the dump has beside those of `detail`.
pub(super) fn decide(
    detail: &DumpDetail,
    target: &Target,
    options: &RestoreOptions,
    unselected: &[String],
) -> (DataPlan, Vec<Problem>) {
    let tables: Vec<(&TableDump, &TargetTable)> = detail
        .tables
        .iter()
        .zip(&target.tables)
        .filter_map(|(dumped, there)| Some((dumped, there.as_ref()?)))
        .collect();
    let silent = emptied(target);
    let plan = DataPlan {
        replace_rows: options.replace_rows,
        tables: tables
            .iter()
            .map(|(dumped, there)| DataTable {
                table: label(dumped),
                rows: dumped.data.rows,
                truncated: there.holds_rows,
            })
            .collect(),
        defaults: tables.iter().flat_map(|(dumped, there)| beyond(dumped, there)).collect(),
        sequences: detail.sequences.iter().map(|state| format!("{}.{}", state.schema, state.name)).collect(),
        large_objects: detail.large_objects.as_ref().map_or(0, |objects| objects.count),
        foreign_keys: if options.disable_triggers { Vec::new() } else { keys(target) },
        not_valid_keys: own_keys(target).filter(|key| !key.is_validated).map(key_label).collect(),
        not_valid_checks: checks(target),
        checks: target.checks.clone(),
        unchecked_keys: if options.disable_triggers { keys(target) } else { Vec::new() },
        triggers: target
            .triggers
            .iter()
            .filter(|trigger| silent.contains(&trigger.table_oid))
            .map(|trigger| format!("{}.{}.{}", trigger.schema, trigger.table, trigger.name))
            .collect(),
        not_refreshed: target.matviews.clone(),
    };
    let mut problems: Vec<Problem> = misfits(detail, target).into_iter().collect();
    problems.extend(torn_apart(target, options, unselected));
    problems.extend([rows_in_the_way(&plan), keys_in_the_way(target, &plan)].into_iter().flatten());
    (plan, problems)
}

/// Partitions whose rows may come to lie in each other, and of which only some are selected: the others would get rows that
/// nobody sent there, and lose none of theirs.
fn torn_apart<'a>(
    target: &'a Target,
    options: &'a RestoreOptions,
    unselected: &'a [String],
) -> impl Iterator<Item = Problem> + 'a {
    let selected: BTreeSet<u32> = target.tables.iter().flatten().map(|table| table.oid).collect();
    let through: BTreeSet<usize> = target.through().into_values().collect();
    through.into_iter().filter_map(move |at| {
        let root = &target.partitioned[at];
        let missing = root.leaves.iter().zip(&root.leaf_names).filter(|(leaf, _)| !selected.contains(leaf));
        let missing: Vec<&String> = missing.map(|(_, name)| name).collect();
        (!missing.is_empty()).then(|| together(root, &missing, options, unselected))
    })
}

fn together(root: &Partitioned, missing: &[&String], options: &RestoreOptions, unselected: &[String]) -> Problem {
    let listed = |names: &[&String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let lacking: Vec<&String> = missing.iter().copied().filter(|name| !unselected.contains(name)).collect();
    let (which, help) = match lacking.is_empty() {
        true => ("not selected", remedy!["select all of them: ", command(root, options)]),
        false => (
            "without rows in the dump",
            remedy![
                "restore the dump into another database, with ",
                Setting::Into.with("NAME"),
                " and without ",
                Setting::DataOnly,
                ", and copy from there"
            ],
        ),
    };
    Problem {
        obstacle: Obstacle::DoesNotFit,
        what: format!(
            "the partitions of `{}.{}` can only be restored together, because they are chosen by a hash that differs \
             between databases; {which}: {}",
            root.schema,
            root.name,
            listed(if lacking.is_empty() { missing } else { &lacking })
        ),
        help,
    }
}

/// The run that selects all partitions of `root`.
fn command(root: &Partitioned, options: &RestoreOptions) -> Call {
    let mut call = Operation::RestoreDump.on(options.wanted.to_string());
    if let Some(into) = &options.into {
        call = call.with(Setting::Into.with(into.clone()));
    }
    call = call.with(Setting::DataOnly);
    if options.replace_rows {
        call = call.with(Setting::ReplaceRows);
    }
    call.with(Setting::Table.with(pattern::exactly(&root.schema, &root.name)))
}

/// Tables that can only be emptied together with others: the selected ones, and the partitioned ones all of whose
/// partitions are selected.
pub(super) fn emptied(target: &Target) -> BTreeSet<u32> {
    let mut emptied: BTreeSet<u32> = target.tables.iter().flatten().map(|table| table.oid).collect();
    let whole = target.partitioned.iter().filter(|table| table.leaves.iter().all(|leaf| emptied.contains(leaf)));
    let whole: Vec<u32> = whole.map(|table| table.oid).collect();
    emptied.extend(whole);
    emptied
}

/// Foreign keys that rows of these tables must keep.
pub(super) fn own_keys(target: &Target) -> impl Iterator<Item = &TargetKey> {
    let tables = target.family();
    target.keys.iter().filter(move |key| key.is_enforced && tables.contains(&key.table_oid))
}

fn keys(target: &Target) -> Vec<String> {
    own_keys(target).map(key_label).collect()
}

/// Partitions have the checks of the tables above them.
fn checks(target: &Target) -> Vec<String> {
    let mut labels: Vec<String> = target.checks.iter().map(TargetCheck::label).collect();
    labels.dedup();
    labels
}

fn label(table: &TableDump) -> String {
    format!("{}.{}", table.schema, table.name)
}

fn key_label(key: &TargetKey) -> String {
    format!("{}.{}.{}", key.schema, key.table, key.name)
}

fn beyond(dumped: &TableDump, there: &TargetTable) -> Vec<String> {
    let computed = |column: &&String| !there.generated.contains(column) && !dumped.columns.contains(column);
    there.columns.iter().filter(computed).map(|column| format!("{}.{column}", label(dumped))).collect()
}

/// Where the schemas differ so that rows cannot be loaded: all of it at once, for whoever mends it.
fn misfits(detail: &DumpDetail, target: &Target) -> Option<Problem> {
    let mut said: Vec<String> = Vec::new();
    for (dumped, there) in detail.tables.iter().zip(&target.tables) {
        let name = label(dumped);
        match there {
            None => said.push(format!("there is no table `{name}`")),
            Some(there) if there.kind != "r" => said.push(format!("`{name}` is {}", kind(&there.kind))),
            Some(there) => said.extend(columns(dumped, there).into_iter().map(|what| format!("`{name}` {what}"))),
        }
    }
    let missing = detail.sequences.iter().zip(&target.sequences).filter(|(_, there)| !**there);
    said.extend(missing.map(|(state, _)| format!("there is no sequence `{}.{}`", state.schema, state.name)));
    if said.is_empty() {
        return None;
    }
    let more = said.len().saturating_sub(MISFITS_SHOWN);
    said.truncate(MISFITS_SHOWN);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    Some(Problem {
        obstacle: Obstacle::DoesNotFit,
        what: format!("its rows do not fit the existing schema: {}{more}", said.join("; ")),
        help: remedy![
            "bring the schema back to the state of the dump, choose other tables with ",
            Setting::Table,
            " and ",
            Setting::ExcludeTable,
            ", or restore the whole dump with ",
            Setting::Into.with("NAME")
        ],
    })
}

fn kind(relkind: &str) -> &'static str {
    match relkind {
        "p" => "a partitioned table there, whose partitions have other names",
        "v" => "a view there",
        "m" => "a materialized view there",
        "f" => "a foreign table there",
        "S" => "a sequence there",
        _ => "no table there",
    }
}

fn columns(dumped: &TableDump, there: &TargetTable) -> Vec<String> {
    let listed = |columns: Vec<&String>| {
        let names: Vec<String> = columns.iter().map(|column| format!("`{column}`")).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let missing = dumped.columns.iter().filter(|column| !there.columns.contains(column)).collect();
    let generated = dumped.columns.iter().filter(|column| there.generated.contains(column)).collect();
    // Nobody misses a value in no rows.
    let gets_rows = dumped.data.rows > 0;
    let required = there.required.iter().filter(|column| gets_rows && !dumped.columns.contains(column)).collect();
    let mut said = Vec::new();
    said.extend(listed(missing).map(|names| format!("has no column {names}")));
    said.extend(listed(generated).map(|names| format!("has the generated column {names}")));
    said.extend(listed(required).map(|names| format!("requires a value in {names}, which the dump lacks")));
    // A table whose columns are all computed has none in a dump.
    if gets_rows && dumped.columns.is_empty() && there.columns.iter().any(|column| !there.generated.contains(column)) {
        said.push("has columns, and in the dump it has none".to_owned());
    }
    said
}

fn rows_in_the_way(plan: &DataPlan) -> Option<Problem> {
    let full: Vec<String> =
        plan.tables.iter().filter(|table| table.truncated).map(|table| format!("`{}`", table.table)).collect();
    (!full.is_empty() && !plan.replace_rows).then(|| Problem {
        obstacle: Obstacle::RowsInTheWay,
        what: format!("there are already rows in {}", full.join(", ")),
        help: remedy!["delete them in the same transaction with ", Setting::ReplaceRows, ", or choose other tables"],
    })
}

/// Only a superuser leaves keys unchecked.
pub(super) fn no_superuser(role: &str) -> Problem {
    Problem::new(
        Obstacle::MissingPrivilege,
        format!("only a superuser can load rows without checking foreign keys, and `{role}` is none"),
        remedy!["connect as one, or omit ", Setting::DisableTriggers],
    )
}

/// What the role may not write.
pub(super) fn no_right(beyond: &[String]) -> Option<Problem> {
    let names: Vec<String> = beyond.iter().map(|name| format!("`{name}`")).collect();
    (!names.is_empty()).then(|| Problem {
        obstacle: Obstacle::MissingPrivilege,
        what: format!("the role is not allowed to lock, fill and alter {}", names.join(", ")),
        help: remedy![
            "connect as their owner, or choose other tables with ",
            Setting::Table,
            " and ",
            Setting::ExcludeTable
        ],
    })
}

/// `TRUNCATE` empties no table that another one may refer to, and never one that nobody named.
fn keys_in_the_way(target: &Target, plan: &DataPlan) -> Option<Problem> {
    if !plan.replace_rows || !plan.tables.iter().any(|table| table.truncated) {
        return None;
    }
    let emptied = emptied(target);
    let referenced = target.family();
    let blocking = |key: &&TargetKey| referenced.contains(&key.referenced_oid) && !emptied.contains(&key.table_oid);
    let said: Vec<String> = target
        .keys
        .iter()
        .filter(blocking)
        .map(|key| format!("`{}.{}` refers to `{}` by `{}`", key.schema, key.table, key.referenced, key.name))
        .collect();
    (!said.is_empty()).then(|| Problem {
        obstacle: Obstacle::Referenced,
        what: format!("its tables cannot be emptied: {}", said.join("; ")),
        help: "select the referring tables too, or empty the selected ones yourself".into(),
    })
}

#[cfg(test)]
pub(super) mod tests;
