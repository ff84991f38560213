//! Rows in pages that snapshots share: a snapshot copies one pointer per 262,144 rows, and a write copies at most the three
//! pages above its row that a snapshot still holds.

use std::sync::Arc;

use crate::value::{Key, Record};

/// Entries of a page: small, so that a write under a snapshot copies little; large, so that snapshots are short.
const PAGE: usize = 64;

/// Rows below one entry of a trunk.
const BRANCH_ROWS: usize = PAGE * PAGE;

/// Rows below one entry of the root.
const TRUNK_ROWS: usize = PAGE * BRANCH_ROWS;

/// A record under its key. Never changed: an update puts another one in its place.
#[derive(Clone, Debug)]
pub struct Row {
    pub(crate) generation: u64,
    pub(crate) key: Key,
    pub(crate) record: Record,
}

impl Row {
    /// The key it is stored under.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The record.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }
}

type Leaf = Vec<Option<Arc<Row>>>;
type Branch = Vec<Arc<Leaf>>;
type Trunk = Vec<Arc<Branch>>;

/// Rows by slot, in insertion order; slots of deleted rows stay empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    root: Vec<Arc<Trunk>>,
    slots: usize,
    live: usize,
}

impl Rows {
    /// Slots ever given, empty ones included.
    pub(crate) fn slots(&self) -> usize {
        self.slots
    }

    /// Rows there are.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    pub(crate) fn get(&self, slot: usize) -> Option<&Arc<Row>> {
        let branch = self.root.get(slot / TRUNK_ROWS)?.get(slot % TRUNK_ROWS / BRANCH_ROWS)?;
        branch.get(slot % BRANCH_ROWS / PAGE)?.get(slot % PAGE)?.as_ref()
    }

    /// Puts a row at the end; returns its slot.
    pub(crate) fn push(&mut self, row: Arc<Row>) -> usize {
        let slot = self.slots;
        if slot.is_multiple_of(TRUNK_ROWS) {
            self.root.push(page());
        }
        if let Some(trunk) = self.root.last_mut() {
            let trunk = Arc::make_mut(trunk);
            if slot.is_multiple_of(BRANCH_ROWS) {
                trunk.push(page());
            }
            if let Some(branch) = trunk.last_mut() {
                let branch = Arc::make_mut(branch);
                if slot.is_multiple_of(PAGE) {
                    branch.push(page());
                }
                if let Some(leaf) = branch.last_mut() {
                    Arc::make_mut(leaf).push(Some(row));
                }
            }
        }
        self.slots += 1;
        self.live += 1;
        slot
    }

    /// Puts another row, or none, in place of the one at `slot`; returns that one.
    pub(crate) fn replace(&mut self, slot: usize, row: Option<Arc<Row>>) -> Option<Arc<Row>> {
        let trunk = Arc::make_mut(self.root.get_mut(slot / TRUNK_ROWS)?);
        let branch = Arc::make_mut(trunk.get_mut(slot % TRUNK_ROWS / BRANCH_ROWS)?);
        let leaf = Arc::make_mut(branch.get_mut(slot % BRANCH_ROWS / PAGE)?);
        let place = leaf.get_mut(slot % PAGE)?;
        self.live += usize::from(row.is_some());
        let before = std::mem::replace(place, row);
        self.live -= usize::from(before.is_some());
        before
    }

    /// The rows in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Row>> {
        let branches = self.root.iter().flat_map(|trunk| trunk.iter());
        branches.flat_map(|branch| branch.iter()).flat_map(|leaf| leaf.iter()).flatten()
    }
}

fn page<T>() -> Arc<Vec<T>> {
    Arc::new(Vec::with_capacity(PAGE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: i64) -> Arc<Row> {
        Arc::new(Row { generation: 0, key: number.into(), record: Record::new().with("id", number) })
    }

    #[test]
    fn a_clone_sees_nothing_of_what_follows() {
        let mut rows = Rows::default();
        let count = (TRUNK_ROWS + BRANCH_ROWS * 2 + PAGE + 3) as i64;
        for number in 0..count {
            assert_eq!(rows.push(row(number)), number as usize);
        }
        let frozen = rows.clone();
        for slot in [0, PAGE, BRANCH_ROWS, TRUNK_ROWS, count as usize - 1] {
            rows.replace(slot, None);
        }
        rows.replace(1, Some(row(-1)));
        rows.push(row(count));
        let numbers = |rows: &Rows| rows.iter().map(|row| row.key.value().as_int().unwrap()).collect::<Vec<_>>();
        assert_eq!(numbers(&frozen), (0..count).collect::<Vec<_>>());
        assert_eq!((frozen.live(), rows.live()), (count as usize, count as usize - 4));
        assert_eq!(numbers(&rows)[..2], [-1, 2]);
    }
}
