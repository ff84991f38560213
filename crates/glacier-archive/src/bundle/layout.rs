//! Where the members of a bundle lie: a pure decision.

use std::collections::BTreeSet;

/// What a range of a retrieval is aligned to.
const MEBIBYTE: u64 = 1024 * 1024;

/// Where members lie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Where each member begins, in the order of the sizes.
    pub offsets: Vec<u64>,
    /// Bytes of all members and of what is between them.
    pub bytes: u64,
}

/// Places members of these sizes: the largest first, each of up to 1 MiB into the fullest mebibyte that has room for it.
#[must_use]
pub fn layout(sizes: &[u64]) -> Layout {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|at| (std::cmp::Reverse(sizes[*at]), *at));
    let (mut offsets, mut bytes) = (vec![0; sizes.len()], 0_u64);
    // What is free at the end of each mebibyte that has begun, and where.
    let mut free: BTreeSet<(u64, u64)> = BTreeSet::new();
    for at in order {
        let size = sizes[at];
        let room = free.range((size, 0)..).next().copied().filter(|_| size <= MEBIBYTE);
        let start = match room {
            Some((left, start)) => {
                free.remove(&(left, start));
                start
            }
            None => bytes.next_multiple_of(MEBIBYTE),
        };
        let end = start + size;
        offsets[at] = start;
        bytes = bytes.max(end);
        let left = end.next_multiple_of(MEBIBYTE) - end;
        if left > 0 {
            free.insert((left, end));
        }
    }
    Layout { offsets, bytes }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_files_share_mebibytes() {
        let hundred = layout(&vec![10_240; 1000]);
        assert_eq!(hundred.bytes.div_ceil(MEBIBYTE), 10, "102 of them fit a mebibyte");
        assert_eq!(layout(&[]), Layout::default());
        assert_eq!(layout(&[5, MEBIBYTE + 1, 7]).offsets, [MEBIBYTE + 8, 0, MEBIBYTE + 1]);
    }

    proptest! {
        #[test]
        fn members_neither_overlap_nor_cross_a_mebibyte_and_waste_less_than_half(
            sizes in proptest::collection::vec(1u64..3 * MEBIBYTE, 0..60),
        ) {
            let Layout { offsets, bytes } = layout(&sizes);
            let mut spans: Vec<(u64, u64)> = offsets.iter().zip(&sizes).map(|(start, size)| (*start, start + size)).collect();
            spans.sort_unstable();
            prop_assert!(spans.windows(2).all(|two| two[0].1 <= two[1].0), "overlap");
            prop_assert_eq!(bytes, spans.last().map_or(0, |(_, end)| *end));
            for (start, end) in spans {
                let mebibytes = (end - 1) / MEBIBYTE - start / MEBIBYTE + 1;
                prop_assert_eq!(mebibytes, (end - start).div_ceil(MEBIBYTE), "a range of its own is little larger");
            }
            let content: u64 = sizes.iter().sum();
            prop_assert!(bytes <= 2 * content + MEBIBYTE);
        }
    }
}
