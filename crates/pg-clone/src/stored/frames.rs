//! The frames of some rows: a stretch of all frames that a dump lists, so that a terabyte's are in memory once, however many
//! tables and workers look at them.

use std::fmt;
use std::ops::{Deref, DerefMut, Range};
use std::sync::Arc;

use backup_core::digest::Sha256Digest;
use backup_core::manifest::Part;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::stored::frame_digest::FrameDigest;
use crate::stored::frame_hash::FrameHash;

/// One zstd frame inside a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Index into the manifest's `parts`.
    pub part: u32,
    /// Offset in that object.
    pub offset: u64,
    /// Stored bytes.
    pub length: u64,
    /// Bytes of COPY text.
    pub content_bytes: u64,
    /// Rows.
    pub rows: u64,
    /// Hash of the stored bytes, by which earlier versions check them: it finds damage only.
    pub xxh3: FrameHash,
    /// Digest of the stored bytes, by which this version checks them; absent in dumps of earlier versions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub blake3: Option<FrameDigest>,
    /// SHA-256 of its COPY text, by which a later dump finds it; absent in dumps of earlier versions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub content_sha256: Option<Sha256Digest>,
}

impl Frame {
    /// Whether it lies within what the manifest says of its object.
    pub(crate) fn is_within(&self, part: &Part) -> bool {
        let start = part.offset.unwrap_or(0);
        let end = self.offset.checked_add(self.length);
        self.offset >= start && end.is_some_and(|end| end <= start.saturating_add(part.stored_bytes))
    }
}

/// Frames in order. Copies share them; whoever changes some gets them for himself first.
#[derive(Clone, Default)]
pub struct Frames {
    all: Arc<Vec<Frame>>,
    /// Which of them these are.
    range: Range<usize>,
    listed: Listed,
}

/// Frames that are in lists of the dump and were not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    /// The number of the first one among all that the lists name.
    pub(crate) first: u64,
    /// How many.
    pub(crate) count: u64,
    /// Bytes they occupy.
    pub(crate) stored_bytes: u64,
}

impl Listed {
    /// Their numbers among all that the lists name.
    pub(crate) fn numbers(self) -> Range<u64> {
        self.first..self.first.saturating_add(self.count)
    }
}

impl Frames {
    /// Those of `all` in `range`, which must lie within it.
    pub(crate) fn of(all: &Arc<Vec<Frame>>, range: Range<usize>) -> Self {
        Self { all: Arc::clone(all), range, listed: Listed::default() }
    }

    /// Frames that are in lists and not read; none is none, wherever it would be.
    pub(crate) fn listed(listed: Listed) -> Self {
        match listed.count {
            0 => Self::default(),
            _ => Self { listed, ..Self::default() },
        }
    }

    /// Where they are if they were not read.
    pub(crate) fn unread(&self) -> Option<Listed> {
        (self.listed.count > 0).then_some(self.listed)
    }

    /// How many there are, read or not.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.len() as u64 + self.listed.count
    }

    /// Bytes they occupy, read or not.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.iter().fold(self.listed.stored_bytes, |sum, frame| sum.saturating_add(frame.length))
    }

    /// Some of these, by their positions among them.
    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        let at = |position: usize| (self.range.start + position).min(self.range.end);
        Self::of(&self.all, at(range.start)..at(range.end))
    }

    /// Adds one at the end.
    pub fn push(&mut self, frame: Frame) {
        self.own().push(frame);
        self.range.end += 1;
    }

    /// Adds all of `more` at the end.
    pub fn append(&mut self, more: &Self) {
        self.own().extend_from_slice(more);
        self.range.end += more.len();
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The frames, and no others, in memory that nobody else looks at.
    fn own(&mut self) -> &mut Vec<Frame> {
        if self.range != (0..self.all.len()) {
            self.all = Arc::new(self.to_vec());
            self.range = 0..self.all.len();
        }
        Arc::make_mut(&mut self.all)
    }
}

impl Deref for Frames {
    type Target = [Frame];

    fn deref(&self) -> &[Frame] {
        self.all.get(self.range.clone()).unwrap_or_default()
    }
}

impl DerefMut for Frames {
    fn deref_mut(&mut self) -> &mut [Frame] {
        self.own()
    }
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unread() {
            Some(listed) => fmt::Debug::fmt(&listed, f),
            None => f.debug_list().entries(self.iter()).finish(),
        }
    }
}

impl PartialEq for Frames {
    fn eq(&self, other: &Self) -> bool {
        **self == **other && self.listed == other.listed
    }
}

impl Eq for Frames {}

impl From<Vec<Frame>> for Frames {
    fn from(frames: Vec<Frame>) -> Self {
        let range = 0..frames.len();
        Self { all: Arc::new(frames), range, listed: Listed::default() }
    }
}

impl FromIterator<Frame> for Frames {
    fn from_iter<I: IntoIterator<Item = Frame>>(frames: I) -> Self {
        Vec::from_iter(frames).into()
    }
}

impl<'a> IntoIterator for &'a Frames {
    type Item = &'a Frame;
    type IntoIter = std::slice::Iter<'a, Frame>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &'a mut Frames {
    type Item = &'a mut Frame;
    type IntoIter = std::slice::IterMut<'a, Frame>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

/// As the list that they are.
impl Serialize for Frames {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Frames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Frame>::deserialize(deserializer)?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(offset: u64) -> Frame {
        let xxh3 = FrameHash::of(b"");
        Frame { part: 1, offset, length: 3, content_bytes: 2, rows: 1, xxh3, blake3: None, content_sha256: None }
    }

    #[test]
    fn what_is_changed_is_changed_for_nobody_else() {
        let all: Frames = (0..5).map(frame).collect();
        let mut some = all.slice(1..3);
        assert_eq!((some.len(), some[0].offset, some.stored_bytes()), (2, 1, 6));
        some.push(frame(9));
        some[0].offset = 7;
        assert_eq!(some.iter().map(|frame| frame.offset).collect::<Vec<_>>(), [7, 2, 9]);
        assert_eq!(all.iter().map(|frame| frame.offset).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        let mut more = all.slice(4..9);
        more.append(&some);
        assert_eq!(more.iter().map(|frame| frame.offset).collect::<Vec<_>>(), [4, 7, 2, 9]);
        more.clear();
        assert!(more.is_empty() && more.count() == 0);
    }

    #[test]
    fn frames_that_were_not_read_are_counted_all_the_same() {
        let unread = Frames::listed(Listed { first: 5, count: 3, stored_bytes: 40 });
        assert_eq!((unread.len(), unread.count(), unread.stored_bytes()), (0, 3, 40));
        assert_eq!(unread.unread().unwrap().numbers(), 5..8);
        assert_ne!(unread, Frames::default());
        assert_eq!(Frames::listed(Listed { first: 5, ..Listed::default() }), Frames::default());
        assert_eq!(Frames::from(vec![frame(0)]).unread(), None);
    }

    #[test]
    fn they_are_stored_as_a_list() {
        let frames: Frames = (0..2).map(frame).collect();
        let text = serde_json::to_string(&frames).unwrap();
        assert_eq!(text, serde_json::to_string(&frames.to_vec()).unwrap());
        assert_eq!(serde_json::from_str::<Frames>(&text).unwrap(), frames);
    }
}
