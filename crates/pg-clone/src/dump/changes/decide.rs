//! What need not be read: pure decisions. Whatever is unknown is read.

use std::collections::{BTreeSet, HashMap};

use backup_core::digest::Sha256Digest;
use xxhash_rust::xxh3::xxh3_64;

use super::why::{WhyAll, WhyTable};
use crate::dump::units::PageRange;
use crate::stored::base::{Base, Lsn, Summary, TableBase};

/// Which server and database is asked, and how it prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) timeline: u32,
    pub(crate) instance: u64,
    pub(crate) database: u32,
    pub(crate) text: Sha256Digest,
}

/// A summary that the server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) timeline: u32,
    pub(crate) start: Lsn,
    pub(crate) end: Lsn,
}

/// Whether it is the same server, database and form of text.
pub(crate) fn same_place(then: &Base, now: &Place) -> Result<(), WhyAll> {
    if then.timeline != now.timeline {
        return Err(WhyAll::OtherTimeline { then: then.timeline, now: now.timeline });
    }
    if then.instance != now.instance {
        return Err(WhyAll::Restarted);
    }
    if then.database != now.database {
        return Err(WhyAll::OtherDatabase);
    }
    if then.text != now.text {
        return Err(WhyAll::OtherText);
    }
    Ok(())
}

/// The summaries that together say all that changed from `from` to `until`: each begins where the one before ends, or earlier.
pub(crate) fn joined(timeline: u32, from: Lsn, until: Lsn, all: &[Span]) -> Result<Vec<Span>, WhyAll> {
    let mut all: Vec<Span> = all.iter().copied().filter(|span| span.timeline == timeline).collect();
    all.sort_unstable_by_key(|span| (span.start, span.end));
    let (mut at, mut chosen, mut rest) = (from, Vec::new(), all.as_slice());
    while at < until {
        let reach = rest.partition_point(|span| span.start <= at);
        let (reached, beyond) = rest.split_at(reach);
        // Of those that begin in time the one that goes furthest.
        match reached.iter().max_by_key(|span| span.end).filter(|span| span.end > at) {
            Some(span) => {
                chosen.push(*span);
                at = span.end;
                rest = beyond;
            }
            None => return Err(WhyAll::Gap { at, next: beyond.first().map(|span| span.start) }),
        }
    }
    Ok(chosen)
}

/// The last summaries before `base`, at most so many: what tells its history from another.
pub(crate) fn before(timeline: u32, base: Lsn, most: usize, all: &[Span]) -> Vec<Span> {
    let mut all: Vec<Span> =
        all.iter().copied().filter(|span| span.timeline == timeline && span.start < base).collect();
    all.sort_unstable_by_key(|span| (span.start, span.end));
    if all.iter().all(|span| span.end < base) {
        return Vec::new(); // the server has not come so far
    }
    all.split_off(all.len().saturating_sub(most))
}

/// Whether the summaries from before the base are what they were.
pub(crate) fn same_history(then: &[Summary], now: &[Summary]) -> Result<(), WhyAll> {
    if then.is_empty() || then != now { Err(WhyAll::OtherHistory) } else { Ok(()) }
}

/// A checkpoint: where it began, and the number of the next transaction, read after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) redo: Lsn,
    pub(crate) timeline: u32,
    pub(crate) next_xid: u64,
}

/// The newest of the checkpoints after which every transaction began that a snapshot does not see as ended: it sees all below
/// `xmin` so. A transaction that was open at a checkpoint, or prepared, may have changed pages before it.
pub(crate) fn newest_base(checkpoints: &[Checkpoint], timeline: u32, xmin: u64) -> Option<Checkpoint> {
    let is_one = |checkpoint: &&Checkpoint| checkpoint.timeline == timeline && checkpoint.next_xid <= xmin;
    checkpoints.iter().filter(is_one).max_by_key(|checkpoint| checkpoint.redo).copied()
}

/// What the summaries say of the tables of one database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    /// All of it was copied by files or moved.
    pub(crate) all: bool,
    /// By tablespace and number of the file.
    pub(crate) files: HashMap<(u32, u32), ChangedFile>,
}

/// What they say of a table's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChangedFile {
    /// The page from which on all is new: the file was that short.
    pub(crate) limit: Option<u64>,
    /// Pages that changed, at least one of each range in which any did.
    pub(crate) pages: BTreeSet<u64>,
}

