//! Texts about snapshots that are read and written block by block.

use ec2_snapshots::blocks::{
    BLOCK_BYTES, ExportPlan, ExportReport, ImageReport, ImportPlan, ImportReport, VerifyReport,
};
use ec2_snapshots::model::Region;
use serde::Serialize;

use crate::render::units::{bytes, counted};

/// What an export did, and where.
#[derive(Debug, Serialize)]
pub(crate) struct Exported {
    pub(crate) location: String,
    pub(crate) report: ExportReport,
    pub(crate) image: Option<ImageReport>,
}

fn blocks(count: u64) -> String {
    format!("{} ({})", counted(count, "block", "blocks"), bytes(count * BLOCK_BYTES as u64))
}

/// The result of a comparison.
pub(crate) fn compared(report: &VerifyReport) -> String {
    let found = report.to_string();
    if !report.is_equal() {
        return found;
    }
    let sure = if report.compared == report.blocks {
        "Every block was compared".to_owned()
    } else {
        format!(
            "If 0.1 % of the blocks differed, this would have been found with a probability of {} (seed {})",
            percent(report.confidence),
            report.seed
        )
    };
    format!("{found}\n{sure}")
}

/// A probability, never rounded up to certainty.
fn percent(probability: f64) -> String {
    let percent = (probability * 1000.0).floor() / 10.0;
    format!("{percent:.1} %")
}

/// What an export would do.
pub(crate) fn export_plan(plan: &ExportPlan) -> String {
    if let Some(existing) = &plan.existing {
        return format!("`{}` is exported already, with {}", plan.key, blocks(existing.detail().blocks));
    }
    let onto = match &plan.parent {
        Some(parent) => format!(", which changed since `{}`", parent.key.snapshot),
        None => String::new(),
    };
    format!(
        "Would read {}{onto} of `{}`, a volume of {} GiB\nNothing was changed (dry run)",
        blocks(plan.read),
        plan.key,
        plan.volume_gib
    )
}

/// What an export did.
pub(crate) fn exported(done: &Exported) -> String {
    let report = &done.report;
    let mut lines = vec![match report.existed {
        true => format!("`{}` was exported to `{}` already", report.export, done.location),
        false => format!(
            "Exported `{}` to `{}`: {}; {} read, {} stored",
            report.export,
            done.location,
            counted(report.blocks, "block", "blocks"),
            blocks(report.read),
            bytes(report.stored_bytes)
        ),
    }];
    if report.resumed > 0 {
        lines.push(format!("An interrupted export had stored {} before", blocks(report.resumed)));
    }
    if let Some(image) = &done.image {
        lines.push(format!("Wrote `{}`, {} with holes", image.image.display(), bytes(image.bytes)));
    }
    lines.join("\n")
}

/// What an import would do.
pub(crate) fn import_plan(plan: &ImportPlan) -> String {
    let onto = match &plan.parent {
        Some((parent, _)) => format!(", which differ from `{parent}`"),
        None => String::new(),
    };
    let zeroed = match plan.zeroed {
        0 => String::new(),
        count => format!(", {count} of them with zeros because only the parent has them"),
    };
    format!(
        "Would write {}{onto}{zeroed} of `{}` to a new snapshot\nNothing was changed (dry run)",
        blocks(plan.write),
        plan.stored.key
    )
}

/// What an import did.
pub(crate) fn imported(report: &ImportReport, region: &Region) -> String {
    format!(
        "Created `{}` in {region} with {} written; EC2 shows it as complete in a few minutes",
        report.snapshot,
        blocks(report.written)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probability_is_never_certainty() {
        assert_eq!(percent(0.999_99), "99.9 %");
        assert_eq!(percent(0.095), "9.5 %");
        assert_eq!(percent(1.0), "100.0 %");
    }
}
