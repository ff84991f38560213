//! A dump with something left out is never the last good one: rows W1.

use crate::harness::Row;

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    Vec::new()
}
