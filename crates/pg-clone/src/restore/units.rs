//! Pure decisions of a restore: which frames are read and loaded together, and in which order.
//!
//! A table of three rows costs a round trip for each statement and for each request of the store, and next to nothing else.
//! Together with others it costs these once.

use std::ops::Range;

use crate::stored::detail::{Frame, RowData};
use crate::stored::frames::Frames;

/// Stored bytes a restore reads and loads as one COPY: enough to make the round trips disappear, few enough that the
/// workers end together.
pub(crate) const LOAD_BYTES: u64 = 16 * 1024 * 1024;

/// Stored bytes up to which a table's rows are loaded together with others'.
const LOAD_SMALL_BYTES: u64 = 64 * 1024;

/// Bytes of rows likewise: they are all in memory before they are sent.
const LOAD_SMALL_CONTENT_BYTES: u64 = 1024 * 1024;

/// Bytes of rows after which a batch of small tables is full, for the same reason.
const LOAD_BATCH_CONTENT_BYTES: u64 = 8 * 1024 * 1024;

/// Most tables loaded in one transaction, whose locks take space in the server's lock table.
const LOAD_BATCH_TABLES: usize = 250;

/// Stored bytes after which a batch of small tables is full: few enough that the workers end together.
const LOAD_BATCH_BYTES: u64 = 1024 * 1024;

/// Bytes between two frames that are rather read for nothing than left out by another request.
const GAP_BYTES: u64 = 64 * 1024;

/// One COPY of a restore: frames that lie one after the other in one pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoadUnit {
    /// Index of the table.
    pub(crate) table: usize,
    /// The frames.
    pub(crate) frames: Frames,
    /// Whether these are all of the table's frames.
    pub(crate) whole_table: bool,
}

impl LoadUnit {
    /// Stored bytes to read.
    pub(crate) fn stored_bytes(&self) -> u64 {
        self.frames.iter().map(|frame| frame.length).sum()
    }

    /// Rows to load.
    pub(crate) fn rows(&self) -> u64 {
        self.frames.iter().map(|frame| frame.rows).sum()
    }
}

/// Cuts a table's rows into units of about [`LOAD_BYTES`] whose frames can be read by one ranged request.
pub(crate) fn load_units(table: usize, data: &RowData) -> Vec<LoadUnit> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let (mut stored_bytes, mut last) = (0_u64, None::<&Frame>);
    for (at, frame) in data.frames.iter().enumerate() {
        let follows =
            last.is_some_and(|last| last.part == frame.part && last.offset.saturating_add(last.length) == frame.offset);
        match ranges.last_mut().filter(|_| follows && stored_bytes < LOAD_BYTES) {
            Some(range) => range.end = at + 1,
            None => {
                ranges.push(at..at + 1);
                stored_bytes = 0;
            }
        }
        stored_bytes = stored_bytes.saturating_add(frame.length);
        last = Some(frame);
    }
    let whole_table = ranges.len() == 1;
    let unit = |range| LoadUnit { table, frames: data.frames.slice(range), whole_table };
    ranges.into_iter().map(unit).collect()
}

/// Units that are read by one ranged request; several only if each is a small table's all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoadBatch {
    /// The units, in the order of their frames.
    pub(crate) units: Vec<LoadUnit>,
}

impl LoadBatch {
    /// Index in `parts` and the range to read, if there is anything.
    pub(crate) fn range(&self) -> Option<(u32, Range<u64>)> {
        let first = self.units.first()?.frames.first()?;
        let last = self.units.last()?.frames.last()?;
        Some((first.part, first.offset..last.offset.checked_add(last.length)?))
    }
}

/// Cuts the rows of tables, given with their positions, into batches, to be taken from the end: those of the largest tables last, so that no worker
/// is left with a long one, and the small tables first.
pub(crate) fn load_batches<'a>(tables: impl Iterator<Item = (usize, &'a RowData)>) -> Vec<LoadBatch> {
    let mut small: Vec<LoadUnit> = Vec::new();
    let mut large: Vec<(u64, LoadUnit)> = Vec::new();
    for (at, data) in tables {
        for unit in load_units(at, data) {
            let is_small = unit.stored_bytes() <= LOAD_SMALL_BYTES && data.content_bytes <= LOAD_SMALL_CONTENT_BYTES;
            if unit.whole_table && is_small {
                small.push(unit);
            } else {
                large.push((data.content_bytes, unit));
            }
        }
    }
    large.sort_by_key(|(table_bytes, _)| *table_bytes);
    let mut batches = together(small);
    batches.extend(large.into_iter().map(|(_, unit)| LoadBatch { units: vec![unit] }));
    batches
}

fn together(mut small: Vec<LoadUnit>) -> Vec<LoadBatch> {
    small.sort_by_key(|unit| unit.frames.first().map(|frame| (frame.part, frame.offset)));
    let mut batches: Vec<LoadBatch> = Vec::new();
    for unit in small {
        match batches.last_mut().filter(|batch| joins(batch, &unit)) {
            Some(batch) => batch.units.push(unit),
            None => batches.push(LoadBatch { units: vec![unit] }),
        }
    }
    batches
}

fn joins(batch: &LoadBatch, unit: &LoadUnit) -> bool {
    let (Some((part, range)), Some(frame)) = (batch.range(), unit.frames.first()) else { return false };
    let Some(gap) = frame.offset.checked_sub(range.end) else { return false };
    part == frame.part
        && gap <= GAP_BYTES
        && batch.units.len() < LOAD_BATCH_TABLES
        && range.end - range.start < LOAD_BATCH_BYTES
        && batch.units.iter().flat_map(|unit| &unit.frames).map(|frame| frame.content_bytes).sum::<u64>()
            < LOAD_BATCH_CONTENT_BYTES
}

