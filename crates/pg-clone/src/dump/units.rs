//! Pure decisions of a dump: which tables are split into ranges, which are copied together, and in which order.
//!
//! A table of three rows costs a round trip for its lock and for each statement, and next to nothing else. Together with
//! others it costs these once.

use std::ops::Range;

use crate::ident::QualifiedName;
use crate::stored::detail::TableKind;

/// Table bytes (heap and TOAST together) after which a table is dumped in several ctid ranges.
pub(crate) const RANGE_BYTES: u64 = 64 * 1024 * 1024;

/// First major version whose `WHERE ctid >= … AND ctid < …` reads only that range (PostgreSQL 14 release notes).
const TID_RANGE_SCAN_MAJOR: u32 = 14;

/// Table bytes up to which units are dumped together: such a table has no more than a few pages.
const DUMP_SMALL_BYTES: u64 = 256 * 1024;

/// Most tables dumped together: as many locks a worker holds at once beyond those it took ahead.
const DUMP_BATCH_TABLES: usize = 64;

/// A table as the catalogue shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableSource {
    /// Its oid.
    pub(crate) oid: u32,
    /// Its schema.
    pub(crate) schema: String,
    /// Its name.
    pub(crate) name: String,
    /// How it belongs to the database.
    pub(crate) kind: TableKind,
    /// Columns to copy, in order.
    pub(crate) columns: Vec<String>,
    /// Pages of its heap.
    pub(crate) heap_pages: u64,
    /// Bytes of heap and TOAST.
    pub(crate) table_bytes: u64,
    /// Whether ranges of it can be read: its access method is `heap`, so that ctid ranges mean pages, and the server can plan it.
    pub(crate) by_ranges: bool,
    /// Rows to copy, of an extension's configuration table (`pg_extension.extcondition`, with its `WHERE`).
    pub(crate) condition: String,
}

impl TableSource {
    /// Its name, with its schema.
    pub(crate) fn qualified_name(&self) -> QualifiedName {
        QualifiedName::new(&self.schema, &self.name)
    }
}

/// Pages `[from, to)`; an absent end means to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageRange {
    /// First page.
    pub(crate) from: u64,
    /// Page after the last one; absent in a table's last range, so that rows on pages added meanwhile cannot be missed.
    pub(crate) to: Option<u64>,
}

/// One COPY of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DumpUnit {
    /// Index of the table.
    pub(crate) table: usize,
    /// Position among the table's units.
    pub(crate) index: usize,
    /// The pages, if not all.
    pub(crate) range: Option<PageRange>,
    /// Its share of the table's bytes.
    pub(crate) estimated_bytes: u64,
}

/// Splits the tables into units, the largest first, so that no worker is left with a long one at the end.
pub(crate) fn dump_units(tables: &[TableSource], server_major: u32) -> Vec<DumpUnit> {
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

/// Whether a table would be read in several ranges.
pub(crate) fn has_several_ranges(source: &TableSource, server_major: u32) -> bool {
    page_ranges(source, server_major).len() > 1
}

fn page_ranges(source: &TableSource, server_major: u32) -> Vec<Option<PageRange>> {
    let splittable = source.by_ranges && source.condition.is_empty() && server_major >= TID_RANGE_SCAN_MAJOR;
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

/// Cuts `units`, the largest first, into what a worker takes at once: a large one alone, small ones together.
pub(crate) fn dump_batches(units: &[DumpUnit]) -> Vec<Range<usize>> {
    let mut batches: Vec<Range<usize>> = Vec::new();
    for (at, unit) in units.iter().enumerate() {
        let is_small = unit.range.is_none() && unit.estimated_bytes <= DUMP_SMALL_BYTES;
        let joins = |batch: &&mut Range<usize>| {
            let first = &units[batch.start];
            let of_small = first.range.is_none() && first.estimated_bytes <= DUMP_SMALL_BYTES;
            is_small && of_small && batch.len() < DUMP_BATCH_TABLES
        };
        match batches.last_mut().filter(joins) {
            Some(batch) => batch.end = at + 1,
            None => batches.push(at..at + 1),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
            by_ranges: true,
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
        assert!(has_several_ranges(&big, 15) && !has_several_ranges(&big, 13));
        let columnar = TableSource { by_ranges: false, ..big.clone() };
        assert_eq!(dump_units(&[columnar], 15).len(), 1);
        let configuration = TableSource { condition: "WHERE x".into(), ..big };
        assert_eq!(dump_units(&[configuration], 15).len(), 1);
    }

    fn unit(table: usize, estimated_bytes: u64) -> DumpUnit {
        DumpUnit { table, index: 0, range: None, estimated_bytes }
    }

    #[test]
    fn only_small_tables_are_dumped_together() {
        let part = DumpUnit { range: Some(PageRange { from: 0, to: None }), ..unit(0, 1) };
        let units = [unit(0, DUMP_SMALL_BYTES + 1), part, unit(1, 9), unit(2, 0)];
        assert_eq!(dump_batches(&units), [0..1, 1..2, 2..4]);
        assert_eq!(dump_batches(&[]), []);
        let many: Vec<DumpUnit> = (0..10_000).map(|table| unit(table, 16_384)).collect();
        assert_eq!(dump_batches(&many).len(), 10_000_usize.div_ceil(DUMP_BATCH_TABLES));
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
    }
}
