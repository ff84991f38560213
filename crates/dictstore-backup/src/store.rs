//! The store: tables of records in memory, shared between threads, with snapshots that block nobody.

mod cut;
mod notes;
mod rows;
mod table;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use indexmap::IndexMap;

pub use self::cut::Snapshot;
pub use self::rows::Row;
pub(crate) use self::table::{Table, integer};
use crate::error::{DictError, DictResult};
use crate::schema::Schema;
use crate::source::{Base, Cut, Ddl, Source};
use crate::value::{Key, Record, Text};

/// Field of the primary key, unless said otherwise: DictDB's.
pub const PRIMARY_KEY_DEFAULT: &str = "id";

/// How a table is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableOptions {
    primary_key: Text,
    schema: Option<Schema>,
}

impl Default for TableOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl TableOptions {
    /// Primary key [`PRIMARY_KEY_DEFAULT`], no schema.
    #[must_use]
    pub fn new() -> Self {
        Self { primary_key: PRIMARY_KEY_DEFAULT.into(), schema: None }
    }

    /// Field of the primary key.
    #[must_use]
    pub fn primary_key(mut self, field: impl Into<Text>) -> Self {
        self.primary_key = field.into();
        self
    }

    /// Holds every record to `schema`; the primary key is added as `int` if it does not name it.
    #[must_use]
    pub fn schema(mut self, schema: Schema) -> Self {
        self.schema = Some(schema);
        self
    }
}

/// What [`DictStore::upsert`] does where the key is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// Sets the fields of the new record and leaves the others.
    #[default]
    Update,
    /// Puts the new record in place of the old one.
    Replace,
    /// Leaves the old record.
    Ignore,
    /// Fails with [`DictError::DuplicateKey`].
    Error,
}

/// What [`DictStore::upsert`] did, and to which record.
#[derive(Clone, Debug, PartialEq)]
pub struct Upsert {
    /// The record's key, which the store counts if the record has none.
    pub key: Key,
    /// What became of the record.
    pub outcome: Upserted,
}

/// What became of the record of [`DictStore::upsert`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upserted {
    /// There was none.
    Inserted,
    /// There was one.
    Updated,
    /// There was one, and it stays.
    Ignored,
}

/// Tables of records in memory. Clones share them, and any thread may use them at any time.
#[derive(Clone, Debug)]
pub struct DictStore(Arc<RwLock<State>>);

#[derive(Debug)]
struct State {
    /// Writes belong to it; 0 while changes are not tracked.
    generation: u64,
    tables: IndexMap<Text, Table>,
    ddl: Vec<(u64, Ddl)>,
    /// Changes up to here are forgotten.
    forgotten: u64,
    base: Option<Base>,
    longest_held: Duration,
}

impl Default for DictStore {
    fn default() -> Self {
        Self::new()
    }
}

impl DictStore {
    /// A store without tables.
    #[must_use]
    pub fn new() -> Self {
        Self::with_generation(1)
    }

    /// A store that notes no changes: it can be backed up in full only.
    #[must_use]
    pub fn untracked() -> Self {
        Self::with_generation(0)
    }

    fn with_generation(generation: u64) -> Self {
        Self::of(State {
            generation,
            tables: IndexMap::new(),
            ddl: Vec::new(),
            forgotten: 0,
            base: None,
            longest_held: Duration::ZERO,
        })
    }

    /// A store of these tables, equal to the backup `base` if there is one.
    pub(crate) fn of_tables(tables: IndexMap<Text, Table>, base: Option<backup_core::manifest::Uuid>) -> Self {
        let base = base.map(|id| Base { id, generation: 1 });
        Self::of(State { generation: 2, tables, ddl: Vec::new(), forgotten: 1, base, longest_held: Duration::ZERO })
    }

