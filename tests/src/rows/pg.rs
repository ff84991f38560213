//! Dump, restore and swap under bad input and bad luck.

use crate::harness::Row;

/// The rows.
#[must_use]
pub fn rows() -> Vec<Row> {
    Vec::new()
}
