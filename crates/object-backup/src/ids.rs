//! Finds an id that two records of a type have, in bounded memory whatever their number.
//!
//! Each id is kept as a digest with the number of its record. What does not fit is sorted and written to a file without a
//! name, and at the end all is merged in order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;

/// Ids kept in memory: 12 MiB of them.
const HELD_MAX: usize = 512 * 1024;

/// Ids read at a time of each sorted run. A billion records make two thousand runs: 48 MiB.
const READ_AHEAD: usize = 1024;

/// Bytes of one in the file.
const SEEN_BYTES: usize = 24;

/// An id's digest, and the number of its record. 128 bits by two keys that nobody knows: two ids of a billion have one digest
/// in none of 10^20 backups.
type Seen = ([u64; 2], u64);

/// The ids of the records of one type.
#[derive(Debug)]
pub(crate) struct Ids {
    keys: [RandomState; 2],
    held: Vec<Seen>,
    held_max: usize,
    count: u64,
    spilled: Option<Spilled>,
}

/// Sorted runs, one after the other.
#[derive(Debug)]
struct Spilled {
    file: File,
    /// Where each begins and ends, in ids.
    runs: Vec<(u64, u64)>,
}

impl Default for Ids {
    fn default() -> Self {
        Self::holding(HELD_MAX)
    }
}

impl Ids {
    fn holding(held_max: usize) -> Self {
        Self { keys: [RandomState::new(), RandomState::new()], held: Vec::new(), held_max, count: 0, spilled: None }
    }

    /// The id of the next record.
    ///
    /// # Errors
    /// If what does not fit in memory cannot be written.
    pub(crate) fn add(&mut self, id: &str) -> io::Result<()> {
        self.count += 1;
        self.held.push((self.keys.each_ref().map(|key| key.hash_one(id)), self.count));
        if self.held.len() < self.held_max { Ok(()) } else { self.spill() }
    }

    /// The first record whose id is that of one before it, with that one: their numbers, from 1, the earlier first.
    ///
    /// # Errors
    /// If what was written cannot be read.
    pub(crate) fn twice(mut self) -> io::Result<Option<(u64, u64)>> {
        if self.spilled.is_some() && !self.held.is_empty() {
            self.spill()?;
        }
        let mut found = Twice::default();
        let Some(Spilled { file, runs }) = &self.spilled else {
            self.held.sort_unstable();
            self.held.into_iter().for_each(|seen| found.see(seen));
            return Ok(found.first);
        };
        let mut runs: Vec<Run<'_>> =
            runs.iter().map(|&(next, end)| Run { file, next, end, ahead: Vec::new() }).collect();
        let mut heads = BinaryHeap::new();
        for (at, run) in runs.iter_mut().enumerate() {
            heads.extend(run.pop()?.map(|seen| Reverse((seen, at))));
        }
        while let Some(Reverse((seen, at))) = heads.pop() {
            found.see(seen);
            heads.extend(runs[at].pop()?.map(|seen| Reverse((seen, at))));
        }
        Ok(found.first)
    }

    fn spill(&mut self) -> io::Result<()> {
        self.held.sort_unstable();
        let spilled = match &mut self.spilled {
            Some(spilled) => spilled,
            none => none.insert(Spilled { file: tempfile::tempfile()?, runs: Vec::new() }),
        };
        let mut bytes = Vec::with_capacity(self.held.len() * SEEN_BYTES);
        for ([first, second], number) in &self.held {
            [first, second, number].into_iter().for_each(|word| bytes.extend_from_slice(&word.to_ne_bytes()));
        }
        spilled.file.write_all(&bytes)?;
        let begin = spilled.runs.last().map_or(0, |run| run.1);
        spilled.runs.push((begin, begin + self.held.len() as u64));
        self.held.clear();
        Ok(())
    }
}

/// What was seen in order, and the first that came twice.
#[derive(Debug, Default)]
struct Twice {
    last: Option<Seen>,
    first: Option<(u64, u64)>,
}

impl Twice {
    fn see(&mut self, (digest, number): Seen) {
        match self.last {
            Some((last, earlier)) if last == digest => {
                if self.first.is_none_or(|(_, first)| number < first) {
                    self.first = Some((earlier, number));
                }
            }
            // Of three, the third comes after the second, and is later in any case.
            _ => self.last = Some((digest, number)),
        }
    }
}

/// A sorted run, read from its front; what was read ahead is in reverse.
struct Run<'a> {
    file: &'a File,
    next: u64,
    end: u64,
    ahead: Vec<Seen>,
}

impl Run<'_> {
    fn pop(&mut self) -> io::Result<Option<Seen>> {
        if self.ahead.is_empty() && self.next < self.end {
            let count = (self.end - self.next).min(READ_AHEAD as u64);
            let mut bytes = vec![0; count as usize * SEEN_BYTES];
            self.file.read_exact_at(&mut bytes, self.next * SEEN_BYTES as u64)?;
            let (words, _) = bytes.as_chunks::<8>();
            let words: Vec<u64> = words.iter().map(|word| u64::from_ne_bytes(*word)).collect();
            self.ahead = words.chunks_exact(3).rev().map(|seen| ([seen[0], seen[1]], seen[2])).collect();
            self.next += count;
        }
        Ok(self.ahead.pop())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_that_comes_twice_is_found_whatever_fits(
            ids in proptest::collection::vec("[a-h]{1,2}", 0..60),
            held_max in 1_usize..20,
        ) {
            let first = (0..ids.len()).find_map(|at| {
                let before = ids[..at].iter().position(|id| *id == ids[at])?;
                Some((before as u64 + 1, at as u64 + 1))
            });
            let mut seen = Ids::holding(held_max);
            for id in &ids {
                seen.add(id).unwrap();
            }
            prop_assert_eq!(seen.twice().unwrap(), first);
        }
    }

    #[test]
    fn runs_longer_than_what_is_read_ahead_are_read_whole() {
        let mut seen = Ids::holding(3 * READ_AHEAD);
        for number in 0..10 * READ_AHEAD {
            seen.add(&(number % (9 * READ_AHEAD + 5)).to_string()).unwrap();
        }
        assert_eq!(seen.twice().unwrap(), Some((1, 9 * READ_AHEAD as u64 + 6)));
    }
}
