//! Databases on the server: listing, and plans and reports of local restores, copies and drops.

use std::time::Duration;

use jiff::Timestamp;
use pg_clone::live::local::{
    CopyChange, DropPlan, DropReport, Effect, LocalDatabase, LocalPlan, LocalReport, Purpose, Role, Way,
};

use super::{facts, hook_facts, seconds};
use crate::render::escape::line;
use crate::render::remedy::words;
use crate::render::table::{Align, Column, table};
use crate::render::units::{age, bytes, counted, duration};

const COLUMNS: [Column; 5] = [
    Column("DATABASE", Align::Left),
    Column("ROLE", Align::Left),
    Column("SIZE", Align::Right),
    Column("AGE", Align::Left),
    Column("FROM", Align::Left),
];

pub(crate) fn local_listing(databases: &[LocalDatabase], now: Timestamp) -> String {
    if databases.is_empty() {
        return String::new();
    }
    let row = |database: &LocalDatabase| {
        let unknown = || "–".to_owned();
        vec![
            database.name.clone(),
            role(database.role).to_owned(),
            database.bytes.map_or_else(unknown, bytes),
            database.since.map_or_else(unknown, |since| age(since, now)),
            from(database),
        ]
    };
    table(&COLUMNS, databases.iter().map(row))
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Live => "live",
        Role::Previous => "previous",
        Role::Current => "current",
        Role::Copy => "copy",
        Role::Kept => "kept",
        Role::Temporary => "temporary",
    }
}

fn from(database: &LocalDatabase) -> String {
    let from = match (&database.dump, &database.of) {
        (Some(dump), Some(of)) if database.role == Role::Current => format!("{dump}, restored into {of}"),
        (Some(dump), _) => dump.clone(),
        (None, Some(of)) => of.clone(),
        (None, None) => String::new(),
    };
    if database.invalid {
        // Of every other property it matters no more.
        return format!("{from} (invalid: a DROP DATABASE was interrupted)").trim_start().to_owned();
    }
    if database.outdated { format!("{from} (replaced since)") } else { from }
}

/// What a restore does to the copies of its target, a line each.
pub(crate) fn copy_changes(changes: &[CopyChange], now: Timestamp) -> Vec<String> {
    let line = |change: &CopyChange| {
        let (name, reference) = (&change.database, change.role.reference());
        let of = change.since.map_or(String::new(), |since| format!(" of {}", age(since, now)));
        match change.effect {
            Effect::Appears => format!("`{reference}` (`{name}`) will be created"),
            Effect::Replaced => format!("`{reference}` (`{name}`){of} will be replaced"),
            Effect::Vanishes => format!("`{reference}` (`{name}`){of} will be dropped; --reversible keeps one"),
        }
    };
    changes.iter().map(line).collect()
}

pub(crate) fn local_plan(plan: &LocalPlan, now: Timestamp) -> String {
    let verb = match plan.purpose {
        Purpose::Restore => "restore",
        Purpose::Copy => "copy",
    };
    let into = match &plan.replaces {
        Some(live) => format!(
            "{} on {}, replacing {}; {} will be disconnected",
            plan.target,
            plan.server,
            bytes(live.bytes),
            counted(live.sessions, "session", "sessions")
        ),
        None => format!("{} on {} (new)", plan.target, plan.server),
    };
    let how = match plan.way {
        Way::Exchange if plan.keeps_replaced => "the two databases swap their names, at once".to_owned(),
        Way::Exchange => "it is renamed, at once".to_owned(),
        Way::Duplicate => format!(
            "the server copies it; until then nobody can connect to it, and {} will be disconnected",
            counted(plan.source.sessions, "session", "sessions")
        ),
    };
    let replaced = match (plan.replaces.is_some(), plan.keeps_replaced) {
        (false, _) => String::new(),
        (true, true) => format!("kept as `:previous` (`{}`)", plan.source.name),
        (true, false) => "dropped".to_owned(),
    };
    let mut lines = vec![("into", into), ("how", how), ("replaced", replaced)];
    lines.extend(hook_facts(&plan.hooks));
    let mut text = format!(
        "Will {verb} `{}` ({}{}{})\n{}",
        line(&plan.source.name),
        role(plan.source.role),
        plan.source.bytes.map_or(String::new(), |size| format!(", {}", bytes(size))),
        plan.source.since.map_or(String::new(), |since| format!(", {}", age(since, now))),
        facts(&lines),
    );
    for note in &plan.breaks {
        text.push_str(&format!("\n  {}", line(note)));
    }
    for problem in &plan.problems {
        text.push_str(&format!("\n  problem: {}\n           {}", problem.what, words(&problem.help)));
    }
    text
}

pub(crate) fn local_report(report: &LocalReport) -> String {
    let verb = match report.purpose {
        Purpose::Restore => "Restored",
        Purpose::Copy => "Copied",
    };
    let mut text = format!("{verb} `{}` into `{}` in {}", report.source, report.database, seconds(report.seconds));
    if report.replaced {
        text.push_str(&format!("; swapped in {}", duration(Duration::from_millis(report.outage_ms))));
        if report.disconnected > 0 {
            text.push_str(&format!(", {} disconnected", counted(report.disconnected, "session", "sessions")));
        }
    }
    if report.source_disconnected > 0 {
        let sessions = counted(report.source_disconnected, "session", "sessions");
        text.push_str(&format!("; {sessions} disconnected from `{}`", report.source));
    }
    if let Some(previous) = &report.previous {
        text.push_str(&format!("\nThe replaced database is now `:previous` (`{previous}`)"));
    }
    text
}

pub(crate) fn drop_plan(plan: &DropPlan, now: Timestamp) -> String {
    let database = &plan.database;
    let holds = facts(&[
        ("role", role(database.role).to_owned()),
        ("from", from(database)),
        ("age", database.since.map_or(String::new(), |since| age(since, now))),
        ("size", database.bytes.map_or(String::new(), bytes)),
        ("sessions", database.sessions.to_string()),
    ]);
    format!("Will drop `{}` on {}\n{holds}", line(&database.name), line(&plan.server))
}

pub(crate) fn drop_report(report: &DropReport) -> String {
    format!("Dropped `{}`", report.database)
}

#[cfg(test)]
mod tests {
    use pg_clone::live::local::CopyRole;

    use super::*;

    #[test]
    fn a_plan_names_every_copy_that_vanishes() {
        let change = CopyChange::new(CopyRole::Previous, "shop__previous", Effect::Vanishes);
        let lines = copy_changes(&[change], Timestamp::UNIX_EPOCH);
        assert_eq!(lines, ["`:previous` (`shop__previous`) will be dropped; --reversible keeps one"]);
    }
}
