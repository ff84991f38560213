//! Cuts chunks of any size into parts of one size, copying only what must be copied.

use bytes::{Bytes, BytesMut};

/// The part being filled.
#[derive(Debug)]
pub(super) struct Assembly {
    part_bytes: usize,
    held: Held,
}

#[derive(Debug)]
enum Held {
    Nothing,
    /// One piece, not copied: it may turn out to be all there is.
    One(Bytes),
    Many(BytesMut),
}

impl Assembly {
    pub(super) fn new(part_bytes: usize) -> Self {
        Self { part_bytes, held: Held::Nothing }
    }

    fn bytes(&self) -> usize {
        match &self.held {
            Held::Nothing => 0,
            Held::One(piece) => piece.len(),
            Held::Many(buffer) => buffer.len(),
        }
    }

    /// Takes from the front of `input`, which is not empty, what fits; gives a part once it is full.
    pub(super) fn take(&mut self, input: &mut Bytes) -> Option<Bytes> {
        let piece = input.split_to(input.len().min(self.part_bytes - self.bytes()));
        self.held = match std::mem::replace(&mut self.held, Held::Nothing) {
            Held::Nothing => Held::One(piece),
            Held::One(first) => {
                // The whole part at once: growing step by step would copy it several times.
                let mut buffer = BytesMut::with_capacity(self.part_bytes);
                buffer.extend_from_slice(&first);
                buffer.extend_from_slice(&piece);
                Held::Many(buffer)
            }
            Held::Many(mut buffer) => {
                buffer.extend_from_slice(&piece);
                Held::Many(buffer)
            }
        };
        if self.bytes() == self.part_bytes { self.rest() } else { None }
    }

    /// What there is of the part.
    pub(super) fn rest(&mut self) -> Option<Bytes> {
        match std::mem::replace(&mut self.held, Held::Nothing) {
            Held::Nothing => None,
            Held::One(piece) => Some(piece),
            Held::Many(buffer) => Some(buffer.freeze()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_are_full_and_lose_nothing(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20),
            part_bytes in 1usize..50,
        ) {
            let mut assembly = Assembly::new(part_bytes);
            let mut parts = Vec::new();
            for piece in &pieces {
                let mut input = Bytes::copy_from_slice(piece);
                while !input.is_empty() {
                    parts.extend(assembly.take(&mut input));
                }
            }
            prop_assert!(parts.iter().all(|part| part.len() == part_bytes));
            let rest = assembly.rest();
            prop_assert!(rest.as_ref().is_none_or(|rest| !rest.is_empty() && rest.len() < part_bytes));
            parts.extend(rest);
            prop_assert_eq!(parts.concat(), pieces.concat());
        }
    }

    #[test]
    fn a_piece_that_is_a_part_is_not_copied() {
        let whole = Bytes::from(vec![1; 100]);
        let mut input = whole.clone();
        let part = Assembly::new(50).take(&mut input).unwrap();
        assert_eq!(part.as_ptr(), whole.as_ptr());
    }
}
