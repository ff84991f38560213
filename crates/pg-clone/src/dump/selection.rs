//! Which tables a dump holds.

use std::collections::BTreeSet;

use crate::adapters::sql::catalog::Relation;
use crate::stored::detail::Filters;

/// The tables of a dump.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    pub(crate) filters: Filters,
    /// Quoted names of excluded tables, for `pg_dump`.
    pub(crate) excluded: Vec<Relation>,
    /// Everything else that is locked: tables and partitioned tables.
    pub(crate) kept: Vec<Relation>,
    /// Oids of those among `kept` whose rows are dumped.
    pub(crate) with_rows: BTreeSet<u32>,
    /// Oids of those among `kept` whose rows are not.
    pub(crate) emptied: Vec<u32>,
    /// Patterns that matched nothing.
    pub(crate) unmatched: Vec<String>,
    /// Whether a table or the rows of one are left out on request. Rows of unlogged tables are not there on a standby,
    /// whatever is asked for.
    pub(crate) leaves_out: bool,
}

impl Selection {
    /// Whether the database has no table of its own.
    pub(crate) fn is_empty(&self) -> bool {
        self.kept.iter().chain(&self.excluded).all(|relation| relation.extension.is_some())
    }
}