    fn of(state: State) -> Self {
        Self(Arc::new(RwLock::new(state)))
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        // Nothing panics between two changes that belong together, so that a poisoned lock guards a whole state.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a table.
    ///
    /// # Errors
    /// [`DictError::TableExists`].
    pub fn create_table(&self, name: impl Into<Text>, options: TableOptions) -> DictResult<()> {
        let name = name.into();
        let mut state = self.write();
        if state.tables.contains_key(&name) {
            return Err(DictError::TableExists { table: name.to_string() });
        }
        let table = Table::new(options.primary_key, options.schema);
        let ddl =
            Ddl::Create { table: name.clone(), primary_key: table.primary_key.clone(), schema: table.schema.clone() };
        state.note(ddl);
        state.tables.insert(name, table);
        Ok(())
    }

    /// Drops a table with its records.
    ///
    /// # Errors
    /// [`DictError::NoTable`].
    pub fn drop_table(&self, name: impl Into<Text>) -> DictResult<()> {
        let name = name.into();
        let mut state = self.write();
        let dropped = state.tables.shift_remove(&name);
        if dropped.is_none() {
            return Err(DictError::NoTable { table: name.to_string() });
        }
        state.note(Ddl::Drop { table: name });
        drop(state);
        // A million records are freed without anybody waiting.
        drop(dropped);
        Ok(())
    }

    /// Gives a table another schema, or none.
    ///
    /// # Errors
    /// [`DictError::NoTable`]; [`DictError::Schema`] if a record does not fit.
    pub fn set_schema(&self, name: impl Into<Text>, schema: Option<Schema>) -> DictResult<()> {
        let name = name.into();
        let mut state = self.write();
        let table = state.table(&name)?;
        let schema = schema.map(|schema| schema.with_key(&table.primary_key));
        if let Some(schema) = &schema
            && let Some(what) = table.rows.iter().find_map(|row| schema.fault(&row.record))
        {
            return Err(DictError::Schema { table: name.to_string(), what });
        }
        table.schema.clone_from(&schema);
        state.note(Ddl::Alter { table: name, schema });
        Ok(())
    }

    /// The names of the tables, in the order of their creation.
    #[must_use]
    pub fn table_names(&self) -> Vec<Text> {
        self.read().tables.keys().cloned().collect()
    }

    /// How many records a table has.
    ///
    /// # Errors
    /// [`DictError::NoTable`].
    pub fn len(&self, table: &str) -> DictResult<usize> {
        Ok(self.read().known(&table.into())?.rows.live())
    }

    /// Adds a record and returns its key; one without a key gets the table's next number.
    ///
    /// # Errors
    /// [`DictError::DuplicateKey`], [`DictError::Schema`], [`DictError::NoTable`]. Then nothing was changed.
    pub fn insert(&self, table: &str, record: Record) -> DictResult<Key> {
        let name = table.into();
        let mut state = self.write();
        let generation = state.generation;
        insert(state.table(&name)?, &name, record, generation)
    }

    /// Adds all records or none.
    ///
    /// # Errors
    /// As [`DictStore::insert`].
    pub fn insert_many(&self, table: &str, records: Vec<Record>) -> DictResult<Vec<Key>> {
        let name = table.into();
        let mut state = self.write();
        let generation = state.generation;
        let table = state.table(&name)?;
        let counter = table.next_key;
        let mut keys = Vec::with_capacity(records.len());
        table.reserve(records.len());
        for record in records {
            match insert(table, &name, record, generation) {
                Ok(key) => keys.push(key),
                Err(error) => {
                    for slot in keys.iter().filter_map(|key| table.slot(key)).collect::<Vec<_>>() {
                        table.remove(slot, generation);
                    }
                    table.next_key = counter;
                    return Err(error);
                }
            }
        }
        Ok(keys)
    }

    /// Adds a record, or does with the one of its key what `on_conflict` says.
    ///
    /// # Errors
    /// As [`DictStore::insert`]; [`DictError::DuplicateKey`] only with [`OnConflict::Error`].
    pub fn upsert(&self, table: &str, record: Record, on_conflict: OnConflict) -> DictResult<Upsert> {
        let name = table.into();
        let mut state = self.write();
        let generation = state.generation;
        let table = state.table(&name)?;
        let key = table.key_of(&name, &record)?;
        let Some((key, slot)) = key.and_then(|key| table.slot(&key).map(|slot| (key, slot))) else {
            return Ok(Upsert { key: insert(table, &name, record, generation)?, outcome: Upserted::Inserted });
        };
        let record = match on_conflict {
            OnConflict::Error => return Err(duplicate(&name, &key)),
            OnConflict::Ignore => return Ok(Upsert { key, outcome: Upserted::Ignored }),
            OnConflict::Replace => record,
            OnConflict::Update => {
                let mut merged = table.rows.get(slot).map(|row| row.record.clone()).unwrap_or_default();
                merged.merge(record);
                merged
            }
        };
        table.check(&name, &record)?;
        table.put(slot, record, generation);
        Ok(Upsert { key, outcome: Upserted::Updated })
    }

    /// Sets fields of one record. Setting the primary key moves the record to its new key.
    ///
    /// # Errors
    /// [`DictError::NoRecord`], [`DictError::DuplicateKey`] if the new key is taken, [`DictError::Schema`],
    /// [`DictError::NoTable`]. Then nothing was changed.
    pub fn update(&self, table: &str, key: &Key, changes: Record) -> DictResult<()> {
        let name = table.into();
        let mut state = self.write();
        let generation = state.generation;
        let table = state.table(&name)?;
        let (slot, mut record) = match table.slot(key).and_then(|slot| Some((slot, table.rows.get(slot)?))) {
            Some((slot, row)) => (slot, row.record.clone()),
            None => return Err(DictError::NoRecord { table: name.to_string(), key: key.to_string() }),
        };
        record.merge(changes);
        table.check(&name, &record)?;
        match table.key_of(&name, &record)?.filter(|new| new != key) {
            None => table.put(slot, record, generation),
            Some(new) if table.slot(&new).is_some() => return Err(duplicate(&name, &new)),
            Some(new) => {
                table.remove(slot, generation);
                table.count(&new);
                table.add(new, record, generation);
            }
        }
        Ok(())
    }

    /// Deletes one record; whether there was one.
    ///
    /// # Errors
    /// [`DictError::NoTable`].
    pub fn delete(&self, table: &str, key: &Key) -> DictResult<bool> {
        let name = table.into();
        let mut state = self.write();
        let generation = state.generation;
        let table = state.table(&name)?;
        let slot = table.slot(key);
        Ok(slot.and_then(|slot| table.remove(slot, generation)).is_some())
    }

    /// One record.
    ///
    /// # Errors
    /// [`DictError::NoTable`].
    pub fn get(&self, table: &str, key: &Key) -> DictResult<Option<Arc<Row>>> {
        Ok(self.read().known(&table.into())?.get(key).cloned())
    }

    /// One record, of a table whose name may hold lone surrogates.
    pub(crate) fn row(&self, table: &Text, key: &Key) -> Option<Arc<Row>> {
        self.read().known(table).ok()?.get(key).cloned()
    }

    /// Everything as it is now. Takes microseconds, and stops nobody while it is read.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut state = self.write();
        let begin = Instant::now();
        let generation = state.generation;
        if generation > 0 {
            state.generation += 1;
        }
        for table in state.tables.values_mut() {
            table.seal();
        }
        let snapshot = Snapshot::of(&state.tables, &state.ddl, generation, state.forgotten);
        state.held_since(begin);
        snapshot
    }

