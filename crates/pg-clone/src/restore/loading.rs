//! What the workers that load rows share.

use std::collections::BTreeMap;
use std::sync::Arc;

use backup_core::manifest::Part;
use backup_core::store::StoreRead;

use crate::adapters::connection::Server;
use crate::adapters::sql::copy_in::CopyIn;
use crate::error::{PgError, PgResult};
use crate::ident::QualifiedName;
use crate::restore::row_hashes::RowHashes;
use crate::restore::units::LoadUnit;
use crate::run::Run;
use crate::stored::detail::{RowText, TableDump};

/// Rows that the server took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TakenRows {
    /// The table's place among those that are loaded.
    pub(crate) table: usize,
    pub(crate) rows: u64,
}

/// What the loading workers share.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) server: Server,
    pub(crate) database: String,
    pub(crate) store: Arc<dyn StoreRead>,
    pub(crate) dump: String,
    pub(crate) parts: Vec<Part>,
    pub(crate) tables: Vec<TableDump>,
    /// Tables whose rows are given to another one, by position: see [`reroute`](crate::restore::reroute).
    pub(crate) detours: BTreeMap<usize, QualifiedName>,
    /// What was loaded so far.
    pub(crate) hashes: RowHashes,
    /// The form of the rows.
    pub(crate) text: RowText,
    pub(crate) run: Run,
}

impl Load {
    /// The part a frame is in.
    pub(crate) fn part(&self, part: u32) -> PgResult<&Part> {
        let named = self.parts.get(part as usize);
        named.ok_or_else(|| {
            self.damaged(format!("the manifest refers to part {part}, but has only {}", self.parts.len()))
        })
    }

    pub(crate) fn damaged(&self, what: String) -> PgError {
        PgError::Integrity { dump: self.dump.clone(), what }
    }

    /// Whether the rows that were loaded are those that were dumped, as far as their hashes tell.
    pub(crate) fn check_hashes(&self) -> PgResult<()> {
        let differs = |table: &TableDump| self.hashes.difference(&table.qualified_name().label(), &table.data);
        self.tables.iter().find_map(differs).map_or(Ok(()), |what| Err(self.damaged(what)))
    }

    /// The `COPY` that takes a table's rows.
    pub(crate) fn copy_of(&self, table: usize, frozen: bool) -> CopyIn {
        let dumped = &self.tables[table];
        let into = self.detours.get(&table).cloned().unwrap_or_else(|| dumped.qualified_name());
        CopyIn::into_table(&into, &dumped.columns, frozen)
    }

    /// Whether the server took as many rows as were dumped.
    pub(crate) fn check_count(&self, unit: &LoadUnit, taken: u64) -> PgResult<()> {
        if taken == unit.rows() {
            return Ok(());
        }
        let table = &self.tables[unit.table];
        let label = format!("{}.{}", table.schema, table.name);
        Err(PgError::Mismatch { what: format!("`{label}` received {taken} of the {} dumped rows", unit.rows()) })
    }
}
