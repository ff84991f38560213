//! Frames that earlier dumps stored, found by the digest of their content. Each of them is given away once: no manifest has
//! two frames over the same bytes.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use backup_core::digest::Sha256Digest;
use backup_core::key::Key;
use backup_core::manifest::{Codec, Part};

use crate::stored::detail::{Frame, ROLE_DATA, ROLE_LARGE_OBJECTS};
use crate::stored::frame_content;
use crate::stored::frame_digest::FrameDigest;
use crate::stored::frame_hash::FrameHash;

/// Most frames that are known: those of some three tebibytes of rows. They take about 150 bytes each in memory. What of a
/// larger dump comes after them is stored anew.
const FRAMES_KNOWN_MAX: usize = 1024 * 1024;

/// Nothing follows.
const END: u32 = u32::MAX;

/// A frame that is stored already, in a pack of an earlier dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownFrame {
    /// Which pack, of [`KnownFrames::packs`].
    pub(crate) pack: u32,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) xxh3: FrameHash,
    pub(crate) blake3: FrameDigest,
}

/// Content, by what a frame says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContentOf {
    pub(crate) sha256: Sha256Digest,
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
}

/// All that is known.
#[derive(Debug, Default)]
pub(crate) struct KnownFrames {
    packs: Vec<Part>,
    /// Whether frames of each pack are given away.
    usable: Vec<bool>,
    index: Mutex<Index>,
    places: HashMap<Key, u32>,
    /// Where frames lie that are known, while some are added: two dumps may name the same.
    seen: HashSet<(u32, u64)>,
    is_full: bool,
}

#[derive(Debug, Default)]
struct Index {
    /// The first of the entries whose digests begin with these bytes. However many have the same content, one of them is found
    /// in one step: the first is given away.
    first: HashMap<u64, u32>,
    entries: Vec<Entry>,
}

/// A frame, in few bytes: of a tebibyte of rows there are 300,000.
#[derive(Debug)]
struct Entry {
    content: [u8; 32],
    blake3: [u8; 32],
    xxh3: [u8; 16],
    offset: u64,
    length: u32,
    content_bytes: u32,
    rows: u32,
    pack: u32,
    /// The next one whose digest begins likewise.
    next: u32,
}

impl KnownFrames {
    /// Takes a pack into account; where it is among those known. Nothing of what this version would not store so.
    pub(crate) fn add_pack(&mut self, part: &Part) -> Option<u32> {
        let is_pack = (part.role == ROLE_DATA || part.role == ROLE_LARGE_OBJECTS) && part.codec == Codec::Zstd;
        if !is_pack || part.offset.is_some() || part.length.is_some() {
            return None;
        }
        if let Some(place) = self.places.get(&part.key) {
            let known = self.packs.get(*place as usize)?;
            let same = known.stored_sha256 == part.stored_sha256 && known.stored_bytes == part.stored_bytes;
            return (same && known.role == part.role).then_some(*place);
        }
        let place = u32::try_from(self.packs.len()).ok()?;
        self.places.insert(part.key.clone(), place);
        self.packs.push(part.clone());
        self.usable.push(true);
        Some(place)
    }

    /// Takes a frame into account that lies in the pack at `place`, unless it says too little of itself.
    pub(crate) fn add(&mut self, place: u32, frame: &Frame) {
        let Some(pack) = self.packs.get(place as usize) else { return };
        let (Some(content), Some(blake3)) = (frame.content_sha256, frame.blake3) else { return };
        if !frame.is_within(pack) || frame_content::fault(frame).is_some() {
            return;
        }
        let narrow = (u32::try_from(frame.length), u32::try_from(frame.content_bytes), u32::try_from(frame.rows));
        let (Ok(length), Ok(content_bytes), Ok(rows)) = narrow else { return };
        let index = self.index.get_mut().unwrap_or_else(PoisonError::into_inner);
        if index.entries.len() >= FRAMES_KNOWN_MAX {
            self.is_full = true;
            return;
        }
        if !self.seen.insert((place, frame.offset)) {
            return;
        }
        index.add(Entry {
            content: content.into(),
            blake3: blake3.into(),
            xxh3: frame.xxh3.into(),
            offset: frame.offset,
            length,
            content_bytes,
            rows,
            pack: place,
            next: END,
        });
    }

