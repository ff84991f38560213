//! Compares two stores.

use serde::Serialize;

use crate::source::Cut;
use crate::store::{DictStore, Snapshot};
use crate::value::{Key, Record};

/// Keys named of each kind of difference: enough to look at, few enough to read. All are counted.
pub const KEYS_SHOWN_MAX: usize = 20;

/// What differs, table by table; tables that do not differ are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Diff {
    /// Tables only in the second.
    pub added: Vec<String>,
    /// Tables only in the first.
    pub removed: Vec<String>,
    /// Tables in both that differ.
    pub changed: Vec<TableDiff>,
}

impl Diff {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// What differs in one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TableDiff {
    /// Its name.
    pub table: String,
    /// Whether primary key or schema differ.
    pub definition: bool,
    /// Whether the next automatic key differs.
    pub counter: bool,
    /// Records only in the second.
    pub added: Keys,
    /// Records only in the first.
    pub removed: Keys,
    /// Records in both that differ.
    pub changed: Keys,
}

/// Keys of records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Keys {
    /// How many.
    pub count: u64,
    /// The first of them, as JSON.
    pub first: Vec<String>,
}

impl Keys {
    fn add(&mut self, key: &Key) {
        self.count += 1;
        if self.first.len() < KEYS_SHOWN_MAX {
            self.first.push(key.to_string());
        }
    }
}

/// Compares two stores. The order of records is no difference; that of fields is none either.
#[must_use]
pub fn diff(first: &DictStore, second: &DictStore) -> Diff {
    let (before, after) = (first.snapshot(), second.snapshot());
    let (old, new) = (before.tables(), after.tables());
    let mut diff = Diff::default();
    for table in &new {
        if !old.iter().any(|known| known.name == table.name) {
            diff.added.push(table.name.to_string());
        }
    }
    for head in &old {
        let Some(other) = new.iter().find(|table| table.name == head.name) else {
            diff.removed.push(head.name.to_string());
            continue;
        };
        let mut table = TableDiff {
            table: head.name.to_string(),
            definition: head.primary_key != other.primary_key || head.schema != other.schema,
            counter: head.next_key != other.next_key,
            ..TableDiff::default()
        };
        rows(&mut table, (&before, first), (&after, second), &head.name);
        if table != (TableDiff { table: table.table.clone(), ..TableDiff::default() }) {
            diff.changed.push(table);
        }
    }
    diff
}

fn rows(
    table: &mut TableDiff,
    (before, first): (&Snapshot, &DictStore),
    (after, second): (&Snapshot, &DictStore),
    name: &crate::value::Text,
) {
    for row in before.rows_in(name) {
        match second.row(name, row.key()) {
            None => table.removed.add(row.key()),
            Some(other) if !same(row.record(), other.record()) => table.changed.add(row.key()),
            Some(_) => {}
        }
    }
    for row in after.rows_in(name).filter(|row| first.row(name, row.key()).is_none()) {
        table.added.add(row.key());
    }
}

/// Equal but for the order of their fields. As JSON, so that NaN is the same as NaN.
fn same(left: &Record, right: &Record) -> bool {
    let equal = |(name, value): (&crate::value::Text, &crate::value::Value)| {
        right.field(name).is_some_and(|other| other == value || text(other) == text(value))
    };
    left.len() == right.len() && left.iter().all(equal)
}

fn text(value: &crate::value::Value) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    crate::json::write::value(&mut out, value).ok().map(|()| out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::TableOptions;

    fn store(rows: &[(i64, f64)]) -> DictStore {
        let store = DictStore::new();
        store.create_table("t", TableOptions::new()).unwrap();
        for (id, value) in rows {
            store.insert("t", Record::new().with("id", *id).with("v", *value)).unwrap();
        }
        store
    }

    #[test]
    fn every_kind_of_difference_is_found_and_no_other() {
        let first = store(&[(1, 1.0), (2, f64::NAN), (3, 3.0)]);
        let second = store(&[(3, 4.0), (2, f64::NAN), (4, 1.0)]);
        second.create_table("new", TableOptions::new()).unwrap();
        first.create_table("old", TableOptions::new()).unwrap();
        let found = diff(&first, &second);
        assert_eq!((found.added, found.removed), (vec!["new".to_owned()], vec!["old".to_owned()]));
        let table = &found.changed[0];
        assert_eq!(
            [&table.added.first, &table.removed.first, &table.changed.first].map(|keys| keys.join(",")),
            ["4", "1", "3"]
        );
        assert!(table.counter && !table.definition);
        assert!(diff(&first, &first).is_empty());
    }
}
