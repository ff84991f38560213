//! A dump of a standby shows what its snapshot showed: rows W5.

use crate::harness::Row;

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    Vec::new()
}