/// Frames that are read by one ranged request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    /// Index in `parts`.
    pub(crate) part: u32,
    /// The bytes to read.
    pub(crate) range: Range<u64>,
    /// The frames in it, in order.
    pub(crate) frames: Vec<Frame>,
}

/// What to read to have all of `data`, when that is not a whole dump: frames that lie one after the other, or nearly,
/// together.
pub(crate) fn reads<'a>(data: impl Iterator<Item = &'a RowData>) -> Vec<Read> {
    let mut frames: Vec<&Frame> = data.flat_map(|data| &data.frames).collect();
    frames.sort_by_key(|frame| (frame.part, frame.offset));
    let mut reads: Vec<Read> = Vec::new();
    for frame in frames {
        let end = frame.offset.saturating_add(frame.length);
        let joins = |read: &&mut Read| {
            read.part == frame.part
                && frame.offset <= read.range.end.saturating_add(GAP_BYTES)
                && read.range.end - read.range.start < LOAD_BYTES
        };
        match reads.last_mut().filter(joins) {
            Some(read) => {
                read.range.end = read.range.end.max(end);
                read.frames.push(frame.clone());
            }
            None => reads.push(Read { part: frame.part, range: frame.offset..end, frames: vec![frame.clone()] }),
        }
    }
    reads
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::stored::frame_hash::FrameHash;

    use super::*;

    fn tiny(count: u64, gap: u64) -> Vec<RowData> {
        let frame = |at: u64| Frame {
            part: 1,
            offset: at * (100 + gap),
            length: 100,
            content_bytes: 200,
            rows: 5,
            xxh3: FrameHash::of(b""),
            blake3: None,
            content_sha256: None,
        };
        (0..count).map(|at| RowData { frames: vec![frame(at)].into(), rows: 5, ..RowData::default() }).collect()
    }

    #[test]
    fn ten_thousand_tiny_tables_need_a_few_requests() {
        let tables = tiny(10_000, 0);
        assert_eq!(load_batches(tables.iter().enumerate()).len(), 10_000_usize.div_ceil(LOAD_BATCH_TABLES));
        let all = reads(tables.iter());
        assert_eq!((all.len(), all[0].range.clone(), all[0].frames.len()), (1, 0..1_000_000, 10_000));
    }

    #[test]
    fn what_lies_far_apart_is_read_apart() {
        let tables = tiny(3, GAP_BYTES + 1);
        assert_eq!(load_batches(tables.iter().enumerate()).len(), 3);
        assert_eq!(reads(tables.iter()).len(), 3);
    }

    proptest! {
        #[test]
        fn every_frame_is_loaded_once_and_read_in_one_piece(
            lengths in prop::collection::vec((1_u64..LOAD_BYTES, 0_u32..3, any::<bool>()), 0..60)
        ) {
            let mut data = RowData::default();
            let mut offset = 0;
            for (length, part, gap) in lengths {
                offset += u64::from(gap);
                let xxh3 = FrameHash::of(b"");
                data.frames.push(Frame { part, offset, length, content_bytes: 1, rows: 1, xxh3, blake3: None, content_sha256: None });
                offset += length;
            }
            let units = load_units(0, &data);
            let loaded: Frames = units.iter().flat_map(|unit| unit.frames.to_vec()).collect();
            prop_assert_eq!(&loaded, &data.frames);
            for unit in &units {
                prop_assert_eq!(unit.whole_table, units.len() == 1);
                for pair in unit.frames.windows(2) {
                    prop_assert_eq!(pair[0].part, pair[1].part);
                    prop_assert_eq!(pair[0].offset + pair[0].length, pair[1].offset);
                }
            }
        }

        #[test]
        fn every_unit_is_in_one_batch(
            sizes in prop::collection::vec(prop::collection::vec((1_u64..LOAD_SMALL_BYTES * 2, 0_u64..3, 0_u32..3), 0..4), 0..50)
        ) {
            let mut ends = [0_u64; 3];
            let tables: Vec<RowData> = sizes.iter().map(|frames| {
                let frames = frames.iter().map(|(length, gap, part)| {
                    let end = &mut ends[*part as usize];
                    let offset = *end + gap * GAP_BYTES;
                    *end = offset + length;
                    Frame { part: *part, offset, length: *length, content_bytes: 1, rows: 1, xxh3: FrameHash::of(b""), blake3: None, content_sha256: None }
                });
                RowData { frames: frames.collect(), ..RowData::default() }
            }).collect();
            let batches = load_batches(tables.iter().enumerate());
            let mut found: Vec<LoadUnit> = batches.iter().flat_map(|batch| batch.units.clone()).collect();
            let mut wanted: Vec<LoadUnit> = tables.iter().enumerate().flat_map(|(at, data)| load_units(at, data)).collect();
            let order = |unit: &LoadUnit| (unit.table, unit.frames[0].part, unit.frames[0].offset);
            found.sort_by_key(order);
            wanted.sort_by_key(order);
            prop_assert_eq!(found, wanted);
            for batch in &batches {
                let (part, range) = batch.range().unwrap();
                let frames: Vec<&Frame> = batch.units.iter().flat_map(|unit| &unit.frames).collect();
                prop_assert!(frames.iter().all(|frame| frame.part == part));
                prop_assert!(frames.windows(2).all(|pair| pair[0].offset + pair[0].length <= pair[1].offset));
                let useful: u64 = frames.iter().map(|frame| frame.length).sum();
                prop_assert!(range.end - range.start <= useful + GAP_BYTES * frames.len() as u64);
            }
        }
    }
}
