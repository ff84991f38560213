//! What SQLite finds beside a database, and names that merge: rows W6 and W7.

use crate::harness::Row;

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    Vec::new()
}
