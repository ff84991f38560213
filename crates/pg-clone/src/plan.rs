//! Pure decisions of dump and restore: how to split work, in which order, and what to combine.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::stored::detail::{Frame, RowData, TableKind};

/// Table bytes (heap and TOAST together) after which a table is dumped in several ctid ranges.
pub const RANGE_BYTES: u64 = 64 * 1024 * 1024;

/// Stored bytes a restore reads and loads as one COPY: enough to make the round trips disappear, few enough that the
/// workers end together.
pub const LOAD_BYTES: u64 = 16 * 1024 * 1024;

/// First major version whose `WHERE ctid >= … AND ctid < …` reads only that range (PostgreSQL 14 release notes).
const TID_RANGE_SCAN_MAJOR: u32 = 14;

/// A table as the catalogue shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableSource {
    /// Its oid.
    pub oid: u32,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// How it belongs to the database.
    pub kind: TableKind,
    /// Columns to copy, in order.
    pub columns: Vec<String>,
    /// Pages of its heap.
    pub heap_pages: u64,
    /// Bytes of heap and TOAST.
    pub table_bytes: u64,
    /// Whether its access method is `heap`, so that ctid ranges mean pages.
    pub is_heap: bool,
    /// Rows to copy, of an extension's configuration table (`pg_extension.extcondition`, with its `WHERE`).
    pub condition: String,
}

/// Pages `[from, to)`; an absent end means to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PageRange {
    /// First page.
    pub from: u64,
    /// Page after the last one; absent in a table's last range, so that rows on pages added meanwhile cannot be missed.
    pub to: Option<u64>,
}

/// One COPY of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DumpUnit {
    /// Index of the table.
    pub table: usize,
    /// Position among the table's units.
    pub index: usize,
    /// The pages, if not all.
    pub range: Option<PageRange>,
    /// Its share of the table's bytes.
    pub estimated_bytes: u64,
}

/// Splits the tables into units, the largest first, so that no worker is left with a long one at the end.
#[must_use]
pub fn dump_units(tables: &[TableSource], server_major: u32) -> Vec<DumpUnit> {
    let mut units: Vec<DumpUnit> = tables
        .iter()
        .enumerate()
        .flat_map(|(table, source)| {
            let ranges = page_ranges(source, server_major);
            let estimated_bytes = source.table_bytes / ranges.len() as u64;
            ranges.into_iter().enumerate().map(move |(index, range)| DumpUnit { table, index, range, estimated_bytes })
        })
        .collect();
    units.sort_by_key(|unit| (std::cmp::Reverse(unit.estimated_bytes), unit.table, unit.index));
    units
}

fn page_ranges(source: &TableSource, server_major: u32) -> Vec<Option<PageRange>> {
    let splittable = source.is_heap && source.condition.is_empty() && server_major >= TID_RANGE_SCAN_MAJOR;
    // Heap and TOAST count together: a small heap can point at most of a database (postgres.md 1.1).
    let parts = source.table_bytes.div_ceil(RANGE_BYTES).min(source.heap_pages);
    if !splittable || parts < 2 {
        return vec![None];
    }
    let bound = |part: u64| source.heap_pages * part / parts;
    (0..parts)
        .map(|part| Some(PageRange { from: bound(part), to: (part + 1 < parts).then(|| bound(part + 1)) }))
        .collect()
}

/// One COPY of a restore: frames that lie one after the other in one pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadUnit {
    /// Index of the table.
    pub table: usize,
    /// The frames.
    pub frames: Vec<Frame>,
    /// Whether these are all of the table's frames.
    pub whole_table: bool,
}

impl LoadUnit {
    /// Stored bytes to read.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.frames.iter().map(|frame| frame.length).sum()
    }

    /// Rows to load.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.frames.iter().map(|frame| frame.rows).sum()
    }
}

/// Cuts a table's rows into units of about [`LOAD_BYTES`] whose frames can be read by one ranged request.
#[must_use]
pub fn load_units(table: usize, data: &RowData) -> Vec<LoadUnit> {
    let mut units: Vec<LoadUnit> = Vec::new();
    for frame in &data.frames {
        let joins = units.last().is_some_and(|unit| {
            unit.stored_bytes() < LOAD_BYTES
                && unit
                    .frames
                    .last()
                    .is_some_and(|last| last.part == frame.part && last.offset + last.length == frame.offset)
        });
        if joins {
            if let Some(unit) = units.last_mut() {
                unit.frames.push(frame.clone());
            }
        } else {
            units.push(LoadUnit { table, frames: vec![frame.clone()], whole_table: false });
        }
    }
    if let [only] = units.as_mut_slice() {
        only.whole_table = true;
    }
    units
}

