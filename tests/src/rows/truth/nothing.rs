//! Nothing is not good, and a sudden fall is told: rows W3.

use crate::harness::Row;

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    Vec::new()
}
