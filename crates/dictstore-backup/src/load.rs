//! Builds tables from files: a full backup, then deltas, exactly or as DictDB does.

use backup_core::manifest::Uuid;
use indexmap::IndexMap;
use serde::Serialize;

use crate::detail::{DictDetail, ddl_of_detail};
use crate::error::{DictError, DictResult};
use crate::format::delta::LoadedChanges;
use crate::format::full::LoadedTable;
use crate::schema::Schema;
use crate::source::Ddl;
use crate::store::{DictStore, Table};
use crate::value::{Key, Record, Text, Value};

/// Rows read from a file belong to no generation: they are no changes.
pub(crate) const LOADED: u64 = 0;

/// How deltas are applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Semantics {
    /// What was backed up comes back: records are replaced whole, counters move on, what does not fit is told.
    #[default]
    Exact,
    /// What DictDB 1.11 itself would make of its files: fields are merged, null keys renumbered, counters left.
    DictDb,
}

/// Something a restore could not bring back, or brought back differently. Never an error, never hidden.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Note {
    /// The file it was found in.
    pub file: String,
    /// What it is.
    pub what: String,
}

/// Tables being filled from files.
#[derive(Debug)]
pub(crate) struct Loader {
    tables: IndexMap<Text, Table>,
    semantics: Semantics,
    pub(crate) notes: Vec<Note>,
}

impl Loader {
    /// Begins with a full backup.
    ///
    /// # Errors
    /// [`DictError::Damaged`] for two records of one key; with DictDB's rules also for records that break their schema.
    pub(crate) fn full(
        file: &str,
        loaded: Vec<LoadedTable>,
        detail: Option<&DictDetail>,
        semantics: Semantics,
    ) -> DictResult<Self> {
        let mut loader = Self { tables: IndexMap::new(), semantics, notes: Vec::new() };
        for table in loaded {
            loader.table(file, table)?;
        }
        loader.counters(detail);
        Ok(loader)
    }

    fn table(&mut self, file: &str, loaded: LoadedTable) -> DictResult<()> {
        let damaged = |what: String| DictError::Damaged { file: file.to_owned(), what };
        let LoadedTable { name, primary_key, schema, records, built } = loaded;
        let mut table = Table::new(primary_key, schema);
        if let Some(built) = built {
            table.take_rows(built);
        }
        table.reserve(records.len());
        let mut misfits = 0_u64;
        let mut misfit = None;
        for (key, mut record) in records {
            let by_key = key.is_some();
            let key = match key {
                Some(key) => key,
                None => match table.key_of(&name, &record).map_err(|error| damaged(error.to_string()))? {
                    Some(key) => key,
                    None => table.number(&mut record),
                },
            };
            // A pickle file brings its records unchecked.
            if let Some(fault) = table.schema.as_ref().and_then(|schema| schema.fault(&record)).filter(|_| !by_key) {
                if self.semantics == Semantics::DictDb {
                    return Err(DictError::Schema { table: name.to_string(), what: fault });
                }
                misfits += 1;
                misfit.get_or_insert(fault);
            }
            table.count(&key);
            if let Err(key) = table.add_new(key, record, LOADED) {
                return Err(damaged(format!("the table `{name}` has two records with the key {key}")));
            }
        }
        if let Some(fault) = misfit {
            self.note(
                file,
                format!(
                    "{misfits} records of the table `{name}` do not fit its schema ({fault}); they are kept as they are"
                ),
            );
        }
        self.tables.insert(name, table);
        Ok(())
    }

    /// Applies a delta; returns how many records it wrote and deleted.
    ///
    /// # Errors
    /// [`DictError::Damaged`] for a key that cannot be one, and for changes of a table that should be there and is not.
    pub(crate) fn delta(
        &mut self,
        file: &str,
        changes: Vec<LoadedChanges>,
        detail: Option<&DictDetail>,
    ) -> DictResult<u64> {
        for ddl in detail.iter().flat_map(|detail| &detail.ddl) {
            self.ddl(ddl_of_detail(ddl));
        }
        let mut affected = 0;
        for table in changes {
            let Some(known) = self.tables.get_mut(&table.name) else {
                if detail.is_some() {
                    let what = format!("it changes the table `{}`, which its chain never created", table.name);
                    return Err(DictError::Damaged { file: file.to_owned(), what });
                }
                let lost = table.upserts.len() + table.deletes.len();
                let what = format!(
                    "{lost} changes of the table `{}` are lost: it was created after the full backup, and DictDB's \
                     deltas \
                     do not contain new tables",
                    table.name
                );
                self.note(file, what);
                continue;
            };
            affected += match self.semantics {
                Semantics::Exact => exact(known, file, table, &mut self.notes)?,
                Semantics::DictDb => dictdb(known, file, table, &mut self.notes)?,
            };
        }
        self.counters(detail);
        Ok(affected)
    }

