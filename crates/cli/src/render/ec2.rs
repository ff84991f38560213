//! Texts about EBS snapshots.

pub(crate) mod blocks;
pub(crate) mod chart;
pub(crate) mod hosts;
pub(crate) mod image;
pub(crate) mod list;
pub(crate) mod prometheus;
pub(crate) mod replicate;
pub(crate) mod report;
pub(crate) mod snapshot;
pub(crate) mod trim;

use ec2_snapshots::Failed;

/// What could not be done, in a line.
pub(crate) fn failure(failed: &Failed) -> String {
    match &failed.what {
        Some(what) => format!("{what} in {}: {}", failed.region, failed.error),
        None => format!("{}: {}", failed.region, failed.error),
    }
}

/// Lines below each other.
fn lines(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().collect::<Vec<_>>().join("\n")
}