impl ChangedFile {
    fn touches(&self, range: PageRange) -> bool {
        let is_within = |page: u64| range.to.is_none_or(|to| page < to);
        self.limit.is_some_and(is_within) || self.pages.range(range.from..).next().is_some_and(|page| is_within(*page))
    }
}

/// A table as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableNow {
    pub(crate) tablespace: u32,
    pub(crate) filenode: u32,
    pub(crate) toast: u32,
    pub(crate) is_heap: bool,
    pub(crate) is_logged: bool,
    pub(crate) has_condition: bool,
    /// Digest of columns and types.
    pub(crate) text: Sha256Digest,
    /// A column whose text depends on more, as people know it.
    pub(crate) opaque: Option<String>,
    /// In which ranges it would be read.
    pub(crate) ranges: Vec<PageRange>,
}

impl TableNow {
    /// Why rows of it are never kept, if so.
    pub(crate) fn never_kept(&self) -> Option<WhyTable> {
        if !self.is_logged {
            return Some(WhyTable::Unlogged);
        }
        if self.has_condition {
            return Some(WhyTable::Condition);
        }
        if !self.is_heap || self.filenode == 0 {
            return Some(WhyTable::OtherAccessMethod);
        }
        self.opaque.clone().map(WhyTable::Opaque)
    }
}

/// What becomes of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    /// For each range of it, the range of the earlier dump that has its rows; nothing if it is read.
    pub(crate) kept: Vec<Option<usize>>,
    /// Why not all ranges are kept.
    pub(crate) why: Option<WhyTable>,
}

/// Decides about a table, of which the earlier dump says `then`.
pub(crate) fn table(then: Option<&TableBase>, now: &TableNow, changed: &Changed) -> Decision {
    let read = |why| Decision { kept: vec![None; now.ranges.len()], why: Some(why) };
    if let Some(why) = now.never_kept() {
        return read(why);
    }
    let Some(then) = then else { return read(WhyTable::New) };
    if then.text != now.text {
        return read(WhyTable::OtherText);
    }
    if changed.all {
        return read(WhyTable::DatabaseCopied);
    }
    if (then.tablespace, then.filenode, then.toast) != (now.tablespace, now.filenode, now.toast) {
        return read(WhyTable::Rewritten);
    }
    let unchanged = ChangedFile::default();
    let file = changed.files.get(&(now.tablespace, now.filenode)).unwrap_or(&unchanged);
    if file.limit == Some(0) {
        return read(WhyTable::Rewritten);
    }
    if !is_consistent(then) {
        return read(WhyTable::Contradiction);
    }
    let mut why = None;
    let kept = now.ranges.iter().map(|range| {
        if file.touches(*range) {
            why = Some(WhyTable::Changed);
            return None;
        }
        let same = same_range(then, *range);
        if same.is_none() && why.is_none() {
            why = Some(WhyTable::OtherRanges);
        }
        same
    });
    let kept = kept.collect();
    Decision { kept, why }
}

/// Whether it has as many ranges as its pages make.
fn is_consistent(then: &TableBase) -> bool {
    let expected = match then.step {
        Some(0) => return false,
        Some(step) => then.pages.div_ceil(step).max(1),
        None => 1,
    };
    then.ranges.len() as u64 == expected
}

/// The range of the earlier dump with the same rows as long as nothing changes. The last one went to the end of the file, which
/// may be longer now: what is on pages behind its end then is new.
fn same_range(then: &TableBase, range: PageRange) -> Option<usize> {
    let step = then.step.unwrap_or(u64::MAX);
    if range.from % step != 0 {
        return None;
    }
    let at = usize::try_from(range.from / step).ok().filter(|at| *at < then.ranges.len())?;
    let is_last = at + 1 == then.ranges.len();
    let fits = match range.to {
        None => is_last,
        Some(to) if is_last => to >= then.pages,
        Some(to) => Some(to) == range.from.checked_add(step),
    };
    fits.then_some(at)
}

/// Whether a range belongs to the sample of `percent` that is read and compared. Which ones do is another choice in each dump,
/// whose key is `dump`.
pub(crate) fn is_sampled(percent: u8, dump: &str, table: &str, from: u64) -> bool {
    let hash = xxh3_64(format!("{dump}\n{table}\n{from}").as_bytes());
    hash % 100 < u64::from(percent)
}

#[cfg(test)]
mod tests;
