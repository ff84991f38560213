//! Checks the bytes of one stored object as they arrive: its digest, its frames' digests, and the rows in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use backup_core::digest::{Sha256Digest, Sha256Hasher};
use backup_core::key::Key;
use backup_core::manifest::Part;
use backup_core::units::exact_bytes;

use super::damage::Damage;
use crate::stored::detail::Frame;
use crate::stored::frame_comparison::FrameComparison;
use crate::stored::frame_content::FrameContent;
use crate::stored::row_hash::RowHash;

/// A frame to check, and whose rows are in it.
#[derive(Clone, Debug)]
pub(super) struct FrameCheck {
    pub(super) frame: Frame,
    /// Index among the dump's sets of rows.
    pub(super) rows_of: usize,
    pub(super) table: Arc<str>,
}

/// Rows found in whole frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RowTotals {
    pub(super) frames: u64,
    pub(super) rows: u64,
    pub(super) row_hash: RowHash,
}

impl RowTotals {
    pub(super) fn merge(&mut self, other: &Self) {
        self.frames += other.frames;
        self.rows += other.rows;
        self.row_hash.merge(&other.row_hash);
    }
}

/// What the check of one object brought.
#[derive(Debug, Default)]
pub(super) struct PartFindings {
    pub(super) bytes: u64,
    pub(super) damage: Vec<Damage>,
    pub(super) totals: BTreeMap<usize, RowTotals>,
}

/// Takes an object's bytes in order.
pub(super) struct PartChecker {
    object: Key,
    stored_bytes: u64,
    stored_sha256: Sha256Digest,
    hasher: Sha256Hasher,
    /// Where in the object the next byte is.
    position: u64,
    start: u64,
    /// Still to come, the next one last.
    frames: Vec<FrameCheck>,
    open: Option<OpenFrame>,
    findings: PartFindings,
}

impl PartChecker {
    /// A check of `part` whose `frames` lie in any order.
    pub(super) fn new(part: &Part, mut frames: Vec<FrameCheck>) -> Self {
        frames.sort_by_key(|check| std::cmp::Reverse(check.frame.offset));
        Self {
            object: part.key.clone(),
            stored_bytes: part.stored_bytes,
            stored_sha256: part.stored_sha256,
            hasher: Sha256Hasher::default(),
            position: part.offset.unwrap_or(0),
            start: part.offset.unwrap_or(0),
            frames,
            open: None,
            findings: PartFindings::default(),
        }
    }

    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        self.hasher.update(bytes);
        while !bytes.is_empty() {
            let taken = match &mut self.open {
                Some(open) => open.take(bytes),
                None => self.skip_to_frame(bytes),
            };
            self.position += taken as u64;
            bytes = &bytes[taken..];
            self.close_if_complete();
        }
    }

    /// Opens the next frame if it begins here; otherwise says how many of `bytes` come before it.
    fn skip_to_frame(&mut self, bytes: &[u8]) -> usize {
        let Some(next) = self.frames.last() else { return bytes.len() };
        if next.frame.offset > self.position {
            let gap = next.frame.offset - self.position;
            return usize::try_from(gap).map_or(bytes.len(), |gap| gap.min(bytes.len()));
        }
        if let Some(check) = self.frames.pop() {
            if check.frame.offset < self.position {
                let what = "the manifest makes it overlap the frame before it";
                self.findings.damage.push(damage(&self.object, &check, what));
            } else {
                self.open = Some(OpenFrame::new(check));
            }
        }
        0
    }

    fn close_if_complete(&mut self) {
        if self.open.as_ref().is_some_and(|open| open.remaining == 0)
            && let Some(open) = self.open.take()
        {
            let rows_of = open.check.rows_of;
            match open.close() {
                Ok(totals) => self.findings.totals.entry(rows_of).or_default().merge(&totals),
                Err(fault) => {
                    let (check, what) = *fault;
                    self.findings.damage.push(damage(&self.object, &check, what));
                }
            }
        }
    }

    pub(super) fn finish(mut self) -> PartFindings {
        let digest = self.hasher.finish();
        let bytes = self.position - self.start;
        self.findings.bytes = bytes;
        let whole = if bytes != self.stored_bytes {
            Some(format!("it has {} instead of {}", exact_bytes(bytes), exact_bytes(self.stored_bytes)))
        } else if digest != self.stored_sha256 {
            Some("its digest differs: its bytes were changed".to_owned())
        } else {
            None
        };
        // A damaged frame says where; the object as a whole only says so again.
        if let Some(what) = whole
            && self.findings.damage.is_empty()
        {
            self.findings.damage.push(Damage::new(&self.object, what));
        }
        for check in self.open.into_iter().map(|open| open.check).chain(self.frames) {
            self.findings.damage.push(damage(&self.object, &check, "the object ends before it"));
        }
        self.findings
    }
}

fn damage(object: &Key, check: &FrameCheck, what: impl Into<String>) -> Damage {
    Damage::new(object, what).at(check.frame.offset, check.frame.length).with_table(&check.table)
}

/// A frame whose bytes are arriving.
struct OpenFrame {
    check: FrameCheck,
    remaining: u64,
    comparison: FrameComparison,
    content: FrameContent<()>,
}

impl OpenFrame {
    fn new(check: FrameCheck) -> Self {
        let (comparison, content) = (FrameComparison::with(&check.frame), FrameContent::new(&check.frame, ()));
        Self { remaining: check.frame.length, comparison, content, check }
    }

    fn take(&mut self, bytes: &[u8]) -> usize {
        let taken = usize::try_from(self.remaining).map_or(bytes.len(), |remaining| remaining.min(bytes.len()));
        let bytes = &bytes[..taken];
        self.remaining -= taken as u64;
        self.comparison.update(bytes);
        self.content.update(bytes);
        taken
    }

    fn close(self) -> Result<RowTotals, Box<(FrameCheck, String)>> {
        if !self.comparison.is_same() {
            return Err(Box::new((self.check, "its digest differs: its bytes were changed".to_owned())));
        }
        match self.content.finish() {
            Ok(content) => Ok(RowTotals { frames: 1, rows: self.check.frame.rows, row_hash: content.row_hash }),
            Err(what) => Err(Box::new((self.check, what))),
        }
    }
}
