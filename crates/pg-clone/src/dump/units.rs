//! Pure decisions of a dump: which tables are split into ranges, which are copied together, and in which order.
//!
//! A table of three rows costs a round trip for its lock and for each statement, and next to nothing else. Together with
//! others it costs these once.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use crate::ident::QualifiedName;
use crate::stored::detail::TableKind;

/// Table bytes (heap and TOAST together) of a range of pages, about: the more of several ranges there are, the better do workers
/// share a table.
pub(crate) const RANGE_BYTES: u64 = 64 * 1024 * 1024;

/// The same where ranges that did not change are kept: a row at the end of a table has less of it read. A worker takes as many of
/// them at once as make one of the others.
pub(crate) const KEPT_RANGE_BYTES: u64 = 8 * 1024 * 1024;

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
    /// Table bytes of a range, about.
    pub(crate) range_bytes: u64,
    /// Pages of a range, if they are not to follow from that.
    pub(crate) range_pages: Option<u64>,
}

impl TableSource {
    /// Its name, with its schema.
    pub(crate) fn qualified_name(&self) -> QualifiedName {
        QualifiedName::new(&self.schema, &self.name)
    }

    /// The ranges it is read in; one without an end if it is read in one piece.
    pub(crate) fn ranges(&self, server_major: u32) -> Vec<PageRange> {
        page_ranges(self, server_major)
            .into_iter()
            .map(|range| range.unwrap_or(PageRange { from: 0, to: None }))
            .collect()
    }

    /// Pages of a range; nothing if it is read in one piece, whatever its size.
    pub(crate) fn step(&self, server_major: u32) -> Option<u64> {
        can_be_split(self, server_major).then(|| range_pages(self))
    }

