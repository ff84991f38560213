//! One table: rows, the index of their keys, the counter, and what changed in which generation.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;

use super::rows::{Row, Rows};
use crate::error::{DictError, DictResult};
use crate::schema::Schema;
use crate::value::{Key, Record, Text, Value};

/// Below so many slots empty ones are not worth clearing out.
const COMPACT_SLOTS_MIN: usize = 1_024;

/// What changed within one generation. Rows carry their generation, so that each is noted once.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    pub(crate) generation: u64,
    /// Slots of rows inserted or replaced.
    pub(crate) touched: Vec<u32>,
    /// Keys of rows deleted.
    pub(crate) deleted: Vec<Key>,
}

#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) primary_key: Text,
    pub(crate) schema: Option<Schema>,
    /// The next automatic key.
    pub(crate) next_key: i128,
    pub(crate) rows: Rows,
    index: HashTable<u32>,
    hasher: RandomState,
    open: Segment,
    /// Earlier generations, oldest first, shared with cuts.
    pub(crate) sealed: Vec<Arc<Segment>>,
}

impl Table {
    pub(crate) fn new(primary_key: Text, schema: Option<Schema>) -> Self {
        let schema = schema.map(|schema| schema.with_key(&primary_key));
        Self {
            primary_key,
            schema,
            next_key: 1,
            rows: Rows::default(),
            index: HashTable::new(),
            hasher: RandomState::new(),
            open: Segment::default(),
            sealed: Vec::new(),
        }
    }

    pub(crate) fn slot(&self, key: &Key) -> Option<usize> {
        self.find(self.hasher.hash_one(key), key)
    }

