//! The plan and report of a restore, and of a recovery.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use pg_clone::Problem;
use pg_clone::live::local::Effect;
use pg_clone::live::recover::RecoverReport;
use pg_clone::live::state::Action;
use pg_clone::restore::selection::{Chosen, Consequence, Fate};
use pg_clone::restore::{DataPlan, RestorePlan, RestoreReport};

use super::local::copy_changes;
use super::{facts, hook_facts, hooks_ran, seconds};
use crate::render::escape::line;
use crate::render::remedy::words;
use crate::render::units::{age, bytes, counted, duration};

pub(crate) fn restore_plan(plan: &RestorePlan, now: Timestamp) -> String {
    if let Some(data) = &plan.data_only {
        return data_plan(plan, data, now);
    }
    let into = match &plan.replaces {
        Some(replaced) => format!(
            "{} on {}, replacing {}; {} will be disconnected",
            plan.target,
            plan.server,
            bytes(replaced.bytes),
            counted(replaced.sessions, "session", "sessions")
        ),
        None => format!("{} on {} (new)", plan.target, plan.server),
    };
    let holds = match plan.tables {
        0 => String::new(),
        tables => format!(
            "{}, {}, {}",
            counted(tables, "table", "tables"),
            counted(plan.rows, "row", "rows"),
            bytes(plan.content_bytes)
        ),
    };
    let from = plan.cluster.as_ref().map(|cluster| cluster.host.clone()).unwrap_or_default();
    let mut lines = vec![("from", from), ("into", into), ("holds", holds)];
    lines.extend(hook_facts(&plan.hooks));
    let mut text = format!(
        "Will restore `{}` ({}, taken {})\n{}",
        line(&plan.key),
        bytes(plan.stored_bytes),
        age(plan.created_at, now),
        facts(&lines),
    );
    for change in copy_changes(&plan.copies, now) {
        text.push_str(&format!("\n  {}", line(&change)));
    }
    let carried = |in_live: bool| {
        let tables = plan.carry_over.iter().filter(move |carried| carried.in_live == in_live);
        tables.map(|carried| carried.table.clone()).collect::<Vec<_>>()
    };
    text.push_str(&listed("carried over from the live database", &carried(true)));
    text.push_str(&listed("not in the live database, and restored from the dump", &carried(false)));
    for note in restore_notes(plan) {
        text.push_str(&format!("\n  {}", line(&note)));
    }
    if let Some(part) = &plan.part {
        text.push_str(&part_lines(plan, part));
    }
    text.push_str(&problem_lines(plan));
    text
}

/// What somebody should know of the dump before it replaces anything, a line each.
pub(crate) fn restore_notes(plan: &RestorePlan) -> Vec<String> {
    let mut notes = Vec::new();
    if let (Some(cluster), Some(false)) = (&plan.cluster, plan.same_cluster) {
        notes.push(format!("this dump is from another cluster, {cluster}"));
    }
    if !plan.complete {
        notes.push(format!("THE DUMP IS PARTIAL: {}", plan.missing.join("; ")));
    } else if plan.replaces.is_none() && !plan.missing.is_empty() {
        // A live database keeps its own.
        notes.push(format!("the dump comes {}: set them afterwards", plan.missing.join("; ")));
    }
    if let Some(newest) = plan.passed_over.first() {
        let count = plan.passed_over.len() as u64;
        notes.push(format!(
            "skipped {} or damaged: `{newest}`{}",
            counted(count, "newer dump that is partial", "newer dumps that are partial"),
            if count > 1 { " and older ones" } else { "" },
        ));
    }
    notes.extend(plan.unreadable.iter().map(|why| format!("skipped a newer dump: {why}")));
    notes.extend(plan.breaks.iter().cloned());
    notes
}

fn problem_lines(plan: &RestorePlan) -> String {
    let line = |problem: &Problem| format!("\n  problem: {}\n           {}", problem.what, words(&problem.help));
    plan.problems.iter().map(line).collect()
}

