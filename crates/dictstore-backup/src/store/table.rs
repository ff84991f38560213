//! One table: rows, the index of their keys, the counter, and what changed in which generation.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::notes::Notes;
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
    pub(crate) touched: Notes<u32>,
    /// Keys of rows deleted.
    pub(crate) deleted: Notes<Key>,
}

/// Where a row is, with the hash of its key: an index that grows need not visit the rows, which are all over the memory.
#[derive(Clone, Copy, Debug)]
struct Place {
    slot: u32,
    hash: u32,
}

impl Place {
    /// The hash as the index takes it, which looks at the lowest and at the highest bits.
    fn spread(self) -> u64 {
        spread(self.hash)
    }
}

fn spread(hash: u32) -> u64 {
    // Odd, so that no two hashes become one; 2^64 divided by the golden ratio, so that the highest bits differ.
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) primary_key: Text,
    pub(crate) schema: Option<Schema>,
    /// The next automatic key.
    pub(crate) next_key: i128,
    pub(crate) rows: Rows,
    index: HashTable<Place>,
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

    /// The rows, index and counter of `other`, for a table that has none yet.
    pub(crate) fn take_rows(&mut self, other: Self) {
        (self.rows, self.index, self.hasher, self.next_key) = (other.rows, other.index, other.hasher, other.next_key);
    }

    pub(crate) fn slot(&self, key: &Key) -> Option<usize> {
        self.find(self.hash(key), key)
    }

    fn hash(&self, key: &Key) -> u32 {
        self.hasher.hash_one(key) as u32
    }

    fn find(&self, hash: u32, key: &Key) -> Option<usize> {
        let rows = &self.rows;
        let is_it =
            |place: &Place| place.hash == hash && rows.get(place.slot as usize).is_some_and(|row| row.key == *key);
        self.index.find(spread(hash), is_it).map(|place| place.slot as usize)
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
        let hash = self.hash(&key);
        let slot = self.rows.push(Arc::new(Row { generation, key, record: record.fitted() })) as u32;
        self.index.insert_unique(spread(hash), Place { slot, hash }, |place| place.spread());
        self.touched(slot, generation);
    }

    /// Adds a row unless its key is taken: then the key comes back.
    pub(crate) fn add_new(&mut self, key: Key, record: Record, generation: u64) -> Result<(), Key> {
        let hash = self.hash(&key);
        let (rows, slot) = (&self.rows, self.rows.slots() as u32);
        let is_it =
            |place: &Place| place.hash == hash && rows.get(place.slot as usize).is_some_and(|row| row.key == key);
        match self.index.entry(spread(hash), is_it, |place| place.spread()) {
            Entry::Occupied(_) => return Err(key),
            Entry::Vacant(place) => place.insert(Place { slot, hash }),
        };
        self.rows.push(Arc::new(Row { generation, key, record }));
        self.touched(slot, generation);
        Ok(())
    }

    /// Adds rows that are no changes; whether all their keys were free. If not, not all of them were added.
    ///
    /// Faster than one by one: the processor waits for several places of the index at once where nothing lies between.
    pub(crate) fn add_all_new(&mut self, given: impl ExactSizeIterator<Item = (Key, Record)>) -> bool {
        let first = self.rows.slots() as u32;
        let mut hashes = Vec::with_capacity(given.len());
        for (key, record) in given {
            self.count(&key);
            hashes.push(self.hash(&key));
            self.rows.push(Arc::new(Row { generation: 0, key, record }));
        }
        self.reserve(hashes.len());
        let rows = &self.rows;
        hashes.into_iter().zip(first..).all(|(hash, slot)| {
            let same = |place: &Place| {
                let row = |slot: u32| rows.get(slot as usize).map(|row| &row.key);
                place.hash == hash && row(place.slot) == row(slot)
            };
            match self.index.entry(spread(hash), same, |place| place.spread()) {
                Entry::Occupied(_) => false,
                Entry::Vacant(place) => {
                    place.insert(Place { slot, hash });
                    true
                }
            }
        })
    }

    fn touched(&mut self, slot: u32, generation: u64) {
        if generation > 0 {
            self.open(generation).touched.push(slot);
        }
    }

    /// Puts `record` in place of the one at `slot`, whose key stays.
    pub(crate) fn put(&mut self, slot: usize, record: Record, generation: u64) {
        let Some(row) = self.rows.get(slot) else { return };
        let (key, noted) = (row.key.clone(), row.generation == generation);
        self.rows.replace(slot, Some(Arc::new(Row { generation, key, record: record.fitted() })));
        if !noted {
            self.touched(slot as u32, generation);
        }
    }

    /// Removes the row at `slot`.
    pub(crate) fn remove(&mut self, slot: usize, generation: u64) -> Option<Arc<Row>> {
        let row = self.rows.replace(slot, None)?;
        let hash = spread(self.hash(&row.key));
        if let Ok(entry) = self.index.find_entry(hash, |other| other.slot as usize == slot) {
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
        self.index.reserve(rows, |place| place.spread());
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

    /// Forgets what changed up to generation `until`, and gives it to whoever has the time to free it.
    pub(crate) fn forget(&mut self, until: u64) -> Vec<Arc<Segment>> {
        self.sealed.extract_if(.., |segment| segment.generation <= until).collect()
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
        // What it names lives, and so has moved.
        for place in &mut self.index {
            place.slot = moved[place.slot as usize];
        }
    }
}

/// An integer of any size as a value.
pub(crate) fn integer(value: i128) -> Value {
    match i64::try_from(value) {
        Ok(value) => Value::Int(value),
        Err(_) => crate::value::BigInt::parse(&value.to_string()).map_or(Value::Null, Value::Big),
    }
}
