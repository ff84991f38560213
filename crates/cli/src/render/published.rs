//! What a backup published, and where: the report of a library, which knows no locations, with the location's name.

use serde::Serialize;

/// A report with the location the backup is in.
#[derive(Debug, Serialize)]
pub(crate) struct Published<R> {
    /// The location, as `-r` takes it.
    pub(crate) location: String,
    /// What the library reports.
    #[serde(flatten)]
    pub(crate) report: R,
}