/// Rows alone: which tables get them, what goes for it, and what stays as it is.
fn data_plan(plan: &RestorePlan, data: &DataPlan, now: Timestamp) -> String {
    let counts = format!(
        "{} for {}, {}",
        counted(plan.rows, "row", "rows"),
        counted(plan.tables, "table", "tables"),
        bytes(plan.content_bytes)
    );
    let mut text = format!(
        "Will load rows from `{}` ({}, taken {}) into the live database\n{}\n  in one transaction: on any error \
         nothing is \
         changed; until it ends, nobody else can use these tables",
        line(&plan.key),
        bytes(plan.stored_bytes),
        age(plan.created_at, now),
        facts(&[("into", format!("{} on {}", plan.target, plan.server)), ("rows", counts)]),
    );
    let tables: Vec<String> =
        data.tables.iter().map(|table| format!("{} ({})", table.table, counted(table.rows, "row", "rows"))).collect();
    let holding = data.tables.iter().filter(|table| table.truncated).map(|table| table.table.clone());
    let holding: Vec<String> = holding.collect();
    let others = plan.part.as_ref().map(|part| part.emptied.as_slice()).unwrap_or_default();
    text.push_str(&listed("tables", &tables));
    if data.replace_rows {
        text.push_str(&listed("EXISTING ROWS ARE DELETED FIRST from", &holding));
    }
    text.push_str(&listed("in the dump but not selected", others));
    text.push_str(&listed("columns filled with their defaults", &data.defaults));
    text.push_str(&listed("sequences set to the dump's values", &data.sequences));
    if data.large_objects > 0 {
        text.push_str(&format!("\n  {}", counted(data.large_objects, "large object", "large objects")));
    }
    text.push_str(&listed("foreign keys checked before the commit", &data.foreign_keys));
    text.push_str(&listed("of them NOT VALID, so that rows of the dump may break them", &data.not_valid_keys));
    text.push_str(&listed("foreign keys NOT CHECKED", &data.unchecked_keys));
    text.push_str(&listed("checks that are NOT VALID, which rows of the dump may break", &data.not_valid_checks));
    text.push_str(&listed("triggers that do not fire for these rows", &data.triggers));
    text.push_str(&listed("materialized views that are NOT refreshed", &data.not_refreshed));
    for note in restore_notes(plan) {
        text.push_str(&format!("\n  {}", line(&note)));
    }
    text + &problem_lines(plan)
}

/// What is not restored, and what that means for the rest.
fn part_lines(plan: &RestorePlan, part: &Chosen) -> String {
    let mut text = String::from("\n  partial restore: only the objects it needs are read and checked");
    if plan.replaces.is_some() {
        text.push_str(&format!(
            "\n  THE WHOLE LIVE DATABASE `{}` IS REPLACED BY THIS PART: everything that is not selected will be gone",
            line(&plan.target)
        ));
    }
    if part.schema_only {
        text.push_str("\n  no rows, sequence values or large objects");
    } else if !part.large_objects {
        text.push_str("\n  no large objects");
    }
    text.push_str(&listed("created without rows", &part.emptied));
    text.push_str(&listed("not created", &part.dropped));
    let told: Vec<String> = part
        .consequences
        .iter()
        .map(|consequence| {
            let Consequence { object, because_of, fate, .. } = consequence;
            match fate {
                Fate::Kept => format!("{object} is kept, but {because_of} will have no rows"),
                Fate::Recomputed => format!("{object} is recomputed, but {because_of} will have no rows"),
                Fate::LeftOut => format!("{object} is left out: it needs {because_of}"),
                Fate::KeptEmpty => format!("{object} is created without rows: {because_of} needs it"),
            }
        })
        .collect();
    for consequence in &told {
        text.push_str(&format!("\n  {}", line(consequence)));
    }
    text
}

/// Names in one line, the first ones if there are many; `--json` has all.
fn listed(what: &str, names: &[String]) -> String {
    /// As many as somebody reads.
    const SHOWN: usize = 20;
    if names.is_empty() {
        return String::new();
    }
    let shown: Vec<Cow<'_, str>> = names.iter().take(SHOWN).map(|name| line(name)).collect();
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!("\n  {what}: {}{more}", shown.join(", "))
}

