//! A snapshot of a store: shares its pages, and knows what changed in which generation.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use indexmap::IndexMap;

use super::rows::{Row, Rows};
use super::table::{Segment, Table};
use crate::source::{Changes, Cut, Ddl, TableChanges, TableHead};
use crate::value::{Key, Record, Text};

/// All tables of a store as they were at one moment.
#[derive(Debug)]
pub struct Snapshot {
    generation: u64,
    forgotten: u64,
    tables: Vec<Frozen>,
    ddl: Vec<(u64, Ddl)>,
}

#[derive(Debug)]
struct Frozen {
    head: TableHead,
    rows: Rows,
    segments: Vec<Arc<Segment>>,
}

impl Snapshot {
    pub(super) fn of(tables: &IndexMap<Text, Table>, ddl: &[(u64, Ddl)], generation: u64, forgotten: u64) -> Self {
        let tables = tables.iter().map(|(name, table)| Frozen {
            head: TableHead {
                name: name.clone(),
                primary_key: table.primary_key.clone(),
                schema: table.schema.clone(),
                next_key: table.next_key,
                records: table.rows.live() as u64,
            },
            rows: table.rows.clone(),
            segments: table.sealed.clone(),
        });
        Self { generation, forgotten, tables: tables.collect(), ddl: ddl.to_vec() }
    }

    /// The records of a table in insertion order; `None` if there is no such table.
    #[must_use]
    pub fn rows_of(&self, table: &str) -> Option<impl Iterator<Item = &Row>> {
        let frozen = self.tables.iter().find(|frozen| frozen.head.name == table)?;
        Some(frozen.rows.iter().map(|row| &**row))
    }

    /// As [`Snapshot::rows_of`], none if there is no such table, for a name that may hold lone surrogates.
    pub(crate) fn rows_in(&self, table: &Text) -> impl Iterator<Item = &Row> {
        let frozen = self.tables.iter().find(|frozen| frozen.head.name == *table);
        frozen.into_iter().flat_map(|frozen| frozen.rows.iter()).map(|row| &**row)
    }
}

impl Cut for Snapshot {
    fn generation(&self) -> u64 {
        self.generation
    }

    fn tables(&self) -> Vec<TableHead> {
        self.tables.iter().map(|frozen| frozen.head.clone()).collect()
    }

    fn rows(&self, table: usize, each: &mut dyn FnMut(&Key, &Record) -> ControlFlow<()>) {
        if let Some(frozen) = self.tables.get(table) {
            let _stopped = frozen.rows.iter().try_for_each(|row| each(&row.key, &row.record));
        }
    }

    fn changes(&self, since: u64) -> Option<Changes> {
        if self.generation == 0 || since < self.forgotten {
            return None;
        }
        let ddl = self.ddl.iter().filter(|(generation, _)| *generation > since).map(|(_, ddl)| ddl.clone());
        let tables = self.tables.iter().filter_map(|frozen| frozen.changes(since));
        Some(Changes { ddl: ddl.collect(), tables: tables.collect() })
    }
}

impl Frozen {
    fn changes(&self, since: u64) -> Option<TableChanges> {
        let segments = || self.segments.iter().filter(|segment| segment.generation > since);
        let mut upserts = Vec::new();
        let mut written = HashSet::new();
        let deleting = segments().any(|segment| !segment.deleted.is_empty());
        for segment in segments() {
            let rows = segment.touched.iter().filter_map(|slot| self.rows.get(*slot as usize));
            // A row touched again later is noted again then.
            for row in rows.filter(|row| row.generation == segment.generation) {
                upserts.push(row.record.clone());
                if deleting {
                    written.insert(&row.key);
                }
            }
        }
        let mut deletes = Vec::new();
        for key in segments().flat_map(|segment| segment.deleted.iter()) {
            // Also keeps a key that was deleted twice from being listed twice.
            if written.insert(key) {
                deletes.push(key.clone());
            }
        }
        let changed = !upserts.is_empty() || !deletes.is_empty();
        changed.then(|| TableChanges { name: self.head.name.clone(), next_key: self.head.next_key, upserts, deletes })
    }
}
