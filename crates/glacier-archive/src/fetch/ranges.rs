//! Which ranges of an archive are read for which contents: a pure decision.

use std::ops::Range;

use backup_core::digest::Sha256Digest;

/// Contents whose distance is smaller are read together: reading on costs less than another request.
const GAP_BYTES_MAX: u64 = 1024 * 1024;

/// A content of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Content {
    /// Where it begins.
    pub(super) offset: u64,
    /// Its bytes.
    pub(super) bytes: u64,
    /// Their digest.
    pub(super) sha256: Sha256Digest,
}

/// A range that is read at once, with the contents in it, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) range: Range<u64>,
    pub(super) contents: Vec<Content>,
}

/// The ranges to read. Contents that overlap, which no backup of ours has, are read apart from each other.
pub(super) fn spans(mut contents: Vec<Content>) -> Vec<Span> {
    contents.sort_unstable();
    contents.dedup();
    let mut spans: Vec<Span> = Vec::new();
    for content in contents {
        let end = content.offset + content.bytes;
        match spans.last_mut() {
            Some(last) if content.offset >= last.range.end && content.offset - last.range.end <= GAP_BYTES_MAX => {
                last.range.end = end;
                last.contents.push(content);
            }
            _ => spans.push(Span { range: content.offset..end, contents: vec![content] }),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(offset: u64, bytes: u64) -> Content {
        Content { offset, bytes, sha256: Sha256Digest::of(&offset.to_le_bytes()) }
    }

    #[test]
    fn neighbours_are_read_together_and_what_is_far_is_not() {
        let far = 3 * GAP_BYTES_MAX;
        let found = spans(vec![content(far, 5), content(0, 10), content(12, 3), content(0, 10)]);
        let ranges: Vec<_> = found.iter().map(|span| span.range.clone()).collect();
        assert_eq!(ranges, [0..15, far..far + 5]);
        assert_eq!(found[0].contents, [content(0, 10), content(12, 3)]);
        assert_eq!(spans(vec![content(0, 10), content(5, 10)]).len(), 2);
        assert!(spans(Vec::new()).is_empty());
    }
}
