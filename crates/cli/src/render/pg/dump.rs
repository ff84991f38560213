//! The plan and report of a dump.

use pg_clone::dump::{DumpPlan, DumpReport};

use super::{facts, hook_facts, hooks_ran, seconds};
use crate::render::published::Published;
use crate::render::units::{bytes, counted};

pub(crate) fn dump_plan(plan: &DumpPlan) -> String {
    let mut copied = format!("{}, {}", counted(plan.tables, "table", "tables"), bytes(plan.table_bytes));
    if plan.large_objects > 0 {
        copied.push_str(&format!(", {}", counted(plan.large_objects, "large object", "large objects")));
    }
    let mut lines = vec![
        ("from", format!("{} on {}, PostgreSQL {}", plan.database, plan.server, plan.server_version)),
        ("cluster", plan.cluster.to_string()),
        ("copied", copied),
        ("with", format!("{}, {}", counted(plan.jobs as u64, "job", "jobs"), plan.pg_dump)),
        ("one session", plan.one_session.clone().unwrap_or_default()),
        ("without rows", plan.emptied.join(", ")),
        ("doubtful keys", plan.doubtful_foreign_keys.join(", ")),
        ("left out", plan.excluded.join(", ")),
    ];
    if !plan.complete {
        lines.push(("state", "partial: never counts as the last good dump".to_owned()));
    }
    lines.extend(hook_facts(&plan.hooks));
    format!("Would dump `{}`\n{}\nNothing was written (dry run)", plan.key, facts(&lines))
}

pub(crate) fn dump_report(published: &Published<DumpReport>) -> String {
    let Published { location, report } = published;
    let mut text = format!(
        "Published `{}`  {} → {} in {}, {}, {}",
        report.key,
        bytes(report.content_bytes),
        bytes(report.stored_bytes),
        seconds(report.seconds),
        counted(report.tables, "table", "tables"),
        counted(report.rows, "row", "rows"),
    );
    if report.large_objects > 0 {
        text.push_str(&format!(", {}", counted(report.large_objects, "large object", "large objects")));
    }
    if report.shared_bytes > 0 {
        let (added, shared) = (bytes(report.added_bytes), bytes(report.shared_bytes));
        text.push_str(&format!("\n  {added} added; {shared} are shared with {}", report.builds_on.join(" and ")));
    }
    text.push_str(&how_read(report));
    text.push_str(&hooks_ran(&report.hooks));
    text.push_str(&format!("\n  from {} to `{location}`", report.cluster.host));
    if let Some(reason) = &report.one_session {
        text.push_str(&format!("\n  one session copied all rows: {reason}"));
    }
    if !report.complete {
        text.push_str(&format!("\nPartial, so it never counts as the last good dump: {}", report.missing.join("; ")));
    } else if !report.missing.is_empty() {
        text.push_str(&format!("\nDumped {}", report.missing.join("; ")));
    }
    text
}

/// What was not read, or why all was where that could be otherwise.
fn how_read(report: &DumpReport) -> String {
    match (&report.since, &report.read_all) {
        (Some(since), _) => format!(
            "\n  {} kept unread since {since}: {} whole, {} in part",
            bytes(report.kept_bytes),
            counted(report.tables_kept, "table", "tables"),
            report.tables_partly_read,
        ),
        // Whoever dumps for the first time, or only stores what is new, learns nothing from it.
        (None, Some(why)) if report.shared_bytes > 0 => format!("\n  all rows were read: {why}"),
        (None, _) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use backup_core::source::Identity;

    use super::*;

    #[test]
    fn a_report_names_dump_server_and_location() {
        let cluster = Identity { id: "postgresql:7305118472310922021".into(), host: "db1:5432".into() };
        let id = "01936f2e-0000-7000-8000-000000000000".parse().unwrap();
        let mut report = DumpReport::new("shop/2026-11-21-03-00-04-123456.nightly.dump", id, cluster);
        (report.tables, report.rows, report.large_objects) = (214, 1_234_567, 1);
        (report.content_bytes, report.stored_bytes, report.seconds) = (412 << 20, 96 << 20, 11.0);
        let text = "Published `shop/2026-11-21-03-00-04-123456.nightly.dump`  412 MiB → 96 MiB in 11 s, 214 tables, \
             1,234,567 rows, 1 large object\n  from db1:5432 to `s3://backups/shop`";
        let mut published = Published { location: "s3://backups/shop".to_owned(), report };
        assert_eq!(dump_report(&published), text);
        (published.report.added_bytes, published.report.shared_bytes) = (1 << 20, 95 << 20);
        published.report.builds_on = vec!["shop/2026-11-20-03-00-04-123456.nightly.dump".into()];
        let shared = dump_report(&published);
        let said =
            "large object\n  1.0 MiB added; 95 MiB are shared with shop/2026-11-20-03-00-04-123456.nightly.dump\n";
        assert!(shared.contains(said), "{shared}");
        published.report.read_all = Some("the server is old".into());
        assert!(dump_report(&published).contains("dump\n  all rows were read: the server is old\n"));
        published.report.since = Some("shop/1".into());
        (published.report.kept_bytes, published.report.tables_kept, published.report.tables_partly_read) =
            (1 << 20, 210, 3);
        let kept = dump_report(&published);
        assert!(kept.contains("dump\n  1.0 MiB kept unread since shop/1: 210 tables whole, 3 in part\n"), "{kept}");
        (published.report.since, published.report.read_all) = (None, None);
        published.report.shared_bytes = 0;
        published.report.one_session = Some("this standby is old".into());
        assert_eq!(dump_report(&published), format!("{text}\n  one session copied all rows: this standby is old"));
    }
}
