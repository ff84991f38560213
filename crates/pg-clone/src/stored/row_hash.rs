//! An order-independent hash of rows: the same for the same rows in any order, in any number of pieces.
//!
//! The hash is the sum, modulo 2^128, of the XXH3-128 of each row's `COPY` text without its newline. It finds damage and
//! mistakes, not forgery: what stands against forgery are the SHA-256 digests of the stored bytes.

use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// The hash of a multiset of rows; text form is 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct RowHash(u128);

impl RowHash {
    /// Adds every line of `buffer`, which begins and ends between rows, and returns how many there were. In `COPY` text
    /// a newline inside a value is written `\n` (PostgreSQL manual, `COPY`, "Text Format"), so a newline byte always
    /// ends a row. Text after the last newline counts as a row.
    pub fn add_lines(&mut self, buffer: &[u8]) -> u64 {
        let mut rows = 0;
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', buffer) {
            self.add_row(&buffer[start..end]);
            start = end + 1;
            rows += 1;
        }
        if start < buffer.len() {
            self.add_row(&buffer[start..]);
            rows += 1;
        }
        rows
    }

    /// Adds one row, given without its newline.
    pub fn add_row(&mut self, row: &[u8]) {
        self.add(row);
    }

    /// Adds whole rows as [`RowHash::add_lines`] does; how many there were, and the XXH3-128 of the last one.
    pub(crate) fn add_rows(&mut self, rows: &[u8]) -> (u64, u128) {
        let before = rows.strip_suffix(b"\n").unwrap_or(rows);
        // As the server sends them there is one.
        let last = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
        let count = if last == 0 { 0 } else { self.add_lines(&rows[..last]) };
        (count + 1, self.add(&before[last..]))
    }

    fn add(&mut self, row: &[u8]) -> u128 {
        let hash = xxh3_128(row);
        self.0 = self.0.wrapping_add(hash);
        hash
    }

    /// Adds all rows of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

/// Rows that were counted and hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashedRows {
    /// The hash of all of them, in any order.
    pub hash: RowHash,
    /// How many there were.
    pub rows: u64,
}

/// Hashes rows that arrive cut anywhere, in constant memory however long a row is.
#[derive(Default)]
pub struct RowHasher {
    hash: RowHash,
    rows: u64,
    /// The beginning of a row whose end has not arrived.
    open: Option<Box<Xxh3>>,
}

impl RowHasher {
    /// Takes more text.
    pub fn update(&mut self, mut text: &[u8]) {
        if let Some(open) = &mut self.open {
            let Some(end) = memchr::memchr(b'\n', text) else { return open.update(text) };
            open.update(&text[..end]);
            self.hash.0 = self.hash.0.wrapping_add(open.digest128());
            self.rows += 1;
            self.open = None;
            text = &text[end + 1..];
        }
        let (whole, rest) = text.split_at(memchr::memrchr(b'\n', text).map_or(0, |last| last + 1));
        self.rows += self.hash.add_lines(whole);
        if !rest.is_empty() {
            let mut open = Box::new(Xxh3::new());
            open.update(rest);
            self.open = Some(open);
        }
    }

    /// The hash of all rows, and how many there were.
    #[must_use]
    pub fn finish(mut self) -> HashedRows {
        if let Some(open) = self.open.take() {
            self.hash.0 = self.hash.0.wrapping_add(open.digest128());
            self.rows += 1;
        }
        HashedRows { hash: self.hash, rows: self.rows }
    }
}

impl fmt::Debug for RowHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowHasher").field("hash", &self.hash).field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl From<[u8; 16]> for RowHash {
    fn from(hash: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(hash))
    }
}

impl From<RowHash> for [u8; 16] {
    fn from(hash: RowHash) -> Self {
        hash.0.to_be_bytes()
    }
}

