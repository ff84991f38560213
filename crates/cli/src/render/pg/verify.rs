//! The result of verifying a dump.

use pg_clone::stored::verify::VerifyReport;

use crate::render::units::{bytes, count, counted};

pub(crate) fn verify_report(report: &VerifyReport) -> String {
    let mut text = if report.damage_count == 0 {
        format!("ok  `{}`  {} present with the right sizes", report.key, counted(report.objects, "object", "objects"))
    } else {
        format!("DAMAGED  `{}`  {}", report.key, counted(report.damage_count, "problem", "problems"))
    };
    if report.objects_read > 0 {
        text.push_str(&format!(
            ", {} of {} read ({}), {} in {}",
            count(report.objects_read),
            count(report.objects),
            bytes(report.bytes_read),
            counted(report.rows_checked, "row", "rows"),
            counted(report.tables_checked, "table", "tables"),
        ));
    } else if report.damage_count == 0 {
        text.push_str("; use `--read all` to compare digests");
    }
    if report.without_digests {
        text.push_str("; a single-file dump has no digests to compare");
    }
    for damage in &report.damage {
        let offset = damage.offset.map_or(String::new(), |offset| format!(" at byte {offset}"));
        let table = damage.table.as_ref().map_or(String::new(), |table| format!(", rows of {table}"));
        text.push_str(&format!("\n  `{}`{offset}: {}{table}", damage.object, damage.what));
        let others: Vec<&str> = damage.dumps.iter().map(String::as_str).filter(|dump| *dump != report.key).collect();
        if !others.is_empty() {
            text.push_str(&format!("\n    also needed by {}", others.join(", ")));
        }
    }
    let shown = report.damage.len() as u64;
    if report.damage_count > shown {
        text.push_str(&format!("\n  … and {} more", count(report.damage_count - shown)));
    }
    text
}