fn data_report(report: &RestoreReport, data: &DataPlan) -> String {
    let emptied = data.tables.iter().filter(|table| table.truncated).count() as u64;
    let mut text = format!(
        "Loaded {} from `{}` into {} of `{}` in {}",
        counted(report.rows, "row", "rows"),
        report.key,
        counted(report.tables, "table", "tables"),
        report.database,
        seconds(report.seconds)
    );
    if emptied > 0 {
        text.push_str(&format!("; existing rows of {} were deleted", counted(emptied, "table", "tables")));
    }
    text.push_str(&listed("not refreshed", &data.not_refreshed));
    text
}

pub(crate) fn restore_report(report: &RestoreReport) -> String {
    if let Some(data) = &report.data_only {
        return data_report(report, data);
    }
    let mut text = format!("Restored `{}` into `{}`", report.key, report.database);
    if report.tables > 0 {
        let tables = counted(report.tables, "table", "tables");
        text.push_str(&format!("  {tables}, {}", counted(report.rows, "row", "rows")));
    }
    let errors = counted(report.missing.len() as u64, "error", "errors");
    text.push_str(&format!(", {errors}, {}", seconds(report.seconds)));
    if report.replaced {
        text.push_str(&format!("; swapped in {}", duration(Duration::from_millis(report.outage_ms))));
        if report.disconnected > 0 {
            text.push_str(&format!(", {} disconnected", counted(report.disconnected, "session", "sessions")));
        }
    }
    text.push_str(&hooks_ran(&report.hooks));
    let missing: Vec<String> = report.missing.iter().map(|one| format!("{}: {}", one.object, one.said)).collect();
    text.push_str(&listed("missing, since the server refuses it", &missing));
    let carried = report.carried_over.iter();
    let carried: Vec<String> =
        carried.map(|carried| format!("{} ({})", carried.table, counted(carried.rows, "row", "rows"))).collect();
    text.push_str(&listed("carried over from the database before", &carried));
    for change in &report.copies {
        let (name, reference) = (&change.database, change.role.reference());
        text.push_str(&match change.effect {
            Effect::Appears | Effect::Replaced => format!("\n`{reference}` is `{name}`"),
            Effect::Vanishes => format!("\n`{reference}` (`{name}`) was dropped"),
        });
    }
    text
}

pub(crate) fn recover_report(report: &RecoverReport, dry_run: bool) -> String {
    let actions = counted(report.actions.len() as u64, "recovery step", "recovery steps");
    match (report.actions.len(), dry_run) {
        (0, _) => "Nothing to recover".to_owned(),
        (_, true) => {
            let plans: Vec<String> =
                report.actions.iter().map(|action| format!("  {}", recover_step(action))).collect();
            format!("Would take {actions}:\n{}\nNothing was changed (dry run)", plans.join("\n"))
        }
        (_, false) => format!("Took {actions}"),
    }
}

/// What recovery would do, as something that is still to come.
pub(crate) fn recover_step(action: &Action) -> String {
    match action {
        Action::AllowConnections { database } => {
            format!("allow connections to `{database}` again: a restore was killed before the swap")
        }
        Action::RenameBack { database, target, .. } => {
            format!("rename `{database}` back to `{target}`, which is missing")
        }
        Action::DropCopy { database, target } => {
            format!("drop `{database}`, the temporary database of a killed restore of `{target}`")
        }
        Action::DropSuperseded { database, target } => {
            format!("drop `{database}`, which a killed restore of `{target}` had replaced")
        }
        Action::DropDiscarded { database, target } => {
            format!("drop `{database}`, an outdated copy of `{target}` that a killed restore was to drop")
        }
        Action::StayPrevious { database, target, .. } => {
            format!("keep `{database}` as the `:previous` of `{target}`: a restore of it was killed before the swap")
        }
        Action::DropUnmarked { database } => format!("drop `{database}`, the unmarked database of a killed run"),
        Action::MentionInvalid { database, target } => {
            format!("leave `{database}` of `{target}`, which is invalid: `lastgood pg drop-local {database}` drops it")
        }
        Action::Mention { database, target } => format!("leave `{database}`, kept from a failed restore of `{target}`"),
    }
}