    /// A frame with this content, which nobody else is given any more.
    pub(crate) fn take(&self, content: &ContentOf) -> Option<KnownFrame> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner).take(content)
    }

    /// Frames with these contents, one for each, which nobody else is given any more; none of them if one is not to be had.
    pub(crate) fn take_all(&self, contents: &[ContentOf]) -> Option<Vec<KnownFrame>> {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = Vec::with_capacity(contents.len());
        for content in contents {
            match index.take(content) {
                Some(frame) => taken.push(frame),
                None => {
                    for (content, frame) in contents.iter().zip(taken) {
                        index.give_back(content, &frame);
                    }
                    return None;
                }
            }
        }
        Some(taken)
    }

    /// Gives away no frames of packs that `keeps` does not want. No frames are added afterwards.
    pub(crate) fn restrict(&mut self, keeps: impl Fn(usize, &Part) -> bool) {
        for (at, (usable, pack)) in self.usable.iter_mut().zip(&self.packs).enumerate() {
            *usable &= keeps(at, pack);
        }
        self.seen = HashSet::new();
        let usable = |pack: u32| self.usable.get(pack as usize).copied().unwrap_or_default();
        let index = self.index.get_mut().unwrap_or_else(PoisonError::into_inner);
        let entries = std::mem::take(&mut index.entries);
        index.first.clear();
        entries.into_iter().filter(|entry| usable(entry.pack)).for_each(|entry| index.add(entry));
    }

    /// The packs whose frames are given away.
    pub(crate) fn usable(&self) -> impl Iterator<Item = &Part> {
        self.packs.iter().zip(&self.usable).filter_map(|(pack, usable)| usable.then_some(pack))
    }

    /// All packs.
    pub(crate) fn packs(&self) -> &[Part] {
        &self.packs
    }

    /// Bytes of each pack that frames are in.
    pub(crate) fn used_bytes(&self) -> Vec<u64> {
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let mut used = vec![0_u64; self.packs.len()];
        for entry in &index.entries {
            if let Some(used) = used.get_mut(entry.pack as usize) {
                *used = used.saturating_add(entry.length.into());
            }
        }
        used
    }

    /// How many frames there are.
    pub(crate) fn len(&self) -> usize {
        self.index.lock().unwrap_or_else(PoisonError::into_inner).entries.len()
    }

    /// Whether there were more frames than are known.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }
}

impl Index {
    fn add(&mut self, entry: Entry) {
        // There are fewer than the most that are known.
        let Ok(number) = u32::try_from(self.entries.len()) else { return };
        let next = self.first.insert(begin(&entry.content), number).unwrap_or(END);
        self.entries.push(Entry { next, ..entry });
    }

    /// What was taken can be taken again.
    fn give_back(&mut self, content: &ContentOf, frame: &KnownFrame) {
        let narrow = (u32::try_from(frame.length), u32::try_from(content.bytes), u32::try_from(content.rows));
        // They were no more than that when it was added.
        let (Ok(length), Ok(content_bytes), Ok(rows)) = narrow else { return };
        self.add(Entry {
            content: content.sha256.into(),
            blake3: frame.blake3.into(),
            xxh3: frame.xxh3.into(),
            offset: frame.offset,
            length,
            content_bytes,
            rows,
            pack: frame.pack,
            next: END,
        });
    }

    fn take(&mut self, content: &ContentOf) -> Option<KnownFrame> {
        let wanted = <[u8; 32]>::from(content.sha256);
        let (mut before, mut at) = (None, *self.first.get(&begin(&wanted))?);
        loop {
            let entry = self.entries.get(at as usize)?;
            // Other amounts with the same digest are those of a forged manifest.
            let says_the_same =
                u64::from(entry.content_bytes) == content.bytes && u64::from(entry.rows) == content.rows;
            if entry.content == wanted && says_the_same {
                let found = KnownFrame {
                    pack: entry.pack,
                    offset: entry.offset,
                    length: entry.length.into(),
                    xxh3: entry.xxh3.into(),
                    blake3: entry.blake3.into(),
                };
                let next = entry.next;
                match before.and_then(|before: u32| self.entries.get_mut(before as usize)) {
                    Some(before) => before.next = next,
                    None => drop(self.first.insert(begin(&wanted), next)),
                }
                return Some(found);
            }
            (before, at) = (Some(at), entry.next);
        }
    }
}

