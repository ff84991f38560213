//! Rows routed by the hash of an enum are put back whole: rows W4.

use crate::harness::Row;

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    Vec::new()
}