backup_core::hex_text!(RowHash, 16);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(rows: &[Vec<u8>]) -> Vec<u8> {
        rows.iter().flat_map(|row| row.iter().copied().chain([b'\n'])).collect()
    }

    fn hash(rows: &[Vec<u8>]) -> RowHash {
        let mut hash = RowHash::default();
        assert_eq!(hash.add_lines(&text(rows)), rows.len() as u64);
        hash
    }

    fn rows() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let byte = any::<u8>().prop_filter("a newline ends a row", |byte| *byte != b'\n');
        prop::collection::vec(prop::collection::vec(byte, 0..40), 0..30)
    }

    proptest! {
        #[test]
        fn order_does_not_matter((before, after) in rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))) {
            prop_assert_eq!(hash(&before), hash(&after));
        }

        #[test]
        fn pieces_do_not_matter(rows in rows(), at in any::<prop::sample::Index>()) {
            let (left, right) = rows.split_at(at.index(rows.len() + 1));
            let mut merged = hash(right);
            merged.merge(&hash(left));
            prop_assert_eq!(merged, hash(&rows));
            let mut continued = hash(left);
            continued.add_lines(&text(right));
            prop_assert_eq!(continued, hash(&rows));
        }

        #[test]
        fn rows_in_one_piece_are_those_of_several(rows in rows()) {
            prop_assume!(!rows.is_empty());
            let mut added = RowHash::default();
            let (count, last) = added.add_rows(&text(&rows));
            prop_assert_eq!((count, added), (rows.len() as u64, hash(&rows)));
            prop_assert_eq!(last, xxh3_128(&rows[rows.len() - 1]));
        }

        #[test]
        fn cuts_inside_rows_do_not_matter(rows in rows(), size in 1_usize..50) {
            let mut hasher = RowHasher::default();
            for piece in text(&rows).chunks(size) {
                hasher.update(piece);
            }
            prop_assert_eq!(hasher.finish(), HashedRows { hash: hash(&rows), rows: rows.len() as u64 });
        }

        #[test]
        fn one_changed_byte_shows(rows in rows(), row in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            prop_assume!(rows.iter().any(|row| !row.is_empty()));
            let filled: Vec<_> = (0..rows.len()).filter(|index| !rows[*index].is_empty()).collect();
            let mut changed = rows.clone();
            let target = &mut changed[*row.get(&filled)];
            let at = at.index(target.len());
            target[at] ^= 1 << bit;
            prop_assume!(target[at] != b'\n');
            prop_assert_ne!(hash(&changed), hash(&rows));
        }

        #[test]
        fn a_row_more_or_twice_shows(rows in rows(), again in any::<prop::sample::Index>()) {
            prop_assume!(!rows.is_empty());
            let mut more = rows.clone();
            more.push(rows[again.index(rows.len())].clone());
            prop_assert_ne!(hash(&more), hash(&rows));
        }

        #[test]
        fn text_form_is_read_back(value in any::<u128>()) {
            let hash = RowHash(value);
            prop_assert_eq!(hash.to_string().parse::<RowHash>().unwrap(), hash);
        }
    }

    #[test]
    fn rows_that_swap_a_field_boundary_differ() {
        assert_ne!(hash(&[b"a\tbc".to_vec()]), hash(&[b"ab\tc".to_vec()]));
        assert_ne!(hash(&[b"ab".to_vec()]), hash(&[b"a".to_vec(), b"b".to_vec()]));
        assert_ne!(hash(&[Vec::new()]), RowHash::default(), "an empty row is a row");
    }

    #[test]
    fn the_algorithm_is_the_published_one() {
        // XXH3 of no bytes, 128 bits, seed 0 (xxHash's own sanity table).
        let mut hash = RowHash::default();
        hash.add_row(b"");
        assert_eq!(hash.to_string(), "99aa06d3014798d86001c324468d497f");
    }

    #[test]
    fn text_after_the_last_newline_counts_as_a_row() {
        let (mut open, mut closed) = (RowHash::default(), RowHash::default());
        assert_eq!(open.add_lines(b"1\n2"), 2);
        assert_eq!(closed.add_lines(b"1\n2\n"), 2);
        let mut cut = RowHasher::default();
        cut.update(b"1\n2");
        assert_eq!(cut.finish(), HashedRows { hash: open, rows: 2 });
        assert_eq!(open, closed);
    }

    #[test]
    fn upper_case_signs_and_short_texts_are_refused() {
        for wrong in ["99AA06D3014798D86001C324468D497F", "+9aa06d3014798d86001c324468d497f", "99", ""] {
            assert!(wrong.parse::<RowHash>().is_err(), "{wrong}");
        }
    }
}