/// What entries are found by. Whoever makes contents whose digests begin alike gains nothing: all of it is compared.
fn begin(digest: &[u8; 32]) -> u64 {
    let mut begin = [0; 8];
    begin.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(begin)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn part(key: &str, stored_bytes: u64) -> Part {
        Part {
            key: key.parse().unwrap(),
            role: ROLE_DATA.to_owned(),
            content_sha256: None,
            content_bytes: stored_bytes,
            stored_sha256: Sha256Digest::of(key.as_bytes()),
            stored_bytes,
            codec: Codec::Zstd,
            offset: None,
            length: None,
        }
    }

    fn content(text: u8) -> ContentOf {
        ContentOf { sha256: Sha256Digest::of(&[text]), bytes: 9, rows: 2 }
    }

    fn frame(text: u8, offset: u64) -> Frame {
        Frame {
            part: 1,
            offset,
            length: 10,
            content_bytes: 9,
            rows: 2,
            xxh3: FrameHash::of(&[text]),
            blake3: Some(FrameDigest::of(&[text])),
            content_sha256: Some(content(text).sha256),
        }
    }

    #[test]
    fn a_frame_is_found_by_its_content_and_given_away_once() {
        let mut known = KnownFrames::default();
        let pack = known.add_pack(&part("pg/shop/a/data/p0.pack", 100)).unwrap();
        known.add(pack, &frame(1, 0));
        known.add(pack, &frame(1, 10));
        known.add(pack, &frame(1, 10));
        known.add(pack, &frame(2, 20));
        assert_eq!((known.len(), known.used_bytes()), (3, vec![30]));
        let places: HashSet<u64> = [known.take(&content(1)), known.take(&content(1))].map(|k| k.unwrap().offset).into();
        assert_eq!(places, HashSet::from([0, 10]));
        assert_eq!(known.take(&content(1)), None, "both are taken");
        assert_eq!(known.take(&content(3)), None);
        let found = known.take(&content(2)).unwrap();
        assert_eq!((found.pack, found.length, found.blake3), (pack, 10, FrameDigest::of(&[2])));
    }

    #[test]
    fn several_are_taken_together_or_not_at_all() {
        let mut known = KnownFrames::default();
        let pack = known.add_pack(&part("pg/shop/a/data/p0.pack", 100)).unwrap();
        known.add(pack, &frame(1, 0));
        known.add(pack, &frame(1, 10));
        known.add(pack, &frame(2, 20));
        assert_eq!(known.take_all(&[content(1), content(2), content(1), content(1)]), None);
        assert_eq!(known.take_all(&[content(2), content(3)]), None);
        let taken = known.take_all(&[content(1), content(2), content(1)]).unwrap();
        assert_eq!(taken.iter().map(|frame| frame.offset).collect::<HashSet<_>>(), HashSet::from([0, 10, 20]));
        assert_eq!((known.take(&content(1)), known.take_all(&[])), (None, Some(Vec::new())));
    }

    #[test]
    fn frames_that_say_too_little_or_something_else_are_unknown() {
        let mut known = KnownFrames::default();
        let pack = known.add_pack(&part("pg/shop/a/data/p0.pack", 100)).unwrap();
        known.add(pack, &Frame { content_sha256: None, ..frame(1, 0) });
        known.add(pack, &Frame { blake3: None, ..frame(1, 0) });
        known.add(pack, &Frame { rows: 0, ..frame(1, 0) });
        known.add(pack, &frame(1, 95));
        known.add(pack + 1, &frame(1, 0));
        assert_eq!(known.len(), 0);
        known.add(pack, &Frame { rows: 3, ..frame(1, 0) });
        known.add(pack, &Frame { content_bytes: 8, ..frame(1, 10) });
        assert_eq!(known.take(&content(1)), None, "amounts that do not fit the digest");
        let mut slice = part("pg/shop/a/data/p1.pack", 100);
        (slice.offset, slice.length) = (Some(0), Some(100));
        assert_eq!(known.add_pack(&slice), None);
        assert_eq!(known.add_pack(&Part { codec: Codec::Gzip, ..part("pg/shop/a/data/p1.pack", 100) }), None);
        assert_eq!(known.add_pack(&Part { role: "schema".to_owned(), ..part("pg/shop/a/schema.pgdump", 100) }), None);
    }

    #[test]
    fn a_pack_that_two_dumps_name_is_one_and_both_must_say_the_same_of_it() {
        let mut known = KnownFrames::default();
        let first = part("pg/shop/a/data/p0.pack", 100);
        assert_eq!([known.add_pack(&first), known.add_pack(&first)], [Some(0), Some(0)]);
        assert_eq!(known.add_pack(&Part { stored_bytes: 90, ..first.clone() }), None);
        assert_eq!(known.add_pack(&Part { stored_sha256: Sha256Digest::of(b"other"), ..first }), None);
    }

    #[test]
    fn frames_of_packs_that_are_not_wanted_stay_where_they_are() {
        let mut known = KnownFrames::default();
        for (place, name) in [(0, "p0"), (1, "p1")] {
            known.add_pack(&part(&format!("pg/shop/a/data/{name}.pack"), 100)).unwrap();
            known.add(place, &frame(1, 0));
        }
        known.restrict(|at, _| at == 1);
        assert_eq!(known.usable().count(), 1);
        assert_eq!(known.take(&content(1)).unwrap().pack, 1);
        assert_eq!(known.take(&content(1)), None);
    }

    proptest! {
        #[test]
        fn nothing_is_given_away_twice_and_all_of_it_can_be_had(texts in prop::collection::vec(0..6_u8, 0..60)) {
            let mut known = KnownFrames::default();
            let pack = known.add_pack(&part("pg/shop/a/data/p0.pack", 10_000)).unwrap();
            for (text, at) in texts.iter().zip(0_u64..) {
                known.add(pack, &frame(*text, at * 10));
            }
            let mut places = HashSet::new();
            for text in 0..6 {
                let count = texts.iter().filter(|other| **other == text).count();
                for _ in 0..count {
                    let found = known.take(&content(text)).unwrap();
                    prop_assert_eq!(found.xxh3, FrameHash::of(&[text]));
                    prop_assert!(places.insert(found.offset));
                }
                prop_assert_eq!(known.take(&content(text)), None);
            }
        }
    }
}