    fn ddl(&mut self, ddl: Ddl) {
        match ddl {
            Ddl::Create { table, primary_key, schema } => {
                self.tables.insert(table, Table::new(primary_key, schema));
            }
            Ddl::Drop { table } => {
                self.tables.shift_remove(&table);
            }
            Ddl::Alter { table, schema } => self.alter(&table, schema),
        }
    }

    fn alter(&mut self, table: &Text, schema: Option<Schema>) {
        if let Some(table) = self.tables.get_mut(table) {
            table.schema = schema;
        }
    }

    /// Counters are not in DictDB's files: the manifest has them.
    fn counters(&mut self, detail: Option<&DictDetail>) {
        for said in detail.iter().flat_map(|detail| &detail.tables) {
            if let (Some(table), Ok(next_key)) = (self.tables.get_mut(&said.name), said.next_key.parse::<i128>()) {
                table.next_key = table.next_key.max(next_key);
            }
        }
    }

    fn note(&mut self, file: &str, what: String) {
        self.notes.push(Note { file: file.to_owned(), what });
    }

    /// The store, whose changes count from here; `base` is the backup it equals.
    pub(crate) fn finish(self, base: Option<Uuid>) -> (DictStore, Vec<Note>) {
        (DictStore::of_tables(self.tables, base), self.notes)
    }
}

fn exact(table: &mut Table, file: &str, changes: LoadedChanges, notes: &mut Vec<Note>) -> DictResult<u64> {
    let mut affected = 0;
    for mut record in changes.upserts {
        let key = key_of(table, file, &changes.name, &record)?;
        if key.as_ref().is_some_and(|key| *key.value() == Value::Null) {
            let what = format!("a record of the table `{}` has the key null; DictDB would renumber it", changes.name);
            notes.push(Note { file: file.to_owned(), what });
        }
        let key = match key {
            Some(key) => key,
            None => table.number(&mut record),
        };
        match table.slot(&key) {
            Some(slot) => table.put(slot, record, LOADED),
            None => {
                table.count(&key);
                table.add(key, record, LOADED);
            }
        }
        affected += 1;
    }
    for key in &changes.deletes {
        if let Some(slot) = table.slot(key) {
            table.remove(slot, LOADED);
            affected += 1;
        }
    }
    Ok(affected)
}

/// What DictDB 1.11 does, defects included; see its documentation of `apply_delta`.
fn dictdb(table: &mut Table, file: &str, changes: LoadedChanges, notes: &mut Vec<Note>) -> DictResult<u64> {
    let mut affected = 0;
    for mut record in changes.upserts {
        let key = key_of(table, file, &changes.name, &record)?.filter(|key| *key.value() != Value::Null);
        let numbered = key.is_none();
        let key = match key {
            Some(key) => key,
            None => table.number(&mut record),
        };
        match table.slot(&key) {
            Some(slot) => {
                let mut merged = match numbered {
                    true => Record::new(),
                    false => table.rows.get(slot).map(|row| row.record.clone()).unwrap_or_default(),
                };
                merged.merge(record);
                table.put(slot, merged, LOADED);
            }
            None => table.add(key.clone(), record, LOADED),
        }
        if numbered {
            let what = format!("a record of the table `{}` without a key was given the key {key}", changes.name);
            notes.push(Note { file: file.to_owned(), what });
        }
        affected += 1;
    }
    for key in &changes.deletes {
        if let Some(slot) = table.slot(key) {
            table.remove(slot, LOADED);
            affected += 1;
        }
    }
    Ok(affected)
}

fn key_of(table: &Table, file: &str, name: &Text, record: &Record) -> DictResult<Option<Key>> {
    let damaged = |error: DictError| DictError::Damaged { file: file.to_owned(), what: error.to_string() };
    table.key_of(name, record).map_err(damaged)
}

#[cfg(test)]
mod tests;
