//! Takes the frames of an unchanged range from what is known to be stored.

use crate::stored::base::RangeBase;
use crate::stored::detail::{Frame, RowData};
use crate::stored::frames::Frames;
use crate::stored::known_frames::{ContentOf, KnownFrames};
use crate::stored::pack::KNOWN_PACK_PART;

/// The rows of a range as the earlier dump has them, in frames that are given to nobody else; nothing if one of them is not
/// where it can be relied on: its pack is gone, is hardly used any more, or is not reserved.
pub(super) fn take(known: &KnownFrames, range: &RangeBase, frames: &Frames) -> Option<RowData> {
    let content = |frame: &Frame| {
        let sha256 = frame.content_sha256?;
        Some(ContentOf { sha256, bytes: frame.content_bytes, rows: frame.rows })
    };
    let contents: Vec<ContentOf> = frames.iter().map(content).collect::<Option<_>>()?;
    let taken = known.take_all(&contents)?;
    let mut data = RowData { row_hash: range.row_hash, ..RowData::default() };
    for (content, found) in contents.iter().zip(taken) {
        data.rows += content.rows;
        data.content_bytes += content.bytes;
        data.frames.push(Frame {
            part: KNOWN_PACK_PART + found.pack,
            offset: found.offset,
            length: found.length,
            content_bytes: content.bytes,
            rows: content.rows,
            xxh3: found.xxh3,
            blake3: Some(found.blake3),
            content_sha256: Some(content.sha256),
        });
    }
    Some(data)
}
