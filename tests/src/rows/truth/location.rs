//! The location that is meant is the one that is used: rows W11.

use crate::harness::Row;

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    Vec::new()
}
