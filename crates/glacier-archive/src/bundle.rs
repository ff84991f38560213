//! Bundles: many small files as one object, so that requests and per-object overhead are paid once.
//!
//! A member of up to 1 MiB lies within one mebibyte of the bundle and a larger one begins at a mebibyte, so that each can be
//! retrieved by a range of its own that is little larger. Behind the members stands an index, and at the end a trailer that
//! finds it: a bundle explains itself, whatever else was lost.

mod layout;
mod trailer;

use backup_core::digest::{Sha256Digest, Sha256Hasher};
use bytes::Bytes;

use crate::entry::Entry;

pub use layout::{Layout, layout};
pub use trailer::{DamagedBundle, Member, TRAILER_BYTES, index_range, read_index};

/// Zeros between members, as often as they are needed: every binary has them.
static PADDING: [u8; 64 * 1024] = [0; 64 * 1024];

/// A bundle in memory.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The members, in the order they were given.
    pub members: Vec<Member>,
    /// All bytes, in pieces: contents are not copied.
    pub segments: Vec<Bytes>,
    /// Their number.
    pub bytes: u64,
    /// Their digest.
    pub sha256: Sha256Digest,
}

impl Bundle {
    /// Bundles files; none may be empty.
    ///
    /// # Errors
    /// Never, as far as is known: an index is always JSON.
    pub fn build(files: Vec<(Entry, Bytes)>) -> Result<Self, serde_json::Error> {
        let sizes: Vec<u64> = files.iter().map(|(_, content)| content.len() as u64).collect();
        let Layout { offsets, bytes: content_bytes } = layout(&sizes);
        let members = |(entry, _): &(Entry, Bytes), offset: &u64| Member { entry: entry.clone(), offset: *offset };
        let members: Vec<Member> = files.iter().zip(&offsets).map(|(file, offset)| members(file, offset)).collect();
        let mut by_offset: Vec<(u64, Bytes)> = offsets.into_iter().zip(files.into_iter().map(|file| file.1)).collect();
        by_offset.sort_by_key(|(offset, _)| *offset);
        let (mut segments, mut at) = (Vec::with_capacity(members.len() * 2 + 1), 0);
        for (offset, content) in by_offset {
            pad(&mut segments, &mut at, offset);
            at += content.len() as u64;
            segments.push(content);
        }
        pad(&mut segments, &mut at, content_bytes);
        segments.push(trailer::written(&members)?);
        let mut hasher = Sha256Hasher::default();
        segments.iter().for_each(|segment| hasher.update(segment));
        let bytes = segments.iter().map(|segment| segment.len() as u64).sum();
        Ok(Self { members, segments, bytes, sha256: hasher.finish() })
    }
}

/// Adds zeros up to `end`.
fn pad(segments: &mut Vec<Bytes>, at: &mut u64, end: u64) {
    while *at < end {
        let zeros = usize::try_from(end - *at).unwrap_or(PADDING.len()).min(PADDING.len());
        segments.push(Bytes::from_static(&PADDING[..zeros]));
        *at += zeros as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, content: &[u8]) -> (Entry, Bytes) {
        (Entry::example(name, content), Bytes::copy_from_slice(content))
    }

    #[test]
    fn a_bundle_explains_itself_and_is_the_same_each_time() {
        let large = vec![7; 1024 * 1024 + 1];
        let files = vec![file("a/1.pdf", b"first"), file("b.bin", &large), file("c", b"third")];
        let bundle = Bundle::build(files.clone()).unwrap();
        let whole: Vec<u8> = bundle.segments.concat();
        assert_eq!(whole.len() as u64, bundle.bytes);
        assert_eq!(Sha256Digest::of(&whole), bundle.sha256);
        assert_eq!(Bundle::build(files.clone()).unwrap().sha256, bundle.sha256);
        let tail = &whole[whole.len() - TRAILER_BYTES..];
        let range = index_range(tail, bundle.bytes).unwrap();
        let index = &whole[range.start as usize..range.end as usize];
        let members = read_index(index, tail).unwrap();
        assert_eq!(members, bundle.members);
        for (member, (entry, content)) in members.iter().zip(&files) {
            let start = member.offset as usize;
            assert_eq!(&whole[start..start + content.len()], &content[..]);
            assert_eq!(&member.entry, entry);
        }
    }
}
