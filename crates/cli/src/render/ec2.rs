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
    let (region, error) = (failed.region.as_str(), failed.error.to_string());
    match &failed.what {
        // Most errors name the region, and many what they are about.
        Some(what) if error.contains(what.as_str()) && error.contains(region) => error,
        Some(what) if error.contains(region) => format!("{what}: {error}"),
        Some(what) => format!("{what} in {region}: {error}"),
        None if error.contains(region) => error,
        None => format!("{region}: {error}"),
    }
}

/// Lines below each other.
fn lines(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().collect::<Vec<_>>().join("\n")
}
