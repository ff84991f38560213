//! The trait of stores that can be backed up: a consistent snapshot, and the changes since an earlier one.
//!
//! [`crate::DictStore`] implements [`Source`]; any other in-memory store can. See `examples/other_store.rs`.

use std::fmt;
use std::ops::ControlFlow;

use backup_core::manifest::Uuid;

use crate::schema::Schema;
use crate::value::{Key, Record, Text};

/// A store that can be backed up.
pub trait Source: fmt::Debug + Send + Sync + 'static {
    /// Everything as it is at this moment, over all tables. Must be quick: writers may be waiting. What is written
    /// after it belongs to the next generation.
    fn cut(&self) -> Box<dyn Cut>;

    /// Whether anything changed after the cut of generation `since`.
    fn changed_since(&self, since: u64) -> bool;

    /// The backup that holds everything up to generation `until` is durable: notes of changes up to there may go.
    fn forget(&self, until: u64);

    /// The backup this store was restored from, if it was, with the generation that equals it: deltas can go on from there.
    fn base(&self) -> Option<Base> {
        None
    }
}

/// The backup a store was restored from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// Identity of the backup.
    pub id: Uuid,
    /// Everything of this generation is in it.
    pub generation: u64,
}

/// A store at one moment.
pub trait Cut: Send + Sync {
    /// Its number; later cuts have greater ones.
    fn generation(&self) -> u64;

    /// The tables, in the order of their creation.
    fn tables(&self) -> Vec<TableHead>;

    /// Shows the records of the table at that place of [`Cut::tables`], in insertion order, until told to stop.
    fn rows(&self, table: usize, each: &mut dyn FnMut(&Key, &Record) -> ControlFlow<()>);

    /// What changed after the cut of generation `since`; `None` if that is not known any more, so that a full backup is
    /// needed.
    fn changes(&self, since: u64) -> Option<Changes>;
}

/// A table without its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableHead {
    /// Its name.
    pub name: Text,
    /// Field of the primary key.
    pub primary_key: Text,
    /// Its schema.
    pub schema: Option<Schema>,
    /// The next automatic key.
    pub next_key: i128,
    /// How many records it has.
    pub records: u64,
}

/// What happened between two cuts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Tables made, dropped or altered, in the order in which it happened: before the records are applied.
    pub ddl: Vec<Ddl>,
    /// Records, by table.
    pub tables: Vec<TableChanges>,
}

impl Changes {
    /// Whether nothing happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ddl.is_empty() && self.tables.is_empty()
    }

    /// Records written and deleted.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.tables.iter().map(|table| (table.upserts.len() + table.deletes.len()) as u64).sum()
    }
}

/// What happened to the records of one table. No key is in both lists.
#[derive(Clone, Debug, PartialEq)]
pub struct TableChanges {
    /// The table.
    pub name: Text,
    /// The next automatic key, after these changes.
    pub next_key: i128,
    /// Records inserted or replaced, whole.
    pub upserts: Vec<Record>,
    /// Keys of records deleted.
    pub deletes: Vec<Key>,
}

/// Something that happened to a table as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ddl {
    /// Made, empty.
    Create {
        /// Its name.
        table: Text,
        /// Field of the primary key.
        primary_key: Text,
        /// Its schema.
        schema: Option<Schema>,
    },
    /// Dropped with its records.
    Drop {
        /// Its name.
        table: Text,
    },
    /// Given another schema, or none.
    Alter {
        /// Its name.
        table: Text,
        /// The new schema.
        schema: Option<Schema>,
    },
}