    /// Has it cut where an earlier dump cut it, unless ranges of `step` pages would be twice too large or too small by now.
    pub(crate) fn keep_step(&mut self, step: u64, server_major: u32) {
        let own = range_pages(self);
        let is_near = step.is_power_of_two() && step <= own.saturating_mul(2) && own <= step.saturating_mul(2);
        // Whether the server can plan it was asked of tables with several ranges only.
        if is_near && has_several_ranges(self, server_major) {
            self.range_pages = Some(step);
        }
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

/// Whether ranges of it can be read.
fn can_be_split(source: &TableSource, server_major: u32) -> bool {
    source.by_ranges && source.condition.is_empty() && server_major >= TID_RANGE_SCAN_MAJOR
}

fn page_ranges(source: &TableSource, server_major: u32) -> Vec<Option<PageRange>> {
    let step = range_pages(source);
    let parts = source.heap_pages.div_ceil(step);
    if !can_be_split(source, server_major) || parts < 2 {
        return vec![None];
    }
    (0..parts)
        .map(|part| Some(PageRange { from: part * step, to: (part + 1 < parts).then(|| (part + 1) * step) }))
        .collect()
}

/// Pages of a range: a power of two, so that ranges begin at the same pages however large the table becomes. If rows get longer or
/// shorter on the average, some more begin between those, or fewer.
fn range_pages(source: &TableSource) -> u64 {
    if let Some(pages) = source.range_pages {
        return pages.max(1);
    }
    // Heap and TOAST count together: a small heap can point at most of a database (postgres.md 1.1).
    let page_bytes = source.table_bytes.checked_div(source.heap_pages).unwrap_or_default().max(1);
    let wanted = (source.range_bytes / page_bytes).max(1);
    let below = 1_u64 << wanted.ilog2();
    // The nearer one by ratio, so that pages of nothing but rows, of 8 KiB, are far from both limits.
    if wanted.saturating_mul(wanted) >= 2 * below * below { 2 * below } else { below }
}

/// Cuts the large objects into batches of at most `most`, by their numbers: those after one that is deleted stay together.
pub(crate) fn object_batches(oids: &[u32], most: usize) -> Vec<Range<usize>> {
    let least = most / 4;
    let mut batches = Vec::new();
    let mut begin = 0;
    for (at, oid) in oids.iter().enumerate() {
        let count = at + 1 - begin;
        let is_last_of_some = xxh3_64(&oid.to_be_bytes()).is_multiple_of(least.max(1) as u64);
        if count >= most || (count >= least && is_last_of_some) {
            batches.push(begin..at + 1);
            begin = at + 1;
        }
    }
    if begin < oids.len() {
        batches.push(begin..oids.len());
    }
    batches
}

/// Cuts `units`, the largest first, into what a worker takes at once: a large one alone, small tables together, and small ranges
/// of one table.
pub(crate) fn dump_batches(units: &[DumpUnit]) -> Vec<Range<usize>> {
    let mut batches: Vec<Range<usize>> = Vec::new();
    for (at, unit) in units.iter().enumerate() {
        let is_small = |unit: &DumpUnit| unit.range.is_none() && unit.estimated_bytes <= DUMP_SMALL_BYTES;
        // Ranges of a table are alike.
        let has_room = |batch: &Range<usize>| (batch.len() as u64 + 1) * unit.estimated_bytes <= RANGE_BYTES;
        let is_part = unit.range.is_some() && unit.estimated_bytes <= RANGE_BYTES / 4;
        let joins = |batch: &&mut Range<usize>| {
            let first = &units[batch.start];
            is_small(unit) && is_small(first) && batch.len() < DUMP_BATCH_TABLES
                || is_part && first.range.is_some() && first.table == unit.table && has_room(batch)
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
            range_bytes: RANGE_BYTES,
            range_pages: None,
        }
    }

    #[test]
    fn ranges_stay_where_they_were_while_they_are_not_far_off() {
        let mut grown = table(20_000, 20_000 * 16_384);
        assert_eq!((grown.step(15), grown.ranges(15).len(), grown.step(13)), (Some(4_096), 5, None));
        grown.keep_step(8_192, 15);
        assert_eq!((grown.step(15), grown.ranges(15)[1].from), (Some(8_192), 8_192));
        for far in [16_384, 1_024, 5_000, 0] {
            let mut other = table(20_000, 20_000 * 16_384);
            other.keep_step(far, 15);
            assert_eq!(other.step(15), Some(4_096), "{far}");
        }
        let mut small = table(3_000, 3_000 * 16_384);
        small.keep_step(2_048, 15);
        assert_eq!(small.ranges(15), [PageRange { from: 0, to: None }]);
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
        let part = |table, estimated_bytes| DumpUnit { table, estimated_bytes, ..part };
        let ranges = |bytes| -> Vec<DumpUnit> { (0..5).map(|at| part(at / 4, bytes)).collect() };
        assert_eq!(dump_batches(&ranges(RANGE_BYTES / 4)), [0..4, 4..5], "those of one table are alike");
        assert_eq!(dump_batches(&ranges(RANGE_BYTES / 3)), [0..1, 1..2, 2..3, 3..4, 4..5]);
        let many: Vec<DumpUnit> = (0..20).map(|_| part(0, KEPT_RANGE_BYTES)).collect();
        assert_eq!(dump_batches(&many), [0..8, 8..16, 16..20]);
        assert_eq!(dump_batches(&[]), []);
        let many: Vec<DumpUnit> = (0..10_000).map(|table| unit(table, 16_384)).collect();
        assert_eq!(dump_batches(&many).len(), 10_000_usize.div_ceil(DUMP_BATCH_TABLES));
    }

    #[test]
    fn pages_of_rows_alone_make_ranges_of_64_mib() {
        for page_bytes in [8192, 8000, 11_000, 6_000] {
            let pages = 100_000;
            let ranges = page_ranges(&table(pages, pages * page_bytes), 15);
            assert_eq!(ranges[1].unwrap().from, 8192, "{page_bytes}");
        }
        assert_eq!(page_ranges(&table(8192, 8192 * 8192), 15), [None]);
        assert_eq!(page_ranges(&table(0, 0), 15), [None]);
        assert_eq!(page_ranges(&table(3, RANGE_BYTES * 100), 15).len(), 3);
    }

    #[test]
    fn large_objects_that_go_or_come_leave_the_other_batches() {
        let all: Vec<u32> = (0..20_000).map(|number| 16_384 + number * 3).collect();
        let cut = |oids: &[u32]| -> std::collections::BTreeSet<Vec<u32>> {
            object_batches(oids, 1_000).into_iter().map(|batch| oids[batch].to_vec()).collect()
        };
        let known = cut(&all);
        assert!((20..80).contains(&known.len()), "{} batches", known.len());
        assert_eq!(known.iter().map(Vec::len).sum::<usize>(), all.len());
        let without: Vec<u32> = all.iter().copied().filter(|oid| *oid != all[7_000]).collect();
        let fresh = cut(&without).difference(&known).count();
        assert!(fresh <= 3, "{fresh} of {} batches are new", known.len());
        assert!(object_batches(&[], 1_000).is_empty());
        assert_eq!(object_batches(&[1, 2], 1), [0..1, 1..2]);
    }

    proptest! {
        #[test]
        fn a_table_that_grows_keeps_its_ranges(
            pages in 1_u64..200_000, grown in 0_u64..200_000, page_bytes in 1_u64..RANGE_BYTES * 2, more in 0_u64..8192,
        ) {
            let bounds = |pages: u64, page_bytes: u64| -> Vec<u64> {
                page_ranges(&table(pages, pages * page_bytes), 15).iter().flatten().map(|range| range.from).collect()
            };
            let (before, after) = (bounds(pages, page_bytes), bounds(pages + grown, page_bytes));
            prop_assert!(before.iter().all(|bound| after.binary_search(bound).is_ok()), "{before:?} {after:?}");
            // With longer rows some begin in between, or with half of them missing.
            let [one, other] = [page_bytes, page_bytes + more].map(|bytes| range_pages(&table(pages, pages * bytes)));
            prop_assert!(one % other == 0 && (RANGE_BYTES / page_bytes < 2 || one * page_bytes <= RANGE_BYTES * 2));
        }

        #[test]
        fn batches_of_large_objects_are_all_of_them(oids in prop::collection::btree_set(any::<u32>(), 0..300), most in 1..50_usize) {
            let oids: Vec<u32> = oids.into_iter().collect();
            let batches = object_batches(&oids, most);
            prop_assert!(batches.iter().all(|batch| (1..=most).contains(&batch.len())));
            let again: Vec<u32> = batches.into_iter().flat_map(|batch| oids[batch].to_vec()).collect();
            prop_assert_eq!(again, oids);
        }

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
