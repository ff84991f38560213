//! A list whose entries are never moved, so that a push takes the same time for any length.

/// Entries of a piece: a kilobyte of slots, which allocators hand out without looking around. The first piece grows to it.
const PIECE: usize = 256;

/// Entries in the order in which they came.
#[derive(Clone, Debug)]
pub(crate) struct Notes<T> {
    pieces: Vec<Vec<T>>,
}

impl<T> Default for Notes<T> {
    fn default() -> Self {
        Self { pieces: Vec::new() }
    }
}

impl<T> Notes<T> {
    pub(crate) fn push(&mut self, entry: T) {
        match self.pieces.last_mut().filter(|piece| piece.len() < PIECE) {
            Some(piece) => piece.push(entry),
            None => {
                // Most tables are hardly changed between two backups.
                let mut piece = if self.pieces.is_empty() { Vec::new() } else { Vec::with_capacity(PIECE) };
                piece.push(entry);
                self.pieces.push(piece);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pieces.iter().flatten()
    }
}

impl<T> FromIterator<T> for Notes<T> {
    fn from_iter<I: IntoIterator<Item = T>>(entries: I) -> Self {
        let mut notes = Self::default();
        entries.into_iter().for_each(|entry| notes.push(entry));
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_in_order_across_pieces() {
        for count in [0, 1, PIECE, PIECE + 1, 3 * PIECE] {
            let notes: Notes<usize> = (0..count).collect();
            assert_eq!(notes.is_empty(), count == 0);
            assert!(notes.iter().copied().eq(0..count), "{count}");
        }
    }
}