    /// The longest time that a snapshot or a backup kept writers out, from taking the lock to giving it back.
    #[must_use]
    pub fn longest_held(&self) -> Duration {
        self.read().longest_held
    }

    /// Shows the records of a table as they are now, in insertion order.
    ///
    /// # Errors
    /// [`DictError::NoTable`].
    pub fn scan(&self, table: &str, mut each: impl FnMut(&Row)) -> DictResult<()> {
        let rows = self.read().known(&table.into())?.rows.clone();
        rows.iter().for_each(|row| each(row));
        Ok(())
    }
}

impl State {
    fn table(&mut self, name: &Text) -> DictResult<&mut Table> {
        self.tables.get_mut(name).ok_or_else(|| DictError::NoTable { table: name.to_string() })
    }

    fn known(&self, name: &Text) -> DictResult<&Table> {
        self.tables.get(name).ok_or_else(|| DictError::NoTable { table: name.to_string() })
    }

    fn held_since(&mut self, begin: Instant) {
        self.longest_held = self.longest_held.max(begin.elapsed());
    }

    fn note(&mut self, ddl: Ddl) {
        if self.generation > 0 {
            self.ddl.push((self.generation, ddl));
        }
    }
}

fn insert(table: &mut Table, name: &Text, mut record: Record, generation: u64) -> DictResult<Key> {
    let counter = table.next_key;
    let key = match table.key_of(name, &record)? {
        Some(key) if table.slot(&key).is_some() => return Err(duplicate(name, &key)),
        Some(key) => key,
        None => table.number(&mut record),
    };
    if let Err(error) = table.check(name, &record) {
        table.next_key = counter;
        return Err(error);
    }
    table.count(&key);
    table.add(key.clone(), record, generation);
    Ok(key)
}

fn duplicate(table: &Text, key: &Key) -> DictError {
    DictError::DuplicateKey { table: table.to_string(), key: key.to_string() }
}

impl Source for DictStore {
    fn cut(&self) -> Box<dyn Cut> {
        Box::new(self.snapshot())
    }

    fn changed_since(&self, since: u64) -> bool {
        let state = self.read();
        state.generation == 0
            || state.forgotten > since
            || state.ddl.last().is_some_and(|(generation, _)| *generation > since)
            || state.tables.values().any(|table| table.changed_since(since))
    }

    fn forget(&self, until: u64) {
        let mut state = self.write();
        let begin = Instant::now();
        state.forgotten = state.forgotten.max(until);
        state.ddl.retain(|(generation, _)| *generation > until);
        let forgotten: Vec<_> = state.tables.values_mut().map(|table| table.forget(until)).collect();
        // Freeing the notes of a million changes takes many milliseconds: no writer waits for it.
        state.held_since(begin);
        drop(state);
        drop(forgotten);
    }

    fn base(&self) -> Option<Base> {
        self.read().base
    }
}

#[cfg(test)]
mod tests;