/// Orders `items` so that each comes after everything it uses. Items of a cycle, which views cannot form, come last in
/// their given order.
#[must_use]
pub fn dependency_order(items: &[u32], uses: &[(u32, u32)]) -> Vec<u32> {
    let mut open: BTreeMap<u32, usize> = items.iter().map(|item| (*item, 0)).collect();
    let inner: Vec<_> =
        uses.iter().filter(|(user, used)| user != used && open.contains_key(user) && open.contains_key(used)).collect();
    for (user, _) in &inner {
        *open.entry(*user).or_default() += 1;
    }
    let mut ordered: Vec<u32> = items.iter().copied().filter(|item| open[item] == 0).collect();
    let mut next = 0;
    while let Some(done) = ordered.get(next).copied() {
        next += 1;
        for (user, _) in inner.iter().filter(|(_, used)| *used == done) {
            let left = open.entry(*user).or_default();
            *left -= 1;
            if *left == 0 {
                ordered.push(*user);
            }
        }
    }
    let cyclic: Vec<u32> = items.iter().copied().filter(|item| !ordered.contains(item)).collect();
    ordered.extend(cyclic);
    ordered
}

/// Those of `populated` that cannot be computed again: they read, maybe through others, one that holds no rows.
/// `uses` must hold the indirect uses as well.
#[must_use]
pub fn not_refreshable(populated: &BTreeMap<u32, bool>, uses: &[(u32, u32)]) -> BTreeSet<u32> {
    let is = |view: &u32, wanted: bool| populated.get(view) == Some(&wanted);
    uses.iter().filter(|(user, used)| is(user, true) && is(used, false)).map(|(user, _)| *user).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::stored::frame_hash::FrameHash;

    use super::*;

    fn table(heap_pages: u64, table_bytes: u64) -> TableSource {
        TableSource {
            oid: 1,
            schema: "public".into(),
            name: "t".into(),
            kind: TableKind::Table,
            columns: vec!["a".into()],
            heap_pages,
            table_bytes,
            is_heap: true,
            condition: String::new(),
        }
    }

    #[test]
    fn a_small_heap_with_much_toast_is_split_by_all_its_bytes() {
        let units = dump_units(&[table(10, RANGE_BYTES * 1_000)], 15);
        assert_eq!(units.len(), 10, "no more units than pages");
    }

    #[test]
    fn old_servers_and_other_access_methods_are_not_split() {
        let big = table(1 << 20, RANGE_BYTES * 9);
        assert_eq!(dump_units(std::slice::from_ref(&big), 13).len(), 1);
        let columnar = TableSource { is_heap: false, ..big.clone() };
        assert_eq!(dump_units(&[columnar], 15).len(), 1);
        let configuration = TableSource { condition: "WHERE x".into(), ..big };
        assert_eq!(dump_units(&[configuration], 15).len(), 1);
    }

    #[test]
    fn matviews_follow_what_they_use() {
        assert_eq!(dependency_order(&[3, 1, 2], &[(3, 2), (2, 1), (1, 99)]), vec![1, 2, 3]);
    }

    #[test]
    fn a_matview_on_one_without_rows_is_not_refreshed() {
        let populated = BTreeMap::from([(1, true), (2, false), (3, true), (4, false), (5, true)]);
        assert_eq!(not_refreshable(&populated, &[(1, 2), (3, 1), (3, 2), (4, 2), (5, 99)]), BTreeSet::from([1, 3]));
    }

    proptest! {
        #[test]
        fn ranges_cover_every_page_once(pages in 0_u64..100_000, bytes in 0_u64..RANGE_BYTES * 200) {
            let mut units = dump_units(&[table(pages, bytes)], 15);
            units.sort_by_key(|unit| unit.index);
            let mut next = 0;
            for unit in &units {
                match unit.range {
                    None => prop_assert_eq!(units.len(), 1),
                    Some(range) => {
                        prop_assert_eq!(range.from, next);
                        if let Some(to) = range.to {
                            prop_assert!(to > range.from);
                            next = to;
                        } else {
                            prop_assert_eq!(unit.index, units.len() - 1);
                        }
                    }
                }
            }
        }

        #[test]
        fn every_frame_is_loaded_once_and_read_in_one_piece(
            lengths in prop::collection::vec((1_u64..LOAD_BYTES, 0_u32..3, any::<bool>()), 0..60)
        ) {
            let mut data = RowData::default();
            let mut offset = 0;
            for (length, part, gap) in lengths {
                offset += u64::from(gap);
                let xxh3 = FrameHash::of(b"");
                data.frames.push(Frame { part, offset, length, content_bytes: 1, rows: 1, xxh3, blake3: None });
                offset += length;
            }
            let units = load_units(0, &data);
            let loaded: Vec<_> = units.iter().flat_map(|unit| unit.frames.clone()).collect();
            prop_assert_eq!(&loaded, &data.frames);
            for unit in &units {
                prop_assert_eq!(unit.whole_table, units.len() == 1);
                for pair in unit.frames.windows(2) {
                    prop_assert_eq!(pair[0].part, pair[1].part);
                    prop_assert_eq!(pair[0].offset + pair[0].length, pair[1].offset);
                }
            }
        }
    }
}