    fn find(&self, hash: u64, key: &Key) -> Option<usize> {
        let rows = &self.rows;
        let found = self.index.find(hash, |slot| rows.get(*slot as usize).is_some_and(|row| row.key == *key));
        found.map(|slot| *slot as usize)
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<Row>> {
        self.rows.get(self.slot(key)?)
    }

    /// The key `record` asks for; absent if it leaves it to the counter.
    pub(crate) fn key_of(&self, name: &Text, record: &Record) -> DictResult<Option<Key>> {
        let Some(value) = record.field(&self.primary_key) else { return Ok(None) };
        match Key::new(value.clone()) {
            Ok(key) => Ok(Some(key)),
            Err(value) => Err(DictError::Schema {
                table: name.to_string(),
                what: format!("a {} cannot be a key", value.type_name()),
            }),
        }
    }

    /// Gives `record` the next automatic key.
    pub(crate) fn number(&mut self, record: &mut Record) -> Key {
        let value = integer(self.next_key);
        self.next_key += 1;
        record.set(&self.primary_key, value.clone());
        // Integers are keys.
        Key::new(value).unwrap_or_else(|_| Key::from(0))
    }

    /// Moves the counter past `key`.
    pub(crate) fn count(&mut self, key: &Key) {
        if let Some(value) = key.counted().filter(|value| *value >= self.next_key) {
            self.next_key = value.saturating_add(1);
        }
    }

    pub(crate) fn check(&self, name: &Text, record: &Record) -> DictResult<()> {
        match self.schema.as_ref().and_then(|schema| schema.fault(record)) {
            None => Ok(()),
            Some(what) => Err(DictError::Schema { table: name.to_string(), what }),
        }
    }

    /// Adds a row whose key is known to be free.
    pub(crate) fn add(&mut self, key: Key, record: Record, generation: u64) {
        let hash = self.hasher.hash_one(&key);
        self.add_hashed(hash, key, record, generation);
    }

    /// Adds a row unless its key is taken: then the key comes back.
    pub(crate) fn add_new(&mut self, key: Key, record: Record, generation: u64) -> Result<(), Key> {
        let hash = self.hasher.hash_one(&key);
        if self.find(hash, &key).is_some() {
            return Err(key);
        }
        self.add_hashed(hash, key, record, generation);
        Ok(())
    }

    fn add_hashed(&mut self, hash: u64, key: Key, record: Record, generation: u64) {
        let slot = self.rows.push(Arc::new(Row { generation, key, record })) as u32;
        let (rows, hasher) = (&self.rows, &self.hasher);
        self.index.insert_unique(hash, slot, |slot| hash_of(rows, hasher, *slot));
        if generation > 0 {
            self.open(generation).touched.push(slot);
        }
    }

    /// Puts `record` in place of the one at `slot`, whose key stays.
    pub(crate) fn put(&mut self, slot: usize, record: Record, generation: u64) {
        let Some(row) = self.rows.get(slot) else { return };
        let (key, noted) = (row.key.clone(), row.generation == generation);
        self.rows.replace(slot, Some(Arc::new(Row { generation, key, record })));
        if generation > 0 && !noted {
            self.open(generation).touched.push(slot as u32);
        }
    }

    /// Removes the row at `slot`.
    pub(crate) fn remove(&mut self, slot: usize, generation: u64) -> Option<Arc<Row>> {
        let row = self.rows.replace(slot, None)?;
        let hash = self.hasher.hash_one(&row.key);
        if let Ok(entry) = self.index.find_entry(hash, |other| *other as usize == slot) {
            entry.remove();
        }
        if generation > 0 {
            self.open(generation).deleted.push(row.key.clone());
        }
        if self.rows.slots() >= COMPACT_SLOTS_MIN && self.rows.live() < self.rows.slots() / 2 {
            self.compact();
        }
        Some(row)
    }

    /// Makes room in one step for so many rows more.
    pub(crate) fn reserve(&mut self, rows: usize) {
        let (held, hasher) = (&self.rows, &self.hasher);
        self.index.reserve(rows, |slot| hash_of(held, hasher, *slot));
    }

    fn open(&mut self, generation: u64) -> &mut Segment {
        if self.open.generation != generation {
            self.seal();
            self.open.generation = generation;
        }
        &mut self.open
    }

    /// Ends the open segment, so that a cut can share it.
    pub(crate) fn seal(&mut self) {
        if !self.open.touched.is_empty() || !self.open.deleted.is_empty() {
            self.sealed.push(Arc::new(std::mem::take(&mut self.open)));
        }
    }

    /// Whether anything changed after generation `since`.
    pub(crate) fn changed_since(&self, since: u64) -> bool {
        let open = !self.open.touched.is_empty() || !self.open.deleted.is_empty();
        (open && self.open.generation > since) || self.sealed.last().is_some_and(|last| last.generation > since)
    }

    /// Forgets what changed up to generation `until`.
    pub(crate) fn forget(&mut self, until: u64) {
        self.sealed.retain(|segment| segment.generation > until);
    }

    /// Clears out empty slots. Rows get other slots, so that notes of changes are moved with them.
    fn compact(&mut self) {
        let mut moved: Vec<u32> = vec![u32::MAX; self.rows.slots()];
        let mut rows = Rows::default();
        for (slot, place) in moved.iter_mut().enumerate() {
            if let Some(row) = self.rows.get(slot) {
                *place = rows.push(Arc::clone(row)) as u32;
            }
        }
        let renumber = |segment: &Segment| Segment {
            generation: segment.generation,
            touched: segment
                .touched
                .iter()
                .map(|slot| moved[*slot as usize])
                .filter(|slot| *slot != u32::MAX)
                .collect(),
            deleted: segment.deleted.clone(),
        };
        self.open = renumber(&self.open);
        for segment in &mut self.sealed {
            *segment = Arc::new(renumber(segment));
        }
        self.rows = rows;
        self.index.clear();
        let (rows, hasher) = (&self.rows, &self.hasher);
        for slot in 0..rows.slots() as u32 {
            self.index.insert_unique(hash_of(rows, hasher, slot), slot, |slot| hash_of(rows, hasher, *slot));
        }
    }
}

fn hash_of(rows: &Rows, hasher: &RandomState, slot: u32) -> u64 {
    // The index names live slots only.
    rows.get(slot as usize).map_or(0, |row| hasher.hash_one(&row.key))
}

/// An integer of any size as a value.
pub(crate) fn integer(value: i128) -> Value {
    match i64::try_from(value) {
        Ok(value) => Value::Int(value),
        Err(_) => crate::value::BigInt::parse(&value.to_string()).map_or(Value::Null, Value::Big),
    }
}
