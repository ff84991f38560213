//! A table that would be carried over, as a plan shows it.

use serde::Serialize;

/// A table that would be carried over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CarriedTable {
    /// Its name, as `schema.table`.
    pub table: String,
    /// Whether the live database has it. If not, it stays as the dump has it.
    pub in_live: bool,
}
