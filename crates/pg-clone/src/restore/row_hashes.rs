//! Hashes of the rows that were loaded, compared with what the manifest says of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::stored::detail::{Frame, RowData};
use crate::stored::row_hash::RowHash;

/// The hash of each frame's rows, by where the frame is: rows that are loaded once more are not counted twice.
#[derive(Debug, Default)]
pub(crate) struct RowHashes(Mutex<BTreeMap<(u32, u64), RowHash>>);

impl RowHashes {
    /// Notes what a frame held.
    pub(crate) fn note(&self, frame: &Frame, hash: RowHash) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((frame.part, frame.offset), hash);
    }

    /// What is wrong with the rows called `name`; nothing if not all of them were loaded.
    pub(crate) fn difference(&self, name: &str, data: &RowData) -> Option<String> {
        let hashes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut loaded = RowHash::default();
        for frame in &data.frames {
            loaded.merge(hashes.get(&(frame.part, frame.offset))?);
        }
        (loaded != data.row_hash)
            .then(|| format!("the rows of `{name}` have the hash {loaded}, and the manifest says {}", data.row_hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored::frame_hash::FrameHash;

    fn frame(offset: u64) -> Frame {
        let xxh3 = FrameHash::of(b"");
        Frame { part: 1, offset, length: 1, content_bytes: 2, rows: 1, xxh3, blake3: None, content_sha256: None }
    }

    fn hash(row: &[u8]) -> RowHash {
        let mut hash = RowHash::default();
        hash.add_row(row);
        hash
    }

    #[test]
    fn rows_are_compared_once_all_are_there_and_counted_once() {
        let mut row_hash = hash(b"a");
        row_hash.merge(&hash(b"b"));
        let data = RowData { rows: 2, row_hash, content_bytes: 4, frames: vec![frame(0), frame(9)].into() };
        let hashes = RowHashes::default();
        hashes.note(&frame(0), hash(b"a"));
        assert_eq!(hashes.difference("public.t", &data), None, "half of them");
        for _ in 0..2 {
            hashes.note(&frame(9), hash(b"b"));
            assert_eq!(hashes.difference("public.t", &data), None);
        }
        hashes.note(&frame(9), hash(b"c"));
        assert!(hashes.difference("public.t", &data).unwrap().contains("`public.t`"));
        assert_eq!(hashes.difference("public.empty", &RowData::default()), None);
    }
}
